"""Controls: the same questions without a medium, with another's, or with a share of the medium's tokens replaced.

A model that does as well on them has not looked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from sensorium.grounding.question import Question

Kind = Literal["model", "blind", "wrong", "dropped"]
CELLS = 12
"""A medium is cut into at most so many parts along each axis but the last, where patches stand for its tokens."""


@dataclass(frozen=True)
class View:
    """Args:
    kind: what is done to the medium.
    share: of its tokens, or patches, that are replaced; for "dropped" alone.
    """

    kind: Kind = "model"
    share: float = 0.0

    @property
    def condition(self) -> str:
        names = {"model": "model", "blind": "no medium", "wrong": "another's medium"}
        return names.get(self.kind) or f"{100 * self.share:g} % of the medium replaced"

    def questions(self, questions: Sequence[Question]) -> list[Question]:
        """The questions as this view asks them: of "wrong", about another's medium. Their ids stay."""
        return _exchanged(questions) if self.kind == "wrong" else list(questions)


CONTROLS = (View("blind"), View("wrong"))
CURVE = tuple(View("dropped", share) for share in (0.25, 0.5, 0.75, 1.0))


def _exchanged(questions: Sequence[Question]) -> list[Question]:
    """Each with the medium of the next one of its task that has another right answer and another medium."""
    found = []
    for task in dict.fromkeys(one.task for one in questions):
        own = [one for one in questions if one.task == task]
        for place, one in enumerate(own):
            others = (own[(place + step) % len(own)] for step in range(1, len(own)))
            fits = (
                o for o in others if o.medium != one.medium and o.answer != one.answer and o.modality == one.modality
            )
            other = next(fits, None)
            if other is not None:
                found.append(replace(one, medium=other.medium))
    return found


def patched(array: np.ndarray, share: float, seed: int) -> np.ndarray:
    """The array with a share of its patches replaced by its mean, the last axis kept whole; same dtype."""
    axes = array.shape[:-1] if array.ndim > 1 else array.shape
    cells = [min(CELLS, size) for size in axes]
    places = [np.arange(size) * count // size for size, count in zip(axes, cells, strict=True)]
    chosen = np.zeros(int(np.prod(cells)), bool)
    count = round(share * len(chosen))
    chosen[np.random.default_rng(seed).permutation(len(chosen))[:count]] = True
    mask = chosen.reshape(cells)[np.ix_(*places)]
    mean = array.reshape(-1, array.shape[-1]).mean(0) if array.ndim > 1 else array.mean()
    return np.where(mask[..., None] if array.ndim > 1 else mask, mean.astype(array.dtype), array)
