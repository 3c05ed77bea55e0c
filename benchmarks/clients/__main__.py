"""Clients that were not written with this server in mind: what works, what is refused and how, what goes wrong?

    python benchmarks/clients                      # all, and write results/serve/clients.md and .json again
    python benchmarks/clients litellm openai-node  # these, the other columns stay as they are
    python benchmarks/clients openai --calls seed stop --out /tmp/clients
    python benchmarks/clients --url http://127.0.0.1:8000 --key KEY --model nano

Each call is asked of the model that its row in ``calls.toml`` names, nano or smol, which hears and speaks; with
``--model`` or ``--url`` all are asked of one.

Each client gets an environment of its own in ``.clients/`` (`clients.toml` pins the versions), where its file of calls
(``with_*``) runs against ``sensorium serve MODEL`` with a key, told nothing but the address, the key and the model. The
rows are those of ``calls.toml``; a call asserts on what the client gives to its user. Ends with 1 when one fails.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from environments import ROOT, Client, all_clients, command, variables
from table import FAILURES, NANO, all_calls, asked_of, counts, judged, markdown

CLIENT_S = 240
KEY = "a-key-of-the-clients"


@contextmanager
def served(model: str, key: str) -> Iterator[str]:
    """The address of a server of its own on a free port."""
    arguments = [sys.executable, "-m", "sensorium", "serve", model, "--port", "0"]
    environment = {**os.environ, "SENSORIUM_API_KEY": key}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            url = re.search(r"http://\S+", process.stdout.readline())
            assert url, "the server did not start"
            yield url.group()
        finally:
            process.send_signal(signal.SIGINT)


def run(client: Client, cache: Path, environment: dict[str, str], calls: list[str]) -> dict[str, Any]:
    """What came of the client's calls, by name."""
    runs = command(client, cache)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "told.json")
        done = subprocess.run(
            [*runs, str(out), *calls],
            env=environment,
            cwd=folder,
            timeout=CLIENT_S,
            capture_output=True,
            text=True,
        )
        assert out.is_file(), f"{client.name} told nothing:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return json.loads(out.read_text(encoding="utf-8"))


def head(models: list[str]) -> str:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    served = " and ".join(f"`sensorium serve {model}`" for model in models)
    return f"`python benchmarks/clients` against {served} of {commit.strip() or 'an unknown commit'}."


def tell(name: str, calls: dict[str, Any], seconds: float) -> None:
    sums = ", ".join(f"{count} {kind}" for kind, count in sorted(counts(calls).items()))
    print(f"{name}: {sums}; {seconds:.0f} s", flush=True)
    for call, told in calls.items():
        if told["verdict"] in FAILURES:
            status = f" {told['status']}" if told["outcome"] == "refused" else ""
            print(f"  {call}: {told['verdict']}{status}: {told.get('error', '')} {told['says'][:200]}")


def chosen(options: argparse.Namespace, clients: dict[str, Client]) -> list[str]:
    unknown = sorted({*options.clients} - {*clients}) + sorted({*(options.calls or ())} - {*all_calls()})
    if unknown:
        raise SystemExit(f"not known: {', '.join(unknown)}; the clients: {', '.join(clients)}; the calls: calls.toml")
    return options.clients or list(clients)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="*", help="by name; default: all")
    parser.add_argument("--calls", nargs="+", help="only these; nothing is written unless --out says where")
    parser.add_argument("--url", help="a running server; default: one of its own")
    parser.add_argument("--key", default=KEY, help="the server's key")
    parser.add_argument("--model", help="whom all calls are asked; default: whom their rows name, or nano at --url")
    parser.add_argument("--cache", type=Path, default=ROOT / ".clients", help="where the environments are")
    parser.add_argument("--out", type=Path, help="two files, .md and .json; default: results/serve/clients")
    options = parser.parse_args()
    if not options.calls and not options.out:
        options.out = ROOT / "results" / "serve" / "clients"
    return options


def main() -> None:
    options, clients = parsed(), all_clients()
    names = chosen(options, clients)
    only = options.model or (NANO if options.url else None)
    calls = options.calls or list(all_calls())
    asked = {only: calls} if only else asked_of(calls)
    told: dict[str, dict[str, Any]] = {name: {} for name in names}
    for name in names:
        command(clients[name], options.cache)  # before the server starts, which would wait in vain
    for model, calls in asked.items():
        with served(model, options.key) if not options.url else nullcontext(options.url) as url:
            for name in names:
                start = time.monotonic()
                found = run(clients[name], options.cache, variables(url, options.key, model), calls)
                told[name] |= found
                if found:
                    tell(name, judged({name: found})[name], time.monotonic() - start)
    results = judged(told)
    if options.out:
        write(options.out, results, clients, head(list(asked)))
    sys.exit(any(counts(calls)[kind] for calls in results.values() for kind in FAILURES))


def write(out: Path, results: dict[str, Any], clients: dict[str, Client], line: str) -> None:
    """The table with these results; of clients that were not run, with those that the file has."""
    data = out.with_suffix(".json")
    kept = json.loads(data.read_text(encoding="utf-8")) if data.is_file() else {}
    results = {name: results.get(name, kept.get(name)) for name in clients if name in results or name in kept}
    out.parent.mkdir(parents=True, exist_ok=True)
    data.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    out.with_suffix(".md").write_text(markdown(results, clients, line), encoding="utf-8")


if __name__ == "__main__":
    main()
