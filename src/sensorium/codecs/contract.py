"""The contract that every codec keeps, as one function for its tests: also those of outside packages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from sensorium.codecs.base import Codec, load_codec
from sensorium.types import InputError


def check_codec(codec: Codec, arrays: Sequence[np.ndarray]) -> None:
    """Put a codec through everything the rest of the system relies on.

    Args:
        arrays: at least two canonical arrays of its modality, not all alike.

    Raises:
        AssertionError: with one sentence that says what the codec does not keep.
    """
    assert len(arrays) >= 2, "give at least two arrays"
    codes = codec.encode(arrays)
    _check_facts(codec)
    _check_codes(codec, arrays, codes)
    _check_decode(codec, arrays, codes)
    _check_bad_codes(codec, codes[0])
    _check_features(codec)
    _check_saving(codec, arrays, codes)


def _check_facts(codec: Codec) -> None:
    facts = codec.facts
    assert min(facts.codebook_sizes, default=0) >= 1, "codebook_sizes must be positive numbers"
    assert facts.fixed_frames in (None, facts.max_frames), "max_frames must be the product of grid for a fixed length"
    assert type(facts).from_json(facts.to_json()) == facts, "the facts do not survive JSON"


def _check_codes(codec: Codec, arrays: Sequence[np.ndarray], codes: Sequence[np.ndarray]) -> None:
    assert len(codes) == len(arrays), "encode must return one array of codes per medium"
    for one in codes:
        assert one.dtype == np.int64, f"codes must be int64, not {one.dtype}"
        codec.check_codes(one)
    again = codec.encode(arrays)
    assert all(map(np.array_equal, codes, again)), "encode must give the same codes twice"
    alone = [codec.encode([array])[0] for array in arrays]
    assert all(map(np.array_equal, codes, alone)), "encode must give the same codes in a batch and one by one"
    assert codec.encode([]) == [], "encode of no media must give no codes"
    turned = [_locked(np.asfortranarray(array)) for array in arrays]
    assert all(map(np.array_equal, codes, codec.encode(turned))), "codes must not depend on the memory's order"
    assert not all(np.array_equal(codes[0], one) for one in codes[1:]), "all media get the same codes"


def _check_decode(codec: Codec, arrays: Sequence[np.ndarray], codes: Sequence[np.ndarray]) -> None:
    try:
        decoded = codec.decode(codes)
    except InputError:
        assert codec.facts.use == "read", "only a codec that is used for reading alone may refuse to decode"
        return
    assert len(decoded) == len(codes), "decode must return one array per medium"
    for array, original in zip(decoded, arrays, strict=True):
        like = (original.ndim, original.dtype)
        assert (array.ndim, array.dtype) == like, f"decode must return arrays of {like[0]} dimensions and {like[1]}"
    alone = [codec.decode([one])[0] for one in codes]
    assert all(np.allclose(a, b, atol=1) for a, b in zip(decoded, alone, strict=True)), "decode differs in a batch"
    shortest = np.zeros((codec.facts.fixed_frames or 1, codec.facts.codebooks), dtype=np.int64)
    codec.decode([shortest])


def _check_bad_codes(codec: Codec, codes: np.ndarray) -> None:
    high, low = codes.copy(), codes.copy()
    high[-1, -1], low[0, 0] = codec.facts.codebook_sizes[-1], -1
    too_many = np.zeros((codec.facts.max_frames + 1, codec.facts.codebooks), dtype=np.int64)
    for bad in (high, low, too_many, codes[:0], codes[:, :0], codes.astype(np.float32)):
        try:
            codec.decode([bad])
        except InputError:
            continue
        raise AssertionError(f"decode must refuse codes {bad.dtype} {bad.shape} with InputError; call check_codes")


def _check_features(codec: Codec) -> None:
    for book, size in enumerate(codec.facts.codebook_sizes):
        features = codec.features(book)
        if features is not None:
            assert features.ndim == 2, "features must be a table"
            assert len(features) == size, f"codebook {book} has {size} codes but {len(features)} features"
            assert features.dtype == np.float32, f"features must be float32, not {features.dtype}"
            assert np.isfinite(features).all(), "features must be finite"


def _check_saving(codec: Codec, arrays: Sequence[np.ndarray], codes: Sequence[np.ndarray]) -> None:
    with TemporaryDirectory() as folder:
        codec.save(Path(folder) / "codec")
        loaded = load_codec(Path(folder) / "codec")
    assert loaded.facts == codec.facts, "the facts change on saving"
    assert loaded.fingerprint() == codec.fingerprint(), "the fingerprint changes on saving"
    assert all(map(np.array_equal, codes, loaded.encode(arrays))), "the codes change on saving"
    if codec.facts.use != "read":
        assert all(map(np.array_equal, codec.decode(codes), loaded.decode(codes))), "what is decoded changes on saving"


def _locked(array: np.ndarray) -> np.ndarray:
    """The array as one that may not be written to, as those that come from files often are."""
    array = array.copy(order="K")
    array.flags.writeable = False
    return array
