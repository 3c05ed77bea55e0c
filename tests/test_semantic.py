"""The semantic codec family: directions, residual codes, and the recipe that trains it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sensorium.codecs.contract import check_codec
from sensorium.data.labelled import Labelled
from sensorium.data.table import Row
from sensorium.families.net_codec import pixels_to_net
from sensorium.families.semantic import SemanticCodec, SemanticConfig, SemanticNet, moved
from sensorium.learning.telling import Reader, losses
from sensorium.types import InputError, Signal

TINY = SemanticConfig(
    name="tiny", size_px=16, codes=3, levels=(4, 3), widths=(8, 8), blocks=(0, 1), channels=8, hidden=16
)


def signals(pictures: np.ndarray) -> list[Signal]:
    return [Signal(picture) for picture in pictures]


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
        for _ in range(150):
            net(pictures)
    return SemanticCodec(TINY, net)


def test_it_keeps_the_contract(codec):
    check_codec(codec, signals(dots(6, seed=1)))


def test_it_only_reads_and_says_so(codec):
    assert codec.facts.use == "read"
    assert codec.facts.codebook_sizes == (12, 12, 12)
    assert codec.facts.max_frames == 1
    with pytest.raises(InputError, match="only reads"):
        codec.decode(codec.encode(signals(dots(1))))


def test_values_are_about_normal_and_codes_follow_their_levels(codec):
    values = codec.values(signals(dots(64)))
    assert values.shape == (64, 6)
    assert abs(values.mean()) < 0.5
    lowest, highest = codec.quantise(np.full((1, 6), -9, np.float32)), codec.quantise(np.full((1, 6), 9, np.float32))
    assert lowest.tolist() == [[0, 0, 0]]
    assert highest.tolist() == [[11, 11, 11]]
    first_channel = np.zeros((2, 6), np.float32) - 9
    first_channel[1, 0] = 9
    assert codec.quantise(first_channel)[:, 0].tolist() == [0, 3]
    assert codec.values([]).shape == (0, 6)


def test_features_tell_the_levels_apart(codec):
    features = codec.features(1)
    assert features.shape == (12, 7)
    assert (features.sum(1) == 2).all()
    assert len(np.unique(features, axis=0)) == 12


def test_names_are_learned_from_pictures():
    rows = [Row(medium=i, label=f"n{i}") for i in range(4)]
    drawings = Labelled(dots(4), rows, pixels_to_net, lambda row: "", {"group": lambda row: "c"})
    torch.manual_seed(0)
    reader = Reader(TINY, drawings.counts)
    terms = losses(reader, drawings.sample(np.random.default_rng(0), 16))
    assert set(terms) == {"name", "group", "words"}
    optimizer = torch.optim.Adam(reader.parameters(), lr=0.01)
    for step in range(60):
        loss = losses(reader, drawings.sample(np.random.default_rng(step), 16))["name"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.8 * terms["name"]


def test_pictures_are_moved_and_scaled_alone():
    pictures = pixels_to_net(torch.from_numpy(dots(6)))
    seen = moved(pictures, np.random.default_rng(0))
    assert seen.shape == pictures.shape
    assert not torch.allclose(seen, pictures)
    assert (seen <= 1.001).all(), "an edge goes on as it is, nothing else comes in"
    for before, after in zip(pictures, seen, strict=True):
        darkest = before.amin((1, 2))
        assert torch.allclose(after.amin((1, 2)), darkest, atol=0.05), "colours stay"
