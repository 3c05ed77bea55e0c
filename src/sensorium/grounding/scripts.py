"""Models that follow a script, so that a report can be checked: it must tell them apart, and rightly so."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from random import Random
from string import ascii_uppercase

from sensorium.evaluate.ngram import NGram
from sensorium.grounding.question import Question, read_questions


class Script(ABC):
    """Answers without being a model.

    Args:
        questions: file of those that it knows the answers to, or has learned from.
    """

    ranks = False

    def __init__(self, questions: str):
        self._file = questions

    @cached_property
    def known(self) -> Mapping[str, Question]:
        return {one.id: one for one in read_questions(self._file)}

    @abstractmethod
    def answer(self, question: str, text: str, options: Sequence[str], seen: bool) -> str:
        """What is said.

        Args:
            question: its id.
            text: as it was put.
            options: in the order shown.
            seen: whether there is a medium.
        """


class Oracle(Script):
    """Always right, even blindfolded: it knows the answers."""

    def answer(self, question: str, text: str, options: Sequence[str], seen: bool) -> str:
        one = self.known[question]
        if one.task == "choice":
            return f"{ascii_uppercase[list(options).index(one.answer)]}."
        return str(list(one.places[0])) if one.task == "locate" else one.answer


class Liar(Script):
    """Always wrong."""

    def answer(self, question: str, text: str, options: Sequence[str], seen: bool) -> str:
        one = self.known[question]
        if one.task == "choice":
            return ascii_uppercase[next(n for n, option in enumerate(options) if option != one.answer)]
        if one.task in ("groups", "pope"):
            return "No." if one.answer == "yes" else "Yes."
        if one.task == "locate":
            x0, y0, x1, y1 = one.places[0]
            return str([x1, y1, 2 * x1 - x0, 2 * y1 - y0])
        names = (name for known in self.known.values() if known.task == "caption" for name in known.also)
        return next((name for name in names if name not in (one.answer, *one.also)), "nothing of that kind")


class YesSayer(Script):
    """Says yes, whatever is asked."""

    def answer(self, question: str, text: str, options: Sequence[str], seen: bool) -> str:
        return "Yes."


class Guesser(Script):
    """Sees nothing and guesses: an option, yes or no; the same for the same question in the same order."""

    ranks = False

    def answer(self, question: str, text: str, options: Sequence[str], seen: bool) -> str:
        random = Random(f"{question} {options}")
        if "letter" in text:
            return random.choice(ascii_uppercase[: len(options)])
        return random.choice(("yes", "no"))


class Reader(Script):
    """An n-gram model of the words of other questions with their answers; it never looks."""

    ranks = True

    @cached_property
    def _model(self) -> NGram:
        return NGram.of(words(f"{one.text} {one.answer}") for one in self.known.values())

    def answer(self, question: str, text: str, options: Sequence[str], seen: bool) -> str:
        if not options:
            return " ".join(self._model.continued(words(text)))
        return max(options, key=lambda option: self._model.log_prob(words(text), words(option)))


def words(text: str) -> list[str]:
    return text.lower().replace("?", " ?").split()


SCRIPTS: Mapping[str, Callable[[str], Script]] = {
    "oracle": Oracle, "liar": Liar, "yes-sayer": YesSayer, "guesser": Guesser, "n-gram": Reader,
}  # fmt: skip
