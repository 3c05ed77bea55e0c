"""Logs of other harnesses as runs: of inspect_ai (``.eval``, ``.json``) and of lmms-eval (``*_samples_*.jsonl``)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from sensorium.checked import told
from sensorium.evaluate.marks import Mark, Run
from sensorium.modalities import modality_names
from sensorium.types import InputError

OF_LMMS = {
    "doc_id", "doc", "target", "arguments", "input", "resps", "filtered_resps", "doc_hash", "prompt_hash",
    "target_hash", "success", "token_counts", "filter",
}  # fmt: skip
"""Fields of a sample of lmms-eval that are no measure."""
RIGHT = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
"""Letters that inspect_ai scores with."""
MEDIUM = ("medium", "medium_id", "img_id", "source_id")
"""Where samples say which medium they are about; also under a modality's name, and that with "_id"."""


def read_log(path: str | PathLike[str], measure: str | None = None) -> Run:
    """The run that a log tells of.

    Args:
        measure: name of the scorer, or of the measure, where a log has several; the first one otherwise.

    Raises:
        InputError: the file is missing or no such log, or has no such measure.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no log at {path}")
    if path.suffix == ".jsonl":
        return _lmms(path, measure)
    if path.suffix in (".eval", ".json"):
        return _inspect(path, measure)
    raise InputError(
        f"{path} is no log that is known: give .eval or .json of inspect_ai, or samples .jsonl of lmms-eval"
    )


def inspect_log(path: Path) -> Any:
    """The log of inspect_ai at a path; InputError when it cannot be read, or the library is not installed."""
    try:
        from inspect_ai.log import read_eval_log
    except ImportError as error:
        raise InputError("logs of inspect_ai need it; install it with `pip install 'sensorium[eval]'`") from error
    with told(f"{path} cannot be read as a log of inspect_ai"):
        return read_eval_log(str(path))


def _inspect(path: Path, measure: str | None) -> Run:
    log = inspect_log(path)
    samples = log.samples or []
    by_question: dict[str, list[Mark]] = {}
    for sample in samples:
        score = _chosen(sample.scores or {}, measure, path)
        if score is not None and not sample.error:
            by_question.setdefault(str(sample.id), []).append(_inspect_mark(sample, score))
    condition = (log.eval.metadata or {}).get("condition", "model")
    marks = tuple(_mean(marks) for marks in by_question.values())
    failed = len({str(sample.id) for sample in samples} - set(by_question))
    return Run(model=log.eval.model, task=log.eval.task, condition=str(condition), marks=marks, failed=failed)


def _chosen(scores: Mapping[str, Any], measure: str | None, path: Path) -> Any:
    if measure is not None and scores and measure not in scores:
        raise InputError(f"{path} has no scorer {measure!r}; it has {', '.join(scores)}")
    return scores[measure] if measure is not None and scores else next(iter(scores.values()), None)


def _inspect_mark(sample: Any, score: Any) -> Mark:
    more = dict(score.metadata or {})
    target = sample.target if isinstance(sample.target, str) else ", ".join(sample.target)
    return Mark(
        question=str(sample.id),
        medium=_medium(sample.metadata or {}) or _content(sample) or str(sample.id),
        score=_number(score.value, f"sample {sample.id}"),
        said=str(score.answer or ""),
        truth=target,
        aspect=str((sample.metadata or {}).get("aspect", "")),
        chance=more.get("chance", (sample.metadata or {}).get("chance")),
        outcome=more.get("outcome", "answered"),
        more=more,
    )


def _content(sample: Any) -> str:
    """A digest of the media that were shown; "" where there were none."""
    messages = sample.input if isinstance(sample.input, list) else []
    shown = [one for message in messages if isinstance(message.content, list) for one in message.content]
    media = [one.model_dump_json() for one in shown if one.type != "text"]
    return hashlib.sha256("".join(media).encode()).hexdigest()[:16] if media else ""


def _number(value: Any, where: str) -> float:
    if isinstance(value, Mapping):
        return _number(next(iter(value.values()), None), where)
    if isinstance(value, str):
        value = RIGHT.get(value, value)
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where} has the score {value!r}, which is no number; choose another measure") from error


def _mean(marks: list[Mark]) -> Mark:
    """One mark for a question that was asked in several epochs."""
    first = marks[0]
    return first if len(marks) == 1 else replace(first, score=sum(one.score for one in marks) / len(marks))


def _lmms(path: Path, measure: str | None) -> Run:
    marks: list[Mark] = []
    failed = 0
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        where = f"line {number} of {path}"
        with told(f"{where} is no sample of lmms-eval"):
            sample = json.loads(line)
            if not isinstance(sample, dict) or "doc_id" not in sample:
                raise InputError('it has no "doc_id"')
        if sample.get("success") is False:
            failed += 1
        else:
            marks.append(_lmms_mark(sample, measure, where))
    task = re.sub(r"^(?:\d{8}_\d{6}_)?samples_", "", path.stem)
    return Run(model=path.parent.name, task=task, marks=tuple(marks), failed=failed)


def _lmms_mark(sample: Mapping[str, Any], measure: str | None, where: str) -> Mark:
    value = _lmms_score({name: one for name, one in sample.items() if name not in OF_LMMS}, measure, where)
    said = sample.get("doc")
    doc: dict[str, Any] = said if isinstance(said, dict) else {}
    return Mark(
        question=str(sample["doc_id"]),
        medium=_medium(doc) or str(sample["doc_id"]),
        score=value,
        said=str(_first(sample.get("filtered_resps", sample.get("resps", "")))),
        truth=str(sample.get("target", "")),
        aspect=str(doc.get("category", "")),
    )


def _lmms_score(measures: Mapping[str, Any], measure: str | None, where: str) -> float:
    """The measure asked for, else the first that is a number; those in an object under "score", as POPE has them."""
    numbers = {name: one.get("score") if isinstance(one, dict) else one for name, one in measures.items()}
    numbers = {name: one for name, one in numbers.items() if isinstance(one, (bool, int, float))}
    if measure is not None and measure not in numbers:
        raise InputError(f"{where} has no measure {measure!r}; it has {', '.join(numbers) or 'none'}")
    if not numbers:
        raise InputError(f"{where} has no measure that is a number")
    return float(numbers[measure if measure is not None else next(iter(numbers))])


def _medium(said: Mapping[str, Any]) -> str:
    """The medium's name, if it is told by one."""
    names = (*MEDIUM, *(name + ending for ending in ("_id", "") for name in modality_names()))
    found: Iterable[Any] = (said[name] for name in names if isinstance(said.get(name), (str, int)))
    return str(next(iter(found), ""))


def _first(value: Any) -> Any:
    while isinstance(value, list) and value:
        value = value[0]
    return value
