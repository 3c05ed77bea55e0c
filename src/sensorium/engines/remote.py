"""Engines that live in another process: a server continues ids over HTTP, span by span.

The rules are asked here. As long as they allow the same ids, one request writes: a whole medium of a codec with one
codebook, or an answer's text up to where something else may begin. The turns of a batch are requested side by side, so
the server writes them together. It draws by itself: samples follow the same distribution as those of the torch engine,
but are not the same ones.
"""

from __future__ import annotations

import copy
import json
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any, ClassVar
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from sensorium.engines.adapter import Adapter
from sensorium.engines.engine import ranked
from sensorium.engines.rows import Row
from sensorium.engines.sampling import Sampling
from sensorium.engines.turn import Failed, Ids, Rules, Scored, Token, Turn
from sensorium.stream import Ranges
from sensorium.types import InputError

TIMEOUT_S = 600.0
PATIENCE_S = 0.2
"""After which a step gives up waiting for the next id, so that others can join."""
SEED_STRIDE = 1_000_003
"""Between the seeds of a turn's requests, so that no two draw alike."""

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
    """What the engines of all servers share; see `sensorium.engines.engine.Engine`.

    Args:
        lm: the model that the server runs, for its size and whether it has an adapter; its weights are not used.
        url: of the server, e.g. ``"http://localhost:8000"``.
        api_key: sent as a bearer token.
    """

    at_url: ClassVar[bool] = True

    def __init__(self, lm: Any, url: str, api_key: str | None = None):
        self.lm, self._url, self._api_key = lm, url.rstrip("/"), api_key

    def batch(self) -> ServerBatch:
        """See `Engine.batch`; the server itself joins what runs at the same time."""
        return ServerBatch(self)

    def write(self, turn: Turn) -> Generator[Token, None, None]:
        """One turn, run by run; an id without an alternative costs no request.

        Raises:
            InputError: the server cannot be reached or refuses, or guidance or log-probabilities are asked for, which
                servers do not offer.
        """
        if turn.guided:
            raise InputError("guidance needs the torch or the onnx engine; leave it out or at 1")
        if turn.sampling.logprobs is not None:
            raise InputError("log-probabilities of written tokens need the torch or the onnx engine; leave them out")
        row = Row(turn)
        while row.finish is None:
            yield from row.forced()
            if row.finish is not None:
                return
            run, before = Run.of(row.rules, row.left), len(row.known)
            sampling = replace(turn.sampling, seed=(turn.sampling.seed + SEED_STRIDE * before) % 2**31)
            with closing(self._continue([*turn.prompt, *row.known], run, sampling, turn.adapter)) as made:
                for one in made:
                    yield row.write(one)
                    if one in run.last or len(row.known) - before == run.count:
                        break
            if len(row.known) == before:
                raise InputError(f"the server at {self._url} wrote nothing; see its log")

    def _adapted(self, adapter: bool) -> bool:
        return adapter and bool(Adapter(self.lm))

    @abstractmethod
    def _continue(self, ids: list[int], run: Run, sampling: Sampling, adapter: bool) -> Written:
        """Ids as the server writes them after ``ids`` during a run, with or without the adapter.

        Closing the iterator ends the request.
        """

    @abstractmethod
    def score(self, prompt: Ids, continuations: Sequence[Ids], adapter: bool = True) -> list[float]:
        """See `Engine.score`."""

    def best(self, prompt: Ids, continuations: Sequence[Ids], wanted: int = 1, adapter: bool = True) -> list[Scored]:
        """See `Engine.best`."""
        return ranked(self.score(prompt, continuations, adapter), wanted)

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


class ServerBatch:
    """A `Batch` of turns that are requested side by side, each by a thread of its own."""

    def __init__(self, engine: RemoteEngine):
        self._engine = engine
        self._items: SimpleQueue[Token | Failed] = SimpleQueue()
        self._stops: dict[Turn, Event] = {}

    def __len__(self) -> int:
        return len(self._stops)

    def join(self, turns: Sequence[Turn]) -> list[Token | Failed]:
        """See `Batch.join`."""
        for turn in turns:
            self._stops[turn] = Event()
            Thread(target=self._write, args=(turn, self._stops[turn]), daemon=True).start()
        return []

    def _write(self, turn: Turn, stop: Event) -> None:
        try:
            with closing(self._engine.write(turn)) as tokens:
                for token in tokens:
                    self._items.put(token)
                    if stop.is_set():
                        return
        except Exception as error:  # a server that is gone or refuses, or a defect: whatever it is, the others go on
            self._items.put(Failed(turn, error))

    def step(self) -> list[Token | Failed]:
        """See `Batch.step`: all that has come since the last one."""
        told: list[Token | Failed] = []
        with suppress(Empty):
            told.append(self._items.get(timeout=PATIENCE_S))
            while True:
                told.append(self._items.get_nowait())
        told = [item for item in told if item.turn in self._stops]
        self.drop([item.turn for item in told if isinstance(item, Failed) or item.finish is not None])
        return told

    def drop(self, turns: Iterable[Turn]) -> None:
        """See `Batch.drop`."""
        for turn in turns:
            if turn in self._stops:
                self._stops.pop(turn).set()


def _reason(said: Any) -> str:
    """The message in an OpenAI-like error, or what was said."""
    try:
        found = json.loads(said) if isinstance(said, bytes) else said
        error = found.get("error", found)
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, AttributeError):
        return str(said)[:200]
