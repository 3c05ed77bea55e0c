"""An outside package brings a modality and a codec: installed as a user would, its own tests pass."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "examples" / "sensorium-series"


def test_an_outside_codec_is_one_short_file():
    assert len((PACKAGE / "sensorium_series.py").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.slow
def test_an_outside_package_installs_and_keeps_the_contract(tmp_path):
    place = tmp_path / "site"
    built_here = ["--no-build-isolation"] if find_spec("hatchling") else []
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *built_here, "--target", str(place)]
    done = subprocess.run([*install, str(PACKAGE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    look = "import sensorium_series; from sensorium import plugins; print(sensorium_series.__file__); "
    look += "print(plugins.names(plugins.MODALITIES), plugins.names(plugins.CODECS))"
    environment = os.environ | {"PYTHONPATH": str(place)}
    said = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, env=environment, cwd=tmp_path)
    file, names = said.stdout.splitlines()
    assert Path(file).is_relative_to(place)
    assert "'series'" in names
    assert "'uniform-series'" in names
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        "-c",
        os.devnull,
    ]
    done = subprocess.run(
        [*tests, str(PACKAGE / "tests")], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout[-3000:]
