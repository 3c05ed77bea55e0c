"""What is said in a recording, with its times, and words said aloud: by any model that reads, or writes, sound.

A recording is cut at its pauses, and the model is asked of each piece what is said in it. It may write no more than can
be said in that time, and no phrase over and over (`Ending`); a text that came to no end says once what it repeats
(`text_of`). A text is said phrase by phrase.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sensorium.codecs import Facts, Layout
from sensorium.engines import Finish, Turn, generate
from sensorium.generate.assistant import Assistant
from sensorium.generate.unfolding import joined
from sensorium.modalities import modality
from sensorium.modalities.repeats import endless, once
from sensorium.modalities.speech_words import IN_ENGLISH, WHAT_IS_SAID, phrases, to_say
from sensorium.modalities.subtitles import Segment
from sensorium.modalities.utterances import Span, spans
from sensorium.model import context_of
from sensorium.stream import Grammar, Stream
from sensorium.types import TEXT, Conversation, InputError, Part, Signal, as_message

AUDIO = "audio"
LONGEST_S = 30.0
"""Of a piece, also where the codec would take more."""
AT_ONCE = 4
"""Pieces that are written together."""
FASTEST = 30
"""Tokens that a second of speech may take in writing, also where each is a letter."""
SLOWEST = 10
"""Characters that a second of speech says at least."""


@dataclass(frozen=True)
class Transcript:
    """Args:
    segments: what is said, and when; pieces in which nothing is said are left out.
    duration_s: of the whole recording, silence included.
    """

    segments: tuple[Segment, ...]
    duration_s: float

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments)


@dataclass(frozen=True)
class Recording:
    """A recording, ready to be transcribed piece by piece.

    Args:
        signal: as the reading codec wishes it.
        spans: where it is not silent.
    """

    signal: Signal
    spans: Sequence[Span]

    @property
    def duration_s(self) -> float:
        return len(self.signal.array) / (self.signal.rate_hz or 1)

    def piece(self, span: Span) -> Part:
        first, last = (round(time_s * (self.signal.rate_hz or 1)) for time_s in span)
        return Part(AUDIO, self.signal.with_array(self.signal.array[first:last]))


def reader_of(model: Assistant) -> Facts:
    """Facts of the codec that hears; InputError where there is none."""
    return model.vocabulary.reader(AUDIO).facts


def recording(model: Assistant, signal: Signal) -> Recording:
    """A sound cut into pieces that the model can hear.

    Args:
        signal: see `spans`; best as the codec of `reader_of` wishes it.

    Raises:
        InputError: the model does not read sound, or the signal has no rate.
    """
    return Recording(signal, spans(signal, _longest_s(model, model.vocabulary.reader(AUDIO))))


class Ending(Grammar):
    """The rules of a text that ends where it says the same over and over, as it does at its most tokens."""

    def __init__(self, stream: Stream, budget: int):
        super().__init__(stream.vocabulary, stream.text_stop, stream.stop_ids, TEXT, budget)
        self._stream, self._ids = stream, tuple[int, ...]()

    def advance(self, token: int) -> None:
        super().advance(token)
        self._ids = (*self._ids, token)
        self.done = self.done or endless("".join(part.data for part in self._stream.parse(self._ids)))


def hearing(model: Assistant, piece: Part, span: Span, english: bool = False, **sampling: Any) -> Turn:
    """The question of what is said in a piece of a recording.

    Args:
        english: what is said is to be written in English, in whichever language it is said.
        sampling: see `Assistant.turn`.
    """
    asked = as_message("user", [piece, IN_ENGLISH if english else WHAT_IS_SAID])
    sampling.setdefault("max_tokens", round(16 + FASTEST * (span.end_s - span.start_s)))
    turn = model.turn(Conversation((asked,)), TEXT, **sampling)
    return replace(turn, rules=Ending(model.stream, turn.sampling.max_tokens))


def text_of(written: str, finish: Finish | None) -> str:
    """What was written of a piece, without the repetitions of a text that came to no end."""
    return (once(written) if finish == "length" else written).strip()


def written_down(
    model: Assistant, pieces: Sequence[tuple[Part, Span]], english: bool = False, **sampling: Any
) -> list[str]:
    """What is said in each of some pieces, which are written together; see `hearing`."""
    turns = [hearing(model, piece, span, english, **sampling) for piece, span in pieces]
    return [text_of(model.reply(one.ids, one.finish).text, one.finish) for one in generate(model.engine, turns)]


def transcribe(model: Assistant, sound: Any, *, english: bool = False, **sampling: Any) -> Transcript:
    """What is said in a recording.

    Args:
        model: one that reads sound.
        sound: a path, bytes, a data URI, an array with its rate (`Signal`); of any length.
        english: write it in English, in whichever language it is said, if the model has learned that.
        sampling: fields of `Sampling`; by default the likeliest text is written.

    Raises:
        InputError: the recording cannot be opened, or the model does not read sound.
    """
    heard = recording(model, modality(AUDIO).open(sound, reader_of(model).wish))
    return Transcript(tuple(_segments(model, heard, english, sampling)), heard.duration_s)


def _segments(model: Assistant, heard: Recording, english: bool, sampling: dict[str, Any]) -> Iterator[Segment]:
    for first in range(0, len(heard.spans), AT_ONCE):
        group = heard.spans[first : first + AT_ONCE]
        texts = written_down(model, [(heard.piece(span), span) for span in group], english, **sampling)
        yield from (Segment(*span, text) for span, text in zip(group, texts, strict=True) if text)


def saying(model: Assistant, words: str) -> list[Conversation]:
    """The requests to say a text, phrase by phrase, each as long as the model can say.

    Raises:
        InputError: the model does not write sound, or there are no words.
    """
    longest = int(_longest_s(model, model.vocabulary.writer(AUDIO)) * SLOWEST)
    found = phrases(words, max(longest, 1))
    if not found:
        raise InputError("there are no words to say; write some")
    return [Conversation((as_message("user", to_say(phrase)),)) for phrase in found]


def speaking(model: Assistant, request: Conversation, **sampling: Any) -> Turn:
    """One of these requests, to be answered with a sound and nothing else; it may be as long as the codec allows."""
    sampling.setdefault("max_tokens", model.vocabulary.writer(AUDIO).max_tokens + 1)
    return model.turn(request, AUDIO, **sampling)


def speak(model: Assistant, words: str, **sampling: Any) -> Part:
    """Words said aloud.

    Args:
        model: one that writes sound.
        words: of any length.
        sampling: fields of `Sampling`; by default as the model says of sound.

    Returns:
        the sound; it has codes where the words were few enough to be said in one go.

    Raises:
        InputError: the model does not write sound, or there are no words.
    """
    turns = [speaking(model, request, **sampling) for request in saying(model, words)]
    said = [model.reply(one.ids, one.finish).parts[0] for turn in turns for one in generate(model.engine, [turn])]
    if len(said) == 1:
        return said[0]
    return Part(AUDIO, joined([part.data for part in said]))


def _longest_s(model: Assistant, layout: Layout) -> float:
    """Seconds of sound that a codec can tell within half of the model's context."""
    facts, context = layout.facts, context_of(model.lm)
    if facts.frame_rate_hz is None:
        return LONGEST_S
    steps = facts.max_frames // facts.frames_per_step
    if context is not None:
        steps = min(steps, context // 2 // layout.step_codes)
    return min(LONGEST_S, steps / facts.frame_rate_hz)
