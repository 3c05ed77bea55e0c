"""Which letters follow which: counts of short runs, and what is likely said where a sound leaves a choice.

The chances of a letter behind others back off from long runs to short ones (Witten and Bell 1991). The text that fits
both the sound and the letters is looked for by prefixes (Hannun et al. 2014, arXiv:1408.2873).

Legend: R runs of letters, L letters, T slots in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from math import exp, inf, log1p

import numpy as np

EDGE = " "
"""Before and behind a text."""
BITS, ORDER = 9, 7
"""Of a letter in the number of a run; letters of the longest run."""
OFTEN = 3
"""How often a run of more than two letters comes at least."""
WEIGHT, BONUS = 0.5, 0.8
"""Of the chances of letters beside those of the sound; for every letter, since each one costs."""
WIDTH = 16
"""Prefixes that are kept."""
LEAST = -7.0
"""Logarithm of the chance of a letter in a slot, below which it is not looked at."""


class Letters:
    """Counts of runs of letters.

    Args:
        signs: the letters, fewer than 2 ** `BITS`.
        runs_R: numbers of runs, `BITS` bits for the place of every letter, from 1, the first letter highest.
        counts_R: how often each came.
    """

    def __init__(self, signs: str, runs_R: np.ndarray, counts_R: np.ndarray) -> None:
        self.signs, self.runs_R, self.counts_R = signs, runs_R, counts_R
        self._number = _numbers(signs)
        self._count = dict(zip(runs_R.tolist(), counts_R.tolist(), strict=True))
        self.after = lru_cache(2**16)(self._after)

    @classmethod
    def of(cls, texts: Iterable[str], signs: str) -> Letters:
        """Counts over texts in these signs."""
        number = _numbers(signs)
        runs = letters = np.array([number[sign] for text in texts for sign in f"{EDGE}{text}{EDGE}"], np.int64)
        found, counts = [], []
        for length in range(1, ORDER + 1):
            run, count = np.unique(runs, return_counts=True)
            kept = count >= (OFTEN if length > 2 else 1)
            found, counts = [*found, run[kept]], [*counts, count[kept]]
            runs = (runs[:-1] << BITS) + letters[length:]
        return cls(signs, np.concatenate(found), np.concatenate(counts).astype(np.int32))

    def _after(self, before: str) -> Mapping[str, float]:
        """Logarithms of the chances of every letter behind at most ``ORDER - 1`` others."""
        chances_L = np.full(len(self._number), 1 / len(self._number))
        for length in range(len(before) + 1):
            run = 0
            for sign in before[len(before) - length :]:
                run = run << BITS | self._number[sign]
            seen_L = np.array([self._count.get(run << BITS | one, 0) for one in self._number.values()], float)
            total, kinds = seen_L.sum(), (seen_L > 0).sum()
            if not total:
                break
            chances_L = (seen_L + kinds * chances_L) / (total + kinds)
        return dict(zip(self._number, np.log(chances_L).tolist(), strict=True))

    def behind(self, text: str) -> Mapping[str, float]:
        """Logarithms of the chances of every letter behind a text."""
        return self.after((EDGE + text)[1 - ORDER :])


def _numbers(signs: str) -> dict[str, int]:
    return {sign: place for place, sign in enumerate(dict.fromkeys(EDGE + signs), start=1)}


def likeliest(chances_TL: np.ndarray, signs: Sequence[str], letters: Letters) -> str:
    """The text that fits a sound and the letters best.

    Args:
        chances_TL: logarithms of the chances of the blank, then of every one of ``signs``, in every slot.
    """
    beams = {"": (0.0, -inf, 0.0)}  # logarithms of ending in a blank, in the last letter; what the letters say
    for slot in chances_TL.tolist():
        heard = [(sign, chance) for sign, chance in zip(signs, slot[1:], strict=True) if chance > LEAST]
        found: dict[str, list[float]] = {}
        for prefix, (blank, letter, own) in beams.items():
            last, behind = prefix[-1:], letters.behind(prefix)
            _add(found, prefix, 0, _sum(blank, letter) + slot[0], own)
            for sign, chance in heard:
                if sign == last:
                    _add(found, prefix, 1, letter + chance, own)
                if sign != EDGE or last not in ("", EDGE):
                    before = blank if sign == last else _sum(blank, letter)
                    _add(found, prefix + sign, 1, before + chance, own + WEIGHT * behind[sign] + BONUS)
        best = sorted(found, key=lambda prefix: _worth(found[prefix]), reverse=True)[:WIDTH]
        beams = {prefix: (found[prefix][0], found[prefix][1], found[prefix][2]) for prefix in best}
    return max(beams, key=lambda prefix: _worth(beams[prefix]) + WEIGHT * letters.behind(prefix)[EDGE]).strip()


def _add(found: dict[str, list[float]], prefix: str, place: int, score: float, own: float) -> None:
    """Another way to a prefix."""
    held = found.setdefault(prefix, [-inf, -inf, own])
    held[place] = _sum(held[place], score)


def _worth(scores: Sequence[float]) -> float:
    return _sum(scores[0], scores[1]) + scores[2]


def _sum(a: float, b: float) -> float:
    """Of chances, in logarithms."""
    low, high = min(a, b), max(a, b)
    return high if low == -inf else high + log1p(exp(low - high))
