"""The device: which one, number formats, memory."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
import torch

from sensorium import device
from sensorium.device import computing
from sensorium.types import InputError

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("dtype", "fast", "wanted"),
    [
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float32),
        ("bfloat16", False, torch.bfloat16),
        ("float32", True, torch.float32),
    ],
)
def test_layers_compute_in_the_format_asked_for(monkeypatch, dtype, fast, wanted):
    monkeypatch.setattr(device, "has_fast_bfloat16", lambda kind: fast)
    layer = torch.nn.Linear(4, 4)
    with computing(dtype, CPU):
        assert layer(torch.ones(2, 4)).dtype == wanted
    assert layer.weight.dtype == torch.float32


def test_an_unknown_format_is_refused():
    with pytest.raises(InputError, match="float16"):
        computing("float16", CPU)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="for glibc only")
def test_freed_memory_is_kept_and_given_back():
    told = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True).stdout
    kept_mb, left_mb = map(int, told.split())
    assert kept_mb > left_mb + 200


MEMORY = """
import torch
from sensorium.device import give_back_freed_memory, keep_freed_memory

def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 // 2**20

keep_freed_memory()
pieces = [torch.ones(2**22) for _ in range(30)]
last = torch.ones(2**22)  # stays behind the others, so that the heap cannot simply shrink
del pieces
print(resident_mb())
give_back_freed_memory()
print(resident_mb())
"""


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="try 'cpu'"):
        device.device_of("nonsense")
