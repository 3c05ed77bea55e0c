"""The `kmeans` family: a medium as rows of features, each the nearest of K centroids.

Fitted in minutes (mini-batch k-means, Sculley 2010, doi:10.1145/1772690.1772862); the baseline for trained codecs.
Features are patches of a picture, pieces of a series, or what a registered function gives, see `features`.
Legend: N rows, D numbers of a row, K centroids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch

from sensorium import plugins
from sensorium.checked import NAME, checked, checked_arguments
from sensorium.codecs import Codec, Facts, Learning, Media, Use
from sensorium.families.features import FEATURES, Features, features
from sensorium.families.pool import Pool
from sensorium.modalities import modality
from sensorium.types import InputError, Signal


class KMeansCodec(Codec):
    """Media to codes of their features, and back where the features can be turned back.

    Args:
        centroids: (K, D) float32.
        of: name of the features.
        name, modality, use: see `Facts`; of features that cannot be turned back, ``use`` is ``"read"``.
        settings: of the features.

    Raises:
        InputError: there are no such features, or the centroids are no table.
    """

    family: ClassVar[str] = "kmeans"
    suits: ClassVar[tuple[str, ...]] = ("image", "audio", "video", "series")

    def __init__(
        self,
        centroids: np.ndarray,
        of: NAME = "patches",
        name: NAME = "image",
        modality: NAME = "image",
        use: Use = "both",
        **settings: Any,
    ):
        self.of, self.settings, self.rows_of = of, settings, features(of, **settings)
        width = self.rows_of.width or centroids.shape[-1]
        if centroids.ndim != 2 or centroids.shape[1] != width:
            raise InputError(f"centroids of features {of!r} have shape (K, {width}), not {centroids.shape}")
        self.centroids = np.ascontiguousarray(centroids, dtype=np.float32)
        self._search = _Nearest(torch.from_numpy(self.centroids))
        self.facts = Facts(
            name=name,
            modality=modality,
            codebook_sizes=(len(centroids),),
            use=use if self.rows_of.writes else "read",
            **self.rows_of.facts,
        )

    @classmethod
    def fit(
        cls,
        media: Iterable[Signal],
        codes: int = 4096,
        steps: int = 300,
        batch: int = 16384,
        seed: int = 0,
        of: str = "patches",
        name: str = "image",
        modality: str = "image",
        use: Use = "both",
        **settings: Any,
    ) -> Self:
        """Learn centroids from the features of media, which are gone through once.

        Args:
            codes: number of centroids.
            steps, batch: mini-batches and rows in each; a row that occurs often counts once.
            of, settings: name of the features and their settings.
            name, modality, use: of the codec.

        Raises:
            InputError: there are fewer different rows than codes, or a medium does not suit the features.
        """
        pool = Pool(different(_rows(media, features(of, **settings), modality)))
        if len(pool.rows) < codes:
            raise InputError(f"{codes} codes need as many different pieces, there are {len(pool.rows)}; give more")
        generator = np.random.default_rng(seed)
        centroids_KD = _numbers(pool.rows[np.sort(generator.choice(len(pool.rows), codes, replace=False))])
        seen_K = torch.ones(codes)
        for _ in range(steps):
            chosen = np.sort(generator.integers(0, len(pool.rows), min(batch, len(pool.rows))))
            _step(centroids_KD, seen_K, _numbers(pool.rows[chosen]))
        return cls(centroids_KD.numpy(), of, name, modality, use, **settings)

    @classmethod
    def learn(cls, media: Media, learning: Learning, **names: Any) -> KMeansCodec:
        """Takes as long as it takes, a minute or two; there is nothing to go on from.

        Features are patches for pictures without a rate, else windows, unless ``of`` names others.
        """
        first, given = media.first(), {"name": names["modality"]} | names
        flat = first.rate_hz is None and first.array.ndim == 3 and first.array.dtype == np.uint8
        given.setdefault("of", "patches" if flat else "windows")
        known = plugins.load(FEATURES, given["of"])
        given = (known.like(first) if isinstance(known, type) else {}) | given
        if given["of"] == "windows" and "most_rows" not in given:
            given["most_rows"] = max(len(signal.array) for signal in media)
        learning.say("learning from the media; each is read once")
        return cls.fit(media, **given) if learning.codes is None else cls.fit(media, learning.codes, **given)

    @torch.inference_mode()
    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        """Media of the modality to codes; InputError when they do not suit the features."""
        return [self._encode(signal) for signal in self.fitted(signals)]

    def _encode(self, signal: Signal) -> np.ndarray:
        """One at a time: products of other sizes round differently, and codes must not depend on that."""
        header, rows_ND = self.rows_of(signal)
        if rows_ND.shape[1:] != self.centroids.shape[1:]:
            raise InputError(
                f"codec {self.facts.name!r} knows rows of {self.centroids.shape[1]} numbers, and features "
                f"{self.of!r} give {rows_ND.shape}; were they changed? train the codec again"
            )
        return self.layout.join(header, self._search(_numbers(rows_ND)).numpy())

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Codes to media of the features; InputError when they only read."""
        split = [self.layout.split(one) for one in codes]
        return [self.rows_of.invert(header, self.centroids[frames[:, 0]]) for header, frames in split]

    def features(self, codebook: int) -> np.ndarray:
        """(K, D) centred centroids."""
        return self.centroids - self.centroids.mean(0)

    def config(self) -> dict[str, Any]:
        facts = self.facts
        settings = {key: list(value) if isinstance(value, tuple) else value for key, value in self.settings.items()}
        return settings | {"of": self.of, "name": facts.name, "modality": facts.modality, "use": facts.use}

    def tensors(self) -> dict[str, np.ndarray]:
        return {"centroids": self.centroids}

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> KMeansCodec:
        known = checked(config, Mapping[str, Any], "config")
        settings = {name: value for name, value in known.items() if name not in ("of", "name", "modality", "use")}
        named = {name: value for name, value in known.items() if name not in settings}
        return cls(tensors["centroids"], **checked_arguments(cls, named, "config"), **settings)


def _numbers(rows_ND: np.ndarray) -> torch.Tensor:
    """(N, D) float32; bytes stand for 0..1."""
    found = torch.from_numpy(rows_ND.astype(np.float32))
    return found / 255 if rows_ND.dtype == np.uint8 else found


def _rows(media: Iterable[Signal], rows_of: Features, kind: str) -> Iterator[np.ndarray]:
    opened, wish = modality(kind), rows_of.facts.get("wish")
    return (rows_of(opened.fit(signal, wish) if wish else signal)[1] for signal in media)


def different(arrays: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """(N, D) rows of each array that were not there before, told by a hash of 64 bits, which is all that is kept."""
    seen: set[int] = set()
    key_W: np.ndarray | None = None
    for rows_ND in arrays:
        bytes_NW = np.ascontiguousarray(rows_ND).view(np.uint8).reshape(len(rows_ND), -1)
        if key_W is None:
            key_W = np.random.default_rng(0).integers(0, 2**64, bytes_NW.shape[1], dtype=np.uint64)
        marks_N, first_N = np.unique(bytes_NW.astype(np.uint64) @ key_W, return_index=True)
        new = [place for mark, place in zip(marks_N.tolist(), first_N, strict=True) if mark not in seen]
        seen.update(marks_N.tolist())
        yield rows_ND[new]


class _Nearest:
    """Index of the nearest centroid of each row; the rows' own squares do not change the order."""

    def __init__(self, centroids_KD: torch.Tensor, rows: int = 4096):
        self.centroids_KD, self.rows = centroids_KD, rows
        self.halves_K = (centroids_KD**2).sum(1) / 2

    def __call__(self, rows_ND: torch.Tensor) -> torch.Tensor:
        """(N,) int64, a few thousand rows at a time, which bounds the memory."""
        return torch.cat([(self.halves_K - part @ self.centroids_KD.T).argmin(1) for part in rows_ND.split(self.rows)])


def _step(centroids_KD: torch.Tensor, seen_K: torch.Tensor, rows_ND: torch.Tensor) -> None:
    """Move every centroid towards the mean of the rows nearest to it, by its share of all it has seen."""
    owner_N = _Nearest(centroids_KD)(rows_ND)
    count_K = torch.bincount(owner_N, minlength=len(centroids_KD)).float()
    sums_KD = torch.zeros_like(centroids_KD).index_add_(0, owner_N, rows_ND)
    seen_K += count_K
    centroids_KD += (sums_KD - count_K[:, None] * centroids_KD) / seen_K[:, None]
