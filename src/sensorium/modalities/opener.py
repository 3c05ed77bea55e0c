"""Opens media in a process of its own: ``python -m sensorium.modalities.opener TERMS``.

Reads jobs from stdin and writes answers to stdout; `sensorium.opening.protocol` tells their form and the terms.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from sensorium.modalities import Wish, modality
from sensorium.opening import apart
from sensorium.opening.protocol import READY, Terms
from sensorium.source import Source
from sensorium.types import InputError

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def main() -> None:
    terms = Terms(**json.loads(sys.argv[1]))
    jobs, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what is printed must not land among the answers
    apart.stay_here()
    if terms.dies_with_thread:
        _die_with_parent()
    for name in terms.names:
        modality(name)  # what it needs is loaded before the first medium comes
    _limit(terms.memory_bytes)
    answers.write(READY)
    answers.flush()
    _hush()
    while line := jobs.readline():
        head = json.loads(line)
        kind, wish = modality(head["modality"]), Wish.from_json(head["wish"])
        source = Source(jobs.read(head["size"]), head["where"])
        _answer(answers, kind, source, wish, terms.cpu_s)


def _die_with_parent() -> None:
    """Even in the middle of a decoder that never returns. Elsewhere the limits and the end of stdin must do."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)


def _limit(memory_bytes: int) -> None:
    """No more memory than this beyond what the readers took when they were loaded; no files written, no core dumps."""
    with contextlib.suppress(ImportError):  # systems without it have no such limits
        import resource

        memory_bytes += _taken()
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _taken() -> int:
    """Bytes of address space of this process; 0 where the system does not tell."""
    with contextlib.suppress(OSError, ValueError):
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _hush() -> None:
    """What decoders print about bad files is nothing that anybody should have to read."""
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)


@contextlib.contextmanager
def _computing_at_most(seconds: float) -> Iterator[None]:
    """The system ends the process, wherever it is, when it has computed for longer."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _answer(answers: BinaryIO, kind: Any, source: Source, wish: Wish, cpu_s: float) -> None:
    head: dict[str, Any]
    body = memoryview(b"")
    try:
        with _computing_at_most(cpu_s), warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", UserWarning)
            found = kind.open(source, wish)
            body = memoryview(found.array.tobytes())
        head = {"dtype": found.array.dtype.str, "shape": found.array.shape, "meta": found.meta()}
        head["warnings"] = [str(one.message) for one in said if one.category is UserWarning]
    except InputError as error:
        head = {"error": str(error)}
    except MemoryError:
        head = {"error": f"{source.where} needs too much memory to open; make it smaller"}
    except Exception as error:  # decoders raise kinds of their own, all meaning that the file is bad
        head = {"error": f"{source.where} is damaged or of another kind ({type(error).__name__}); save it again"}
    answers.write(json.dumps(head | {"size": len(body)}).encode() + b"\n")
    answers.write(body)
    answers.flush()


if __name__ == "__main__":
    main()
