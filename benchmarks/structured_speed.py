"""Tokens a second of answers of a given form, against free text of the same model in the same run.

    python benchmarks/structured_speed.py nano [MODEL ...] [--batch 1 8] [--tokens 128] [--runs 5] [--engine torch]

``schema`` writes records of a nested schema, ``object`` any JSON object, ``auto`` text that may turn into the call of a
tool. Ids that a form forces cost no step of the model.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import sensorium as sm
from sensorium.engines import Turn, stream
from sensorium.generate import Assistant
from sensorium.generate.tools import Tool, calls_form
from sensorium.stream import Form
from sensorium.types import TEXT, Conversation, as_message

RECORD = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 40},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "kind": {"enum": ["a", "b", "c"]},
        "notes": {"type": "array", "items": {"type": "string", "maxLength": 60}},
    },
    "required": ["name", "age", "kind", "notes"],
}
FORMS = {
    "free": None,
    "schema": Form.schema({"type": "array", "items": RECORD, "minItems": 100}),
    "object": Form.json(),
    "auto": calls_form([Tool("record", parameters=RECORD)]),
}


def turns(model: Assistant, form: Form | None, rows: int, tokens: int, seed: int) -> list[Turn]:
    asked = Conversation((as_message("user", "Tell me about the people in the picture."),))
    first = model.turn(asked, TEXT, form=form, temperature=1.0, max_tokens=tokens, seed=seed)
    first = replace(first, sampling=replace(first.sampling, seed=seed))
    return [first.again(number) for number in range(rows)]


def write(model: Assistant, form: Form | None, rows: int, tokens: int, seed: int) -> float:
    """Tokens a second."""
    made = turns(model, form, rows, tokens, seed)
    start = time.perf_counter()
    count = sum(1 for _ in stream(model.engine, made))
    return count / (time.perf_counter() - start)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--engine", default="torch")
    options = parser.parse_args(arguments)
    print("| model | engine | batch | form | tokens_per_s | times_free |\n|---|---|---|---|---|---|")
    for name in options.models:
        model = sm.load(name, engine=options.engine)
        for rows in options.batch:
            rates: dict[str, list[float]] = {form: [] for form in FORMS}
            for run in range(options.runs + 1):
                for form, what in FORMS.items():
                    rate = write(model, what, rows, options.tokens, seed=100 * run)
                    rates[form] += [rate] if run else []
            free = median(rates["free"])
            for form, found in rates.items():
                rate = median(found)
                print(f"| {name} | {options.engine} | {rows} | {form} | {rate:.0f} | {rate / free:.2f} |", flush=True)


if __name__ == "__main__":
    main()
