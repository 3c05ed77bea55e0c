"""Measuring a model on clips: what it reads beside the blind run, and how clips that it writes are judged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from recipes.motion.moved import atlas_of
from recipes.motion.tasks import ANSWERS, tasks
from recipes.motion.thoughts import KINDS as THOUGHTS
from recipes.motion.written import VIDEO, fulfils, lister, writes
from recipes.scenes.atlas import Atlas
from recipes.scenes.evaluate import thinks
from recipes.scenes.written import must_write
from typer import Argument, Option

from sensorium.data.table import Side
from sensorium.evaluate import Results, paired


def evaluate(
    model: Annotated[str, Argument(help="Name, folder or Hub id.")],
    count: Annotated[int, Option(help="Questions of a kind.")] = 200,
    clips: Annotated[int, Option(help="Clips to write; 0 for none.")] = 50,
    side: Annotated[str, Option(help="test (combinations held out) or train.")] = "test",
    drawings: Annotated[bool, Option(help="Also drawings that move, where their table was made.")] = True,
    thinking: Annotated[bool, Option(help="Only with the request to think first, what can be thought about.")] = False,
    engine: Annotated[str, Option(help="What writes, see `sensorium.engines.make_engine`.")] = "torch",
    out: Annotated[Path, Option(help="Folder for the tables.")] = Path("results/motion"),
) -> None:
    """Direction and time of motion with and without the clip, and clips written from words.

    With no questions and some clips, these alone.
    """
    import sensorium

    asked: Side = "train" if side == "train" else "test"
    atlas, loaded = atlas_of(asked, None if drawings else False), sensorium.load(model, engine=engine)
    if thinking:
        think(loaded, asked, atlas, count).save(out, "thinking")
    else:
        measure(loaded, asked, atlas, count, clips).save(out)


def think(model: Any, side: Side, atlas: Atlas, count: int) -> Results:
    """What can be thought about, answered freely: at once, and after a thought."""
    results = Results(notes={"side": side, "questions": count})
    at_once, thought = (tasks(side, atlas, count, kinds=THOUGHTS, thinking=first) for first in (False, True))
    thinks(model, at_once, thought, results)
    return results


def measure(model: Any, side: Side, atlas: Atlas, count: int, clips: int) -> Results:
    """See `evaluate`.

    Raises:
        InputError: clips are to be written and the model writes none, or their judge has not been trained.
    """
    if clips:
        must_write(model, VIDEO, "give --clips 0")
    results = Results(notes={"side": side, "questions": count, "clips": clips})
    for task in tasks(side, atlas, count) if count else ():
        seen, blind = task.run(model, results), task.blind("no clip").run(model, results)
        difference = paired([one.right for one in seen], [one.right for one in blind])
        results.notes[f"{task.name}: with the clip against without"] = difference.to_json()
        if task.name in ANSWERS:
            results.notes[f"{task.name}: chance"] = round(1 / len(ANSWERS[task.name]), 4)
    if clips:
        writes(model, results, side, atlas, clips)
        if lister(model) is not None:
            fulfils(model, results, side, clips)
    return results
