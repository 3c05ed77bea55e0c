"""Ids told piece by piece say what they say as a whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import ToyCodec, random_codes, tiny_tokenizer

from sensorium.engines import Token
from sensorium.serve.writing.transcript import Medium, Progress, Text, Transcript
from sensorium.stream import Stream
from sensorium.vocabulary import Vocabulary

CODEC = ToyCodec("toy", sizes=(8, 4), grid=(2, 2))
FREE = ToyCodec("free", sizes=(5,), grid=None, max_frames=6, modality="free")


@pytest.fixture(scope="module")
def stream() -> Stream:
    tokenizer, vocabulary = tiny_tokenizer(), Vocabulary.build(300, [CODEC.facts, FREE.facts])
    vocabulary.extend_tokenizer(tokenizer)
    return Stream(tokenizer, vocabulary)


def tell(stream: Stream, ids: list[int], stops: tuple[str, ...] = ()) -> tuple[list, Transcript]:
    transcript, events = Transcript(stream, stops), []
    for place, id_ in enumerate(ids):
        events += transcript.feed(Token(0, id_, "length" if place == len(ids) - 1 else None))
    return events, transcript


def joined(events: list) -> list:
    """Texts that lie side by side as one, media as their codes."""
    said: list = []
    for event in events:
        if isinstance(event, Text) and said and isinstance(said[-1], str):
            said[-1] += event.text
        elif isinstance(event, Text):
            said.append(event.text)
        elif isinstance(event, Medium):
            said.append(event.part.codes.tolist())
    return said


def whole(stream: Stream, ids: list[int]) -> list:
    return [part.data if part.is_text else part.codes.tolist() for part in stream.parse(ids)]


def ids_of(stream: Stream, *pieces: str | ToyCodec) -> list[int]:
    ids: list[int] = []
    for piece in pieces:
        if isinstance(piece, str):
            ids += stream.tokenizer(piece, add_special_tokens=False)["input_ids"]
        else:
            ids += stream.vocabulary.layout(piece.facts.name).ids(random_codes(piece))
    return ids


@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(st.text(max_size=8) | st.sampled_from([CODEC, FREE]), max_size=5))
def test_pieces_make_the_whole(stream, pieces):
    ids = ids_of(stream, *pieces)
    if ids:
        assert joined(tell(stream, ids)[0]) == whole(stream, ids)


@settings(max_examples=60, deadline=None)
@given(ids=st.lists(st.integers(2, 289), min_size=1, max_size=12))
def test_any_bytes_make_the_whole(stream, ids):
    assert joined(tell(stream, ids)[0]) == whole(stream, ids)


def test_a_character_of_several_tokens_is_told_once_it_is_whole(stream):
    ids = ids_of(stream, "é🙂")
    assert len(ids) > 3
    events, _ = tell(stream, ids)
    assert [event.text for event in events] == ["é", "🙂"]


@settings(max_examples=60, deadline=None)
@given(text=st.text("ab", max_size=12), stops=st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=2))
def test_text_ends_before_the_first_stop_string(stream, text, stops):
    ids = ids_of(stream, text)
    if not ids:
        return
    events, transcript = tell(stream, ids, tuple(stops))
    # A stop string ends the answer as soon as it is whole, though a longer one that began earlier might still follow.
    said = (stream.tokenizer.decode(ids[: count + 1]) for count in range(len(ids)))
    first = next((so_far for so_far in said if any(stop in so_far for stop in stops)), "")
    places = [first.find(stop) for stop in stops if stop in first]
    assert "".join(event.text for event in events) == text[: min(places, default=len(text))]
    assert transcript.stopped == bool(places)


def test_the_stop_string_that_is_whole_first_ends_the_answer(stream):
    events, transcript = tell(stream, ids_of(stream, "bab"), ("bab", "a"))
    assert joined(events) == ["b"]
    assert transcript.stopped


def test_progress_of_fixed_and_free_media(stream):
    fixed = [event for event in tell(stream, ids_of(stream, CODEC))[0] if isinstance(event, Progress)]
    assert [(event.done, event.total) for event in fixed] == [(done, 8) for done in range(9)]
    free = [event for event in tell(stream, ids_of(stream, FREE))[0] if isinstance(event, Progress)]
    assert {event.total for event in free} == {None}


def test_a_stop_string_before_a_medium_hides_it(stream):
    events, transcript = tell(stream, ids_of(stream, "go stop", CODEC, "more"), ("stop",))
    assert joined(events) == ["go "]
    assert transcript.stopped
