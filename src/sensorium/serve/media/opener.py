"""Opens media in a process of its own: ``python -m sensorium.serve.media.opener MEMORY_BYTES``.

Reads jobs from stdin and writes answers to stdout, each a line of JSON followed by as many bytes as it says. Nothing
is ever unpickled, so a process that a medium has taken over can send no more than a signal or a sentence.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any, BinaryIO

from sensorium.modalities import Wish, modality, modality_names
from sensorium.types import InputError

READY = b"ready\n"


def main() -> None:
    jobs, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a decoder prints must not land among the answers
    warnings.simplefilter("ignore")
    for name in modality_names():
        modality(name)  # what it needs is loaded before the first medium comes
    _limit(int(sys.argv[1]))
    answers.write(READY)
    answers.flush()
    while line := jobs.readline():
        head = json.loads(line)
        _answer(answers, head["modality"], Wish.from_json(head["wish"]), jobs.read(head["size"]))


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


def _answer(answers: BinaryIO, name: str, wish: Wish, data: bytes) -> None:
    head: dict[str, Any]
    body = memoryview(b"")
    try:
        signal = modality(name).open(data, wish)
        body = memoryview(signal.array.tobytes())
        head = {"dtype": signal.array.dtype.str, "shape": signal.array.shape, "meta": signal.meta()}
    except InputError as error:
        head = {"error": str(error)}
    except MemoryError:
        head = {"error": f"the medium ({name}) needs too much memory to open; make it smaller"}
    except Exception as error:  # decoders raise kinds of their own, all meaning that the file is bad
        head = {"error": f"the medium ({name}) is damaged or of another kind ({type(error).__name__}); save it again"}
    answers.write(json.dumps(head | {"size": len(body)}).encode() + b"\n")
    answers.write(body)
    answers.flush()


if __name__ == "__main__":
    main()
