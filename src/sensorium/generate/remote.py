"""Engines that live in another process: a server continues ids over HTTP, span by span.

The rules are asked here. As long as they allow the same ids, one request writes: a whole medium of a codec with one
codebook, or an answer's text up to where something else may begin. The answers of a batch are requested side by side,
so the server writes them together. It draws by itself: samples follow the same distribution as those of the torch
engine, but are not the same ones.
"""

from __future__ import annotations

import copy
import json
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from sensorium.generate.continuous import Batch, Turns
from sensorium.generate.engine import Finish, Ids, Ranges, Rules, Scored, Token
from sensorium.generate.sampling import Sampling
from sensorium.generate.torch_engine import TorchEngine, bounded, check_batch
from sensorium.model.fold import adapter_is_on
from sensorium.types import InputError

TIMEOUT_S = 600.0
SEED_STRIDE = 1_000_003
"""Between the seeds of an answer's requests, so that no two draw alike."""


Tokens = Generator[Token, None, None]
Written = Generator[int, None, None]


@dataclass(frozen=True)
class Run:
    """Steps during which the same ids are allowed.

    Args:
        allowed: the ids, as (start, stop) ranges.
        count: steps at most.
        last: ids after which the rules must be asked again.
    """

    allowed: Ranges
    count: int
    last: frozenset[int]

    @classmethod
    def of(cls, rules: Rules, most: int) -> Run:
        """The steps that rules allow alike, ``most`` at most."""
        allowed = rules.allowed()
        singles = {start for start, stop in allowed if stop - start == 1}
        last = singles | {one for one in rules.stop_ids if any(start <= one < stop for start, stop in allowed)}
        usual = next((one for start, stop in allowed for one in range(start, stop) if one not in last), None)
        count, probe = 1, copy.copy(rules)
        while usual is not None and count < most:
            probe.advance(usual)
            if probe.done or probe.allowed() != allowed:
                break
            count += 1
        return cls(allowed, count, frozenset(last))

    def ids(self) -> list[int]:
        return [one for start, stop in self.allowed for one in range(start, stop)]


class RemoteEngine(ABC):
    """What the engines of all servers share; see `sensorium.generate.engine.Engine`.

    Args:
        lm: the model that the server runs, for its size and whether its adapter is switched on; its weights are not
            used.
        url: of the server, e.g. ``"http://localhost:8000"``.
        api_key: sent as a bearer token.
    """

    def __init__(self, lm: Any, url: str, api_key: str | None = None):
        self.lm, self._url, self._api_key = lm, url.rstrip("/"), api_key

    generate = TorchEngine.generate  # in terms of `stream` alone

    def stream(
        self,
        prompts: Sequence[Ids],
        grammars: Sequence[Rules],
        sampling: Sampling,
        negatives: Sequence[Ids] | None = None,
    ) -> Iterator[Token]:
        """See `Engine.stream`.

        Raises:
            InputError: the server cannot be reached or refuses, or guidance or log-probabilities are asked for, which
                servers do not offer.
        """
        check_batch(prompts, grammars, negatives)
        if negatives is not None and sampling.guidance != 1:
            raise InputError("guidance needs the torch or the onnx engine; leave it out or at 1")
        if sampling.logprobs is not None:
            raise InputError("log-probabilities of written tokens need the torch or the onnx engine; leave them out")
        adapted = adapter_is_on(self.lm)  # now: a request sent later must not see what other answers switch
        queue: SimpleQueue[Token | Exception | None] = SimpleQueue()
        stopped = Event()

        def write(row: int) -> None:
            try:
                rules = bounded(grammars[row], sampling.max_tokens)
                with closing(self._answer(row, prompts[row], rules, sampling, adapted)) as tokens:
                    for token in tokens:
                        queue.put(token)
                        if stopped.is_set():
                            return
            except Exception as error:
                queue.put(error)
            queue.put(None)

        for row in range(len(prompts)):
            Thread(target=write, args=(row,), daemon=True).start()
        try:
            going = len(prompts)
            while going:
                item = queue.get()
                if isinstance(item, Exception):
                    raise item
                if item is None:
                    going -= 1
                else:
                    yield item
        finally:
            stopped.set()

    def _answer(self, row: int, prompt: Ids, rules: Rules, sampling: Sampling, adapted: bool) -> Tokens:
        """One answer, run by run; an id without an alternative costs no request."""
        written: list[int] = []

        def write(one: int) -> Token:
            rules.advance(one)
            written.append(one)
            finish: Finish | None = None
            if rules.done or len(written) == sampling.max_tokens:
                finish = "stop" if one in rules.stop_ids else "length"
            return Token(row, one, finish)

        token = Token(row, -1)
        while token.finish is None:
            run = Run.of(rules, sampling.max_tokens - len(written))
            ids = run.ids()
            if len(ids) == 1:
                yield (token := write(ids[0]))
                continue
            before = len(written)
            seeded = replace(sampling, seed=(sampling.seed + row + SEED_STRIDE * before) % 2**31)
            with closing(self._continue([*prompt, *written], run, seeded, adapted)) as made:
                for one in made:
                    yield (token := write(one))
                    if one in run.last or len(written) - before == run.count:
                        break
            if len(written) == before:
                raise InputError(f"the server at {self._url} wrote nothing; see its log")

    @abstractmethod
    def _continue(self, ids: list[int], run: Run, sampling: Sampling, adapted: bool) -> Written:
        """Ids as the server writes them after ``ids`` during a run, with or without the adapter.

        Closing the iterator ends the request.
        """

    @abstractmethod
    def score(self, prompt: Ids, continuations: Sequence[Ids]) -> list[float]:
        """See `Engine.score`."""

    def best(self, prompt: Ids, continuations: Sequence[Ids], wanted: int = 1) -> list[Scored]:
        """See `Engine.best`."""
        scores = self.score(prompt, continuations)
        order = sorted(range(len(scores)), key=lambda index: (-scores[index], index))
        return [Scored(index, scores[index]) for index in order[:wanted]]

    def batch(self) -> Batch:
        """See `TorchEngine.batch`; the server itself joins what runs at the same time."""
        return Turns(self)

    def _get(self, path: str) -> dict[str, Any]:
        with self._open(path, None) as reply:
            return json.load(reply)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        with self._open(path, body) as reply:
            return json.load(reply)

    def _events(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The server-sent events of a reply."""
        with self._open(path, body) as reply:
            for line in reply:
                text = line.decode().strip()
                if text.startswith("data:") and not text.endswith("[DONE]"):
                    event = json.loads(text[len("data:") :])
                    if "error" in event:
                        raise InputError(f"the server at {self._url} refuses: {_reason(event)}")
                    yield event

    @contextmanager
    def _open(self, path: str, body: dict[str, Any] | None) -> Any:
        headers = {"Content-Type": "application/json"}
        if self._api_key is not None:
            headers["Authorization"] = f"Bearer {self._api_key}"
        data = None if body is None else json.dumps(body).encode()
        request = Request(self._url + path, data, headers)
        try:
            with urlopen(request, timeout=TIMEOUT_S) as reply:
                yield reply
        except HTTPError as error:
            raise InputError(f"the server at {self._url} refuses ({error.code}): {_reason(error.read())}") from error
        except (URLError, OSError) as error:
            raise InputError(f"no answer from the server at {self._url}: {error}") from error


def _reason(said: Any) -> str:
    """The message in an OpenAI-like error, or what was said."""
    try:
        found = json.loads(said) if isinstance(said, bytes) else said
        error = found.get("error", found)
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, AttributeError):
        return str(said)[:200]
