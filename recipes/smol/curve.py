"""How well smol does over the tokens trained on: what `benchmarks/learning_curve.py` draws.

``said``: held-out texts are right when every letter of what is to be said is; no sound is made or heard. ``thought``:
how two things lie, and how many there are, in scenes of held-out combinations, thought about first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any

from recipes.scenes.codec import making
from recipes.scenes.tasks import tasks
from recipes.smol.model import SMOL
from recipes.smol.senses import hearing, texts
from recipes.speech.errors import normalised
from recipes.speech.tasks import saying
from recipes.speech.texts import texts_of
from typer import Argument, Option

from sensorium.engines import generate
from sensorium.evaluate import Share
from sensorium.files import atomic_file
from sensorium.generate import Assistant
from sensorium.model import Grown
from sensorium.recipe.stages import trained
from sensorium.training import checkpoint
from sensorium.types import InputError

MOST_CODES = 48
THOUGHT = ("relation", "where", "count")


def evaluate(
    checkpoints: Annotated[list[Path], Argument(help="Folders step-... of a stage's run, kept while it trained.")],
    stage: Annotated[int, Option(help="Their stage.")] = len(SMOL.stages) - 1,
    start: Annotated[str, Option(help="The model that the stage was begun on, where it was given.")] = "",
    measure: Annotated[str, Option(help="said or thought.")] = "said",
    count: Annotated[int, Option(min=1, help="Texts to say, or questions of three kinds.")] = 40,
    out: Annotated[Path, Option(help="Folder of the curve.")] = Path("results/smol"),
) -> None:
    """What checkpoints of a stage can do: words said right to the letter, or questions thought about."""
    if measure not in MEASURES:
        raise InputError(f"there is no measure {measure!r}; there are {', '.join(MEASURES)}")
    told, right = MEASURES[measure]
    grown, rows = SMOL.grown(start) if start else SMOL.body(stage), []
    for place in sorted(checkpoints):
        found = checkpoint.load(place)
        grown.load_train_state(trained(found))
        share = Share(right(speaking(grown), count), count)
        low, high = share.interval
        rows.append({"tokens": found.state["tokens"], "share": share.value, "n": count, "lower": low, "upper": high})
        print(f"{found.state['tokens']} tokens: {share}", flush=True)
    with atomic_file(out / f"{measure}.json") as path:
        curve = {"label": SMOL.name, "measure": told, "rows": rows}
        path.write_text(json.dumps(curve, indent=1) + "\n", encoding="utf-8")


def speaking(grown: Grown) -> Assistant:
    folded = grown.fold()
    model = Assistant(folded.lm, folded.senses, base_name=folded.base_name)
    model.has_adapter = folded.has_adapter
    model.eval()
    return model


def said(model: Any, count: int) -> int:
    """How many texts are said as they are written."""
    right = 0
    for text in texts_of(texts(), count, "test", "said"):
        turn = model.turn(saying(text.text), "audio", temperature=0.0, max_tokens=MOST_CODES)
        (made,) = generate(model.engine, [turn])
        codes = [part.codes for part in model.stream.parse(made.ids) if part.codes is not None]
        right += hearing().spell(codes) == hearing().spell([hearing().cut(normalised(text.text, text.language))])
    return right


def thought(model: Any, count: int) -> int:
    """How many questions are answered rightly, of every kind about as many."""
    asked = tasks(making("test"), -(-count // len(THOUGHT)), kinds=THOUGHT, thinking=True)
    mixed = islice(chain.from_iterable(zip(*(one.conversations for one in asked), strict=True)), count)
    return sum(verdict.right for verdict in asked[0].scorer.judge(model, list(mixed)))


MEASURES: Mapping[str, tuple[str, Callable[[Any, int], int]]] = {
    "said": ("held-out texts said right to the letter", said),
    "thought": ("questions about scenes of held-out combinations, thought about first", thought),
}
