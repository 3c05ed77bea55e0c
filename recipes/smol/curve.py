"""How well smol says words, over the tokens trained on: what `benchmarks/learning_curve.py` draws.

Held-out texts are right when every letter of what is to be said is; no sound is made or heard.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from recipes.smol.model import SMOL, hearing, texts
from recipes.speech.errors import normalised
from recipes.speech.tasks import saying
from recipes.speech.texts import Text, texts_of
from typer import Argument, Option

from sensorium.engines import generate
from sensorium.evaluate import Share
from sensorium.files import atomic_file
from sensorium.generate import Assistant
from sensorium.model import Grown
from sensorium.recipe.stages import trained
from sensorium.training import checkpoint

MOST_CODES = 48


def evaluate(
    checkpoints: Annotated[list[Path], Argument(help="Folders step-... of a stage's run, kept while it trained.")],
    stage: Annotated[int, Option(help="Their stage.")] = len(SMOL.stages) - 1,
    count: Annotated[int, Option(min=1, help="Texts to say.")] = 40,
    out: Annotated[Path, Option(help="File of the curve.")] = Path("results/smol/said.json"),
) -> None:
    """Words said right to the letter at checkpoints of a stage."""
    grown, rows = SMOL.body(stage), []
    asked = list(texts_of(texts(), count, "test", "said"))
    for place in sorted(checkpoints):
        found = checkpoint.load(place)
        grown.load_train_state(trained(found))
        share = Share(right(grown, asked), count)
        low, high = share.interval
        rows.append({"tokens": found.state["tokens"], "share": share.value, "n": count, "lower": low, "upper": high})
        print(f"{found.state['tokens']} tokens: {share}", flush=True)
    told = {"label": SMOL.name, "measure": "held-out texts said right to the letter", "rows": rows}
    with atomic_file(out) as path:
        path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def right(grown: Grown, asked: Sequence[Text]) -> int:
    """How many of the texts are said as they are written."""
    folded = grown.fold()
    model = Assistant(folded.lm, folded.senses, base_name=folded.base_name)
    model.has_adapter = folded.has_adapter
    model.eval()
    count = 0
    for text in asked:
        turn = model.turn(saying(text.text), "audio", temperature=0.0, max_tokens=MOST_CODES)
        (made,) = generate(model.engine, [turn])
        codes = [part.codes for part in model.stream.parse(made.ids) if part.codes is not None]
        count += hearing().spell(codes) == hearing().spell([hearing().cut(normalised(text.text, text.language))])
    return count
