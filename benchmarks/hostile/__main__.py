"""Does a server stay alive, fair and exact among hostile and careless clients?

    python -m benchmarks.hostile nano --out results/serve/hostile      # more than 10,000 requests, about 15 minutes
    python -m benchmarks.hostile nano --short                          # some hundreds, within a minute: for a test

Starts ``sensorium serve MODEL`` with two keys, lets one generator after the other (`storm.GENERATORS`) loose upon it
from loopback addresses and with a key of their own, and ends it with SIGTERM, and a second one with SIGKILL, while work
is in flight. Beside all of it a quiet client in a process of its own asks small questions, four a second, whose greedy
answers were recorded before: each answer must come and be right.

A server that dies, hangs or takes more than ``--most-mb`` is started again, so that every generator is heard.
Prints tables as Markdown; ``--out`` takes them (``hostile.md``), all numbers (``hostile.json``) and the server's log.
The exit code is 1 when a promise does not hold.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from pathlib import Path

from benchmarks.hostile.report import as_json, as_markdown, facts, promises, write_json
from benchmarks.hostile.storm import GENERATORS, Storm


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="nano")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="some hundreds of requests, within a minute")
    parser.add_argument("--slower", type=float, default=3, help="times that the quiet client's p95 may grow")
    parser.add_argument("--most-mb", type=int, default=4096, help="end a server that takes more memory")
    names = [one.name for one in GENERATORS]
    parser.add_argument("--only", nargs="*", default=[], choices=names, metavar="NAME", help="of: " + ", ".join(names))
    parser.add_argument("--out", type=Path, help="folder for hostile.md, hostile.json and the server's log")
    return parser.parse_args()


def main() -> None:
    given = options()
    command = "python -m benchmarks.hostile " + " ".join(sys.argv[1:])
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        storm = Storm(
            given.model, seed=given.seed, short=given.short, folder=folder, most_mb=given.most_mb, only=given.only
        )  # fmt: skip
        findings = storm.run()
        log = (folder / "server.log").read_bytes()
    kept = promises(findings, given.slower, given.short or bool(given.only))
    table = as_markdown(findings, kept, command)
    print(table)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        write_json(given.out / "hostile.json", as_json(findings, kept, facts(command)))
        (given.out / "hostile.md").write_text(table, encoding="utf-8")
        (given.out / "server.log").write_bytes(log[-1_000_000:])
    sys.exit(not all(one.holds for one in kept))


if __name__ == "__main__":
    main()
