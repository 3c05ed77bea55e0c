"""Where the drawings come from: public npm and Debian packages that anyone can fetch with the same command.

Licence tiers: A (Apache, MIT, CC0, public domain, Unicode) and B (CC-BY, with attribution) are trained on; C (CC-BY-SA)
is a held-out drawing family for evaluation only, never trained on and never shipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sensorium.data.fetch import Credit, Package


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

    @property
    def credit(self) -> Credit:
        """Its line of the attribution file."""
        by = {"author": self.author, "licence": self.licence, "url": self.url}
        use = {"use": "evaluation only, never trained on"} if self.held_out else {}
        return Credit(name=self.style, package=self.package, **by, **use)


def _by(licence: str, tier: str, author: str, url: str) -> dict[str, Any]:
    return {"licence": licence, "tier": tier, "author": author, "url": url}


def _iconify(style: str, version: str, by: dict[str, Any], **other: Any) -> Source:
    facts: dict[str, Any] = {"family": style, "kind": "emoji", "name": style, **other}
    package = Package(name=f"@iconify-json/{facts.pop('name')}", version=version)
    return Source(style=style, package=package, **by, **facts)


EMOJI_DATA = Package(name="emojibase-data", version="17.0.0")

_GITHUB = "https://github.com/"
_GOOGLE = _by("Apache-2.0", "A", "Google Inc", f"{_GITHUB}googlefonts/noto-emoji")
_FLUENT = _by("MIT", "A", "Microsoft Corporation", f"{_GITHUB}microsoft/fluentui-emoji")
_FLUENT_ICONS = _by("MIT", "A", "Microsoft Corporation", f"{_GITHUB}microsoft/fluentui-system-icons")
_MOZILLA = _by("Apache-2.0", "A", "Mozilla", f"{_GITHUB}mozilla/fxemoji")
_TWITTER = _by("CC-BY-4.0", "B", "Twitter, Inc and others", f"{_GITHUB}jdecked/twemoji")
_EMOJITWO = _by("CC-BY-4.0", "B", "EmojiTwo", f"{_GITHUB}EmojiTwo/emojitwo")
_OPENMOJI = _by("CC-BY-SA-4.0", "C", "OpenMoji", f"{_GITHUB}hfg-gmuend/openmoji")
_EMOJI_ONE = _by("CC-BY-SA-4.0", "C", "Emoji One", f"{_GITHUB}joypixels/emojione-legacy")
_STREAMLINE = _by("CC-BY-4.0", "B", "Streamline", f"{_GITHUB}webalys-hq/streamline-vectors")
_ICONS8 = _by("MIT", "A", "Icons8", f"{_GITHUB}icons8/flat-color-icons")
_METEO = _by("MIT", "A", "Bas Milius", f"{_GITHUB}basmilius/weather-icons")
_HEALTH = _by("MIT", "A", "Resolve to Save Lives", f"{_GITHUB}resolvetosavelives/healthicons")
_FLAGS = _by("MIT", "A", "HatScripts", f"{_GITHUB}HatScripts/circle-flags")
_CLIPART = _by("CC0-1.0", "A", "the Open Clip Art Library's authors", "https://openclipart.org")

# The order is the order of the rows in the pictures table: append, never insert.
EMOJI_SOURCES = (
    _iconify("noto", "1.2.9", _GOOGLE),
    _iconify("noto-v1", "1.2.5", _GOOGLE),
    _iconify("fluent", "1.2.7", _FLUENT, name="fluent-emoji"),
    _iconify("fluent-flat", "1.2.6", _FLUENT, name="fluent-emoji-flat", family="fluent"),
    _iconify("fxemoji", "1.2.2", _MOZILLA),
    _iconify("twemoji", "1.2.5", _TWITTER),
    _iconify("emojione", "1.2.3", _EMOJITWO),
    _iconify("openmoji", "1.2.29", _OPENMOJI),
    _iconify("emojione-v1", "1.2.3", _EMOJI_ONE),
)
_NUMBER, _SIZE, _PLAIN = r"-\d+$", r"-(16|20|24|28|32|48)$", r"(?!.*-(outline|24px|negative)).*"
_WEATHER = {"kind": "icons", "category": "weather", "naming": "own"}
_HEALTHY = {"kind": "icons", "category": "health", "naming": "own"}
ICON_SOURCES = (
    _iconify("streamline-emojis", "1.2.4", _STREAMLINE, kind="icons", drop=_NUMBER, emoji_names=True),
    _iconify("flat-color-icons", "1.2.3", _ICONS8, kind="icons", category="objects"),
    _iconify("fluent-color", "1.2.21", _FLUENT_ICONS, kind="icons", drop=_SIZE, one_per_name=True),
    _iconify("meteocons", "1.2.4", _METEO, only=r".*-fill", drop="-fill$", **_WEATHER),
    _iconify("healthicons", "1.2.13", _HEALTH, only=_PLAIN, drop=r"-alt\d*$", **_HEALTHY),
    _iconify("circle-flags", "1.2.11", _FLAGS, kind="flags", category="flags"),
    _iconify("streamline-ultimate-color", "1.2.2", _STREAMLINE, kind="icons", drop=_NUMBER),
    _iconify("streamline-kameleon-color", "1.2.2", _STREAMLINE, kind="icons", only=r"(?!.*-duo).*", drop=_NUMBER),
    Source(
        style="openclipart", family="openclipart", package=Package(name="openclipart-svg", registry="debian"),
        kind="clipart", naming="words", fit=True, **_CLIPART,
    ),
)  # fmt: skip

SOURCES = EMOJI_SOURCES + ICON_SOURCES
"""What the table of pictures is made of."""

STAMPS = Source(
    style="tuxpaint", family="tuxpaint", package=Package(name="tuxpaint-stamps-default", registry="debian"),
    kind="stamps", fit=True, **_by("GPL-2.0-or-later", "C", "the Tux Paint authors", "https://tuxpaint.org"),
)  # fmt: skip
"""Photos and clip art that are in no table: a held-out source."""
