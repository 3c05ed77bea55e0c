"""No gigabytes of CUDA come by accident."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def installer(monkeypatch):
    spec = importlib.util.spec_from_file_location("install_torch", ROOT / "tools" / "install_torch.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ran = []
    monkeypatch.setattr(module, "run", lambda command: module.ran.append(" ".join(command[1:])) or False)
    monkeypatch.setattr(sys, "platform", "linux")
    return module


def test_what_is_there_already_is_kept(installer, monkeypatch):
    monkeypatch.setattr(installer, "version", lambda name: f"{installer.tested_version()}+cpu")
    monkeypatch.setattr(installer, "has_nvidia_gpu", lambda: False)
    installer.main()
    assert installer.ran == []


def test_without_a_gpu_only_cpu_builds_are_tried(installer, monkeypatch):
    monkeypatch.setattr(installer, "version", lambda name: "0.1")
    monkeypatch.setattr(installer, "has_nvidia_gpu", lambda: False)
    with pytest.raises(SystemExit, match="could not be installed"):
        installer.main()
    asked_for_torch = [command for command in installer.ran if "torch==" in command]
    assert asked_for_torch
    assert all("+cpu" in command or "--torch-backend=cpu" in command for command in asked_for_torch)


def test_with_a_gpu_a_cpu_build_is_replaced(installer, monkeypatch):
    monkeypatch.setattr(installer, "version", lambda name: f"{installer.tested_version()}+cpu")
    monkeypatch.setattr(installer, "has_nvidia_gpu", lambda: True)
    with pytest.raises(SystemExit):
        installer.main()
    assert any("--torch-backend=auto" in command for command in installer.ran)
    assert not any("+cpu" in command for command in installer.ran)


def test_the_tested_version_is_the_pinned_one(installer):
    assert f"torch=={installer.tested_version()}\n" in (ROOT / "constraints.txt").read_text()
