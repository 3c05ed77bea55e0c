"""The noun Task: conversations and their scorer in one, so that training, evaluation and report ask one text.

A conversation ends with the answer that is right. Trained on, it is used as it is; asked, it is cut before that answer.
The controls are views of a task: the same questions and answers, with the media taken away, blanked or exchanged. A
model that does as well on them has not looked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from sensorium.evaluate.results import Results
from sensorium.evaluate.scorers import Scorer, Verdict
from sensorium.types import Conversation, InputError, Message, Part


@dataclass(frozen=True, kw_only=True)
class Task:
    """Something to ask a model, and how to tell whether it is right.

    Args:
        name: of the measure, as tables call it.
        conversations: each ends with the assistant's right answer.
        scorer: see `sensorium.evaluate.scorers`.
        groups: for every conversation the name of a further measure that it counts for; empty for none.
        condition: as tables call it; a view has its own.
    """

    name: str
    conversations: Sequence[Conversation]
    scorer: Scorer
    groups: Sequence[str] = ()
    condition: str = "model"

    def __post_init__(self) -> None:
        if not all(one.messages and one.messages[-1].role == "assistant" for one in self.conversations):
            raise InputError(f"every conversation of the task {self.name!r} must end with the assistant's right answer")
        if self.groups and len(self.groups) != len(self.conversations):
            counts = f"{len(self.conversations)} conversations, but {len(self.groups)} groups"
            raise InputError(f"the task {self.name!r} has {counts}; give one for each")

    @property
    def truths(self) -> list[str]:
        """The text of every right answer."""
        return [one.messages[-1].text for one in self.conversations]

    def run(self, model: Any, results: Results) -> list[Verdict]:
        """Ask the model (an `Assistant`) everything and write the rows into ``results``."""
        verdicts = self.scorer.judge(model, self.conversations)
        self._report(results, verdicts)
        return verdicts

    def compare(self, condition: str, answers: Sequence[Sequence[str]], results: Results) -> list[Verdict]:
        """Score what something else than a model says, for instance a nearest neighbour: its best answers first."""
        verdicts = [Verdict.of(said, truth) for said, truth in zip(answers, self.truths, strict=True)]
        replace(self, condition=condition, groups=())._report(results, verdicts)
        return verdicts

    def _report(self, results: Results, verdicts: Sequence[Verdict]) -> None:
        for suffix, value in self.scorer.values(verdicts):
            results.add(self.name + suffix, self.condition, value, self._items)
        for group in sorted(set(self.groups)):
            own = [number for number, its in enumerate(self.groups) if its == group]
            for suffix, value in self.scorer.values([verdicts[number] for number in own]):
                results.add(group + suffix, self.condition, value, [self._items[number] for number in own])

    @cached_property
    def _items(self) -> list[str]:
        """The words of every question with its answer."""
        return [" ".join(message.text for message in one.messages) for one in self.conversations]

    def blind(self, condition: str = "no medium") -> Task:
        """The same questions without any medium."""
        return self._view(condition, lambda number, part: None)

    def blank(self, data: Any, condition: str = "a blank medium") -> Task:
        """The same questions with ``data`` (say, silence) in place of every medium."""
        return self._view(condition, lambda number, part: Part(part.modality, data))

    def wrong(self, condition: str = "another's medium") -> Task:
        """The same questions, each with the media of the next one whose right answer is another.

        Raises:
            InputError: all right answers are the same, or a question has fewer media than another.
        """
        media = [[part for part in _asked_parts(one) if not part.is_text] for one in self.conversations]
        others = [iter(media[self._other(number)]) for number in range(len(media))]
        if len({len(own) for own in media}) > 1:
            raise InputError(f"the questions of the task {self.name!r} have different numbers of media to exchange")
        return self._view(condition, lambda number, part: next(others[number]))

    def _other(self, number: int) -> int:
        truths, count = self.truths, len(self.conversations)
        later = ((number + step) % count for step in range(1, count))
        found = next((other for other in later if truths[other] != truths[number]), None)
        if found is None:
            raise InputError(f"all answers of the task {self.name!r} are the same, so no medium is another's")
        return found

    def _view(self, condition: str, change: Callable[[int, Part], Part | None]) -> Task:
        seen = [_changed(one, lambda part, n=n: change(n, part)) for n, one in enumerate(self.conversations)]
        return replace(self, conversations=seen, groups=(), condition=condition)


def _asked_parts(conversation: Conversation) -> Iterable[Part]:
    return (part for message in conversation.messages[:-1] for part in message.parts)


def _changed(conversation: Conversation, change: Callable[[Part], Part | None]) -> Conversation:
    """The media before the answer changed, or left out where ``change`` gives None."""
    *asked, answer = conversation.messages
    return Conversation((*(_changed_message(message, change) for message in asked), answer))


def _changed_message(message: Message, change: Callable[[Part], Part | None]) -> Message:
    parts = (part if part.is_text else change(part) for part in message.parts)
    return replace(message, parts=tuple(part for part in parts if part is not None))
