"""The device: number formats."""

from __future__ import annotations

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


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="try 'cpu'"):
        device.device_of("nonsense")
