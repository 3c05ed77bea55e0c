"""What a process that opens media and whoever asks it say to each other; the process is `sensorium.modalities.opener`.

A job and an answer are each a line of JSON followed by as many bytes as it says. Nothing is ever unpickled, so a
process that a medium has taken over can send no more than numbers or a sentence.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np

from sensorium.types import InputError, Signal

PROGRAM = "sensorium.modalities.opener"
READY = b"ready\n"
LONGEST_HEAD = 2**20
LONGEST_SENTENCE = 1000
PASSED_ON = ("PATH", "LANG", "PYTHONPATH", "SYSTEMROOT", "VIRTUAL_ENV", "HOME")
"""What a worker sees of its parent's environment; keys and tokens stay out."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a worker is started with.

    Args:
        memory_bytes: most that it takes beyond its readers.
        cpu_s: most seconds of computing for one medium; it ends itself when they are over.
        dies_with_thread: it is killed as soon as the thread that started it has ended, however that came (Linux).
        names: modalities that it gets ready for before the first medium; empty for all.
    """

    memory_bytes: int
    cpu_s: float
    dies_with_thread: bool
    names: tuple[str, ...]

    def command(self) -> list[str]:
        """Starts the worker. ``-P``: a file in the current folder must not pass for a module."""
        return [sys.executable, "-P", "-m", PROGRAM, json.dumps(asdict(self))]


def environment() -> dict[str, str]:
    """Of a worker."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return passed_on | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def job(modality: str, data: bytes, where: str, wish: Mapping[str, Any]) -> bytes:
    """Asks for a medium to be opened.

    Args:
        where: what to call it in messages.
        wish: see `sensorium.modalities.Wish.to_json`.
    """
    head = {"modality": modality, "where": where, "wish": wish, "size": len(data)}
    return json.dumps(head).encode() + b"\n" + data


@dataclass(frozen=True)
class Answer:
    """The head of what a worker answers; ``size`` bytes of numbers follow it.

    Args:
        warnings: what was warned of while opening.
    """

    size: int
    dtype: str
    shape: Sequence[int]
    meta: Mapping[str, Any]
    warnings: Sequence[str]

    @classmethod
    def of(cls, line: bytes) -> Answer:
        """Read a head.

        Raises:
            InputError: the worker says that the medium is bad.
            ValueError: it is no answer; an empty one is that of a process which has ended.
        """
        try:
            head = json.loads(line or b"-")
            if "error" in head:
                raise InputError(str(head["error"])[:LONGEST_SENTENCE])
            said = [str(warning)[:LONGEST_SENTENCE] for warning in head["warnings"]]
            found = cls(int(head["size"]), str(head["dtype"]), head["shape"], head["meta"], said)
            kind = np.dtype(found.dtype)
            if kind.kind not in "biuf" or found.size < 0 or kind.itemsize * prod(found.shape) != found.size:
                raise ValueError("a worker sent what is no array")
            return found
        except (AttributeError, KeyError, RecursionError, TypeError) as error:
            raise ValueError("a worker sent what is no answer") from error

    def signal(self, body: bytes) -> Signal:
        """The medium, of the bytes that follow.

        Raises:
            ValueError: it does not say what a signal says.
        """
        try:
            return Signal.of(np.frombuffer(body, np.dtype(self.dtype)).reshape(self.shape), self.meta)
        except (AttributeError, TypeError) as error:
            raise ValueError("a worker sent what is no signal") from error


def fault(code: int | None, where: str, cpu_s: float) -> InputError:
    """The sentence about a medium whose worker ended by itself, or answered with what is no answer."""
    over = getattr(signal, "SIGPROF", None)  # as `opener` lets it end
    if over is not None and code == -over:
        return InputError(f"{where} takes more than {cpu_s:g} s of computing to open; make it smaller")
    return InputError(f"{where} made its decoder crash; save it again or use another format")
