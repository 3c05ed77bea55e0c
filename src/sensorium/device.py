"""The device that computes: which one, in which number format, and how its memory is kept."""

from __future__ import annotations

import ctypes
import platform
from functools import cache
from typing import Literal

import torch

from sensorium.types import InputError

Dtype = Literal["auto", "float32", "bfloat16"]


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
    """Whether a device of this type ("cpu", "cuda") multiplies bfloat16 much faster than float32.

    CPUs do with matrix units (AMX, Intel Xeons from 2023); others only emulate it, or gain little.
    """
    if device == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    told = getattr(torch.cpu, "get_capabilities", dict)  # torch before 2.10 does not tell
    return device == "cpu" and told().get("amx_bf16", False)


def computing(dtype: Dtype, device: torch.device) -> torch.autocast:
    """A context in which layers compute in ``dtype`` while weights and losses stay in float32.

    Args:
        dtype: "auto" takes bfloat16 where it is fast and float32 elsewhere.

    Raises:
        InputError: another name.
    """
    if dtype not in ("auto", "float32", "bfloat16"):
        raise InputError(f"dtype must be auto, float32 or bfloat16, not {dtype!r}")
    half = dtype == "bfloat16" or (dtype == "auto" and has_fast_bfloat16(device.type))
    return torch.autocast(device.type, torch.bfloat16, enabled=half)


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


def give_back_freed_memory() -> None:
    """Return to the system what lies free between pieces of memory in use; it grows where their sizes change."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
