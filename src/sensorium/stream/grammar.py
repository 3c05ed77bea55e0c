"""Which ids may come next, so that whatever is sampled can be decoded.

The grammar is a small state machine over ids. Allowed ids are given as contiguous ranges, so an engine can
compute just those rows of the output head.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sensorium.types import TEXT, InputError
from sensorium.vocabulary import Span, Vocabulary

Ranges = tuple[tuple[int, int], ...]
Want = str | Collection[str] | None
"""Kinds of answer: ``"text"`` for text alone, a modality's name for one medium of it and nothing else, text and some
modalities for any mix of them, None for any mix of all."""


@dataclass
class Grammar:
    """The state of one answer being written.

    Args:
        vocabulary: the joint vocabulary.
        text_stop: one past the last text id that may be sampled (ids from there to ``text_size`` are reserved).
        stop_ids: ids that end the turn; the first is the one written when the turn must end.
        want: see `Want`.
        budget: most tokens that may be written, or None. A medium is opened only if its end fits, and one of
            variable length is closed in time, so a span is never cut.

    Raises:
        InputError: no codec writes one of the modalities wanted, several are wanted without text, or the shortest
            medium exceeds the budget.
    """

    vocabulary: Vocabulary
    text_stop: int
    stop_ids: tuple[int, ...]
    want: Want = None
    budget: int | None = None

    def __post_init__(self) -> None:
        self.written = 0
        self.done = False
        self._span: Span | None = None
        self._codes = 0
        self._target: Span | None = None
        kinds = wanted_kinds(self.want)
        writers = self.vocabulary.writers() if kinds is None else map(self.vocabulary.writer, sorted(kinds - {TEXT}))
        self._writers = sorted(writers, key=lambda span: span.open_id)
        if kinds is not None and TEXT not in kinds:
            self._target = self._one_medium()

    def _one_medium(self) -> Span:
        names = [span.facts.modality for span in self._writers]
        if len(names) != 1:
            raise InputError(f"ask for one of {', '.join(names) or TEXT}, or for any of them together with text")
        (target,) = self._writers
        if self.budget is not None and self.budget < _shortest(target):
            raise InputError(
                f"a budget of {self.budget} tokens cannot hold one {names[0]}, which takes at least "
                f"{_shortest(target)}; allow more tokens"
            )
        return target

    @property
    def inside(self) -> Span | None:
        """The span being written, if any."""
        return self._span

    @property
    def left(self) -> int | None:
        return None if self.budget is None else self.budget - self.written

    def allowed(self) -> Ranges:
        """Contiguous (start, stop) ranges of the ids that may come next; empty only when `done`."""
        if self.done:
            return ()
        if self._span is not None:
            return self._inside(self._span)
        if self._target is not None:
            one = self._target.open_id if self.written == 0 else self.stop_ids[0]
            return ((one, one + 1),)
        opens = (span.open_id for span in self._writers if self._fits(_shortest(span)))
        return (*self._text(), *((open_id, open_id + 1) for open_id in opens))

    def advance(self, token: int) -> None:
        """Take note of a sampled id.

        Raises:
            AssertionError: the id was not allowed (a defect of the engine, not of the user).
        """
        assert any(start <= token < stop for start, stop in self.allowed()), f"id {token} is not allowed here"
        self.written += 1
        if self._span is not None:
            self._step_inside(self._span, token)
        elif token in self.stop_ids:
            self.done = True
        else:
            self._open(token)
        if self.left == 0:
            self.done = True

    def _open(self, token: int) -> None:
        self._span = next((span for span in self.vocabulary.spans if span.open_id == token), None)
        self._codes = 0

    def _step_inside(self, span: Span, token: int) -> None:
        if token == span.close_id:
            self._span = None
        else:
            self._codes += 1

    def _inside(self, span: Span) -> Ranges:
        facts = span.facts
        frame, codebook = divmod(self._codes, facts.codebooks)
        close = (span.close_id, span.close_id + 1)
        if codebook:
            return (span.range(codebook),)
        if frame == (facts.fixed_frames or facts.max_frames):
            return (close,)
        if facts.fixed_frames is not None or frame == 0:
            return (span.range(0),)
        return (close, span.range(0)) if self._fits(facts.codebooks + 1) else (close,)

    def _text(self) -> Ranges:
        """Text ids and the ids that end the turn, which usually lie among them."""
        extra = sorted(stop for stop in self.stop_ids if stop >= self.text_stop)
        return ((0, self.text_stop), *((stop, stop + 1) for stop in extra))

    def _fits(self, tokens: int) -> bool:
        return self.left is None or tokens <= self.left


def wanted_kinds(want: Want) -> frozenset[str] | None:
    """The kinds of answer that are wanted; None for all."""
    return None if want is None else frozenset([want] if isinstance(want, str) else want)


def _shortest(span: Span) -> int:
    """Tokens of the shortest medium, markers included."""
    return 2 + (span.facts.fixed_frames or 1) * span.facts.codebooks
