"""Engines that live in another process: a server continues ids over HTTP, span by span.

The rules are asked here. As long as they allow the same ids, one request writes: an answer's text up to where
something else may begin, or a whole medium. Inside a medium of several codebooks the server may write ids of any of
them, and what it writes is checked: a model that has learned its codec hardly ever mistakes the codebook, and where it
does, the id is dropped and asked for again among those that are right. That leaves every choice as it would be with the
right ids alone, as guessing and checking does (speculative sampling, Leviathan et al. 2023, arXiv:2211.17192), but for
samples cut to the likeliest ids (``top_k``, ``top_p``): those cost a request per codebook.

The turns of a batch are requested side by side, so the server writes them together. It draws by itself: samples follow
the same distribution as those of the torch engine, but are not the same ones.
"""

from __future__ import annotations

import copy
import json
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from http.client import HTTPException
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any, ClassVar
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from sensorium.engines.engine import Known, ranked
from sensorium.engines.rows import Row
from sensorium.engines.sampling import Sampling
from sensorium.engines.turn import Failed, Ids, Rules, Scored, Token, Turn, Unreachable, exactly
from sensorium.model.adapter import Adapter
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
    """Steps that one request writes.

    Args:
        allowed: the ids, as (start, stop) ranges.
        count: steps at most.
        last: ids after which the rules must be asked again.
    """

    allowed: Ranges
    count: int
    last: frozenset[int]

    @classmethod
    def of(cls, rules: Rules, most: int, mixed: bool = False) -> Run:
        """The steps that rules allow alike, ``most`` at most.

        Args:
            mixed: inside a medium, take steps together that allow different ids, as those of its codebooks; what is
                written must then be checked.
        """
        if rules.barred() is not None:  # after any id, others may be barred
            return cls(exactly(rules), 1, frozenset())
        first, probe = rules.allowed(), copy.copy(rules)
        ranges: dict[tuple[int, int], None] = {}
        last: set[int] = set()
        count = 0
        while count < most and not probe.done:
            allowed = probe.allowed()
            ends = _ends(probe, allowed)
            usual = next((one for start, stop in allowed for one in range(start, stop) if one not in ends), None)
            beside = mixed and rules.inside is not None and probe.inside is not None and usual is not None
            if count and not (allowed == first or beside):
                break
            ranges |= dict.fromkeys(allowed)
            last |= ends
            count += 1
            if usual is None:
                break
            probe.advance(usual)
        return cls(tuple(ranges), count, frozenset(last))

    def ids(self) -> list[int]:
        return [one for start, stop in self.allowed for one in range(start, stop)]


def _ends(rules: Rules, allowed: Ranges) -> set[int]:
    """Ids after which other ids may be allowed: those of a range of their own, and the ends of a turn."""
    singles = {start for start, stop in allowed if stop - start == 1}
    return singles | {one for one in rules.stop_ids if _among(allowed, one)}


def _among(ranges: Ranges, one: int) -> bool:
    return any(start <= one < stop for start, stop in ranges)


class RemoteEngine(ABC):
    """What the engines of all servers share; see `sensorium.engines.engine.Engine`.

    Args:
        lm: the model that the server runs, for its size and whether it has an adapter; its weights are not used.
        url: of the server, e.g. ``"http://localhost:8000"``.
        api_key: sent as a bearer token.
    """

    at_url: ClassVar[bool] = True
    guides: ClassVar[bool] = False

    def __init__(self, lm: Any, url: str, api_key: str | None = None):
        self.lm, self._url, self._api_key = lm, url.rstrip("/"), api_key

    def batch(self) -> ServerBatch:
        """See `Engine.batch`; the server itself joins what runs at the same time."""
        return ServerBatch(self)

    def write(self, turn: Turn) -> Generator[Token, None, None]:
        """One turn, run by run; an id without an alternative costs no request.

        Raises:
            Unreachable: the server does not answer, or fails.
            InputError: the server refuses, or guidance, contrast or log-probabilities are asked for, which servers do
                not offer.
        """
        if turn.guided:
            raise InputError("guidance needs the torch or the onnx engine; leave it out or at 1")
        if turn.contrasted:
            raise InputError("contrast needs the torch or the onnx engine; leave it out or at 0")
        if turn.sampling.logprobs is not None:
            raise InputError("log-probabilities of written tokens need the torch or the onnx engine; leave them out")
        row, sampling = Row(turn), turn.sampling
        cut = sampling.temperature > 0 and (sampling.top_k > 0 or sampling.top_p < 1)
        mixed, requests = not cut, 0
        while row.finish is None:
            yield from row.forced()
            if row.finish is not None:
                return
            run = Run.of(row.rules, row.left, mixed)
            seeded = replace(sampling, seed=(sampling.seed + SEED_STRIDE * requests) % 2**31)
            before, requests = len(row.known), requests + 1
            with closing(self._continue([*turn.prompt, *row.known], run, seeded, turn.adapter)) as made:
                yield from self._checked(made, row, run)
            if len(row.known) == before and not mixed:
                raise InputError(f"the server at {self._url} wrote nothing it was allowed to; see its log")
            mixed = not cut and len(row.known) > before

    def _checked(self, made: Written, row: Row, run: Run) -> Iterator[Token]:
        """What the server writes, up to the end of the run or to the first id that is not allowed where it stands."""
        for number, one in enumerate(made, start=1):
            if not _among(exactly(row.rules), one):
                return
            yield row.write(one)
            if one in run.last or number == run.count:
                return

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

    def known(self, ids: Ids, top: int = 0, adapter: bool = True) -> list[Known]:
        """See `Engine.known`; InputError where a server does not tell it."""
        raise InputError("log-probabilities of given text need another engine, e.g. torch; leave them out")

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
                        raise self._refusal(_code(event["error"]), _reason(event))
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
            raise self._refusal(error.code, _reason(error.read())) from error
        except (URLError, OSError, HTTPException, json.JSONDecodeError) as error:  # the last: cut off in the middle
            why = getattr(error, "reason", error)
            said = f"the engine at {self._url} is not reachable ({why}); start it, or choose another engine"
            raise Unreachable(said) from error

    def _refusal(self, code: int, said: str) -> InputError:
        """What is said of an answer other than 200: from 500 on, it is not the fault of the request."""
        if code >= 500:
            return Unreachable(f"the engine at {self._url} fails ({code}): {said}; see its log")
        return InputError(f"the server at {self._url} refuses ({code}): {said}")


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


def _code(error: Any) -> int:
    """The status in an OpenAI-like error; one without is the request's fault."""
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) else 400


def _reason(said: Any) -> str:
    """The message in an OpenAI-like error, or what was said."""
    try:
        found = json.loads(said) if isinstance(said, bytes) else said
        error = found.get("error", found)
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, AttributeError):
        return str(said)[:200]
