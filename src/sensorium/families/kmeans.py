"""The `kmeans` family: a picture as a grid of patches, each the nearest of K centroids.

Fitted in minutes (mini-batch k-means, Sculley 2010, doi:10.1145/1772690.1772862); the baseline for trained codecs.
Legend: N patches, D values of a patch (side * side * 3), K centroids.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch

from sensorium.codecs import Codec, Facts, Use
from sensorium.modalities import Wish, modality
from sensorium.types import InputError, Signal


class KMeansCodec(Codec):
    """Square RGB pictures to ``(size_px / patch_px) ** 2`` patch codes and back.

    Args:
        centroids: (K, D) float32 in 0..1, patches row by row, pixel by pixel, colour last.
        size_px: side of the picture; others are fitted into it on white.
        patch_px: side of a patch.
        name, modality, use: see `Facts`.
    """

    family: ClassVar[str] = "kmeans"

    def __init__(
        self,
        centroids: np.ndarray,
        size_px: int = 64,
        patch_px: int = 8,
        name: str = "image",
        modality: str = "image",
        use: Use = "both",
    ):
        if size_px % patch_px or centroids.ndim != 2 or centroids.shape[1] != patch_px**2 * 3:
            raise InputError(
                f"patches of {patch_px} px must tile {size_px} px and centroids have shape (K, {patch_px**2 * 3}), "
                f"not {centroids.shape}"
            )
        self.centroids = np.ascontiguousarray(centroids, dtype=np.float32)
        self._search = _Nearest(torch.from_numpy(self.centroids))
        self.size_px, self.patch_px = size_px, patch_px
        side = size_px // patch_px
        self.facts = Facts(
            name=name,
            modality=modality,
            codebook_sizes=(len(centroids),),
            grid=(side, side),
            max_frames=side * side,
            use=use,
            wish=Wish(size=(size_px, size_px)),
        )

    @classmethod
    def fit(
        cls,
        pictures: Iterable[Signal],
        codes: int = 4096,
        size_px: int = 64,
        patch_px: int = 8,
        steps: int = 300,
        batch: int = 16384,
        seed: int = 0,
        **names: Any,
    ) -> Self:
        """Learn centroids from the patches of RGB pictures.

        Args:
            codes: number of centroids.
            steps, batch: mini-batches and patches in each; a patch that occurs often counts once.
            names: ``name``, ``modality``, ``use`` of the codec.

        Raises:
            InputError: there are fewer different patches than codes, or a picture is none.
        """
        kind, wish = modality(names.get("modality", "image")), Wish(size=(size_px, size_px))
        different_ND = _different(_patches(kind.fit(picture, wish).array, patch_px) for picture in pictures)
        if len(different_ND) < codes:
            raise InputError(f"{codes} codes need as many different patches, there are {len(different_ND)}; give more")
        generator = np.random.default_rng(seed)
        chosen = generator.choice(len(different_ND), codes, replace=False)
        centroids_KD = torch.from_numpy(different_ND[chosen].astype(np.float32) / 255)
        seen_K = torch.ones(codes)
        for _ in range(steps):
            rows = generator.integers(0, len(different_ND), min(batch, len(different_ND)))
            _step(centroids_KD, seen_K, torch.from_numpy(different_ND[rows].astype(np.float32) / 255))
        return cls(centroids_KD.numpy(), size_px, patch_px, **names)

    @torch.inference_mode()
    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        """Pictures (H, W, 3) uint8 to codes (patches,) int64."""
        return [self._encode(signal.array) for signal in self.fitted(signals)]

    def _encode(self, picture: np.ndarray) -> np.ndarray:
        """One at a time: products of other sizes round differently, and codes must not depend on that."""
        patches_ND = _patches(picture, self.patch_px).astype(np.float32) / 255
        return self._search(torch.from_numpy(patches_ND)).numpy()

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Codes (patches,) to pictures (size_px, size_px, 3) uint8."""
        side, patch = self.size_px // self.patch_px, self.patch_px
        pictures = []
        for one in codes:
            tiles = self.centroids[self.layout.check(one)].reshape(side, side, patch, patch, 3)
            picture = tiles.transpose(0, 2, 1, 3, 4).reshape(self.size_px, self.size_px, 3)
            pictures.append(Signal(np.round(picture.clip(0, 1) * 255).astype(np.uint8)))
        return pictures

    def features(self, codebook: int) -> np.ndarray:
        """(K, D) centred centroids."""
        return self.centroids - self.centroids.mean(0)

    def config(self) -> dict[str, Any]:
        facts = self.facts
        shape = {"size_px": self.size_px, "patch_px": self.patch_px}
        return shape | {"name": facts.name, "modality": facts.modality, "use": facts.use}

    def tensors(self) -> dict[str, np.ndarray]:
        return {"centroids": self.centroids}

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> KMeansCodec:
        return cls(tensors["centroids"], **config)


def _patches(picture: np.ndarray, patch_px: int) -> np.ndarray:
    """(N, D) uint8 patches of a square picture in reading order."""
    side = picture.shape[0] // patch_px
    tiles = picture.reshape(side, patch_px, side, patch_px, 3).transpose(0, 2, 1, 3, 4)
    return tiles.reshape(side * side, -1)


def _different(patches: Iterable[np.ndarray]) -> np.ndarray:
    """(N, D) patches without repetitions, found by a hash of 64 bits: sorting whole patches takes minutes."""
    key_D, kept, marks = None, [np.zeros((0, 0), np.uint8)], [np.zeros(0, np.uint64)]
    for patches_ND in patches:
        if key_D is None:
            key_D = np.random.default_rng(0).integers(0, 2**64, patches_ND.shape[1], dtype=np.uint64)
        marks_N, first_N = np.unique(patches_ND.astype(np.uint64) @ key_D, return_index=True)
        kept.append(patches_ND[first_N])
        marks.append(marks_N)
    if key_D is None:
        return kept[0]
    return np.concatenate(kept[1:])[np.unique(np.concatenate(marks), return_index=True)[1]]


class _Nearest:
    """Index of the nearest centroid of each patch; the patches' own squares do not change the order."""

    def __init__(self, centroids_KD: torch.Tensor, rows: int = 4096):
        self.centroids_KD, self.rows = centroids_KD, rows
        self.halves_K = (centroids_KD**2).sum(1) / 2

    def __call__(self, patches_ND: torch.Tensor) -> torch.Tensor:
        """(N,) int64, a few thousand rows at a time, which bounds the memory."""
        return torch.cat(
            [(self.halves_K - part @ self.centroids_KD.T).argmin(1) for part in patches_ND.split(self.rows)]
        )


def _step(centroids_KD: torch.Tensor, seen_K: torch.Tensor, patches_ND: torch.Tensor) -> None:
    """Move every centroid towards the mean of the patches nearest to it, by its share of all it has seen."""
    owner_N = _Nearest(centroids_KD)(patches_ND)
    count_K = torch.bincount(owner_N, minlength=len(centroids_KD)).float()
    sums_KD = torch.zeros_like(centroids_KD).index_add_(0, owner_N, patches_ND)
    seen_K += count_K
    centroids_KD += (sums_KD - count_K[:, None] * centroids_KD) / seen_K[:, None]
