"""Thinking before answering: how a model is asked to, and where its thought ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from sensorium.checked import Range
from sensorium.types import TEXT, Conversation, Message, Part


@dataclass(frozen=True)
class Thinking:
    """What a model was taught (chain of thought, Wei et al. 2022, arXiv:2201.11903).

    Args:
        ask: ends a question that is to be thought about.
        mark: ends the thought; what follows it is the answer.
    """

    ask: Annotated[str, Range(1, 1000)]
    mark: Annotated[str, Range(1, 100)]

    def asked(self, conversation: Conversation) -> Conversation:
        """The conversation with `ask` behind the last text of the user, unless it stands there."""
        messages = list(conversation.messages)
        last = max((at for at, message in enumerate(messages) if message.role == "user"), default=None)
        if last is not None:
            messages[last] = self._asked(messages[last])
        return Conversation(tuple(messages))

    def _asked(self, message: Message) -> Message:
        parts = list(message.parts)
        at = max((at for at, part in enumerate(parts) if part.is_text and part.data.strip()), default=None)
        if at is None:
            return replace(message, parts=(*parts, Part(TEXT, self.ask)))
        said = parts[at].data.rstrip()
        if not said.endswith(self.ask):
            parts[at] = Part(TEXT, f"{said} {self.ask}")
        return replace(message, parts=tuple(parts))

    def told_apart(self, parts: Sequence[Part]) -> tuple[str | None, tuple[Part, ...]]:
        """The thought at the beginning of an answer, and the rest; None and all of it where no thought ends.

        A medium ends what may be a thought.
        """
        if not parts or not parts[0].is_text or self.mark not in parts[0].data:
            return None, tuple(parts)
        thought, _, text = parts[0].data.partition(self.mark)
        answer = [Part(TEXT, text.lstrip())] if text.strip() else []
        return thought.rstrip(), (*answer, *parts[1:])


class ThoughtReader:
    """Tells apart, as `Thinking.told_apart` does, text that comes piece by piece.

    Attributes:
        thought: what is sure to be of it; nothing, where it never ended.
        inside: it has not ended yet.
    """

    def __init__(self, mark: str):
        self._mark, self._held, self._begun = mark, "", False
        self.thought, self.inside = "", True

    def feed(self, text: str) -> tuple[str, str]:
        """More of the thought, and more of the answer. What may be the mark, and blanks at their borders, wait."""
        thought = ""
        if self.inside:
            before, mark, after = (self._held + text).partition(self._mark)
            thought = before[: len(before) - (0 if mark else begun(before, self._mark))].rstrip()
            self.thought += thought
            self.inside, self._held, text = not mark, before[len(thought) :], after
        if self.inside or self._begun:
            return thought, text
        text = text.lstrip()
        self._begun = bool(text)
        return thought, text

    def end(self) -> str:
        """No mark comes any more: all of it, where it has not come, which is the answer then."""
        if not self.inside:
            return ""
        told = self.thought + self._held
        self.inside, self._begun, self.thought, self._held = False, True, "", ""
        return told


def begun(text: str, mark: str) -> int:
    """Length of the longest beginning of ``mark``, but for the whole, that ``text`` ends with."""
    return next((size for size in range(min(len(text), len(mark) - 1), 0, -1) if text.endswith(mark[:size])), 0)
