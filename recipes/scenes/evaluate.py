"""Measuring a model on stills of held-out combinations: each kind of question beside the same without the picture, and
whether pictures that it writes show what was wished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from recipes.scenes.codec import making
from recipes.scenes.questions import BOXES
from recipes.scenes.tasks import KINDS, answers, tasks
from recipes.scenes.thoughts import KINDS as THOUGHTS
from recipes.scenes.written import IMAGE, must_write, writes
from typer import Option

from sensorium.data.table import Side
from sensorium.evaluate import Mean, Results, Task, Written, paired
from sensorium.evaluate.marks import Mark
from sensorium.evaluate.scorers import asked
from sensorium.grounding.localisation import mean_average_precision
from sensorium.modalities import modality

BLIND, OTHER = "no picture", "another's picture"


def evaluate(
    model: str,
    count: Annotated[int, Option(help="Questions of a kind.")] = 200,
    side: Annotated[str, Option(help="test (combinations held out) or train.")] = "test",
    thinking: Annotated[bool, Option(help="Only with the request to think first, what can be thought about.")] = False,
    pictures: Annotated[int, Option(help="Only so many pictures to write from words; 0 for the questions.")] = 0,
    engine: Annotated[str, Option(help="What writes, see `sensorium.engines.make_engine`.")] = "torch",
    out: Annotated[Path, Option(help="Folder for the tables.")] = Path("results/scenes"),
) -> None:
    """Names, colours, numbers, relations and places, with and without the picture."""
    import sensorium

    asked_side: Side = "train" if side == "train" else "test"
    ask, ending = (think, "_thinking") if thinking else (measure, "")
    if pictures:
        ask, ending, count = write, "_written", pictures
    ask(sensorium.load(model, engine=engine), asked_side, count).save(out, f"stills_{asked_side}{ending}")


def think(model: Any, side: Side, count: int) -> Results:
    """What can be thought about, answered freely: at once, and after a thought."""
    results = Results(notes={"side": side, "questions": count})
    at_once, thought = (tasks(making(side), count, kinds=THOUGHTS, thinking=first) for first in (False, True))
    thinks(model, at_once, thought, results)
    return results


def write(model: Any, side: Side, count: int) -> Results:
    """Pictures written from words.

    Raises:
        InputError: the model writes none.
    """
    must_write(model, IMAGE, "leave out --pictures")
    results = Results(notes={"side": side, "pictures": count, "judge of what is drawn": "the codec things"})
    writes(model, results, side, count)
    return results


def thinks(model: Any, at_once: Sequence[Task], thought: Sequence[Task], results: Results) -> None:
    """The same questions in two ways, answered freely, and thought about beside another's medium."""
    for plain, first in zip(at_once, thought, strict=True):
        freely = plain.scorer if isinstance(plain.scorer, Written) else Written()
        said = replace(plain, name=f"{plain.name}, at once", scorer=freely).run(model, results)
        concluded = first.run(model, results)
        first.wrong().run(model, results)
        difference = paired([one.right for one in concluded], [one.right for one in said])
        results.notes[f"{first.name} against at once"] = difference.to_json()


def measure(model: Any, side: Side, count: int) -> Results:
    """See `evaluate`."""
    results, asked_of = Results(notes={"side": side, "questions": count}), making(side)
    for task in tasks(asked_of, count, kinds=KINDS):
        kind = task.name.removeprefix("stills: ")
        if kind == "locate":
            for view in (task, task.blind(BLIND)):
                _locates(model, view, results)
            continue
        seen, blind, _ = (view.run(model, results) for view in (task, task.blind(BLIND), task.wrong(OTHER)))
        difference = paired([one.right for one in seen], [one.right for one in blind])
        results.notes[f"{task.name}: with the picture against without"] = difference.to_json()
        results.notes[f"{task.name}: chance"] = round(1 / len(answers(kind, asked_of)), 4)
    return results


def _locates(model: Any, task: Task, results: Results) -> None:
    """Boxes of all that is asked for: mean overlap, and COCO's average precision."""
    marks = [_mark(model, *asked(one), str(number)) for number, one in enumerate(task.conversations)]
    results.add(f"{task.name}, IoU", task.condition, Mean.of([mark.score for mark in marks]))
    results.notes[f"{task.name}, {task.condition}: mAP"] = {
        name: round(mean_average_precision(marks, at), 4) for name, at in (("0.5", 0.5), ("0.5 to 0.95", None))
    }
    results.say(f"{task.name}, {task.condition}: {results.notes[f'{task.name}, {task.condition}: mAP']}")


def _mark(model: Any, question: Any, answer: Any, number: str) -> Mark:
    kind = modality(BOXES)
    right = kind.open(answer.parts[0].data)
    written = [part for part in model.chat(question, want=BOXES, temperature=0).parts if part.modality == BOXES]
    found = kind.open(written[0].data) if written and written[0].data is not None else None
    empty = found is None or not np.size(found.array)
    score = 0.0 if empty else kind.measures(replace(right, labels=()), replace(found, labels=()))["mean_iou"]
    more = {"label": "thing", "true": _rows(right), "places": [] if empty else _rows(found)}
    return Mark(question=number, medium=number, score=score, more=more)


def _rows(boxes: Any) -> Sequence[tuple[float, ...]]:
    return [tuple(map(float, row)) for row in boxes.array]
