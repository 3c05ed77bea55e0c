"""What a `lexical` codec sees by where it is no codec: the mean of a medium's features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sensorium.checked import NAME, checked
from sensorium.families.features import Features, features
from sensorium.modalities import Wish, modality
from sensorium.types import InputError, Signal

TENSORS = ("mean", "spread")
STEADY = 1e-3
"""Least spread of a number that is scaled."""


@dataclass(frozen=True, eq=False)
class FeatureSight:
    """Media as means of registered features, each number less its mean and over its spread among media.

    Args:
        of: name of the features, see `sensorium.families.features`.
        modality: of the media.
        settings: of the features.
        mean_C, spread_C: of media that were learned from; kept as float32.

    Raises:
        InputError: these are no rows of finite numbers, or a spread is not above 0.
    """

    of: str
    modality: str
    settings: Mapping[str, Any]
    mean_C: np.ndarray
    spread_C: np.ndarray

    def __post_init__(self) -> None:
        mean_C, spread_C = (np.asarray(one, np.float32) for one in (self.mean_C, self.spread_C))
        fit = mean_C.ndim == 1 and mean_C.shape == spread_C.shape
        if not (fit and np.isfinite([mean_C, spread_C]).all() and (spread_C > 0).all()):
            raise InputError(
                f"means {mean_C.shape} and spreads {spread_C.shape} of features must be rows of finite numbers, "
                "spreads above 0"
            )
        object.__setattr__(self, "mean_C", mean_C)
        object.__setattr__(self, "spread_C", spread_C)

    @classmethod
    def fit(cls, media: Sequence[Signal], of: str, modality: str, **settings: Any) -> tuple[FeatureSight, np.ndarray]:
        """With the mean and spread of these media, and their values (N, C).

        Raises:
            InputError: there are none, or the features do not take one.
        """
        if not media:
            raise InputError("there is no medium to learn from; give some")
        plain = cls(of, modality, settings, np.zeros(1), np.ones(1))
        means_NC = plain._means(media).astype(np.float32)
        mean_C, spread_C = means_NC.mean(0), np.maximum(means_NC.std(0), STEADY)
        return cls(of, modality, settings, mean_C, spread_C), (means_NC - mean_C) / spread_C

    @cached_property
    def rows_of(self) -> Features:
        return features(self.of, **self.settings)

    @property
    def wish(self) -> Wish:
        return self.rows_of.facts.get("wish", Wish())

    @property
    def channels(self) -> int:
        return len(self.mean_C)

    def values(self, signals: Sequence[Signal]) -> np.ndarray:
        """(N, C) float32 of media.

        Raises:
            InputError: the features do not take a medium, or make rows of another width of it.
        """
        if not signals:
            return np.zeros((0, self.channels), np.float32)
        return ((self._means(signals, self.channels) - self.mean_C) / self.spread_C).astype(np.float32)

    def _means(self, signals: Sequence[Signal], wide: int | None = None) -> np.ndarray:
        """(N, C) of media, neither shifted nor scaled; rows are as wide as is said, or as those of the first."""
        kind, means = modality(self.modality), list[np.ndarray]()
        for signal in signals:
            _, rows_ND = self.rows_of(kind.fit(signal, self.wish))
            means.append(rows_ND.mean(0, dtype=np.float64))
            wide = wide or len(means[0])
            if len(means[-1]) != wide:
                raise InputError(f"features {self.of!r} make rows of {len(means[-1])} numbers, not {wide}; name others")
        return np.stack(means)

    def told(self) -> dict[str, Any]:
        """What `of_told` makes it of again, with `tensors`."""
        return {"of": self.of, "modality": self.modality, "settings": dict(self.settings)}

    def tensors(self) -> dict[str, np.ndarray]:
        return dict(zip(TENSORS, (self.mean_C, self.spread_C), strict=True))

    @classmethod
    def of_told(cls, said: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> FeatureSight:
        """InputError when something that is said is wrong."""
        if set(said) != {"of", "modality", "settings"} or not set(TENSORS) <= set(tensors):
            raise InputError("features need their name ('of'), modality, settings, and the tensors 'mean' and 'spread'")
        own = {name: checked(said[name], NAME, name) for name in ("of", "modality")}
        mean_C, spread_C = (tensors[name] for name in TENSORS)
        settings = checked(said["settings"], Mapping[str, Any], "settings")
        return cls(**own, settings=settings, mean_C=mean_C, spread_C=spread_C)
