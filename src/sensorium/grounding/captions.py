"""How like captions are to those of others: BLEU by sacrebleu, and CIDEr-D."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sensorium.evaluate.clustered import DRAWS, Rate, rate
from sensorium.evaluate.marks import Mark
from sensorium.types import InputError

ORDERS = 4
SIGMA = 6.0
"""Words that a caption may be longer or shorter before CIDEr-D counts little."""
SCALE = 10.0

Grams = Counter[tuple[str, ...]]


@dataclass(frozen=True)
class CaptionScores:
    """Args:
    bleu: BLEU-4 of all captions together, from 0 to 1 (Papineni et al. 2002; tokens "13a", lower case).
    cider: mean CIDEr-D, from 0 to 10.
    """

    bleu: Rate
    cider: Rate

    @classmethod
    def of(cls, marks: Sequence[Mark], seed: int = 0) -> CaptionScores | None:
        """Over captions as `sensorium.grounding.marking` marks them; None where they have nothing to be compared with.

        Intervals are the bootstrap's over media.

        Raises:
            InputError: sacrebleu is not installed.
        """
        known = [mark for mark in marks if mark.more.get("references")]
        if not known:
            return None
        said = [mark.more["caption"] for mark in known]
        references, media = [mark.more["references"] for mark in known], [mark.medium for mark in known]
        # A caption is rated by how often its words occur elsewhere, so the weights are the same in every draw.
        each = np.array([cider / SCALE for cider in ciders(said, references)])
        mean = rate(list(each), media, seed)
        cider = Rate(*(SCALE * one for one in (mean.value, mean.low, mean.high)), mean.count, mean.clusters)
        return cls(_bleu(said, references, media, seed), cider)

    def to_json(self) -> dict[str, Any]:
        return {"bleu": self.bleu.to_json(), "cider": self.cider.to_json()}


def _bleu(said: Sequence[str], references: Sequence[Sequence[str]], media: Sequence[str], seed: int) -> Rate:
    """BLEU of sums over captions; media are drawn anew, each with all of its captions."""
    try:
        from sacrebleu.metrics import BLEU
    except ImportError as error:
        raise InputError("BLEU needs sacrebleu; install it with `pip install 'sensorium[eval]'`") from error
    metric = BLEU(lowercase=True)
    each = [metric.sentence_score(one, list(refs)) for one, refs in zip(said, references, strict=True)]
    counts_NS = np.array([[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in each])
    places = {medium: number for number, medium in enumerate(dict.fromkeys(media))}
    counts_CS = np.zeros((len(places), counts_NS.shape[1]), int)
    np.add.at(counts_CS, [places[medium] for medium in media], counts_NS)

    def score(total_S: np.ndarray) -> float:
        numbers = [int(one) for one in total_S]
        found = BLEU.compute_bleu(numbers[:ORDERS], numbers[ORDERS : 2 * ORDERS], *numbers[-2:], smooth_method="exp")
        return found.score / 100

    rng = np.random.default_rng(seed)
    draws = (rng.multinomial(len(places), np.full(len(places), 1 / len(places))) for _ in range(DRAWS))
    low, high = np.quantile([score(draw_C @ counts_CS) for draw_C in draws], (0.025, 0.975))
    value = score(counts_CS.sum(0))
    return Rate(value, min(float(low), value), max(float(high), value), len(said), len(places))


def ciders(said: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """CIDEr-D of each caption, from 0 to 10 (Vedantam et al. 2015, arXiv:1411.5726).

    Words in lower case, as they are, without punctuation; how rare an n-gram is, is told by the references of all.
    """
    weights = Weights([[grams(one) for one in refs] for refs in references])
    return [weights.cider(grams(one), refs) for one, refs in zip(map(str, said), weights.references, strict=True)]


def grams(caption: str) -> Grams:
    """The n-grams of up to four words."""
    words = re.findall(r"[\w'’]+", caption.lower())
    return Counter(
        tuple(words[at : at + order]) for order in range(1, ORDERS + 1) for at in range(len(words) - order + 1)
    )


@dataclass(frozen=True)
class Weights:
    """Args:
    references: n-grams of every reference of each medium.
    """

    references: Sequence[Sequence[Grams]]

    @cached_property
    def _media_with(self) -> Counter[tuple[str, ...]]:
        """Media that have an n-gram in any of their references."""
        return Counter(gram for refs in self.references for gram in set().union(*refs))

    def vector(self, found: Grams, order: int) -> dict[tuple[str, ...], float]:
        """Counts times the logarithm of how rare the n-gram is."""
        media = np.log(len(self.references))
        return {
            gram: count * float(media - np.log(max(1, self._media_with[gram])))
            for gram, count in found.items()
            if len(gram) == order
        }

    def cider(self, said: Grams, references: Sequence[Grams]) -> float:
        """The mean over orders and references of the cosine, counts clipped, and of how like the lengths are."""
        found = [self._alike(said, one, order) for one in references for order in range(1, ORDERS + 1)]
        return SCALE * float(np.mean(found))

    def _alike(self, said: Grams, reference: Grams, order: int) -> float:
        one, other = self.vector(said, order), self.vector(reference, order)
        norms = float(np.linalg.norm(list(one.values())) * np.linalg.norm(list(other.values())))
        if not norms:
            return 0.0
        shared = sum(min(weight, other[gram]) * other[gram] for gram, weight in one.items() if gram in other)
        longer = _length(said) - _length(reference)
        return shared / norms * float(np.exp(-(longer**2) / (2 * SIGMA**2)))


def _length(found: Grams) -> int:
    return sum(count for gram, count in found.items() if len(gram) == 1)
