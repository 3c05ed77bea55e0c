"""The engine on PyTorch: a KV cache, a sliced output head, forced ids for free.

- Only the rows of the output head that the grammar allows are computed.
- An id without an alternative is written without asking the model; several known ids are read in one pass.
- Guidance runs the unconditional prompt as a second row of the same batch (`sensorium.generate.continuous`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import is_dataclass, replace
from typing import Any

import torch

from sensorium.generate.continuous import Answer, Batch, RowBatch, Turns
from sensorium.generate.decoder import PlainDecoder
from sensorium.generate.engine import Finish, Generation, Ids, Rules, Scored, Token
from sensorium.generate.lean_decoder import LeanDecoder, is_lean
from sensorium.generate.output_head import OutputHead
from sensorium.generate.sampling import Sampling
from sensorium.generate.scoring import best_few, score_all
from sensorium.types import InputError


class TorchEngine:
    """Any `transformers` causal LM, unmodified.

    Args:
        lm: the model, in eval mode.
    """

    def __init__(self, lm: Any):
        self.lm = lm
        self._head = OutputHead(lm)

    def generate(
        self,
        prompts: Sequence[Ids],
        grammars: Sequence[Rules],
        sampling: Sampling,
        negatives: Sequence[Ids] | None = None,
        *,
        on_token: Callable[[Token], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Generation]:
        """See `Engine.generate`."""
        written: list[list[int]] = [[] for _ in prompts]
        finish: list[Finish] = ["cancelled"] * len(prompts)
        for token in self.stream(prompts, grammars, sampling, negatives):
            written[token.row].append(token.id)
            finish[token.row] = token.finish or "cancelled"
            if on_token is not None:
                on_token(token)
            if cancelled is not None and cancelled():
                break
        return [Generation(ids, why) for ids, why in zip(written, finish, strict=True)]

    def stream(
        self,
        prompts: Sequence[Ids],
        grammars: Sequence[Rules],
        sampling: Sampling,
        negatives: Sequence[Ids] | None = None,
    ) -> Iterator[Token]:
        """See `Engine.stream`.

        A grammar without a budget of its own gets ``sampling.max_tokens``, so that it closes every span in time.

        Raises:
            InputError: an empty prompt, or lists of different lengths.
        """
        check_batch(prompts, grammars, negatives)
        batch = self._rows()
        yield from batch.join(
            [
                Answer(
                    row,
                    prompt,
                    bounded(grammars[row], sampling.max_tokens),
                    replace(sampling, seed=sampling.seed + row),
                    None if negatives is None else negatives[row],
                )
                for row, prompt in enumerate(prompts)
            ]
        )
        while len(batch):
            yield from batch.step()

    def batch(self) -> Batch:
        """An empty batch for answers that come and go."""
        return self._rows() if is_lean(self.lm) else Turns(self)

    def _rows(self) -> RowBatch:
        return RowBatch(self._start, self._head, self.lm.device)

    def _start(self, prompts: list[Ids]) -> Any:
        return LeanDecoder(self.lm, prompts) if is_lean(self.lm) else PlainDecoder(self.lm, prompts)

    @torch.inference_mode()
    def score(self, prompt: Ids, continuations: Sequence[Ids]) -> list[float]:
        """See `Engine.score`."""
        return score_all(self.lm, self._head, prompt, continuations)

    @torch.inference_mode()
    def best(self, prompt: Ids, continuations: Sequence[Ids], wanted: int = 1) -> list[Scored]:
        """See `Engine.best`."""
        return best_few(self.lm, self._head, prompt, continuations, wanted)


def check_batch(prompts: Sequence[Ids], grammars: Sequence[Rules], negatives: Sequence[Ids] | None) -> None:
    """InputError unless there is a grammar for every prompt, and none is empty."""
    if len(grammars) != len(prompts) or (negatives is not None and len(negatives) != len(prompts)):
        raise InputError(f"{len(prompts)} prompts need as many grammars, and as many negative prompts if there are any")
    for index, prompt in enumerate([*prompts, *(negatives or [])]):
        if len(prompt) == 0:
            raise InputError(f"prompt {index % len(prompts)} is empty; it must hold at least one id")


def bounded(rules: Any, max_tokens: int) -> Rules:
    """The rules, with ``max_tokens`` as their budget if they have none of their own."""
    if is_dataclass(rules) and getattr(rules, "budget", 0) is None:
        return replace(rules, budget=max_tokens)
    return rules
