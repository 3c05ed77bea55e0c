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
        mean_C, spread_C: of media that were learned from.
    """

    of: str
    modality: str
    settings: Mapping[str, Any]
    mean_C: np.ndarray
    spread_C: np.ndarray

    @classmethod
    def fit(cls, media: Sequence[Signal], of: str, modality: str, **settings: Any) -> tuple[FeatureSight, np.ndarray]:
        """With the mean and spread of these media, and their values (N, C)."""
        plain = cls(of, modality, settings, np.zeros(1, np.float32), np.ones(1, np.float32))
        means_NC = plain.values(media)
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
            InputError: the features do not take a medium.
        """
        kind, means = modality(self.modality), []
        for signal in signals:
            _, rows_ND = self.rows_of(kind.fit(signal, self.wish))
            means.append(rows_ND.mean(0, dtype=np.float64))
        return ((np.stack(means) - self.mean_C) / self.spread_C).astype(np.float32)

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
        mean_C, spread_C = (np.asarray(tensors[name], np.float32) for name in TENSORS)
        if mean_C.ndim != 1 or mean_C.shape != spread_C.shape or not (spread_C > 0).all():
            raise InputError(
                f"means {mean_C.shape} and spreads {spread_C.shape} of features must be rows, spreads above 0"
            )
        return cls(
            **own, settings=checked(said["settings"], Mapping[str, Any], "settings"), mean_C=mean_C, spread_C=spread_C
        )
