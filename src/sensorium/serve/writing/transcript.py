"""Ids as they are written, told as thought, text, progress of a medium, and finished media."""

from __future__ import annotations

from dataclasses import dataclass

from sensorium.codecs import Layout
from sensorium.engines import Token
from sensorium.stream import Stream, Thinking, ThoughtReader
from sensorium.stream.thinking import begun
from sensorium.types import Part

UNFINISHED = "\ufffd"
"""What a tokenizer shows for a character of which only some bytes are known."""


@dataclass(frozen=True)
class Text:
    """More text, and the tokens that spell it (text may wait for a later token, see `Transcript`)."""

    text: str


@dataclass(frozen=True)
class Thought:
    """More of what is thought before the answer."""

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


Event = Text | Thought | Progress | Medium


class Transcript:
    """Follows one answer.

    Text is held back while it may still change: bytes of an unfinished character, and what may be the beginning of a
    stop string, or of the mark that ends a thought. All texts joined are what `Stream.parse` gives for the whole, up to
    the first stop string. A thought that never ends was none: all of it is told once more, as text.

    Args:
        stops: strings that end the answer; they are left out of it.
        thinking: where a thought comes first.

    Attributes:
        stopped: a stop string was found; nothing more is told.
        ids: all ids so far.
        thought_ids: how many of them are of the thought or its mark.
    """

    def __init__(self, stream: Stream, stops: tuple[str, ...] = (), thinking: Thinking | None = None):
        self._stream, self._stops = stream, stops
        self._reader = ThoughtReader(thinking.mark) if thinking else None
        self._layouts = {layout.open_id: layout for layout in stream.vocabulary.layouts}
        self._layout: Layout | None = None
        self._medium: list[int] = []
        self._text: list[int] = []  # ids of text since the last medium; only the last few are decoded again
        self._told, self._read = 0, 0
        self._held = ""
        self.stopped = False
        self.ids: list[int] = []
        self.thought_ids = 0

    @property
    def thought(self) -> str | None:
        """What was thought, once it has ended."""
        return None if self._reader is None or self._reader.inside else self._reader.thought or None

    def feed(self, token: Token) -> list[Event]:
        """What one more id tells."""
        if self.stopped:
            return []
        self.ids.append(token.id)
        self.thought_ids += self._reader is not None and self._reader.inside
        medium = self._layout is not None or token.id in self._layouts
        events = self._medium_events(token.id) if medium else self._text_events(token.id)
        if token.finish is not None and not self.stopped:
            events += self._flush()
        return [*events, *self._no_thought()] if self.stopped or token.finish is not None else events

    def _medium_events(self, token: int) -> list[Event]:
        before: list[Event] = []
        if self._layout is None:
            before = [*self._flush(), *self._no_thought()]
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
        return [*self._release(rest), *self._rest()]

    def _release(self, text: str) -> list[Event]:
        """More of the thought, and what may be told of the answer: stop strings end this alone."""
        thought, said = ("", text) if self._reader is None else self._reader.feed(text)
        return [*([Thought(thought)] if thought else []), *self._say(said)]

    def _say(self, text: str) -> list[Event]:
        """The part of the held and the new text that no stop string can touch any more."""
        text = self._held + text
        found = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            self.stopped, self._held, ready = True, "", text[: min(found)]
        else:
            keep = max((begun(text, stop) for stop in self._stops), default=0)
            ready, self._held = text[: len(text) - keep], text[len(text) - keep :]
        return [Text(ready)] if ready else []

    def _rest(self) -> list[Event]:
        """What was held, where no stop string came."""
        held, self._held = self._held, ""
        return [Text(held)] if held else []

    def _no_thought(self) -> list[Event]:
        """What seemed to be a thought, where it can end no more."""
        if self._reader is None or not self._reader.inside:
            return []
        self.thought_ids = 0
        return [*self._say(self._reader.end()), *self._rest()]

    def _decode(self, ids: list[int]) -> str:
        return "".join(part.data for part in self._stream.parse(ids))
