"""The engine on llama.cpp's server, which runs the GGUF export (`sensorium.model.gguf`).

The server has no list of allowed ids, but a bias for every id: either what is allowed is raised far above the rest,
or what is not allowed is ruled out, whichever are fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from sensorium.engines.engine import Known
from sensorium.engines.remote import RemoteEngine, Run, Written
from sensorium.engines.sampling import Sampling
from sensorium.engines.turn import Ids
from sensorium.model.adapter import Adapter
from sensorium.types import InputError

RAISE = 200.0
"""More than any two logits differ, and little enough to keep their digits in float32."""
FORCE = 1000.0
PIECE = 16
"""Ids of one request where the answer may end early: the server's own streaming leaves out ids whose bytes are no whole
character yet, so nothing is known before all are written."""
LONG_PIECE = 64
"""Ids of one request inside a medium, where nothing is written in vain."""


class LlamaCppEngine(RemoteEngine):
    """A server that was started with ``llama-server -m model.gguf [--lora adapter.gguf]``; see `RemoteEngine`."""

    def _continue(self, ids: list[int], run: Run, sampling: Sampling, adapter: bool) -> Written:
        body = {
            "prompt": ids,
            "n_predict": min(run.count, PIECE if run.last else LONG_PIECE),
            "logit_bias": self._bias(run.ids()),
            "samplers": ["temperature", "top_k", "top_p"],
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
            "return_tokens": True,
            **self._lora(adapter),
        }
        yield from self._post("/completion", body)["tokens"]

    def _bias(self, allowed: list[int]) -> list[list[Any]]:
        size = self.lm.config.vocab_size
        if 2 * len(allowed) <= size:
            return [[one, RAISE] for one in allowed]
        return [[one, False] for one in sorted(set(range(size)) - set(allowed))]

    def _lora(self, adapter: bool) -> dict[str, Any]:
        return {"lora": [{"id": 0, "scale": float(adapter)}]} if Adapter(self.lm) else {}

    def score(self, prompt: Ids, continuations: Sequence[Ids], adapter: bool = True) -> list[float]:
        """See `Engine.score`; an id costs a request, of which the server reads only the last id anew."""
        return [
            sum(self._step([*prompt, *one[:place]], token, adapter) for place, token in enumerate(one))
            for one in continuations
        ]

    def known(self, ids: Ids, top: int = 0, adapter: bool = True) -> list[Known]:
        """See `Engine.known`; an id costs a request, as in `score`."""
        later = [self._forced(list(ids[:place]), ids[place], adapter, max(top, 1)) for place in range(1, len(ids))]
        return [Known(ids[0]), *(Known(told["id"], float(told["logprob"]), _likeliest(told, top)) for told in later)]

    def _step(self, ids: list[int], token: int, adapter: bool) -> float:
        return float(self._forced(ids, token, adapter, 1)["logprob"])

    def _forced(self, ids: list[int], token: int, adapter: bool, top: int) -> dict[str, Any]:
        """What is told of an id after others: the server writes it by force and says how likely it would have been."""
        body = {
            "prompt": ids,
            "n_predict": 1,
            "logit_bias": [[token, FORCE]],
            "temperature": 0,
            "n_probs": top,
            **self._lora(adapter),
        }
        (told,) = self._post("/completion", body)["completion_probabilities"]
        return told


def _likeliest(told: dict[str, Any], top: int) -> tuple[tuple[int, float], ...]:
    return tuple((one["id"], float(one["logprob"])) for one in told.get("top_logprobs", ())[:top])


def start_server(
    file: str | Path, *, context: int, parallel: int = 1, threads: int | None = None, adapter: str | Path | None = None
) -> Any:
    """llama.cpp's own server for a GGUF file, in this process; it listens at ``listening_address`` while it is held.

    Args:
        context: ids of one answer, prompt included.
        parallel: answers written at the same time.
        threads: that compute; None for as many as torch uses.
        adapter: GGUF file of a LoRA adapter.

    Raises:
        InputError: the package ``xllamacpp`` is missing.
    """
    if find_spec("xllamacpp") is None:
        raise InputError("a llama.cpp server in this process needs a package: pip install 'sensorium[llamacpp]'")
    llama: Any = import_module("xllamacpp")
    settings = llama.CommonParams()
    settings.model.path, settings.n_ctx, settings.n_parallel = str(file), context * parallel, parallel
    settings.warmup, settings.port, settings.verbosity = False, 0, 0
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads or torch.get_num_threads()
    if adapter is not None:
        lora = llama.CommonAdapterLoraInfo()
        lora.path, lora.scale = str(adapter), 1.0
        settings.lora_adapters = [lora]
    return llama.Server(settings)
