"""Where the drawings come from, and fetching them.

Every source is a public npm or Debian package that anyone can fetch with the same command. Packages are fetched
once, unpacked into ``cache_dir()/packages`` and never changed; a second run finds them and fetches nothing.

Licence tiers: A (Apache, MIT, CC0, public domain, Unicode) and B (CC-BY, with attribution) are trained on; C (CC-BY-SA)
is a held-out drawing family for evaluation only, never trained on and never shipped.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensorium.files import atomic_folder, cache_dir
from sensorium.types import InputError


@dataclass(frozen=True, kw_only=True)
class Package:
    """A public package: ``registry`` is "npm" or "debian"; an empty version means the one on offer."""

    name: str
    registry: str = "npm"
    version: str = ""

    @property
    def stem(self) -> str:
        """The file name npm gives a tarball, without its ending: ``@scope/name`` 1.2 -> ``scope-name-1.2``."""
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}".rstrip("-")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One set of drawings.

    Args:
        style: the set's short name, unique; the ``style`` column.
        family: the drawing family; sets that show the same drawings in two finishes share one.
        kind: how to read it: "emoji" (icons that bear emoji names), "icons" (named icons), "clipart".
        licence: SPDX name. tier: A, B or C, see the module.
        author, url: for the attribution file.
        category: the category of the drawings that show no emoji's thing, where the set has one subject.
        only: a regular expression; icons with other names are left out.
        drop: a regular expression for the part of a name that names nothing, such as a size or a number.
        one_per_name: of icons that share a name without that part, keep the largest only.
        naming: what may become a label: "own", every name (they are real English names of what is shown); "words",
            names of known English words; "emoji", only names that an emoji bears too.
        emoji_names: the names follow those of emoji, old ones included, and flags are called by their country.
        fit: whether the drawings lie anyhow on their pages, so that each is to fill the picture.
    """

    style: str
    family: str
    package: Package
    kind: str
    licence: str
    tier: str
    author: str
    url: str
    category: str = ""
    only: str = ""
    drop: str = ""
    one_per_name: bool = False
    naming: str = "emoji"
    emoji_names: bool = False
    fit: bool = False

    @property
    def held_out(self) -> bool:
        """Never trained on."""
        return self.tier == "C"


def _iconify(style: str, version: str, licence: str, author: str, url: str, **other: Any) -> Source:
    facts: dict[str, Any] = {"family": style, "kind": "emoji", "tier": "A", "name": style, **other}
    package = Package(name=f"@iconify-json/{facts.pop('name')}", version=version)
    return Source(style=style, package=package, licence=licence, author=author, url=url, **facts)


EMOJI_DATA = Package(name="emojibase-data", version="17.0.0")

_MICROSOFT = "Microsoft Corporation"
_FLUENT = "https://github.com/microsoft/fluentui-emoji"
_NOTO = "https://github.com/googlefonts/noto-emoji"

# The order is the order of the rows in the pictures table: append, never insert.
EMOJI_SOURCES = (
    _iconify("noto", "1.2.9", "Apache-2.0", "Google Inc", _NOTO),
    _iconify("noto-v1", "1.2.5", "Apache-2.0", "Google Inc", _NOTO),
    _iconify("fluent", "1.2.7", "MIT", _MICROSOFT, _FLUENT, name="fluent-emoji"),
    _iconify("fluent-flat", "1.2.6", "MIT", _MICROSOFT, _FLUENT, name="fluent-emoji-flat", family="fluent"),
    _iconify("fxemoji", "1.2.2", "Apache-2.0", "Mozilla", "https://github.com/mozilla/fxemoji"),
    _iconify(
        "twemoji", "1.2.5", "CC-BY-4.0", "Twitter, Inc and others", "https://github.com/jdecked/twemoji", tier="B"
    ),
    _iconify("emojione", "1.2.3", "CC-BY-4.0", "EmojiTwo", "https://github.com/EmojiTwo/emojitwo", tier="B"),
    _iconify("openmoji", "1.2.29", "CC-BY-SA-4.0", "OpenMoji", "https://github.com/hfg-gmuend/openmoji", tier="C"),
    _iconify(
        "emojione-v1", "1.2.3", "CC-BY-SA-4.0", "Emoji One", "https://github.com/joypixels/emojione-legacy", tier="C"
    ),
)


_STREAMLINE = {
    "licence": "CC-BY-4.0",
    "author": "Streamline",
    "url": "https://github.com/webalys-hq/streamline-vectors",
    "tier": "B",
    "kind": "icons",
}

ICON_SOURCES = (
    _iconify("streamline-emojis", "1.2.4", **_STREAMLINE, drop=r"-\d+$", emoji_names=True),
    _iconify(
        "flat-color-icons",
        "1.2.3",
        "MIT",
        "Icons8",
        "https://github.com/icons8/flat-color-icons",
        kind="icons",
        category="objects",
    ),
    _iconify(
        "fluent-color",
        "1.2.21",
        "MIT",
        _MICROSOFT,
        "https://github.com/microsoft/fluentui-system-icons",
        kind="icons",
        drop=r"-(16|20|24|28|32|48)$",
        one_per_name=True,
    ),
    _iconify(
        "meteocons",
        "1.2.4",
        "MIT",
        "Bas Milius",
        "https://github.com/basmilius/weather-icons",
        kind="icons",
        category="weather",
        only=r".*-fill",
        drop="-fill$",
        naming="own",
    ),
    _iconify(
        "healthicons",
        "1.2.13",
        "MIT",
        "Resolve to Save Lives",
        "https://github.com/resolvetosavelives/healthicons",
        kind="icons",
        category="health",
        only=r"(?!.*-(outline|24px|negative)).*",
        drop=r"-alt\d*$",
        naming="own",
    ),
    _iconify(
        "circle-flags",
        "1.2.11",
        "MIT",
        "HatScripts",
        "https://github.com/HatScripts/circle-flags",
        kind="flags",
        category="flags",
    ),
    _iconify("streamline-ultimate-color", "1.2.2", **_STREAMLINE, drop=r"-\d+$"),
    _iconify("streamline-kameleon-color", "1.2.2", **_STREAMLINE, only=r"(?!.*-duo).*", drop=r"-\d+$"),
    Source(
        style="openclipart",
        family="openclipart",
        package=Package(name="openclipart-svg", registry="debian"),
        kind="clipart",
        licence="CC0-1.0",
        tier="A",
        author="the Open Clip Art Library's authors",
        url="https://openclipart.org",
        naming="words",
        fit=True,
    ),
)

SOURCES = EMOJI_SOURCES + ICON_SOURCES


def fetch(package: Package, packages: Path | None = None) -> Path:
    """The folder of an unpacked package; fetched and unpacked when it is not there yet.

    Raises:
        InputError: the package manager is missing or the package could not be fetched.
    """
    packages = packages or cache_dir() / "packages"
    folder = packages / package.stem
    if not folder.is_dir():
        with atomic_folder(folder) as fresh:
            (_unpack_npm if package.registry == "npm" else _unpack_debian)(package, packages, fresh)
    return folder


def _unpack_npm(package: Package, packages: Path, fresh: Path) -> None:
    tarball = packages / f"{package.stem}.tgz"
    if not tarball.exists():
        _run(["npm", "pack", "--ignore-scripts", "--silent", f"{package.name}@{package.version}"], packages)
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


def _run(command: Sequence[str], folder: Path) -> None:
    if shutil.which(command[0]) is None:
        raise InputError(f"the program {command[0]} is needed to fetch the drawings; install it and run again")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise InputError(f"`{' '.join(command)}` failed ({last}); check the network connection and run again")
