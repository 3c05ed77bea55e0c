"""The semantic codec family: directions, residual codes, and the recipe that trains it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from recipes.pictograms.codec import Drawings
from recipes.pictograms.concepts import Picture
from recipes.pictograms.nano import moved
from recipes.pictograms.reading import Reader, losses

from sensorium.codecs.contract import check_codec
from sensorium.codecs.fsq import pixels_to_net
from sensorium.codecs.semantic import (
    SemanticCodec,
    SemanticConfig,
    SemanticNet,
    dequantise,
    fit_codebooks,
    quantise,
)
from sensorium.types import InputError

TINY = SemanticConfig(
    name="tiny", size_px=16, codes=(8, 4, 4), widths=(8, 8), blocks=(0, 1), channels=8, hidden=16, direction=12
)


def dots(count: int, side: int = 16, seed: int = 0) -> np.ndarray:
    """(count, side, side, 3) uint8 pictures of coloured boxes on white."""
    rng = np.random.default_rng(seed)
    found = np.full((count, side, side, 3), 255, np.uint8)
    for picture in found:
        top, left = rng.integers(0, side // 2, 2)
        picture[top : top + side // 2, left : left + side // 2] = rng.integers(0, 255, 3)
    return found


@pytest.fixture
def codec() -> SemanticCodec:
    torch.manual_seed(0)
    net = SemanticNet(TINY)
    pictures = pixels_to_net(torch.from_numpy(dots(64)))
    with torch.no_grad():
        for _ in range(100):
            net(pictures)
        directions = net.eval()(pictures).numpy()
    return SemanticCodec(TINY, net, fit_codebooks(directions, TINY.codes))


def test_it_keeps_the_contract(codec):
    check_codec(codec, list(dots(6, seed=1)))


def test_it_only_reads_and_says_so(codec):
    assert codec.facts.use == "read"
    assert codec.facts.codebook_sizes == (8, 4, 4)
    assert codec.facts.max_frames == 1
    with pytest.raises(InputError, match="only reads"):
        codec.decode(codec.encode(list(dots(1))))


def test_directions_have_length_one(codec):
    directions = codec.directions(list(dots(5)))
    assert directions.shape == (5, 12)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-5)
    assert codec.directions([]).shape == (0, 12)


def test_every_stage_brings_the_codes_nearer_to_the_direction():
    points = np.random.default_rng(0).normal(size=(400, 12)).astype(np.float32)
    books = fit_codebooks(points, (16, 16, 16))
    errors = [np.square(points - dequantise(quantise(points, books[:n]), books[:n])).sum(1).mean() for n in range(1, 4)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.5 * np.square(points).sum(1).mean()


def test_a_vector_that_is_a_sum_of_codes_is_spelled_with_them():
    books = [np.eye(4, dtype=np.float32) * 4, np.eye(4, dtype=np.float32)]
    codes = np.array([[0, 3], [2, 1]])
    assert (quantise(dequantise(codes, books), books) == codes).all()


def test_fitting_is_repeatable_and_fills_every_code():
    points = np.random.default_rng(1).normal(size=(300, 6)).astype(np.float32)
    one, two = (fit_codebooks(points, (8, 8), seed=3) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert set(quantise(points, one)[:, 0]) == set(range(8))


def test_codebooks_that_do_not_fit_are_refused(codec):
    with pytest.raises(ValueError, match="do not fit"):
        SemanticCodec(TINY, codec.net, codec.codebooks[:2])


def test_moved_directions_stay_on_the_sphere_and_move_with_strength():
    generator = np.random.default_rng(0)
    directions = np.eye(64, dtype=np.float32)
    assert np.array_equal(moved(directions, 0.0, generator), directions)
    little, much = (np.mean((moved(directions, s, generator) * directions).sum(1)) for s in (0.3, 1.0))
    assert 0.9 < little < 1
    assert 0.5 < much < 0.85


def test_names_are_learned_from_pictures():
    same = {"family": "a", "style": "a", "category": "c", "split": "train", "names": {}, "tags": ()}
    pictures = [Picture(picture=i, label=f"n{i}", root=f"n{i}", **same) for i in range(4)]
    drawings = Drawings(dots(4), pictures)
    torch.manual_seed(0)
    reader = Reader(TINY, (len(drawings.names), len(drawings.groups), len(drawings.words)))
    terms = losses(reader, drawings.sample(np.random.default_rng(0), 16))
    assert set(terms) == {"name", "group", "words"}
    optimizer = torch.optim.Adam(reader.parameters(), lr=0.01)
    for step in range(60):
        loss = losses(reader, drawings.sample(np.random.default_rng(step), 16))["name"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.8 * terms["name"]
