"""Media with a share of their codes drawn anew: what a model says of them it says without having looked well.

Visual contrastive decoding (Leng et al. 2023, arXiv:2311.16922) subtracts that; the curve of an evaluation shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from zlib import crc32

import numpy as np

from sensorium.senses import Senses
from sensorium.types import Conversation, Part, Role

CORRUPTED = 0.75
"""Share of a medium's codes that are drawn anew for contrast; the paper's noise, too, leaves a trace of the picture."""


def corrupted(conversation: Conversation, senses: Senses, share: float = CORRUPTED) -> Conversation:
    """The encoded conversation with that share of the codes of its media drawn anew; the same every time."""

    def other(part: Part, role: Role) -> Part:
        if part.is_text or part.codes is None or part.codec is None:
            return part
        layout = senses.layout_for(part.modality, role)
        header, frames_FB = layout.split(part.codes)
        sizes = (*layout.sizes[: len(header)], *layout.sizes[len(header) :] * len(frames_FB))
        codes = np.concatenate([header, frames_FB.reshape(-1)])
        return Part(part.modality, None, redrawn(codes, share, sizes, crc32(part.codes.tobytes())), part.codec)

    return Conversation(
        tuple(replace(one, parts=tuple(other(part, one.role) for part in one.parts)) for one in conversation.messages)
    )


def redrawn(codes: np.ndarray, share: float, sizes: Sequence[int], seed: int) -> np.ndarray:
    """Codes of which a share is drawn anew, each from its own codebook of such a size; the rest stay."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(codes))[: round(share * len(codes))]
    changed = codes.copy()
    changed[chosen] = rng.integers(0, np.asarray(sizes)[chosen])
    return changed
