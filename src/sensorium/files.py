"""Where files live, and saving that loses nothing: a save either happens whole or leaves the old file."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from sensorium.types import InputError

UNFINISHED = re.compile(r"\..+\.unfinished-(?P<host>[0-9a-f]{4})-(?P<process>\d+)-(?P<token>[0-9a-f]{8})-.*")
"""Name of what is being saved: the name it will have, and which process of which machine is at it."""
REFUSED = {errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG}
TOKEN = os.urandom(4).hex()
"""Of this process: another may have its number later."""
LEFT_S = 24 * 3600.0
"""Age from which on what another machine has not finished is left over, too."""


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
        _tidy_once(target.parent.absolute())
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=_prefix(target), suffix=target.suffix)
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
        tidy(target)
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=_prefix(target)))
        os.chmod(temporary, 0o755)
        try:
            yield temporary
            for file in temporary.rglob("*"):
                os.chmod(file, 0o755 if file.is_dir() else 0o644)
            _swap(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def tidy(target: Path) -> None:
    """Remove what killed saves have left beside ``target``, and put back what one of them had moved aside.

    What another process is still writing stays. Nothing happens where the place may not be changed.
    """
    with suppress(OSError, ValueError):
        begun = [path for path in target.parent.iterdir() if UNFINISHED.fullmatch(path.name)]
        left = [path for path in begun if _is_left(path)]
        for path in left:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        if len(left) == len(begun) and _old(target).exists() and not target.exists():
            os.replace(_old(target), target)


@cache
def _tidy_once(folder: Path) -> None:
    """`tidy` for files, of which there may be many in a folder: only when this process first writes there."""
    tidy(folder / "file")


def _is_left(path: Path) -> bool:
    """Whether nobody is at work on it any more."""
    found = UNFINISHED.fullmatch(path.name)
    if found is None:
        return False
    if found["host"] != _host() or os.name != "posix":
        return time.time() - path.stat().st_mtime > LEFT_S
    process = int(found["process"])
    if process == os.getpid():
        return found["token"] != TOKEN
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:  # it is another user's
        return False
    return False


def _prefix(target: Path) -> str:
    return f".{target.name[:100]}.unfinished-{_host()}-{os.getpid()}-{TOKEN}-"


def _host() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:4]


def _old(target: Path) -> Path:
    """Where the former content is while the new one takes its place."""
    return target.with_name(f".{target.name}.old")


def _swap(new: Path, target: Path) -> None:
    old = _old(target)
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
        if number in REFUSED:
            raise InputError(f"{target} cannot be written ({os.strerror(number)}); choose another place") from error
        raise


def _errno(error: Exception) -> int | None:
    """Number of an operating system's error; libraries in Rust, such as safetensors, only write it into their text."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found.group(1)) if found else None


def is_file(path: Path) -> bool:
    """As `Path.is_file`; False also for a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a zero in it
        return False


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
