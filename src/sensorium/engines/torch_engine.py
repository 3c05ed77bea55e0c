"""The engine on PyTorch: a KV cache, a sliced output head, forced ids for free.

- Only the rows of the output head that the grammar allows are computed.
- An id without an alternative is written without asking the model; several known ids are read in one pass.
- Guidance runs the unconditional prompt as a second row of the same batch (`sensorium.engines.rows`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from sensorium.engines.decoder import PlainDecoder
from sensorium.engines.engine import Known
from sensorium.engines.lean_decoder import LeanDecoder, is_lean
from sensorium.engines.output_head import OutputHead
from sensorium.engines.rows import RowBatch
from sensorium.engines.scoring import best_few, know, score_all
from sensorium.engines.turn import Ids, Scored
from sensorium.model.adapter import Adapter


class TorchEngine:
    """Any `transformers` causal LM, unmodified.

    Args:
        lm: the model, in eval mode.
    """

    def __init__(self, lm: Any):
        self.lm = lm
        self.head = OutputHead(lm)

    def batch(self) -> RowBatch:
        """See `Engine.batch`."""
        return RowBatch(self.decoder, self.head, self.lm.device, bool(Adapter(self.lm)))

    def decoder(self, prompts: list[Ids], adapter: bool) -> Any:
        """A `Decoder` that has read the prompts, one per row, with the model's adapter or without it."""
        return (LeanDecoder if is_lean(self.lm) else PlainDecoder)(self.lm, prompts, adapter)

    @torch.inference_mode()
    def score(self, prompt: Ids, continuations: Sequence[Ids], adapter: bool = True) -> list[float]:
        """See `Engine.score`."""
        with Adapter(self.lm).switched(adapter):
            return score_all(self.lm, self.head, prompt, continuations)

    @torch.inference_mode()
    def known(self, ids: Ids, top: int = 0, adapter: bool = True) -> list[Known]:
        """See `Engine.known`."""
        with Adapter(self.lm).switched(adapter):
            return know(self.lm, self.head, ids, top)

    @torch.inference_mode()
    def best(self, prompt: Ids, continuations: Sequence[Ids], wanted: int = 1, adapter: bool = True) -> list[Scored]:
        """See `Engine.best`."""
        with Adapter(self.lm).switched(adapter):
            return best_few(self.lm, self.head, prompt, continuations, wanted)
