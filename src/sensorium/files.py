"""Where files live, and saving that loses nothing: a save either happens whole or leaves the old file."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sensorium.types import InputError


def cache_dir() -> Path:
    """Downloads, encoded shards, checkpoints: ``$SENSORIUM_CACHE``, else ``~/.cache/sensorium``."""
    return Path(os.environ.get("SENSORIUM_CACHE") or Path.home() / ".cache" / "sensorium")


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path next to ``path``; rename it over ``path`` when the block succeeds.

    Raises:
        InputError: the disk is full or not writable; ``path`` keeps its former content.
    """
    target = Path(path)
    with _plain_os_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=target.suffix)
        os.close(handle)
        try:
            yield Path(name)
            os.chmod(name, 0o644)  # after the writing: safetensors puts a file of its own there, for the owner only
            os.replace(name, target)
        finally:
            Path(name).unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder next to ``path``; it takes the place of ``path`` when the block succeeds.

    Raises:
        InputError: the disk is full or not writable; ``path`` keeps its former content.
    """
    target = Path(path)
    with _plain_os_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        os.chmod(temporary, 0o755)
        try:
            yield temporary
            for file in temporary.rglob("*"):
                os.chmod(file, 0o755 if file.is_dir() else 0o644)
            _swap(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _swap(new: Path, target: Path) -> None:
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.replace(target, old)
    try:
        os.replace(new, target)
    except OSError:
        if old.exists():
            os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _plain_os_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        number = _errno(error)
        if number in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(_existing(target)).free // 2**20
            raise InputError(
                f"the disk is full ({free} MB free) while writing {target}; free some space and run again, "
                "what was saved before is untouched"
            ) from error
        if number in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
            raise InputError(f"{target} cannot be written ({os.strerror(number)}); choose another place") from error
        raise


def _errno(error: Exception) -> int | None:
    """Number of an operating system's error; libraries in Rust, such as safetensors, only write it into their text."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found.group(1)) if found else None


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
