"""Measuring a model on clips: what it reads beside the blind run, and how clips that it writes are judged."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Annotated, Any

import numpy as np
from recipes.motion import judge
from recipes.motion.clips import FRAMES, RATE_HZ, SIDE_PX, done
from recipes.motion.moved import atlas_of
from recipes.motion.questions import conversation, of_moved
from recipes.motion.tasks import ANSWERS, tasks
from recipes.motion.thoughts import KINDS as THOUGHTS
from recipes.scenes.atlas import Atlas
from recipes.scenes.evaluate import thinks
from typer import Argument, Option

from sensorium.data.table import Side
from sensorium.evaluate import Results, judged, paired
from sensorium.modalities import Wish, modality
from sensorium.types import Conversation


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
    """Direction and time of motion with and without the clip, and clips written from words."""
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
    """See `evaluate`."""
    results = Results(notes={"side": side, "questions": count, "clips": clips})
    for task in tasks(side, atlas, count):
        seen, blind = task.run(model, results), task.blind("no clip").run(model, results)
        difference = paired([one.right for one in seen], [one.right for one in blind])
        results.notes[f"{task.name}: with the clip against without"] = difference.to_json()
        if task.name in ANSWERS:
            results.notes[f"{task.name}: chance"] = round(1 / len(ANSWERS[task.name]), 4)
    if clips:
        _writes(model, results, side, atlas, clips)
    return results


def _writes(model: Any, results: Results, side: Side, atlas: Atlas, count: int) -> None:
    """Clips written to wishes for one thing, beside real ones and those written to another wish."""
    wished = [clip for clip, _ in zip(judge.alone(side, "wished", atlas), range(count), strict=False)]
    written = []
    for seed, clip in enumerate(wished):
        talk = of_moved("write", clip.facts, side, atlas, Random(seed))
        assert talk is not None
        asked = Conversation(conversation(clip, [talk]).messages[:-1])
        written.append(_frames(model.chat(asked, want="video", seed=seed).parts[0].data))
    shown = {"model": written, "a real clip": [clip.frames for clip in wished]}
    shown["written to another wish"] = written[1:] + written[:1]
    judged(results, "clip", judge.load(), shown, [done(clip.facts.events[0]) for clip in wished])


def _frames(clip: Any) -> np.ndarray:
    """(`FRAMES`, `SIDE_PX`, `SIDE_PX`, 3): cut, or its last frame held."""
    found = modality("video").open(clip, Wish(rate_hz=RATE_HZ, size=(SIDE_PX, SIDE_PX))).array[:FRAMES]
    return np.concatenate([found, found[-1:].repeat(FRAMES - len(found), axis=0)])
