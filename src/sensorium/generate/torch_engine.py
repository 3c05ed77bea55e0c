"""The engine on PyTorch: a KV cache, a sliced output head, forced ids for free.

- Only the rows of the output head that the grammar allows are computed.
- An id without an alternative is written without asking the model; several known ids are read in one pass.
- Guidance runs the unconditional prompt as a second row of the same batch.

Legend: B rows, H hidden, V candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from typing import Any

import torch

from sensorium.generate.decoder import Decoder, PlainDecoder
from sensorium.generate.engine import Finish, Generation, Ids, Ranges, Rules, Scored, Token
from sensorium.generate.lean_decoder import LeanDecoder, is_lean
from sensorium.generate.output_head import OutputHead
from sensorium.generate.sampling import Sampling, pick
from sensorium.generate.scoring import best_few, score_all
from sensorium.types import InputError


@dataclass
class _Row:
    """One answer being written. ``known`` are written ids that the model has not read yet."""

    index: int
    rules: Rules
    generator: torch.Generator
    left: int
    known: list[int] = field(default_factory=list)
    finish: Finish | None = None

    def write(self, token: int) -> Token:
        self.rules.advance(token)
        self.known.append(token)
        self.left -= 1
        if self.rules.done or self.left == 0:
            self.finish = "stop" if token in self.rules.stop_ids else "length"
        return Token(self.index, token, self.finish)

    def forced(self) -> Iterator[Token]:
        """Write while there is no choice."""
        while self.finish is None:
            allowed = self.rules.allowed()
            if len(allowed) != 1 or allowed[0][1] - allowed[0][0] != 1:
                return
            yield self.write(allowed[0][0])


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
        _check(prompts, grammars, negatives)
        rows = [
            _Row(index, _bounded(rules, sampling.max_tokens), sampling.generator(index), sampling.max_tokens)
            for index, rules in enumerate(grammars)
        ]
        for row in rows:
            yield from row.forced()
        rows = [row for row in rows if row.finish is None]
        if not rows:
            return
        starts: list[Ids] = [[*prompts[row.index], *row.known] for row in rows]
        if negatives is not None:
            starts += [[*negatives[row.index], *row.known] for row in rows]
        yield from self._write(rows, starts, sampling, guided=negatives is not None)

    def _write(self, rows: list[_Row], starts: list[Ids], sampling: Sampling, guided: bool) -> Iterator[Token]:
        decoder, hidden_BH = self._start(starts)
        for row in rows:
            row.known.clear()
        while True:
            yield from self._choose(rows, hidden_BH, sampling, guided)
            going = [place for place, row in enumerate(rows) if row.finish is None]
            if not going:
                return
            if len(going) < len(rows):
                both = [*going, *(place + len(rows) for place in going)] if guided else going
                decoder.keep(both)
                rows = [rows[place] for place in going]
            hidden_BH = self._read(decoder, rows, guided)

    @torch.inference_mode()
    def _start(self, prompts: list[Ids]) -> tuple[Decoder, torch.Tensor]:
        decoder = LeanDecoder(self.lm, prompts) if is_lean(self.lm) else PlainDecoder(self.lm, prompts)
        return decoder, decoder.hidden

    @torch.inference_mode()
    def _read(self, decoder: Decoder, rows: list[_Row], guided: bool) -> torch.Tensor:
        """Read as many known ids as every row has."""
        count = min(len(row.known) for row in rows)
        ids = [row.known[:count] for row in rows]
        for row in rows:
            del row.known[:count]
        return decoder.read(torch.tensor(ids * 2 if guided else ids, device=self.lm.device))

    @torch.inference_mode()
    def _pick(
        self,
        rows: list[_Row],
        places: list[int],
        hidden_BH: torch.Tensor,
        ranges: Ranges,
        sampling: Sampling,
        guided: bool,
    ) -> list[int]:
        """The next id of rows that may write the same ids."""
        guided = guided and rows[places[0]].rules.inside is not None
        wanted = [*places, *(place + len(rows) for place in places)] if guided else places
        chosen_BH = hidden_BH if len(wanted) == len(hidden_BH) else hidden_BH[wanted]
        logits_BV = self._head.logits(chosen_BH, ranges)
        if guided:
            with_BV, without_BV = logits_BV.chunk(2)
            logits_BV = without_BV + sampling.guidance * (with_BV - without_BV)
        picks_B = pick(logits_BV.cpu(), sampling, [rows[place].generator for place in places])
        return self._head.ids(ranges)[picks_B].tolist()

    def _choose(self, rows: list[_Row], hidden_BH: torch.Tensor, sampling: Sampling, guided: bool) -> Iterator[Token]:
        """Write the next id, and those that follow by force, of every row whose written ids have all been read."""
        groups: dict[tuple[Ranges, bool], list[int]] = {}
        for place, row in enumerate(rows):
            if not row.known:
                groups.setdefault((row.rules.allowed(), row.rules.inside is not None), []).append(place)
        for (ranges, _), places in groups.items():
            for place, token in zip(places, self._pick(rows, places, hidden_BH, ranges, sampling, guided), strict=True):
                yield rows[place].write(token)
                yield from rows[place].forced()

    @torch.inference_mode()
    def score(self, prompt: Ids, continuations: Sequence[Ids]) -> list[float]:
        """See `Engine.score`."""
        return score_all(self.lm, self._head, prompt, continuations)

    @torch.inference_mode()
    def best(self, prompt: Ids, continuations: Sequence[Ids], wanted: int = 1) -> list[Scored]:
        """See `Engine.best`."""
        return best_few(self.lm, self._head, prompt, continuations, wanted)


def _check(prompts: Sequence[Ids], grammars: Sequence[Rules], negatives: Sequence[Ids] | None) -> None:
    if len(grammars) != len(prompts) or (negatives is not None and len(negatives) != len(prompts)):
        raise InputError(f"{len(prompts)} prompts need as many grammars, and as many negative prompts if there are any")
    for index, prompt in enumerate([*prompts, *(negatives or [])]):
        if len(prompt) == 0:
            raise InputError(f"prompt {index % len(prompts)} is empty; it must hold at least one id")


def _bounded(rules: Any, max_tokens: int) -> Rules:
    if is_dataclass(rules) and getattr(rules, "budget", 0) is None:
        return replace(rules, budget=max_tokens)
    return rules
