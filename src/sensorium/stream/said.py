"""Media and what is said of them, read from rendered conversations: what rows can be aligned by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sensorium.vocabulary import Vocabulary

TEXT_TOKENS = 16
"""Longer answers describe; they are no names."""


@dataclass(frozen=True)
class Said:
    """Args:
    media: ids of every medium, markers included.
    texts: ids of every text, each once.
    text: (media,) the number of what is said of each.
    """

    media: Sequence[np.ndarray]
    texts: Sequence[tuple[int, ...]]
    text: np.ndarray

    def __len__(self) -> int:
        return len(self.media)


def said(
    samples: Iterable[tuple[np.ndarray, np.ndarray]],
    vocabulary: Vocabulary,
    stop_ids: Iterable[int],
    limit: int | None = None,
) -> Said:
    """The media that stand alone in a user's turn, each with the short answer to it.

    Args:
        samples: ids and mask of rendered conversations, see `Rendered`.
        stop_ids: that end an answer.
        limit: media after which no further sample is read.
    """
    media: list[np.ndarray] = []
    numbers: list[int] = []
    texts: dict[tuple[int, ...], int] = {}
    opens, stops = [layout.open_id for layout in vocabulary.layouts], frozenset(stop_ids)
    for ids, mask in samples:
        if limit is not None and len(media) >= limit:
            break
        answers = np.flatnonzero(np.diff(mask, prepend=False, append=False)).reshape(-1, 2)
        for begin, (start, stop) in zip([0, *answers[:-1, 1]], answers, strict=True):
            turn, text = ids[begin:start], _until(ids[start:stop].tolist(), stops)
            if np.isin(turn, opens).sum() == 1 and 0 < len(text) <= TEXT_TOKENS and max(text) < vocabulary.text_size:
                media.append(turn[turn >= vocabulary.text_size])
                numbers.append(texts.setdefault(text, len(texts)))
    return Said(media, list(texts), np.array(numbers, np.int64))


def _until(ids: Sequence[int], stops: frozenset[int]) -> tuple[int, ...]:
    return tuple(ids[: next((at for at, one in enumerate(ids) if one in stops), None)])
