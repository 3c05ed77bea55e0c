"""Saving loses nothing: whole or not at all, also on a full disk."""

import errno
import os
import shutil
import subprocess

import numpy as np
import pytest

from sensorium import files
from sensorium.files import atomic_file, atomic_folder
from sensorium.modalities import modality
from sensorium.types import InputError, Signal


def full_disk(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_is_replaced_only_when_it_is_whole(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_file(target) as path:
        path.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]
    with atomic_file(target) as path:
        path.write_text("new")
    assert target.read_text() == "new" and os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk_is_said_and_the_old_content_stays(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("old")
    full = pytest.raises(InputError, match=r"the disk is full .* while writing .*model; free some space")
    with full, atomic_folder(tmp_path / "model") as out:
        (out / "weights").write_text("new")
        full_disk()
    assert (tmp_path / "model" / "weights").read_text() == "old"
    assert os.listdir(tmp_path) == ["model"]


def test_a_medium_saved_on_a_full_disk_keeps_the_old_one(tmp_path, monkeypatch):
    picture = np.zeros((4, 4, 3), np.uint8)
    modality("image").save(Signal(picture), tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    monkeypatch.setattr(files.os, "replace", full_disk)
    with pytest.raises(InputError, match="the disk is full"):
        modality("image").save(Signal(picture + 255), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == before


@pytest.fixture
def tiny_disk(tmp_path):
    """A real file system of one megabyte."""
    place = tmp_path / "tiny"
    place.mkdir()
    mount = shutil.which("mount")
    if mount is None or subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=False).returncode:
        pytest.skip("mounting a small file system is not permitted here")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_truly_full_disk(tiny_disk):
    with atomic_file(tiny_disk / "a.bin") as path:
        path.write_bytes(b"x" * 400_000)
    with pytest.raises(InputError, match="the disk is full"), atomic_file(tiny_disk / "a.bin") as path:
        path.write_bytes(b"y" * 900_000)
    assert (tiny_disk / "a.bin").read_bytes() == b"x" * 400_000
    assert os.listdir(tiny_disk) == ["a.bin"]


def test_a_place_that_cannot_be_written_is_said(tmp_path, monkeypatch):
    def denied(*_args, **_kwargs):
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(files.tempfile, "mkstemp", denied)
    with pytest.raises(InputError, match="cannot be written"), atomic_file(tmp_path / "a.txt"):
        pass
