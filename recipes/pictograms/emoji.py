"""What every emoji is called: English label, names in five languages, tags, group, concept root.

Names and groups come from the npm package ``emojibase-data`` (Unicode CLDR). A drawing set names its icons in its own
way ("man-astronaut-dark-skin-tone", "1f468-1f3ff-200d-1f680", "tropicalfish"); `EmojiNames.find` leads all of these to
one key, the hexcode without the variation selector FE0F.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LOCALES = ("en", "fr", "es", "de", "it")
TONES = ("light", "medium-light", "medium", "medium-dark", "dark")
_SHORTCODES = ("cldr", "iamcal", "joypixels", "github", "emojibase-legacy")
_TONE_ENDING = re.compile(r"-(?:tone-?([1-5])|(medium-light|medium-dark|light|dark|medium)(?:-skin-tone)?)$")


@dataclass(frozen=True, kw_only=True)
class Emoji:
    """One emoji. ``tone``: 0 none, 1 (light) to 5 (dark), the darker one of a pair; ``base``: label without tone."""

    key: str
    label: str
    base: str
    group: str
    tone: int = 0
    tags: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


def key_of(hexcode: str) -> str:
    """``1f3f3-fe0f-200d-1f308`` -> ``1F3F3-200D-1F308``: upper case, without variation selectors."""
    return "-".join(part for part in hexcode.upper().split("-") if part != "FE0F")


def load_emoji(folder: Path) -> dict[str, Emoji]:
    """All emoji by key, from an unpacked ``emojibase-data``; regional indicators and components are left out."""
    groups = _read(folder / "meta" / "groups.json")["groups"]
    names: dict[str, dict[str, str]] = {}
    for locale in LOCALES:
        for entry in _read(folder / locale / "data.json"):
            for item in (entry, *entry.get("skins", ())):
                names.setdefault(key_of(item["hexcode"]), {})[locale] = item["label"]
    found: dict[str, Emoji] = {}
    for entry in _read(folder / "en" / "data.json"):
        group = groups.get(str(entry.get("group", "")), "")
        if group in ("", "component"):
            continue
        for item in (entry, *entry.get("skins", ())):
            key = key_of(item["hexcode"])
            found[key] = Emoji(
                key=key,
                label=item["label"],
                base=entry["label"],
                group=group,
                tone=_tone(item.get("tone", 0)),
                tags=tuple(entry.get("tags", ())),
                names=names[key],
            )
    return found


def _tone(tone: int | list[int]) -> int:
    return max(tone) if isinstance(tone, list) else tone


def squash(name: str) -> str:
    """Letters and digits only, without accents and "skin tone": what two spellings of a name share."""
    plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    return re.sub("[^a-z0-9]", "", plain).replace("skintone", "")


class EmojiNames:
    """From any name of an emoji to its key. Sources of names added earlier win."""

    def __init__(self, emoji: Mapping[str, Emoji]):
        self.emoji = emoji
        self._keys: dict[str, str] = {}
        self._toned: dict[tuple[str, int], str] = {}
        for one in emoji.values():
            self.add(one.label, one.key)
            if one.tone:
                self._toned.setdefault((_untoned(one.key), one.tone), one.key)

    def add(self, name: str, key: str) -> None:
        if key in self.emoji:
            self._keys.setdefault(squash(name), key)

    def add_package(self, folder: Path) -> None:
        """Unicode's names and the short codes of chat programs, from ``emojibase-data``."""
        for code, name in _read(folder / "meta" / "unicode-names.json").items():
            self.add(name, key_of(code))
        for file in _SHORTCODES:
            for code, names in _read(folder / "en" / "shortcodes" / f"{file}.json").items():
                for name in [names] if isinstance(names, str) else names:
                    self.add(name, key_of(code))

    def find(self, name: str) -> str | None:
        """The key of an icon's name, or None. ``flag-for-france`` and ``...-tone3`` are understood too."""
        name = re.sub(r"^flag-for-(?:flag-)?", "flag-", name)
        direct = self._keys.get(squash(name))
        ending = _TONE_ENDING.search(name)
        if direct or not ending:
            return direct
        tone = int(ending[1]) if ending[1] else TONES.index(ending[2]) + 1
        base = self._keys.get(squash(name[: ending.start()]))
        return self._toned.get((base, tone)) if base else None


def _untoned(key: str) -> str:
    return "-".join(part for part in key.split("-") if not "1F3FB" <= part <= "1F3FF" or len(part) != 5)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
