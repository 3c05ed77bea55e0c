"""The command ``data``: fetches the texts and the teacher, and makes the clips with their attribution."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from recipes.speech.clips import folder, make
from recipes.speech.robots import make_robots
from recipes.speech.sources import CREDITS
from recipes.speech.teacher import Teacher
from recipes.speech.texts import Texts

from sensorium.data.fetch import attribution
from sensorium.files import atomic_file

ABOUT = """
Sentences were spoken by a synthetic voice and kept as Opus at 24 kHz. Their texts are names of emoji in carrier
phrases, sentences of the recipe's own, and example sentences of a dictionary.
"""

Hours = Annotated[float, typer.Option(help="Hours of sound there are to be in all.")]
Robots = Annotated[float, typer.Option(help="Hours of sound in the voices of espeak-ng, beside them.")]
Start = Annotated[Path | None, typer.Option(help="Clips made before, to take over: a folder.")]


def data(hours: Hours = 10.0, robots: Robots = 3.0, start: Start = None) -> Path:
    """Make the clips; a second run goes on where the first stopped."""
    with atomic_file(folder() / "ATTRIBUTION.md") as out:
        out.write_text(attribution(CREDITS, ABOUT), encoding="utf-8")
    texts, say = Texts.fetched(), partial(print, flush=True)
    place = make(texts, Teacher(), hours, start, say=say)
    make_robots(texts, robots, place, say)
    return place
