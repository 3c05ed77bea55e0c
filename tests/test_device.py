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


@pytest.mark.parametrize(("gain", "fast"), [(4.1, True), (1.1, False), (0.02, False)])
def test_a_cpu_is_timed_once_and_the_result_remembered(gain, fast, monkeypatch, tmp_path):
    timed = []
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    monkeypatch.setattr(device, "bfloat16_gain", lambda: timed.append(1) or gain)
    for _ in range(2):  # as two processes would
        device.has_fast_bfloat16.cache_clear()
        assert device.has_fast_bfloat16("cpu") is fast
    device.has_fast_bfloat16.cache_clear()
    assert timed == [1]


@pytest.mark.parametrize("content", ["", "[]", '{"a": ', '{"other CPU": 3.0}'])
def test_a_damaged_memory_of_the_timing_is_written_anew(content, monkeypatch, tmp_path):
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    monkeypatch.setattr(device, "bfloat16_gain", lambda: 2.5)
    (tmp_path / "bfloat16.json").write_text(content)
    assert device.remembered_gain() == 2.5
    monkeypatch.setattr(device, "bfloat16_gain", lambda: pytest.fail("timed again"))
    assert device.remembered_gain() == 2.5


def test_where_nothing_can_be_written_it_is_timed_all_the_same(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(device, "bfloat16_gain", lambda: 2.5)
    assert device.remembered_gain() == 2.5


def test_the_timing_agrees_with_what_is_known_of_cpus():
    gain = device.bfloat16_gain()
    assert gain > 0
    if "bf16" in device.cpu_name():
        assert gain > 1
