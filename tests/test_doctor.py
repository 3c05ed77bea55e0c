"""`sensorium doctor` tells the truth about the installation and the machine."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sensorium import doctor
from sensorium.cli import app

PROJECT = tomllib.loads((Path(__file__).resolve().parent.parent / "pyproject.toml").read_text())["project"]


@pytest.fixture
def broken_torchvision(tmp_path, monkeypatch):
    """A torchvision that fails on import as the registry's does beside a CPU torch."""
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)


def test_packages_and_extras_are_those_of_the_project():
    found = doctor.dependencies()
    assert len(found[None]) == len(PROJECT["dependencies"])
    assert set(found) - {None} == set(PROJECT["optional-dependencies"])


def test_every_extra_says_what_it_is_for():
    assert set(doctor.ENABLES) == set(PROJECT["optional-dependencies"])
    assert all(doctor.ENABLES.values())


def test_a_missing_package_is_named_with_what_it_would_enable(monkeypatch):
    real = doctor._package
    monkeypatch.setattr(
        doctor, "_package", lambda name: doctor.Package(name=name, version=None) if name == "resvg-py" else real(name)
    )
    result = CliRunner(env={"COLUMNS": "300"}).invoke(app, ["doctor"])
    line = next(line for line in result.stdout.splitlines() if line.startswith("extra svg"))
    assert "not installed (resvg-py)" in line
    assert "sensorium[svg]" in line
    assert doctor.ENABLES["svg"] in line


def test_a_broken_torchvision_is_a_problem(broken_torchvision):
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "torchvision" in result.stdout
    assert "nms does not exist" in result.stdout
    assert "pip uninstall torchvision" in result.stdout


def test_an_absent_package_is_no_problem():
    assert doctor.broken("a_package_that_is_not_there") is None


def test_the_machine_is_described():
    report = doctor.examine()
    (cpu,) = [device for device in report.devices if device.kind == "cpu"]
    assert cpu.free_bytes is None or 0 < cpu.free_bytes <= cpu.total_bytes
    assert report.threads >= 1
    assert report.cache_free_bytes > 0


def test_the_size_of_the_cache_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    (tmp_path / "shard").write_bytes(bytes(1000))
    report = doctor.examine()
    assert (report.cache, report.cache_bytes) == (str(tmp_path), 1000)
