"""Reading the sets: which icon shows which emoji, or else what an icon is called.

Emoji sets that state the hexcodes of their icons (``chars.json``) are believed; icons of the others are found by name.
Icons of the sets that are no emoji sets take over an emoji's names, tags and root where they bear its name.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from recipes.pictograms.emoji import Emoji, EmojiNames, key_of, load_emoji
from recipes.pictograms.sources import EMOJI_DATA, EMOJI_SOURCES, Source
from recipes.pictograms.split import root_of

from sensorium.data.fetch import fetch
from sensorium.data.iconify import icon_svg, read_icons

# Icons that show something else than the emoji whose name they bear: (style, icon) -> a better name, "" for none.
CORRECTIONS = {
    ("fxemoji", "cat"): "cat face",
    ("fxemoji", "dog"): "dog face",
    ("fxemoji", "tiger"): "tiger face",
    ("fxemoji", "mouse"): "mouse face",
    ("fxemoji", "pig"): "pig face",
    ("fxemoji", "bow"): "ribbon",
    ("fxemoji", "construction"): "building construction",
    ("fxemoji", "constructionsign"): "",
}


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A named SVG document, before it is drawn. ``named``: "emoji", "own", or "" where the label is empty."""

    key: str
    label: str
    base_label: str
    svg: str
    category: str
    root: str
    named: str = "emoji"
    skin_tone: int = 0
    names: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


def drawing_of(one: Emoji, *, key: str, svg: str) -> Drawing:
    """A drawing of an emoji's concept."""
    return Drawing(
        key=key,
        label=one.label,
        base_label=one.base,
        svg=svg,
        category=one.group,
        root=root_of(one.base),
        skin_tone=one.tone,
        names=dict(one.names),
        tags=one.tags,
    )


def emoji_names(short_codes: bool = True) -> EmojiNames:
    """All names of emoji, from ``emojibase-data`` and from the drawing sets that state the hexcodes of their icons.

    Without ``short_codes`` only proper names: for sets whose names were not made for emoji, where "moon" is a moon and
    not the short code of a waxing gibbous one.
    """
    data = fetch(EMOJI_DATA)
    names = EmojiNames(load_emoji(data))
    for source in EMOJI_SOURCES:
        for code, name in read_icons(source.package)[1].items():
            names.add(name, key_of(code))
    if short_codes:
        names.add_package(data)
    for source in EMOJI_SOURCES:
        for name, alias in read_icons(source.package)[0].get("aliases", {}).items():
            parent = names.find(alias["parent"])
            if parent and not {"hFlip", "vFlip", "rotate"} & set(alias):
                names.add(name, parent)
    return names


def emoji_drawings(source: Source, names: EmojiNames) -> list[Drawing]:
    """One drawing per emoji of a set; where several icons lead to one emoji, the set's own hexcode table decides."""
    icons, chars = read_icons(source.package)
    chosen: dict[str, str] = {}
    for code, name in chars.items():
        chosen.setdefault(key_of(code), name)
    taken = set(chosen.values())
    every = [n for n in icons["icons"] if n not in taken] + [n for n in icons.get("aliases", {}) if n not in taken]
    for name in every:
        key = names.find(CORRECTIONS.get((source.style, name), name))
        if key:
            chosen.setdefault(key, name)
    return [
        drawing_of(names.emoji[key], key=key, svg=icon_svg(icons, name))
        for key, name in chosen.items()
        if key in names.emoji
    ]
