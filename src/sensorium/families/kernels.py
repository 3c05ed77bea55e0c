"""The `kernels` family: which known kinds a series is like, best first, and the course of its strongest channel.

Features are shares of positive outputs of the 84 fixed kernels of MiniROCKET (arXiv 2012.08791) at fixed thresholds,
on the series stretched to one length and on its first samples as they are, with statistics of the channels. A ridge
regression, solved in closed form, turns them into a score for each kind it was fitted to tell; the codes are the places
of the highest scores. The series cannot be had back; the codec only reads.

Legend: B series, C channels, L samples, D features, P kinds, V values of a series.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch.nn.functional import conv1d

from sensorium.checked import NAME, Range, checked_arguments
from sensorium.codecs import Codec, Facts
from sensorium.families.scaling import bumps
from sensorium.types import InputError, Signal

CHANNELS, LENGTH, NATIVE = 12, 192, 256
DILATIONS, THRESHOLDS = ((1, 2, 4, 8, 14), (1, 2, 4, 8, 16)), (-1.0, -0.3, 0.3, 1.0)
LOOKED, POINTS, LEVELS = 4, 64, 12
Words = Annotated[tuple[Annotated[str, Range(1, 200)], ...], Range(0, 2**16)]
_WEIGHTS = (1.0, 1.0, 1.0, 0.3, 0.5)  # of the groups of features, in their order


class KernelsCodec(Codec):
    """Series of up to 12 channels to `LOOKED` kinds, the strongest channel, and `POINTS` points of it, two a code.

    Args:
        mean_D, weights_DP: from features to scores, see `fit`; at least `LOOKED` kinds.
        name, modality: see `Facts`.
        words: what each kind is called, at whose embeddings a model's rows start; none where nothing is said.
    """

    family: ClassVar[str] = "kernels"
    suits: ClassVar[tuple[str, ...]] = ("series",)
    uses: ClassVar[tuple[str, ...]] = ("read",)

    def __init__(
        self,
        mean_D: np.ndarray,
        weights_DP: np.ndarray,
        name: NAME = "series-read",
        modality: NAME = "series",
        words: Words = (),
    ):
        if weights_DP.ndim != 2 or mean_D.shape != weights_DP.shape[:1] or weights_DP.shape[1] < LOOKED:
            raise InputError(f"weights of features and kinds {weights_DP.shape} do not go with means {mean_D.shape}")
        if words and len(words) != weights_DP.shape[1]:
            raise InputError(f"{len(words)} words do not go with {weights_DP.shape[1]} kinds")
        self.kinds = tuple(words)
        self.mean_D, self.weights_DP = mean_D.astype(np.float32), weights_DP.astype(np.float32)
        kinds = tuple((f"kind{rank}", weights_DP.shape[1]) for rank in range(LOOKED))
        self.facts = Facts(
            name=name,
            modality=modality,
            header=(*kinds, ("channel", CHANNELS)),
            codebook_sizes=(LEVELS**2,),
            grid=(POINTS // 2,),
            max_frames=POINTS // 2,
            use="read",
        )

    @classmethod
    def fit(
        cls, features: Sequence[Sequence[np.ndarray]], kinds: Sequence[int], penalty: float = 0.01, **names: Any
    ) -> KernelsCodec:
        """Ridge regression to one-hot kinds, every feature at unit variance and every group at its weight."""
        groups = [np.stack(group).astype(np.float64) for group in zip(*features, strict=True)]
        scale_D = np.concatenate(
            [w / (g.std(0) + 1e-3) / g.shape[1] ** 0.5 for w, g in zip(_WEIGHTS, groups, strict=True)]
        )
        x_BD, wanted_BP = np.concatenate(groups, 1), np.eye(max(kinds) + 1)[list(kinds)]
        mean_D = x_BD.mean(0)
        x_BD = (x_BD - mean_D) * scale_D
        gram_DD = x_BD.T @ x_BD + penalty * np.eye(len(scale_D))
        weights_DP = np.linalg.solve(gram_DD, x_BD.T @ (wanted_BP - wanted_BP.mean(0)))
        return cls(mean_D, scale_D[:, None] * weights_DP, **names)

    def values(self, signals: Sequence[Signal]) -> np.ndarray:
        """(B, P + CHANNELS + POINTS) scores, one-hot strongest channel, points in 0..1: all before quantisation."""
        return np.stack([self.valued(signal.array, groups(signal.array)) for signal in signals])

    def valued(self, array: np.ndarray, features: Sequence[np.ndarray]) -> np.ndarray:
        """As `values`, of one series (time, channels) whose `groups` are known."""
        scores_P = (np.concatenate(features).astype(np.float32) - self.mean_D) @ self.weights_DP
        strongest = int(np.ptp(array, axis=0).argmax())
        points = stretched(array[:, strongest : strongest + 1], POINTS)[:, 0]
        unit = (points - points.min()) / max(float(np.ptp(points)), 1e-30)
        return np.concatenate([scores_P, np.eye(CHANNELS)[strongest], unit]).astype(np.float32)

    def quantise(self, values_BV: np.ndarray) -> np.ndarray:
        """Codes (B, header + frames) int64 of values."""
        kinds = self.weights_DP.shape[1]
        best = np.argsort(-values_BV[:, :kinds], axis=1)[:, :LOOKED]
        channel = values_BV[:, kinds : kinds + CHANNELS].argmax(1)
        levels = np.round(values_BV[:, -POINTS:].clip(0, 1) * (LEVELS - 1)).astype(np.int64)
        return np.column_stack([best, channel, levels[:, ::2] * LEVELS + levels[:, 1::2]])

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        return list(self.quantise(self.values(self.fitted(signals)))) if signals else []

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        for one in codes:
            self.layout.check(one)
        raise InputError(f"codec {self.facts.name!r} only reads: its codes cannot be turned back into series")

    def features(self, codebook: int) -> np.ndarray:
        """Where both points of a code lie, (LEVELS ** 2, 2 * bumps)."""
        one = bumps(LEVELS, LEVELS)
        return np.concatenate([one.repeat(LEVELS, 0), np.tile(one, (LEVELS, 1))], 1)

    def header_words(self, codebook: int) -> Sequence[str] | None:
        """What the kinds are called; nothing is said of channels."""
        return self.kinds if self.kinds and codebook < LOOKED else None

    def config(self) -> dict[str, Any]:
        said = {"words": list(self.kinds)} if self.kinds else {}
        return {"name": self.facts.name, "modality": self.facts.modality} | said

    def tensors(self) -> dict[str, np.ndarray]:
        return {"mean": self.mean_D, "weights": self.weights_DP}

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> KernelsCodec:
        return cls(tensors["mean"], tensors["weights"], **checked_arguments(cls, config, "config"))


def stretched(values: np.ndarray, length: int) -> np.ndarray:
    """(time, channels) -> (length, channels) by straight lines between the samples."""
    places = np.linspace(0, len(values) - 1, length)
    return np.stack([np.interp(places, np.arange(len(values)), channel) for channel in values.T], 1)


@cache
def _kernels() -> torch.Tensor:
    """(84, 1, 9): all ways to put 2 at three of nine places and -1 at the others, brought to unit norm."""
    kernels = -torch.ones(84, 1, 9)
    for kernel, places in zip(kernels, combinations(range(9), 3), strict=True):
        kernel[0, list(places)] = 2
    return kernels / 18**0.5


def _shares(x_CL: np.ndarray, dilations: Sequence[int]) -> np.ndarray:
    """Mean over channels of how often each kernel's output lies above each threshold."""
    x_CL = (x_CL - x_CL.mean(1, keepdims=True)) / (x_CL.std(1, keepdims=True) + 1e-7)
    x_C1L = torch.from_numpy(x_CL.astype(np.float32))[:, None]
    outputs = [conv1d(x_C1L, _kernels(), dilation=d, padding=4 * d) for d in dilations]
    return torch.cat([(y > t).float().mean((0, 2)) for y in outputs for t in THRESHOLDS]).numpy()


def groups(array: np.ndarray) -> list[np.ndarray]:
    """The features of a series (time, channels) in their groups.

    Raises:
        InputError: it has more than 12 channels.
    """
    if array.shape[1] > CHANNELS:
        raise InputError(
            f"series of up to {CHANNELS} channels can be read, this has {array.shape[1]}; choose among them"
        )
    x_CL, first_CL = stretched(array, LENGTH).T, array[:NATIVE].T
    first_CL = np.pad(first_CL, ((0, 0), (0, max(0, 9 - first_CL.shape[1]))), mode="edge")
    unit_CL = (x_CL - x_CL.mean(1, keepdims=True)) / (x_CL.std(1, keepdims=True) + 1e-7)
    ends = [x_CL.max(1), x_CL.min(1), np.abs(np.diff(x_CL, axis=1)).mean(1)]
    quarters = [x_CL[:, at : at + LENGTH // 4].mean(1) for at in range(0, LENGTH, LENGTH // 4)]
    sizes = np.stack([*(np.arcsinh(100 * one) for one in (*quarters, *ends)), np.log(x_CL.std(1) + 1e-7)], 1)
    course = unit_CL.reshape(len(x_CL), 16, -1).mean(2)
    of_all = np.array([np.log(len(array)), len(x_CL)])
    return [_shares(x_CL, DILATIONS[0]), _shares(first_CL, DILATIONS[1]), _slots(sizes), _slots(course), of_all]


def _slots(per_channel: np.ndarray) -> np.ndarray:
    """(C, n) -> (12 * n,), noughts for channels that are not there."""
    return np.pad(per_channel, ((0, CHANNELS - len(per_channel)), (0, 0))).ravel()
