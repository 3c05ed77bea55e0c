"""Where media come from is asked in one place, and what is wrong with it is told in one sentence."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tracemalloc
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest

from sensorium.cli.terminal import _sources
from sensorium.data.conversations import locate, read_lines, write_conversations
from sensorium.data.lint import lint
from sensorium.learning.media import find_media
from sensorium.modalities import modality
from sensorium.source import PIECE, Source, data_uri, from_base64, from_data_uri
from sensorium.types import Conversation, InputError, Message, Part, Signal


def digest(data) -> str:
    found = hashlib.sha256()
    Source.of(data).add_to(found)
    return found.hexdigest()


def test_the_same_content_is_the_same_wherever_it_lies(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"content")
    uri = data_uri(b"content", "application/x-any")
    assert base64.b64decode(uri.partition(",")[2]) == b"content"
    assert len({digest(one) for one in (tmp_path / "a.bin", str(tmp_path / "a.bin"), b"content", uri)}) == 1


def test_numbers_that_mean_something_else_are_something_else():
    array = np.arange(6.0).reshape(3, 2)
    same = {digest(array), digest(Signal(array.copy()))}
    assert len(same) == 1
    others = [Signal(array, rate_hz=8.0), Signal(array, channels=("a", "b")), Signal(array.astype(np.float32))]
    assert len({digest(one) for one in others} | same) == 4


def test_a_file_is_stamped_by_size_and_time(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"1")
    first = Source.of(path).stamp()
    os.utime(path, ns=(1, 1))
    assert Source.of(path).stamp() != first
    assert Source.of(tmp_path / "none").stamp().endswith("missing")
    assert Source.of(b"1").stamp() == Source.of(data_uri(b"1", "x/y")).stamp()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "the tape is empty"),
        (b"x" * 11, "the tape has more than the 10 bytes that are allowed; make it smaller"),
        ("no/such.file", "there is no file no/such.file"),
        (".", "is a folder, not a tape"),
        ("https://example.org/a", "not fetched from the network; save the tape"),
        ("data:a/b;base64,%", "base64 of the tape in the data URI is damaged"),
        ("data:a/b", "must read data:TYPE;base64,... and this one holds no comma"),
    ],
)
def test_what_cannot_be_read_gets_one_sentence(data, sentence):
    with pytest.raises(InputError, match=sentence):
        Source.of(data, "tape").read("tape", limit=10)


def test_base64_is_bounded_before_it_is_decoded():
    with pytest.raises(InputError, match="make it smaller"):
        from_base64("A" * 100, limit=10)


def test_percent_signs_are_unpacked_in_little_memory():
    tracemalloc.start()
    try:
        found = from_data_uri("data:," + "%41" * 200_000 + "%4", limit=2**20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == b"A" * 200_000 + b"%4"
    assert peak < 10 * 2**20, "a whole would take 24 MiB or more"


@pytest.mark.parametrize("before", range(4))
def test_no_piece_ends_within_what_a_percent_sign_encodes(before):
    text = "a" * (PIECE - before) + "%41%" + "é" * PIECE + "%4"
    assert from_data_uri("data:," + text) == unquote_to_bytes(text)


def test_what_is_too_large_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr("sensorium.source.unquote_to_bytes", lambda text: pytest.fail("unpacked"))
    for text in ("%41" * 101, "a" * 101, "%41" * 90 + "a" * 11):
        with pytest.raises(InputError, match="100 bytes"):
            from_data_uri("data:," + text, limit=100)


def test_blanks_in_base64_cost_no_object_each():
    text = "QUFB \t\r\n" * 100_000
    tracemalloc.start()
    try:
        found = from_base64(text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == b"AAA" * 100_000
    assert peak < 3 * len(text)


def test_a_signal_survives_its_own_description():
    signal = Signal(np.zeros((2, 1)), 50.0, ("a",), ("m/s2",), (4.0, 3.0), ("x", "y"))
    assert Signal.of(signal.array, signal.meta()) == signal
    assert Signal(signal.array) != signal
    assert repr(signal).startswith("Signal(<float64 (2, 1)>, rate_hz=50.0, channels=['a']")


def test_a_signal_takes_lists_and_numbers_of_other_libraries():
    given = Signal([[1.0, 2.0]], np.int64(50), ["a", "b"], np.array(["g", "g"]), frame=[np.float32(4), 3])
    assert given == Signal(np.array([[1.0, 2.0]]), 50.0, ("a", "b"), ("g", "g"), (4.0, 3.0))
    assert digest(given)


def test_only_files_and_numbers_tell_their_content_by_themselves():
    assert Source.of(b"1").is_plain and Source.of(np.zeros(2)).is_plain
    assert not Source.of(np.array([1, "a"], dtype=object)).is_plain, "its bytes are addresses"
    assert not Source.of(np.array(["2026"], dtype="M8[D]")).is_plain and not Source.of(object()).is_plain


@pytest.fixture
def odd_paths(tmp_path):
    """Paths that the system has something against, of each kind that raises an error of its own."""
    ring, closed = tmp_path / "ring.png", tmp_path / "under.png"
    ring.symlink_to(ring)
    closed.write_bytes(b"")
    return [str(ring), str(ring / "a.png"), "a" * 300 + ".png", "a\0b.png", "~nobody-of-this-name/a.png", f"{closed}/a"]


def test_no_path_gives_anything_but_a_sentence(odd_paths, tmp_path):
    for path in odd_paths:
        with pytest.raises(InputError):
            Source.of(path).read()
        with pytest.raises(InputError):
            modality("image").open(path)
        assert Source.of(path).stamp().endswith("missing")
        with pytest.raises(InputError):
            find_media(path)
        with pytest.raises(InputError):
            list(read_lines(path))
        _sources(f"{path} what is this?")
        _sources(path)
        line = {"role": "user", "content": [{"type": "image", "image": path}]}
        (tmp_path / "one.jsonl").write_text(json.dumps({"messages": [line, {"role": "assistant", "content": "a"}]}))
        assert lint(tmp_path / "one.jsonl", media=False).problems


def test_an_address_of_a_file_that_is_none_gets_a_sentence():
    with pytest.raises(InputError, match="no address of a file"):
        locate("file://[/a.png", Path())


def test_a_conversation_about_a_file_that_cannot_be_is_written_with_its_path(odd_paths, tmp_path):
    parts = [Part("image", path) for path in odd_paths[:2]]
    talk = Conversation((Message("user", tuple(parts)),))
    assert write_conversations([talk], tmp_path / "a.jsonl") == 1
