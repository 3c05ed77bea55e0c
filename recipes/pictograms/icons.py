"""Reading the icon sets that are no emoji sets, and naming their drawings.

A drawing that bears an emoji's name shows the same concept in another hand and takes over its names, tags and root.
Otherwise its own name counts where it is a real name; a drawing without one has an empty label and is of use to codecs
only. Brand marks and other people's characters are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from recipes.pictograms.emoji import Emoji, EmojiNames
from recipes.pictograms.sets import Drawing, drawing_of
from recipes.pictograms.sources import Source
from recipes.pictograms.split import known_root, root_of

from sensorium.data.iconify import icon_svg, read_icons

BRANDS = re.compile(
    r"logo(?!ut)|brand|google|facebook|tik-?tok|insta(?:gram)?\b|whats-?app|you-?tube|twitter|linkedin|reddit|discord\b"
    r"|spotify|android|iphone|ipad|\bmac\b|apple-(?:watch|pay|store)|windows(?!ock)|linux|ubuntu|chrome|firefox|safari|skype"
    r"|paypal|visa\b|mastercard|bitcoin|ethereum|binance|crypto|blackberry|playstation|xbox|nintendo|wii|pokemon"
    r"|pokeball|pac-?man|sponge-?bob|wall-e|mario|famous-character|star-wars|batman|minecraft|netflix|amazon|\buber\b"
    r"|airbnb|dropbox|github|slack|trello|photoshop|adobe|dribbble|behance|pinterest|snapchat|messenger|zoom-us"
    r"|threads|chat-?gpt|openai|bluetooth|simpsons|mickey|disney|gameboy|nokia|samsung|sony|ferrari|\blego\b|ikea|\bnike\b|r2d2|captain-shield|predator|star-?trek|superman|hello-kitty|\bbbc\b"
    r"|debian|\bsteam$|stumble-?upon|\bvlc\b|wikipedia|icons8"
)
LONGEST_NAME = 4  # words
TOO_WIDE = frozenset(["person", "sign", "room", "up", "kiss", "crown royal"])  # roots that a title may hold by chance
UNFIT = re.compile(r"\bsexy?\b|nude|naked")  # not for labels
_LINKING = frozenset(["a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"])


class Namer:
    """From an icon's name to a `Drawing` with a label, names, tags, category and root."""

    def __init__(self, labels: EmojiNames, names: EmojiNames):
        """``labels``: only today's labels of emoji; ``names``: other names of theirs too."""
        self._labels, self._names = labels, names
        self._roots = frozenset(root_of(one.base) for one in names.emoji.values()) - TOO_WIDE
        texts = (text for one in labels.emoji.values() if not one.tone for text in (one.label, *one.tags))
        self._words = frozenset(word for text in texts for word in re.findall(r"[a-z]+", text.lower()))

    def drawing(
        self, source: Source, *, key: str, name: str, svg: str, category: str = "", tags: Sequence[str] = ()
    ) -> Drawing:
        """``name``: what the set calls it, words apart by hyphens or spaces."""
        text = " ".join(re.sub(r"[-_\s]+", " ", name).split()).lower()
        if text == "mouse" and category != "animals-nature" and not source.emoji_names:
            text = "computer mouse"
        emoji = self.emoji_called(text.replace(" ", "-"), source)
        if emoji:
            return drawing_of(emoji, key=key, svg=svg)
        label = text if self.is_name(text, source.naming) else ""
        return Drawing(
            key=key,
            label=label,
            base_label=label,
            named="own" if label else "",
            svg=svg,
            category=category or source.category,
            root=self.root(text or key, () if label else tags),
            names={"en": label} if label else {},
            tags=tuple(dict.fromkeys(tags)),
        )

    def root(self, text: str, tags: Sequence[str]) -> str:
        """The concept root of a name; where it holds no known one, the first tag that is one, if any."""
        own = known_root(text, self._roots)
        return own if own in self._roots else next((tag for tag in tags if tag in self._roots), own)

    def emoji_called(self, name: str, source: Source) -> Emoji | None:
        """The emoji that an icon called ``name`` shows, if it is one."""
        if source.emoji_names:
            key = self._names.find(name) or self._names.find(f"flag-{name}")
        else:
            key = self._labels.find(name)
        return self._labels.emoji[key] if key else None

    def is_name(self, text: str, naming: str) -> bool:
        """Whether ``text`` may stand as an English name."""
        words = text.split()
        if naming == "emoji" or not 0 < len(words) <= LONGEST_NAME or words[0] == "flag" or UNFIT.search(text):
            return False
        if not re.fullmatch(r"[a-z' ]+", text) or len(words[-1]) < 3:
            return False
        return naming == "own" or all(word in self._words or word in _LINKING for word in words)


def icon_drawings(source: Source, namer: Namer) -> list[Drawing]:
    """The icons of an Iconify set that are wanted, see the fields of `Source`."""
    icons, _ = read_icons(source.package)
    found = []
    for key, name in wanted(source, icons).items():
        svg = whole(icon_svg(icons, key))
        found.append(namer.drawing(source, key=key, name=name, svg=svg))
    return found


def wanted(source: Source, icons: Mapping[str, Any]) -> dict[str, str]:
    """Icon -> name without what names nothing; hidden icons, brand marks and smaller twins are left out."""
    chosen = {
        key: re.sub(source.drop, "", key) if source.drop else key
        for key, icon in icons["icons"].items()
        if not icon.get("hidden") and not BRANDS.search(key) and re.fullmatch(source.only or ".*", key)
    }
    if not source.one_per_name:
        return chosen
    by_size = sorted(chosen, key=lambda key: icons["icons"][key].get("width", icons.get("width", 16)))
    largest = {chosen[key]: key for key in by_size}
    return {key: name for name, key in sorted(largest.items())}


def whole(svg: str) -> str:
    """A moving drawing with everything shown that fades in later; the movement itself is not drawn."""
    return re.sub(r'(?<=\s)opacity="0"', 'opacity="1"', svg) if "<animate" in svg else svg


def flag_drawings(source: Source, names: EmojiNames) -> list[Drawing]:
    """The flags of a set whose icons are called by ISO codes ("fr", "gb-eng")."""
    icons, _ = read_icons(source.package)
    found = []
    for code in icons["icons"]:
        one = names.emoji.get(flag_key(code))
        if one:
            found.append(drawing_of(one, key=code, svg=icon_svg(icons, code)))
    return found


def flag_key(code: str) -> str:
    """The hexcodes of the flag emoji of a country ("fr") or a part of one ("gb-eng")."""
    letters = code.lower().replace("-", "")
    if len(letters) == 2:
        return "-".join(f"{0x1F1E6 + ord(letter) - ord('a'):X}" for letter in letters)
    return "-".join(["1F3F4", *(f"{0xE0000 + ord(letter):X}" for letter in letters), "E007F"])
