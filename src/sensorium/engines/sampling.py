"""How the next id is chosen from its logits. Legend: B rows, V candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import torch

from sensorium.types import InputError

PLAUSIBLE = 0.1
"""Least probability of what contrast may choose, as a share of the likeliest's; the paper's beta."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How to write.

    Args:
        temperature: 0 takes the likeliest id; 1 samples the model's own distribution; higher is wilder.
        top_k: sample among this many of the likeliest ids; 0 for all.
        top_p: sample among the likeliest ids that together hold this share of the probability, in (0, 1]
            (nucleus sampling, Holtzman et al. 2020, arXiv:1904.09751).
        seed: of all that is drawn; whatever else is written at the same time changes nothing.
        guidance: scale of classifier-free guidance inside media spans, 1 for none
            (Ho and Salimans 2022, arXiv:2207.12598).
        contrast: how much of what would be said of corrupted media is subtracted while text is written, 0 for none:
            see `contrasted`.
        max_tokens: most ids written in one answer.
        logprobs: tell with every id its log-probability and those of this many of the likeliest; None for neither.

    Raises:
        InputError: a number is outside its range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0
    guidance: float = 1.0
    contrast: float = 0.0
    max_tokens: int = 512
    logprobs: int | None = None

    def __post_init__(self) -> None:
        _demand(self.temperature >= 0, "temperature", self.temperature, "0 or more")
        _demand(self.top_k >= 0, "top_k", self.top_k, "0 (off) or more")
        _demand(0 < self.top_p <= 1, "top_p", self.top_p, "more than 0 and at most 1")
        _demand(self.guidance >= 0, "guidance", self.guidance, "0 or more; 1 means none")
        _demand(self.contrast >= 0, "contrast", self.contrast, "0 (none) or more")
        _demand(self.max_tokens >= 1, "max_tokens", self.max_tokens, "1 or more")

    def generator(self) -> torch.Generator:
        """The source of randomness of one answer."""
        return torch.Generator().manual_seed(self.seed % 2**63)


def _demand(fine: bool, name: str, value: float, wanted: str) -> None:
    if not fine:
        raise InputError(f"{name} is {value}, it must be {wanted}")


def contrasted(logits_BV: torch.Tensor, corrupted_BV: torch.Tensor, scale_B1: torch.Tensor | float) -> torch.Tensor:
    """Visual contrastive decoding (Leng et al. 2023, arXiv:2311.16922), for media of any kind.

    What is likely with corrupted media, too, comes from habit; it is subtracted. Candidates that are not plausible
    without that are ruled out, so that nothing odd is written since it is odder still without the medium.

    Args:
        logits_BV: with the media; -inf for what must not be chosen.
        corrupted_BV: with corrupted ones.
        scale_B1: `Sampling.contrast`.
    """
    plausible_BV = logits_BV >= logits_BV.amax(-1, keepdim=True) + log(PLAUSIBLE)
    return ((1 + scale_B1) * logits_BV - scale_B1 * corrupted_BV).masked_fill(~plausible_BV, -torch.inf)


def pick(
    logits_BV: torch.Tensor, sampling: Sampling, generators: torch.Generator | Sequence[torch.Generator]
) -> torch.Tensor:
    """Index of the chosen candidate of every row, (B,) int64.

    Args:
        logits_BV: finite logits, or -inf for what must not be chosen.
        generators: one for all rows, or one per row.
    """
    if sampling.temperature == 0:
        return logits_BV.argmax(-1)
    probabilities_BV, ids_BV = _candidates(logits_BV.float() / sampling.temperature, sampling)
    cumulative_BV = probabilities_BV.cumsum(-1, dtype=torch.float64)
    below_B1 = _uniform(len(logits_BV), generators).to(logits_BV.device) * cumulative_BV[:, -1:]
    chosen_B1 = torch.searchsorted(cumulative_BV, below_B1, right=True).clamp_(max=cumulative_BV.shape[-1] - 1)
    return (chosen_B1 if ids_BV is None else ids_BV.gather(-1, chosen_B1)).squeeze(-1)


def _candidates(logits_BV: torch.Tensor, sampling: Sampling) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Probabilities (not summing to 1) and, when cut down to the likeliest, their ids."""
    if not sampling.top_k and sampling.top_p == 1:
        return logits_BV.softmax(-1), None
    width = min(sampling.top_k or logits_BV.shape[-1], logits_BV.shape[-1])
    top_BK, ids_BK = logits_BV.topk(width, dim=-1)
    probabilities_BK = top_BK.softmax(-1)
    before_BK = probabilities_BK.cumsum(-1) - probabilities_BK
    before_BK[:, 0] = 0
    return probabilities_BK.masked_fill(before_BK >= sampling.top_p, 0.0), ids_BK


def _uniform(rows: int, generators: torch.Generator | Sequence[torch.Generator]) -> torch.Tensor:
    if isinstance(generators, torch.Generator):
        return torch.rand(rows, 1, generator=generators, dtype=torch.float64)
    return torch.cat([torch.rand(1, 1, generator=one, dtype=torch.float64) for one in generators])
