"""Files of facts in, a file of questions and its data card out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sensorium.checked import checked
from sensorium.data.fact_importers import gathered
from sensorium.files import atomic_file
from sensorium.grounding.card import Card
from sensorium.grounding.generate import SHARES, Material, generate
from sensorium.grounding.question import TaskName, write_questions
from sensorium.types import InputError


def write(files: Sequence[Path], out: Path, count: int, tasks: Sequence[str] | None = None, seed: int = 0) -> str:
    """Write the questions to ``out`` and the card beside it (``.md``); the text of the card.

    Raises:
        InputError: facts are wrong or their media missing, a task is unknown, or nothing can be asked.
    """
    wanted = [checked(one, TaskName, f"task {one!r}") for one in tasks or SHARES]
    found = gathered(files)
    paths = [Path(os.path.relpath(path, out.parent)).as_posix() for _, path in found]
    questions = generate(Material([facts for facts, _ in found], paths, seed), count, wanted)
    if not questions:
        raise InputError("nothing can be asked: different media must give different answers to the same words")
    write_questions(questions, out)
    card = Card(questions, [facts for facts, _ in found], seed).to_markdown()
    with atomic_file(out.with_suffix(".md")) as path:
        path.write_text(card, encoding="utf-8")
    return card
