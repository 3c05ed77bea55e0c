"""Ids as they are written, told as text, progress of a medium, and finished media."""

from __future__ import annotations

from dataclasses import dataclass

from sensorium.codecs import Layout
from sensorium.engines import Token
from sensorium.stream import Stream
from sensorium.types import Part

UNFINISHED = "\ufffd"
"""What a tokenizer shows for a character of which only some bytes are known."""


@dataclass(frozen=True)
class Text:
    """More text, and the tokens that spell it (text may wait for a later token, see `Transcript`)."""

    text: str


@dataclass(frozen=True)
class Progress:
    """A medium in the making: ids written and, where the length is fixed, ids in all."""

    modality: str
    done: int
    total: int | None


@dataclass(frozen=True)
class Medium:
    """A finished medium: a part with codes."""

    part: Part


Event = Text | Progress | Medium


class Transcript:
    """Follows one answer.

    Text is held back while it may still change: bytes of an unfinished character, and what may be the beginning of a
    stop string. All texts joined are what `Stream.parse` gives for the whole, up to the first stop string.

    Args:
        stops: strings that end the answer; they are left out of it.

    Attributes:
        stopped: a stop string was found; nothing more is told.
        ids: all ids so far.
    """

    def __init__(self, stream: Stream, stops: tuple[str, ...] = ()):
        self._stream, self._stops = stream, stops
        self._layouts = {layout.open_id: layout for layout in stream.vocabulary.layouts}
        self._layout: Layout | None = None
        self._medium: list[int] = []
        self._text: list[int] = []  # ids of text since the last medium; only the last few are decoded again
        self._told, self._read = 0, 0
        self._held = ""
        self.stopped = False
        self.ids: list[int] = []

    def feed(self, token: Token) -> list[Event]:
        """What one more id tells."""
        if self.stopped:
            return []
        self.ids.append(token.id)
        medium = self._layout is not None or token.id in self._layouts
        events = self._medium_events(token.id) if medium else self._text_events(token.id)
        if token.finish is not None and not self.stopped:
            events += self._flush()
        return events

    def _medium_events(self, token: int) -> list[Event]:
        before: list[Event] = []
        if self._layout is None:
            before = self._flush()
            if self.stopped:
                return before
            self._layout, self._medium = self._layouts[token], []
        self._medium.append(token)
        layout = self._layout
        if token != layout.close_id:
            total = layout.max_codes if layout.min_codes == layout.max_codes else None
            return [*before, Progress(layout.facts.modality, len(self._medium) - 1, total)]
        self._layout = None
        return [Medium(part) for part in self._stream.parse(self._medium) if not part.is_text]

    def _text_events(self, token: int) -> list[Event]:
        self._text.append(token)
        told = self._decode(self._text[self._told : self._read])
        whole = self._decode(self._text[self._told :])
        if whole.endswith(UNFINISHED) or len(whole) <= len(told):
            return []
        self._told, self._read = self._read, len(self._text)
        return self._release(whole[len(told) :])

    def _flush(self) -> list[Event]:
        """The text that was held back, now that no more follows."""
        told = self._decode(self._text[self._told : self._read])
        rest = self._decode(self._text[self._told :])[len(told) :]
        self._text, self._told, self._read = [], 0, 0
        events = self._release(rest)
        held, self._held = self._held, ""
        return [*events, Text(held)] if held and not self.stopped else events

    def _release(self, text: str) -> list[Event]:
        """The part of the held and the new text that no stop string can touch any more."""
        text = self._held + text
        found = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            self.stopped, self._held, ready = True, "", text[: min(found)]
        else:
            keep = max((_overlap(text, stop) for stop in self._stops), default=0)
            ready, self._held = text[: len(text) - keep], text[len(text) - keep :]
        return [Text(ready)] if ready else []

    def _decode(self, ids: list[int]) -> str:
        return "".join(part.data for part in self._stream.parse(ids))


def _overlap(text: str, stop: str) -> int:
    """Length of the longest beginning of ``stop`` that ``text`` ends with."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:size])), 0)
