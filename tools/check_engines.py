"""Ask every engine the same and compare its ids with torch's: does the export say elsewhere what it says here?

    python tools/check_engines.py nano onnx onnx-int8 llamacpp vllm=http://localhost:8000 [--media FILE ...]

``llamacpp`` alone writes a GGUF file and runs llama.cpp's server in this process (extra ``llamacpp``); ``llamacpp=URL``
asks a running ``llama-server``, ``vllm=URL`` a running ``vllm serve FOLDER``. Every medium is asked about, and one
medium of each modality is written, all greedily. Exits with 1 if an engine in float32 writes other ids.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sensorium
from sensorium.engines import Engine, generate, make_engine
from sensorium.engines.llamacpp_engine import start_server
from sensorium.generate import Assistant
from sensorium.modalities import modality_of
from sensorium.model.gguf import export_gguf, export_gguf_adapter
from sensorium.types import TEXT, Conversation, Part, as_message

Asked = tuple[str, Conversation, str | None]


def questions(model: Assistant, media: list[Path], question: str, request: str) -> list[Asked]:
    """What is asked: a name, the conversation, and what is wanted."""
    asked: list[Asked] = [("hello", Conversation((as_message("user", "Hello, who are you?"),)), TEXT)]
    for path in media:
        content = [Part(modality_of(path).name, path), question]
        asked.append((path.name, Conversation((as_message("user", content),)), TEXT))
    for modality in {layout.facts.modality for layout in model.vocabulary.writers()}:
        asked.append((f"{modality}: {request}", Conversation((as_message("user", request),)), modality))
    return asked


def answers(model: Assistant, engine: Engine, asked: list[Asked]) -> list[dict[str, Any]]:
    """Ids, text and seconds of every answer of an engine."""
    found = []
    for name, conversation, want in asked:
        turn = model.turn(conversation, want, temperature=0, guidance=1, max_tokens=512)
        start = time.perf_counter()
        (made,) = generate(engine, [turn])
        seconds = round(time.perf_counter() - start, 3)
        text = "".join(part.data for part in model.stream.parse(made.ids) if part.is_text)
        found.append({"asked": name, "prompt_ids": len(turn.prompt), "ids": made.ids, "text": text, "s": seconds})
    return found


@contextmanager
def engine_of(model: Assistant, name: str) -> Iterator[Engine]:
    if name != "llamacpp":
        yield make_engine(model.lm, name)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = export_gguf(model, Path(folder) / "model.gguf")
        adapter = export_gguf_adapter(model, Path(folder) / "adapter.gguf") if model.has_adapter else None
        server = start_server(file, context=model.lm.config.max_position_embeddings, adapter=adapter)
        yield make_engine(model.lm, f"llamacpp={server.listening_address}")
        del server


def compare(model: Assistant, names: list[str], asked: list[Asked]) -> list[dict[str, Any]]:
    """One row per engine and question: whether the ids are torch's, and how many are up to the first other one."""
    exact = answers(model, make_engine(model.lm), asked)
    rows = [{"engine": "torch", "equal": True, **one} for one in exact]
    for name in names:
        with engine_of(model, name) as engine:
            for one, reference in zip(answers(model, engine, asked), exact, strict=True):
                pairs = list(zip(one["ids"], reference["ids"], strict=False))
                same = next((place for place, (a, b) in enumerate(pairs) if a != b), len(pairs))
                equal = one["ids"] == reference["ids"]
                rows.append({"engine": name.partition("=")[0], "equal": equal, "same_ids": same, **one})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model in the box, a folder, or a Hub id")
    parser.add_argument("engines", nargs="+", help="see `sensorium.engines.make_engine`; or llamacpp alone")
    parser.add_argument("--media", type=Path, nargs="*", default=[], help="files to ask about")
    parser.add_argument("--question", default="What is this?")
    parser.add_argument("--request", default="Draw a red heart.")
    parser.add_argument("--json", type=Path, help="write everything here")
    options = parser.parse_args()
    model = sensorium.load(options.model)
    rows = compare(model, options.engines, questions(model, options.media, options.question, options.request))
    for row in rows:
        told = "same ids" if row["equal"] else f"other ids after {row['same_ids']}"
        print(f"{row['engine']:10} {row['s']:7.2f} s  {told:24} {row['asked']}: {row['text'].strip() or '(a medium)'}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(rows, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.exit(any(not row["equal"] and not row["engine"].endswith("int8") for row in rows))


if __name__ == "__main__":
    main()
