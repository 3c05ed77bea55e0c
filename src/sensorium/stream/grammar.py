"""Which ids may come next, so that whatever is sampled can be decoded.

The grammar is a small state machine over ids. Allowed ids are given as contiguous ranges, so an engine can
compute just those rows of the output head.
"""

from __future__ import annotations

from dataclasses import dataclass

from sensorium.codecs import Layout, Ranges
from sensorium.types import TEXT, InputError
from sensorium.vocabulary import Vocabulary


@dataclass
class Grammar:
    """The state of one answer being written.

    Args:
        vocabulary: the joint vocabulary.
        text_stop: one past the last text id that may be sampled (ids from there to ``text_size`` are reserved).
        stop_ids: ids that end the turn; the first is the one written when the turn must end.
        want: ``"text"`` for text alone, a modality's name for one medium of it and nothing else, None for any mix.
        budget: most tokens that may be written, or None. A medium is opened only if its end fits, and one of
            variable length is closed in time, so a medium is never cut.

    Raises:
        InputError: ``want`` is a modality that no codec writes, or its shortest medium exceeds the budget.
    """

    vocabulary: Vocabulary
    text_stop: int
    stop_ids: tuple[int, ...]
    want: str | None = None
    budget: int | None = None

    def __post_init__(self) -> None:
        self.written = 0
        self.done = False
        self._layout: Layout | None = None
        self._codes = 0
        self._target: Layout | None = None
        if self.want not in (None, TEXT):
            self._target = self.vocabulary.writer(self.want)
            needed = self._target.min_tokens
            if self.budget is not None and self.budget < needed:
                raise InputError(
                    f"a budget of {self.budget} tokens cannot hold one {self.want}, which takes at least {needed}; "
                    "allow more tokens"
                )

    @property
    def inside(self) -> Layout | None:
        """The layout of the medium being written, if any."""
        return self._layout

    @property
    def left(self) -> int | None:
        return None if self.budget is None else self.budget - self.written

    def allowed(self) -> Ranges:
        """Contiguous (start, stop) ranges of the ids that may come next; empty only when `done`."""
        if self.done:
            return ()
        if self._layout is not None:
            return self._inside(self._layout)
        if self._target is not None:
            one = self._target.open_id if self.written == 0 else self.stop_ids[0]
            return ((one, one + 1),)
        if self.want == TEXT:
            return self._text()
        opens = (layout.open_id for layout in self.vocabulary.writers() if self._fits(layout.min_tokens))
        return (*self._text(), *((open_id, open_id + 1) for open_id in opens))

    def advance(self, token: int) -> None:
        """Take note of a sampled id.

        Raises:
            AssertionError: the id was not allowed (a defect of the engine, not of the user).
        """
        assert any(start <= token < stop for start, stop in self.allowed()), f"id {token} is not allowed here"
        self.written += 1
        if self._layout is not None:
            self._step_inside(self._layout, token)
        elif token in self.stop_ids:
            self.done = True
        else:
            self._open(token)
        if self.left == 0:
            self.done = True

    def _open(self, token: int) -> None:
        self._layout = next((layout for layout in self.vocabulary.layouts if layout.open_id == token), None)
        self._codes = 0

    def _step_inside(self, layout: Layout, token: int) -> None:
        if token == layout.close_id:
            self._layout = None
        else:
            self._codes += 1

    def _inside(self, layout: Layout) -> Ranges:
        """What the layout allows; where it may end, it must when what follows up to the next end would not fit."""
        if layout.may_close(self._codes) and not self._fits(layout.step_codes + 1):
            return ((layout.close_id, layout.close_id + 1),)
        return layout.allowed(self._codes)

    def _text(self) -> Ranges:
        """Text ids and the ids that end the turn, which usually lie among them."""
        extra = sorted(stop for stop in self.stop_ids if stop >= self.text_stop)
        return ((0, self.text_stop), *((stop, stop + 1) for stop in extra))

    def _fits(self, tokens: int) -> bool:
        return self.left is None or tokens <= self.left
