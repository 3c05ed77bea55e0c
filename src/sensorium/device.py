"""The device that computes: which one, in which number format, and how its memory is kept."""

from __future__ import annotations

import ctypes
import json
import platform
import re
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch

from sensorium.files import atomic_file, cache_dir
from sensorium.train_config import Dtype
from sensorium.types import InputError

FAST_FROM = 1.5
"""Gain of a bare product from which a training step gains too: casting and what is not a product take their share."""
PRODUCT = ((1024, 768), (768, 1536))
"""(M, K) and (K, N): 2.4 GFLOP, 5 to 50 ms."""


def device_of(name: str) -> torch.device:
    """The device named, ``"auto"`` being a GPU where there is one.

    Raises:
        InputError: it is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {name!r} cannot be used here ({str(error).splitlines()[0]}); try 'cpu'") from error
    return torch.device(name)


@cache
def has_fast_bfloat16(device: str) -> bool:
    """Whether a device of this type ("cpu", "cuda") multiplies bfloat16 clearly faster than float32.

    A CPU is timed once, which takes a few hundredths of a second, and the result is remembered in the cache folder for
    this CPU, version of torch and number of threads: matrix units (AMX) and ``avx512_bf16`` gain a factor of 3 to 7,
    other CPUs emulate the format and lose.
    """
    if device == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return device == "cpu" and remembered_gain() >= FAST_FROM


def remembered_gain() -> float:
    """How many times faster this CPU multiplies in bfloat16; timed only where it has not been before."""
    path = cache_dir() / "bfloat16.json"
    key = f"{cpu_name()}, torch {torch.__version__}, {torch.get_num_threads()} threads"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return float(known[key])
    except (OSError, ValueError, TypeError, KeyError):
        gain = bfloat16_gain()
    with suppress(InputError), atomic_file(path) as out:  # where nothing can be written it is timed again
        out.write_text(json.dumps(_kept(path) | {key: round(gain, 2)}, indent=1) + "\n", encoding="utf-8")
    return gain


def _kept(path: Path) -> dict[str, float]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def bfloat16_gain(rounds: int = 5) -> float:
    """Time of a float32 product of the size of a small model's layer over that of a bfloat16 one.

    Both alternate and the fastest of ``rounds`` counts, since the machine may have other work.
    """
    generator = torch.Generator().manual_seed(0)
    x_MK, w_KN = (torch.randn(*shape, generator=generator) for shape in PRODUCT)
    pairs = [(x_MK, w_KN), (x_MK.bfloat16(), w_KN.bfloat16())]
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for index, (x, w) in enumerate(pairs):
            start = time.perf_counter()
            x @ w
            best[index] = min(best[index], time.perf_counter() - start)
        if best[1] > 5 * best[0]:  # emulated, and so slow that it need not be tried again
            break
    return best[0] / best[1]


def cpu_name() -> str:
    """What this CPU calls itself, and which of the instructions that matter here it has."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    name = re.search(r"model name\s*:\s*(.+)", told)
    flags = sorted(set(re.findall(r"\b(?:amx|avx512)_bf16\b", told)))
    return " ".join([name[1] if name else platform.machine(), *flags])


def computing(dtype: Dtype, device: torch.device) -> torch.autocast:
    """A context in which layers compute in ``dtype`` while weights and losses stay in float32.

    Args:
        dtype: "auto" takes bfloat16 where it is fast and float32 elsewhere.

    Raises:
        InputError: another name.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=format_of(dtype, device) == torch.bfloat16)


def format_of(dtype: Dtype, device: torch.device) -> torch.dtype:
    """The format that `computing` computes in.

    Raises:
        InputError: another name.
    """
    if dtype not in ("auto", "float32", "bfloat16"):
        raise InputError(f"dtype must be auto, float32 or bfloat16, not {dtype!r}")
    half = dtype == "bfloat16" or (dtype == "auto" and has_fast_bfloat16(device.type))
    return torch.bfloat16 if half else torch.float32


def keep_freed_memory() -> None:
    """Have glibc keep freed memory instead of giving it back to the system after every operation.

    Activations of a few megabytes are otherwise mapped and cleared anew all the time, 5-10 % of a step. Where their
    sizes change, call `give_back_freed_memory` now and then.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(top_pad, 2**26)


def share_freed_memory(arenas: int = 2) -> None:
    """Have glibc's threads share freed memory, so that it does not grow with what each of them once needed.

    Args:
        arenas: heaps that may be; by default glibc makes eight for each core. Those that are there stay, so call it
            before threads start.
    """
    if platform.libc_ver()[0] == "glibc":
        arena_max = -8
        ctypes.CDLL(None).mallopt(arena_max, arenas)


def give_back_freed_memory() -> None:
    """Return to the system what lies free between pieces of memory in use; it grows where their sizes change."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
