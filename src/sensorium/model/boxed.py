"""Rows that start where a model in the box has them, which learned the same codec on the same base."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from sensorium.model import folder

if TYPE_CHECKING:
    from sensorium.model.grow import Grown


@torch.no_grad()
def start_at_boxed(grown: Grown, codecs: Collection[str], box: Path = folder.IN_THE_BOX) -> list[str]:
    """Start a grown model's new rows where a rows-only model in the box has them.

    Args:
        codecs: names of those whose rows are new.
        box: folder of the models.

    Returns:
        Names of the codecs whose rows were found: of a model with the same base (by `fingerprint`) and a codec of the
        same fingerprint.
    """
    found: list[str] = []
    for place in sorted(path.parent for path in box.glob(f"*/{folder.ROWS_FILE}")):
        head, vocabulary = folder.read_head(place)
        if head.base is None or head.base.fingerprint != grown.base_fingerprint:
            continue
        rows = folder.read_rows(place, vocabulary)
        for layout in vocabulary.layouts:
            name, start = layout.name, layout.open_id - vocabulary.text_size
            is_same = name in grown.codecs and grown.codecs[name].fingerprint() == head.codecs[name]
            if name not in codecs or name in found or not is_same:
                continue
            here = slice(start, layout.stop - vocabulary.text_size)
            grown.embedding.rows.start_codec_at(name, rows["input"][here].to(grown.device))
            grown.head.rows.start_codec_at(name, rows["output"][here].to(grown.device))
            found.append(name)
    return found
