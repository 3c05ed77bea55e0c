"""Which ids of text may come next, so that the text has a given form.

The library llguidance (MIT, no dependencies) tells the ids from a grammar. Whatever it compiles is bounded: its lexer's
states, its items, its work for one step.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import numpy as np

from sensorium.stream.form import Form
from sensorium.types import InputError

KEPT = 32
"""Compiled forms that a model keeps."""
SLACK = 16
"""Ids beside those that complete a text, at which they are written: one free id may call for so many more."""
LONGEST_END = 512
"""Ids that may complete a text; where more are needed it is not completed by force."""
ENDS = tuple('"}],01tfn-.')
"""What completes JSON soonest, in this order, wherever several may come."""


def library() -> Any:
    """llguidance.

    Raises:
        InputError: it is not installed.
    """
    try:
        import llguidance
    except ImportError as error:
        raise InputError(
            "answers of a given form (JSON schemas, tools) need a package: pip install 'sensorium[structured]'"
        ) from error
    return llguidance


class Speller:
    """Compiles forms for the ids of a tokenizer.

    Args:
        tokenizer: a fast Hugging Face tokenizer.
        text_stop: one past the last id of text.
        stop_ids: ids that end a turn.

    Raises:
        InputError: llguidance is not installed, or does not know this kind of tokenizer.
    """

    def __init__(self, tokenizer: Any, text_stop: int, stop_ids: Sequence[int]):
        self.text_stop, self.stop_ids = text_stop, tuple(stop_ids)
        self._library = library()
        told = json.loads(tokenizer.backend_tokenizer.to_str())
        told["added_tokens"] = [one for one in told["added_tokens"] if one["id"] < text_stop]
        told["padding"] = told["truncation"] = told["post_processor"] = None
        within = [one for one in stop_ids if one < text_stop]
        slices = self._library.LLTokenizer.json_slices()
        try:
            self._tokens = self._library.LLTokenizer(
                json.dumps(told), n_vocab=text_stop, eos_token=within or None, slices=slices
            )
        except Exception as error:  # whatever a Rust library raises
            raise InputError(f"answers of a given form do not work with this model's tokenizer: {error}") from error
        self.barred = np.zeros(text_stop, bool)
        self.barred[[one for one in {*tokenizer.all_special_ids, *stop_ids} if one < text_stop]] = True
        letters = (tokenizer.encode(end, add_special_tokens=False) for end in ENDS)
        self.ends = [ids[0] for ids in letters if len(ids) == 1 and ids[0] < text_stop]
        self._kept: OrderedDict[str, Any] = OrderedDict()
        self._lock = Lock()

    def spelling(self, form: Form) -> Spelling:
        """The beginning of a text of a form.

        Raises:
            InputError: the form cannot be compiled, is too complex, or no text has it.
        """
        with self._lock:
            matcher = self._kept.get(form.lark)
            if matcher is not None:
                self._kept.move_to_end(form.lark)
        if matcher is None:
            matcher = self._compiled(form.lark)
            with self._lock:
                self._kept[form.lark] = matcher
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        return Spelling(self, matcher.deep_copy(), form.media)

    def _compiled(self, lark: str) -> Any:
        limits = self._library.LLParserLimits(
            initial_lexer_fuel=1_000_000,
            step_lexer_fuel=200_000,
            step_max_items=50_000,
            max_lexer_states=20_000,
            max_grammar_size=200_000,
            verbose_errors=False,
        )
        matcher = self._library.LLMatcher(self._tokens, lark, log_level=0, limits=limits)
        if matcher.is_error():
            raise InputError(f"this form cannot be written: {_reason(matcher.get_error())}")
        first = matcher.deep_copy()
        if not np.frombuffer(first.compute_bitmask(), np.uint8).any() or first.is_error():
            raise InputError(f"no text has this form ({_reason(first.get_error()) or 'nothing may come first'})")
        return matcher


class Spelling:
    """A text of a form, as far as it is written; `copy.copy` gives one that goes on by itself.

    Attributes:
        media: see `Form`.
        completed: what its last ids were forced to complete is complete.
    """

    def __init__(self, speller: Speller, matcher: Any, media: bool):
        self.media, self.completed = media, False
        self._speller, self._matcher = speller, matcher
        self._mask: np.ndarray | None = None
        self._only: tuple[int | None, int | None] | None = None  # ids left, and what `only` said then
        self._plan: list[int] = []
        self._look_at: int | None = None
        self._slack = SLACK
        self._whole: int | None = None  # ids that the shortest text has

    def __copy__(self) -> Spelling:
        other = Spelling(self._speller, self._matcher.deep_copy(), self.media)
        other.completed, other._mask = self.completed, self._mask
        other._plan, other._look_at = list(self._plan), self._look_at
        other._slack, other._whole = self._slack, self._whole
        return other

    @property
    def may_end(self) -> bool:
        return self._matcher.is_accepting()

    @property
    def least(self) -> int:
        """Ids that the shortest rest of the text takes, or few more; 0 where nobody can tell."""
        if self._whole is None:
            self._whole = len(self._shortest_end(LONGEST_END) or ())
        return self._whole

    def mask(self) -> np.ndarray:
        """(text_stop,) bool, True at the ids that may come; ids that end the turn count as text that may end.

        Raises:
            InputError: the form is too complex at this place.
        """
        if self._mask is None:
            self._mask = _mask(self._matcher, self._speller)
            self._mask[[one for one in self._speller.stop_ids if one < len(self._mask)]] = self.may_end
            if not self._mask.any() and not self.may_end:
                raise InputError(f"the form is too complex: {_reason(self._matcher.get_error())}; make it simpler")
        return self._mask

    def only(self, left: int | None) -> int | None:
        """The id that must come, if there is no choice.

        Args:
            left: ids that may still be written. Shortly before too few are left to complete the text, those that do
                are all that may come.
        """
        if self._only is None or self._only[0] != left:
            self._only = left, self._the_only(left)
        return self._only[1]

    def _the_only(self, left: int | None) -> int | None:
        if self._plan:
            return self._plan[0]
        if left is not None:
            self._whole = self.least  # taken note of at the first id
        (forced,) = self._matcher.compute_ff_tokens()[:1] or (None,)
        if forced is not None and forced < self._speller.text_stop and self.mask()[forced]:
            return forced
        if left is not None and self._must_complete(left):
            return self._plan[0] if self._plan else self._speller.stop_ids[0]
        mask, may_end, stops = self.mask(), self.may_end, self._speller.stop_ids
        others = np.count_nonzero(mask) - may_end * sum(stop < len(mask) for stop in stops)
        if may_end:
            return stops[0] if others == 0 and not self.media else None
        return int(mask.argmax()) if others == 1 else None

    def advance(self, token: int) -> None:
        """Take note of an id of text."""
        if not self._matcher.consume_token(token):
            raise InputError(f"the form is too complex: {_reason(self._matcher.get_error())}; make it simpler")
        self._mask = self._only = None
        if self._plan:
            del self._plan[0]
            self.completed = not self._plan

    def _must_complete(self, left: int) -> bool:
        """Whether the text is completed from here on. Looked at the more often, the fewer ids are left."""
        complete = self.may_end and not self.media
        if self._look_at is not None and left > self._look_at and not complete:
            return False
        ends = self._shortest_end(min(left, LONGEST_END))
        if self._look_at is None and ends is not None:
            self._slack = min(max(SLACK, len(ends)), max((left - len(ends)) // 2, 0))
        needed = len(ends) + self._slack if ends else (self._whole or 0) + SLACK
        self._look_at = left - max((left - needed) // 2, 1)
        if ends is None or left > needed:
            return False
        self._plan = ends
        return bool(ends) or complete  # where it is, what might follow could be cut

    def _shortest_end(self, most: int) -> list[int] | None:
        """Ids that complete the text: not the fewest there are, but few; None where more than ``most`` are needed.

        JSON is completed by always taking the first of the ids that end something; if that leads nowhere, as in a
        regular expression, by those that were not taken yet.
        """
        found = self._end(most, lambda likely, _: likely[0])
        return self._end(most, lambda likely, ids: min(likely, key=ids.count)) if found is None else found

    def _end(self, most: int, choose: Callable[[list[int], list[int]], int]) -> list[int] | None:
        matcher, ids = self._matcher.deep_copy(), []
        while not matcher.is_accepting():
            more = matcher.compute_ff_tokens()
            if not more:
                (may,) = np.nonzero(_mask(matcher, self._speller))
                likely = [one for one in self._speller.ends if one in may] or may[:256].tolist()
                more = [choose(likely, ids)] if likely else []
            if not more or len(ids) + len(more) > most or not matcher.consume_tokens(more):
                return None
            ids += more
        return ids


def _mask(matcher: Any, speller: Speller) -> np.ndarray:
    """(text_stop,) bool, True at the ids that may come, without those that end a turn and other special ones."""
    bits = np.unpackbits(np.frombuffer(matcher.compute_bitmask(), np.uint8), bitorder="little")
    mask = bits[: speller.text_stop].astype(bool)
    mask[speller.barred] = False
    return mask


def _reason(said: str) -> str:
    """The line of llguidance's message that says why."""
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("<")]
    return lines[0].strip()[:300] if lines else ""
