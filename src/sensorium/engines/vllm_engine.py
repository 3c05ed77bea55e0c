"""The engine on a vLLM server, which runs the plain export: one server, or many behind a load balancer.

Uses fields that vLLM adds to OpenAI's completions: ``allowed_token_ids``, ``stop_token_ids``, ``return_token_ids``,
``prompt_logprobs``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sensorium.engines.engine import Known
from sensorium.engines.remote import RemoteEngine, Run, Written
from sensorium.engines.sampling import Sampling
from sensorium.engines.turn import Ids


class VllmEngine(RemoteEngine):
    """A server that was started with ``vllm serve FOLDER``.

    Args:
        lm, url, api_key: see `RemoteEngine`.
        name: the served model's name; None for the first that the server lists.
        adapter: the name of its adapter (``--enable-lora --lora-modules NAME=FOLDER/adapter``), asked for turns with
            the adapter.
    """

    def __init__(self, lm: Any, url: str, name: str | None = None, adapter: str = "media", api_key: str | None = None):
        super().__init__(lm, url, api_key)
        self._name, self._adapter = name, adapter

    def _model(self, adapter: bool) -> str:
        if self._adapted(adapter):
            return self._adapter
        if self._name is None:
            self._name = self._get("/v1/models")["data"][0]["id"]
        return self._name

    def _continue(self, ids: list[int], run: Run, sampling: Sampling, adapter: bool) -> Written:
        body = {
            "model": self._model(adapter),
            "prompt": ids,
            "max_tokens": run.count,
            "allowed_token_ids": run.ids(),
            "stop_token_ids": sorted(run.last),
            "ignore_eos": True,
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
            "stream": True,
            "return_token_ids": True,
        }
        for event in self._events("/v1/completions", body):
            for choice in event["choices"]:
                yield from choice["token_ids"] or ()

    def score(self, prompt: Ids, continuations: Sequence[Ids], adapter: bool = True) -> list[float]:
        """See `Engine.score`."""
        return [self._score(list(prompt), list(one), adapter) for one in continuations]

    def known(self, ids: Ids, top: int = 0, adapter: bool = True) -> list[Known]:
        """See `Engine.known`."""
        told = self._told(list(ids), top, adapter)
        later = zip(ids[1:], told[1:], strict=True)
        return [
            Known(ids[0]),
            *(Known(one, place[str(one)]["logprob"], _likeliest(place, top)) for one, place in later),
        ]

    def _told(self, ids: list[int], top: int, adapter: bool) -> list[Any]:
        """What the server says of each id and of the likeliest in its place, by id; null for the first."""
        body = {"model": self._model(adapter), "prompt": ids, "max_tokens": 1, "prompt_logprobs": top}
        return self._post("/v1/completions", body)["choices"][0]["prompt_logprobs"]

    def _score(self, prompt: list[int], continuation: list[int], adapter: bool) -> float:
        if not continuation:
            return 0.0
        told = self._told(prompt + continuation, 0, adapter)
        pairs = zip(told[len(prompt) :], continuation, strict=True)
        return sum(position[str(one)]["logprob"] for position, one in pairs)


def _likeliest(place: dict[str, Any], top: int) -> tuple[tuple[int, float], ...]:
    """By rank; the id itself is among them in any case."""
    ranked = sorted(((int(one), said["logprob"]) for one, said in place.items()), key=lambda pair: -pair[1])
    return tuple(ranked[:top])
