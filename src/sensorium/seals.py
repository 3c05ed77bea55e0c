"""Checksums of what is written, checked when it is read.

A folder has one file of JSON that says what it is, its head: ``sensorium.json``, ``codec.json``, ``state.json``,
``shards.json``. The head holds under ``checksums`` the size and SHA-256 of the files beside it, and under ``seal`` the
SHA-256 of its own content. Folders from before there were seals have neither and are read unchecked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Annotated, Any

from sensorium.checked import Range, checked, read_json
from sensorium.types import InputError

CHECKSUMS, SEAL = "checksums", "seal"
Sum = tuple[Annotated[int, Range(0, 2**53)], Annotated[str, Range(64, 64)]]


def sum_of(path: Path) -> list[Any]:
    """Bytes of a file and their SHA-256."""
    with path.open("rb") as file:
        return [path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()]


def sums_of(folder: Path, names: Iterable[str]) -> dict[str, list[Any]]:
    """`sum_of` files of a folder, by their paths in it."""
    return {name: sum_of(folder / name) for name in sorted(names)}


def files_in(folder: Path, without: Iterable[str] = ()) -> list[str]:
    """Paths of all files in a folder and below, but for what people read (``.md``) and folders named in ``without``."""
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.suffix != ".md")
    return sorted(name.as_posix() for name in names if name.parts[0] not in without)


def sealed(head: Mapping[str, Any], checksums: Mapping[str, Any]) -> dict[str, Any]:
    """A head with the checksums of the files beside it, and its own."""
    whole = {**head, CHECKSUMS: dict(checksums)}
    return whole | {SEAL: _seal(whole)}


def write(path: Path, head: Mapping[str, Any], checksums: Mapping[str, Any] | None = None, indent: int = 2) -> None:
    """Write `sealed` as JSON."""
    text = json.dumps(sealed(head, checksums or {}), indent=indent, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """A head, whose seal must be right if there is one.

    Raises:
        InputError: it is missing, damaged, or was changed after it was written.
    """
    head = read_json(path)
    check_head(path, head)
    return head


def check_head(path: Path, head: Mapping[str, Any]) -> None:
    """InputError when a head that was read has a seal which is not right."""
    if (SEAL in head) != (CHECKSUMS in head) or (SEAL in head and head[SEAL] != _seal(head)):
        raise InputError(
            f"{path} is damaged or was changed, its checksum is another; copy it again, or, if it was changed on "
            f'purpose, delete "{CHECKSUMS}" and "{SEAL}" from it'
        )


def check(folder: Path, head: Mapping[str, Any], only: Iterable[str] | None = None) -> None:
    """Compare the files of a folder with the checksums in its head, where it has any.

    Args:
        only: paths of the files to compare; None for all.

    Raises:
        InputError: a file is missing or is not what was written.
    """
    sums = checked(head.get(CHECKSUMS, {}), dict[str, Sum], CHECKSUMS)
    for name in sums if only is None else sums.keys() & set(only):
        if not _is(folder, name, list(sums[name])):
            raise InputError(
                f"{folder / name} is missing, cut short or damaged, its checksum is not the one that was written; "
                "copy the folder again as a whole"
            )


def _is(folder: Path, name: str, known: list[Any]) -> bool:
    """Whether a file of the folder is there and has this sum; its size is compared first."""
    path = folder / name
    try:
        inside = not PurePath(name).is_absolute() and ".." not in PurePath(name).parts
        return inside and path.is_file() and path.stat().st_size == known[0] and sum_of(path) == known
    except (OSError, ValueError):
        return False


def _seal(head: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in head.items() if key != SEAL}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
