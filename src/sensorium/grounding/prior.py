"""How much of the answers can be guessed from the words alone: a reader of texts who never sees a medium."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log
from zlib import crc32

from sensorium.evaluate.clustered import Rate, rate
from sensorium.grounding.question import Question


class TextOnly:
    """Naive Bayes over the words of questions, and the words of questions as a whole."""

    def __init__(self) -> None:
        self._answers: Counter[str] = Counter()
        self._with: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def learn(self, questions: Iterable[Question]) -> TextOnly:
        for one in questions:
            self._answers[one.answer] += 1
            self._with[one.answer].update(features(one.text))
        return self

    def choose(self, text: str, options: Sequence[str]) -> str:
        """The likeliest answer; of equal ones the one that the question's words decide, so not always the first."""
        words = features(text)
        return max(options, key=lambda option: (self._likelihood(words, option), crc32(f"{text} {option}".encode())))

    def _likelihood(self, words: Sequence[str], option: str) -> float:
        count, known = self._answers[option], self._with[option]
        return log(count + 1) + sum(log((known[word] + 0.1) / (count + 1)) for word in words)


def features(text: str) -> list[str]:
    return [*dict.fromkeys(text.lower().strip("?.").split()), f"= {text}"]


@dataclass(frozen=True)
class Guess:
    """What the text-only reader got of some questions, having learned from the others; and what chance gives."""

    what: str
    rate: Rate
    chance: float

    @property
    def guessable(self) -> bool:
        """Whether the words tell more than chance, outside the interval."""
        return self.rate.low > self.chance


def guesses(questions: Sequence[Question], folds: int = 2) -> list[Guess]:
    """For each task that offers answers: every fold is answered by who learned from the others; groups stay whole."""
    found = []
    for task in dict.fromkeys(one.task for one in questions):
        own = [one for one in questions if one.task == task]
        if own[0].chance is not None:
            found.append(_guess(task, own, folds))
    return found


def _guess(what: str, questions: Sequence[Question], folds: int) -> Guess:
    fold = [crc32((one.group or one.id).encode()) % folds for one in questions]
    scores: list[float] = []
    groups: list[str] = []
    for here in range(folds):
        reader = TextOnly().learn(one for one, its in zip(questions, fold, strict=True) if its != here)
        tested = [one for one, its in zip(questions, fold, strict=True) if its == here]
        scores += [float(reader.choose(one.text, offered(one)) == one.answer) for one in tested]
        groups += [one.group or one.id for one in tested]
    chance = sum(one.chance or 0.0 for one in questions) / len(questions)
    return Guess(what, rate(scores, groups), chance)


def offered(question: Question) -> Sequence[str]:
    """The answers that there are to choose from."""
    return question.options or (("yes", "no") if question.chance == 0.5 else ())
