"""The contract that every codec keeps, as one function for its tests: also those of outside packages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sensorium.codecs.base import Codec, load_codec
from sensorium.modalities import modality
from sensorium.types import InputError, Signal

PIECES = 5
"""Into so many pieces a medium is cut to compare a stream with the whole."""


def check_codec(codec: Codec, media: Sequence[Any]) -> None:
    """Put a codec through everything the rest of the system relies on.

    Args:
        media: at least two media of its modality, not all alike: anything that `Modality.open` takes.

    Raises:
        AssertionError: with one sentence that says what the codec does not keep.
    """
    assert len(media) >= 2, "give at least two media"
    kind = modality(codec.facts.modality)
    signals = [kind.open(medium, codec.facts.wish) for medium in media]
    codes = codec.encode(signals)
    _check_facts(codec)
    _check_codes(codec, signals, codes)
    _check_decode(codec, signals, codes)
    _check_bad_codes(codec, codes[0])
    _check_features(codec)
    _check_stream(codec, signals, codes)
    _check_saving(codec, signals, codes)


def _check_facts(codec: Codec) -> None:
    facts = codec.facts
    assert min(codec.layout.sizes, default=0) >= 1, "codebook sizes must be positive numbers"
    assert facts.codebook_sizes, "a frame needs at least one codebook"
    assert facts.fixed_frames in (None, facts.max_frames), "max_frames must be the product of grid for a fixed length"
    assert type(facts).from_json(facts.to_json()) == facts, "the facts do not survive JSON"


def _check_codes(codec: Codec, signals: Sequence[Signal], codes: Sequence[np.ndarray]) -> None:
    assert len(codes) == len(signals), "encode must return one array of codes per medium"
    for one in codes:
        assert one.dtype == np.int64, f"codes must be int64, not {one.dtype}"
        assert one.ndim == 1, f"codes must be one flat array, not {one.shape}; `layout.join` flattens frames"
        codec.layout.check(one)
    again = codec.encode(signals)
    assert all(map(np.array_equal, codes, again)), "encode must give the same codes twice"
    alone = [codec.encode([signal])[0] for signal in signals]
    assert all(map(np.array_equal, codes, alone)), "encode must give the same codes in a batch and one by one"
    assert codec.encode([]) == [], "encode of no media must give no codes"
    turned = [signal.with_array(_locked(np.asfortranarray(signal.array))) for signal in signals]
    assert all(map(np.array_equal, codes, codec.encode(turned))), "codes must not depend on the memory's order"
    assert not all(np.array_equal(codes[0], one) for one in codes[1:]), "all media get the same codes"


def _check_decode(codec: Codec, signals: Sequence[Signal], codes: Sequence[np.ndarray]) -> None:
    try:
        decoded = codec.decode(codes)
    except InputError:
        assert codec.facts.use == "read", "only a codec that is used for reading alone may refuse to decode"
        return
    assert len(decoded) == len(codes), "decode must return one signal per medium"
    kind = modality(codec.facts.modality)
    for signal, original in zip(decoded, signals, strict=True):
        like, got = (original.array.ndim, original.array.dtype), (signal.array.ndim, signal.array.dtype)
        assert got == like, f"decode must return arrays of {like[0]} dimensions and {like[1]}, not {got}"
        checked = kind.check(signal)
        assert np.array_equal(checked.array, signal.array), "what is decoded is not in its modality's canonical form"
        kept = ("rate_hz", "channels", "units", "frame")
        lost = [name for name in kept if getattr(original, name) and getattr(signal, name) in (None, ())]
        assert not lost or not codec.facts.wish, f"what is decoded has lost its {' and '.join(lost)}" if lost else ""
    alone = [codec.decode([one])[0] for one in codes]
    near = all(np.allclose(a.array, b.array, atol=1) for a, b in zip(decoded, alone, strict=True))
    assert near, "decode differs in a batch"
    codec.decode([np.zeros(codec.layout.min_codes, dtype=np.int64)])


def _check_bad_codes(codec: Codec, codes: np.ndarray) -> None:
    high, low = codes.copy(), codes.copy()
    high[-1], low[0] = codec.facts.codebook_sizes[-1], -1
    too_many = np.zeros(codec.layout.max_codes + codec.layout.step_codes, dtype=np.int64)
    for bad in (high, low, too_many, np.append(codes, 0)[: len(codes) + 1], codes[None], codes.astype(np.float32)):
        if bad.ndim == 1 and len(bad) == len(codes) + 1 and codec.layout.step_codes == 1:
            continue
        try:
            codec.decode([bad])
        except InputError:
            continue
        raise AssertionError(f"decode must refuse codes {bad.dtype} {bad.shape} with InputError; call layout.check")


def _check_features(codec: Codec) -> None:
    tables = [(codec.features(book), size) for book, size in enumerate(codec.facts.codebook_sizes)]
    tables += [(codec.header_features(book), size) for book, (_, size) in enumerate(codec.facts.header)]
    for features, size in tables:
        if features is not None:
            assert features.ndim == 2, "features must be a table"
            assert len(features) == size, f"a codebook has {size} codes but {len(features)} features"
            assert features.dtype == np.float32, f"features must be float32, not {features.dtype}"
            assert np.isfinite(features).all(), "features must be finite"
    said = [(codec.words(book), size) for book, size in enumerate(codec.facts.codebook_sizes)]
    said += [(codec.header_words(book), size) for book, (_, size) in enumerate(codec.facts.header)]
    for words, size in said:
        if words is not None:
            assert len(words) == size, f"a codebook has {size} codes but {len(words)} words"
            assert all(isinstance(word, str) and word.strip() for word in words), "each code needs words, not nothing"


def _check_stream(codec: Codec, signals: Sequence[Signal], codes: Sequence[np.ndarray]) -> None:
    """A stream gives what the whole gives, in whatever pieces it comes."""
    if codec.stream() is None:
        return
    for signal, whole in zip(signals, codes, strict=True):
        ways = [_check_push(codec, signal, whole), _check_pull(codec, whole)]
        assert any(ways), "a stream must take media or codes; `stream` gives None for a codec that has none"


def _check_push(codec: Codec, signal: Signal, whole: np.ndarray) -> bool:
    """Whether it goes this way; what it refuses, it must refuse at once."""
    stream = codec.stream()
    assert stream is not None
    first, *rest = _cuts(len(signal.array))
    try:
        pieces = [stream.push(_piece(signal, first))]
    except InputError:
        return False
    pieces += [stream.push(_piece(signal, part)) for part in rest]
    pieces.append(stream.finish())
    assert np.array_equal(np.concatenate(pieces), whole), "a stream must give the codes of the whole"
    return True


def _check_pull(codec: Codec, whole: np.ndarray) -> bool:
    """As `_check_push`, from codes to the medium."""
    if codec.facts.use == "read":
        return False
    stream = codec.stream()
    assert stream is not None
    first, *rest = _cuts(len(whole))
    try:
        found = [stream.pull(whole[first])]
    except InputError:
        return False
    found += [stream.pull(whole[part]) for part in rest]
    found.append(stream.rest())
    pieces = [piece.array for piece in found if piece is not None]
    (expected,) = codec.decode([whole])
    assert pieces, "a stream that writes must give the medium piece by piece"
    joined = np.concatenate(pieces)
    assert joined.shape == expected.array.shape, "a stream must give as much as the whole"
    assert np.allclose(joined, expected.array, atol=1e-5), "a stream must give the medium that the whole gives"
    return True


def _cuts(length: int) -> list[slice]:
    edges = sorted({round(length * part / PIECES) for part in range(PIECES + 1)})
    return [slice(a, b) for a, b in zip(edges, edges[1:], strict=False)]


def _piece(signal: Signal, part: slice) -> Signal:
    labels = signal.labels[part] if signal.labels else ()
    return replace(signal, array=signal.array[part], labels=labels)


def _check_saving(codec: Codec, signals: Sequence[Signal], codes: Sequence[np.ndarray]) -> None:
    with TemporaryDirectory() as folder:
        codec.save(Path(folder) / "codec")
        loaded = load_codec(Path(folder) / "codec")
    assert loaded.facts == codec.facts, "the facts change on saving"
    assert loaded.fingerprint() == codec.fingerprint(), "the fingerprint changes on saving"
    assert all(map(np.array_equal, codes, loaded.encode(signals))), "the codes change on saving"
    if codec.facts.use != "read":
        before, after = codec.decode(codes), loaded.decode(codes)
        assert all(a == b for a, b in zip(before, after, strict=True)), "what is decoded changes on saving"


def _locked(array: np.ndarray) -> np.ndarray:
    """The array as one that may not be written to, as those that come from files often are."""
    array = array.copy(order="K")
    array.flags.writeable = False
    return array
