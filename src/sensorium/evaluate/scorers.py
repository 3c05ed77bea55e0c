"""Scorers: how right a model's answer is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sensorium.evaluate.values import MISS, Mean, Value, top
from sensorium.types import TEXT, Conversation, InputError, Message


@dataclass(frozen=True)
class Verdict:
    """On one answer.

    Args:
        value: the rank of the right answer (0 = first, `MISS` = not among those looked at), or a measure.
        said: the likeliest answers, best first.
    """

    value: float
    said: tuple[str, ...] = ()

    @classmethod
    def of(cls, said: Sequence[str], truth: str) -> Verdict:
        """The verdict on answers of which the best comes first."""
        return cls(said.index(truth) if truth in said else MISS, tuple(said))

    @property
    def right(self) -> bool:
        return self.value == 0


class Scorer(ABC):
    """Asks a model and judges what it says."""

    @abstractmethod
    def judge(self, model: Any, conversations: Sequence[Conversation]) -> list[Verdict]:
        """One verdict for each conversation, whose last message is the right answer and is not shown."""

    @abstractmethod
    def values(self, verdicts: Sequence[Verdict]) -> list[tuple[str, Value]]:
        """What a table shows of verdicts: endings of the measure's name, and values."""


@dataclass(frozen=True)
class Among(Scorer):
    """Ranks given answers by their exact likelihood; a question that comes again is not asked again.

    Args:
        answers: to choose from.
        ks: the right answer is to be among the first 1, among the first 5.
    """

    answers: Sequence[str]
    ks: tuple[int, ...] = (1, 5)

    def judge(self, model: Any, conversations: Sequence[Conversation]) -> list[Verdict]:
        known: list[tuple[Conversation, list[str]]] = []
        found = []
        for one in conversations:
            prompt, truth = asked(one)
            if not known or known[-1][0] != prompt:  # blind runs ask the same again and again
                best = model.rank(prompt, self.answers, max(self.ks), adapter=True)  # also where no medium is left
                known = [(prompt, [self.answers[one.index] for one in best])]
            found.append(Verdict.of(known[-1][1], truth.text))
        return found

    def values(self, verdicts: Sequence[Verdict]) -> list[tuple[str, Value]]:
        return [(f", top-{k}", top([verdict.value for verdict in verdicts], k)) for k in self.ks]


@dataclass(frozen=True)
class Written(Scorer):
    """The answer written freely, the likeliest token each time, is right only when it is the very text."""

    max_tokens: int = 24

    def judge(self, model: Any, conversations: Sequence[Conversation]) -> list[Verdict]:
        return [Verdict.of([self._say(model, prompt)], truth.text) for prompt, truth in map(asked, conversations)]

    def _say(self, model: Any, prompt: Conversation) -> str:
        return model.chat(prompt, want=TEXT, temperature=0, max_tokens=self.max_tokens).text.strip()

    def values(self, verdicts: Sequence[Verdict]) -> list[tuple[str, Value]]:
        return [("", top([verdict.value for verdict in verdicts], 1))]


@dataclass(frozen=True)
class Concluded(Written):
    """The answer is written freely, and what follows its last ``mark`` is judged, as in a chain of thought.

    Right when it is the very text that follows the mark in the right answer; without a mark it is wrong.
    """

    mark: str = "Answer:"
    max_tokens: int = 200

    def judge(self, model: Any, conversations: Sequence[Conversation]) -> list[Verdict]:
        """See `Scorer.judge`; InputError where a right answer has no mark."""
        verdicts = []
        for prompt, truth in map(asked, conversations):
            if self.mark not in truth.text:
                raise InputError(f"the right answer {truth.text!r} has no {self.mark!r} before what is to be judged")
            said = self._say(model, prompt)
            verdicts.append(Verdict.of([self._end(said)] if self.mark in said else [], self._end(truth.text)))
        return verdicts

    def _end(self, text: str) -> str:
        return text.rpartition(self.mark)[2].strip()


@dataclass(frozen=True)
class Measured(Scorer):
    """A number for each answer, for instance the error of a forecast.

    Args:
        measure: from the model, the question and the message that is right.
        unit: of the number.
    """

    measure: Callable[[Any, Conversation, Message], float]
    unit: str = ""

    def judge(self, model: Any, conversations: Sequence[Conversation]) -> list[Verdict]:
        return [Verdict(self.measure(model, *asked(one))) for one in conversations]

    def values(self, verdicts: Sequence[Verdict]) -> list[tuple[str, Value]]:
        return [("", Mean.of([verdict.value for verdict in verdicts], self.unit))]


def asked(conversation: Conversation) -> tuple[Conversation, Message]:
    """What is asked, and the answer that is right."""
    return Conversation(conversation.messages[:-1]), conversation.messages[-1]
