"""Which ids may come next, so that whatever is sampled can be decoded.

The grammar is a small state machine over ids. Allowed ids are given as contiguous ranges, so an engine can
compute just those rows of the output head.
"""

from __future__ import annotations

from collections.abc import Collection
from copy import copy
from dataclasses import dataclass

import numpy as np

from sensorium.codecs import Layout, Ranges
from sensorium.stream.spelling import Spelling
from sensorium.types import TEXT, InputError
from sensorium.vocabulary import Vocabulary

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
            variable length is closed in time, so a medium is never cut.
        form: of the text, at its beginning, or None for any text. With it no medium is written, unless it says so.

    Raises:
        InputError: no codec writes one of the modalities wanted, several are wanted without text, the shortest medium
            exceeds the budget, or media are wanted with a form that is text alone.
    """

    vocabulary: Vocabulary
    text_stop: int
    stop_ids: tuple[int, ...]
    want: Want = None
    budget: int | None = None
    form: Spelling | None = None

    def __post_init__(self) -> None:
        self.written = 0
        self.done = False
        self._layout: Layout | None = None
        self._codes = 0
        self._target: Layout | None = None
        kinds = wanted_kinds(self.want)
        writers = self.vocabulary.writers() if kinds is None else map(self.vocabulary.writer, sorted(kinds - {TEXT}))
        self._writers = sorted(writers, key=lambda layout: layout.open_id)
        if kinds is not None and TEXT not in kinds:
            self._target = self._one_medium()
        if self.form is not None and not self.form.media:
            if self._writers and kinds is not None:
                raise InputError("an answer of a given form is text alone; ask for no media, or leave the form out")
            self._writers = []

    def __copy__(self) -> Grammar:
        other = object.__new__(type(self))
        other.__dict__ |= self.__dict__
        other.form = copy(self.form)
        return other

    def _one_medium(self) -> Layout:
        names = [layout.facts.modality for layout in self._writers]
        if len(names) != 1:
            raise InputError(f"ask for one of {', '.join(names) or TEXT}, or for any of them together with text")
        (target,) = self._writers
        if self.budget is not None and self.budget < target.min_tokens:
            raise InputError(
                f"a budget of {self.budget} tokens cannot hold one {names[0]}, which takes at least "
                f"{target.min_tokens}; allow more tokens"
            )
        return target

    @property
    def inside(self) -> Layout | None:
        """The layout of the medium being written, if any."""
        return self._layout

    @property
    def left(self) -> int | None:
        return None if self.budget is None else self.budget - self.written

    def allowed(self) -> Ranges:
        """Contiguous (start, stop) ranges of the ids that may come next, see `barred`; empty only when `done`."""
        if self.done:
            return ()
        if self._layout is not None:
            return self._inside(self._layout)
        if self._target is not None:
            one = self._target.open_id if self.written == 0 else self.stop_ids[0]
            return ((one, one + 1),)
        if self.form is not None and (only := self.form.only(self.left)) is not None:
            return ((only, only + 1),)
        return (*self._text(), *((open_id, open_id + 1) for open_id in self._opens()))

    def barred(self) -> np.ndarray | None:
        """Of the ids in `allowed`, in their order, True for those that may not come after all; None: all may."""
        if self.form is None or self.done or self._layout is not None or self._target is not None:
            return None
        if self.form.only(self.left) is not None:
            return None
        ends = len(self._ends()) * [not self.form.may_end]
        return np.concatenate([~self.form.mask(), np.array([*ends, *(False for _ in self._opens())], dtype=bool)])

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
            if self.form is not None and self._layout is None:
                self.form.advance(token)
        if self.left == 0 or (self.form is not None and self.form.completed):
            self.done = True

    @property
    def complete(self) -> bool:
        """Whether what is written has its form as a whole, though no id ends the turn.

        Of free text beside calls nobody can tell, unless its last call was completed.
        """
        if self.form is None or self._layout is not None:
            return False
        return self.form.completed or (not self.form.media and self.form.may_end)

    def _opens(self) -> list[int]:
        """The markers of the media that may begin."""
        if self.form is not None and not self.form.may_end:
            return []
        return [layout.open_id for layout in self._writers if self._fits(layout.min_tokens)]

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
        return ((0, self.text_stop), *((stop, stop + 1) for stop in self._ends()))

    def _ends(self) -> list[int]:
        return sorted(stop for stop in self.stop_ids if stop >= self.text_stop)

    def _fits(self, tokens: int) -> bool:
        return self.left is None or tokens <= self.left


def wanted_kinds(want: Want) -> frozenset[str] | None:
    """The kinds of answer that are wanted; None for all."""
    return None if want is None else frozenset([want] if isinstance(want, str) else want)
