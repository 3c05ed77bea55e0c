"""A question about a medium with its right answer, and files of them (JSONL)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal

from sensorium.checked import NAME, Range, checked, told
from sensorium.data.facts import PX, Box
from sensorium.files import atomic_file
from sensorium.types import InputError

TASKS = ("choice", "open", "groups", "pope", "locate", "caption")
TaskName = Literal["choice", "open", "groups", "pope", "locate", "caption"]
Words = Annotated[str, Range(1, 2000)]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of a medium.

    Args:
        id: tells it from all others; the same questions have the same in every file.
        task: the form it has, and by what it is scored. "choice" has options; "open" none; "groups" are yes and no in
            two media by two questions; "pope" is yes and no on what is there; "locate" is answered by a box;
            "caption" by a description.
        medium: path of its file, relative to the file of questions.
        aspect: what is asked for: "existence", "object", "colour", "number", ...
        tier: how wrong answers were chosen: "random" (any of the same aspect), "hard" (what is there elsewhere, or
            often comes along), "twin" (a name that differs in one word); of "pope" random, popular, adversarial.
        answer: that is right; among the options where there are any.
        also: further right answers; of "caption" the names of all that is there.
        references: of "caption" how others describe it, for BLEU and CIDEr-D.
        places: where it is, boxes in px of ``frame``.
        group: questions that belong together: same words and options, every answer right once.
    """

    id: NAME
    task: TaskName
    medium: Words
    modality: NAME
    aspect: NAME
    tier: NAME = ""
    text: Words
    options: Annotated[tuple[Words, ...], Range(0, 64)] = ()
    answer: Annotated[str, Range(0, 2000)]
    also: tuple[NAME, ...] = ()
    references: tuple[Words, ...] = ()
    places: tuple[Box, ...] = ()
    frame: tuple[PX, PX] | None = None
    group: NAME = ""

    def __post_init__(self) -> None:
        if self.options and (self.answer not in self.options or len(set(self.options)) < len(self.options)):
            raise InputError(f"the options of the question {self.id!r} must differ, and its answer must be among them")

    @property
    def chance(self) -> float | None:
        """What guessing gets right on average; None where nobody can say."""
        if self.task in ("groups", "pope"):
            return 0.5
        return 1 / len(self.options) if self.options else None

    def to_json(self) -> dict[str, Any]:
        """What was not said is left out."""
        return {
            one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name) not in ("", (), None)
        }


def identified(question: Question) -> Question:
    """The question with the id that its content gives it."""
    said = [question.task, question.medium, question.text, *sorted(question.options)]
    return replace(question, id=hashlib.sha256("\n".join(said).encode()).hexdigest()[:16])


def write_questions(questions: Iterable[Question], path: str | PathLike[str]) -> None:
    """Write them as JSONL, whole or not at all."""
    with atomic_file(path) as out, out.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(one.to_json(), ensure_ascii=False) + "\n" for one in questions)


def read_questions(path: str | PathLike[str]) -> list[Question]:
    """The questions of a file.

    Raises:
        InputError: it is missing or empty, a line is no question, or two have the same id.
    """
    if not Path(path).is_file():
        raise InputError(f"there is no file of questions at {path}; write one with `sensorium eval questions`")
    found: dict[str, Question] = {}
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            with told(f"line {number} of {path} is no question"):
                one = checked({"answer": "", **json.loads(line)}, Question, "it")
                if one.id in found:
                    raise InputError(f"it has the id of another one, {one.id!r}")
            found[one.id] = one
    if not found:
        raise InputError(f"{path} holds no questions")
    return list(found.values())


def sampled(questions: Sequence[Question], limit: int, seed: int = 0) -> list[Question]:
    """About ``limit`` questions of each task, evenly by aspect and tier, groups whole; the same for the same seed."""
    found: list[Question] = []
    for task in TASKS:
        own = [one for one in questions if one.task == task]
        kinds: dict[tuple[str, str], dict[str, list[Question]]] = {}
        for one in own:
            kinds.setdefault((one.aspect, one.tier), {}).setdefault(one.group or one.id, []).append(one)
        waiting = [sorted(groups.items(), key=lambda item: _shuffled(item[0], seed)) for groups in kinds.values()]
        taken = 0
        while taken < limit and any(waiting):
            for groups in waiting:
                if groups and taken < limit:
                    _, members = groups.pop()
                    found += members
                    taken += len(members)
    return found


def _shuffled(name: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()
