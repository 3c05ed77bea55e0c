"""Reading the Open Clip Art Library: SVG files with title and keywords inside.

Of its 7,458 drawings about half are of use. Left out: series of one motif ("gramastar", gradients), icon themes, brand
marks, files that are not marked as public domain, that hold photographs, or that are too large to draw.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from recipes.pictograms.icons import BRANDS, Namer
from recipes.pictograms.sets import Drawing
from recipes.pictograms.sources import Source

from sensorium.data.fetch import fetch

LARGEST_BYTES = 200_000
COMMON_TITLE = 3  # a title that more files bear is the name of a series
PUBLIC_DOMAIN = re.compile(r"publicdomain|/zero/", re.IGNORECASE)
_LEFT_OUT = re.compile(
    r"^(?:shapes/stars|special/gradients|special/patterns|logos|computer/icons|shapes/jigsaw)|-theme/"
)
_SERIES = re.compile(r"gramastar|icon ?theme|iconset|svg theme|etiquette|flat icon|plastik|gold-theme", re.IGNORECASE)
_NOT_ENGLISH = re.compile(r"architetto|guillou|tanguy|mois[eé]s|zazou", re.IGNORECASE)
_KEYWORD_NOISE = frozenset(["", "hash", "unsorted", "externalsource", "icon", "clip art", "clipart", "cartoon", "menu"])
_STEM_NOISE = frozenset(["bw", "contour", "ganson", "clip", "svg", "nicu", "architetto", "benji", "aj"])
_CATEGORIES = {
    "animals": "animals-nature",
    "plants": "animals-nature",
    "food": "food-drink",
    "transportation": "travel-places",
    "buildings": "travel-places",
    "geography": "travel-places",
    "people": "people-body",
    "recreation": "activities",
    "signs_and_symbols": "symbols",
    "shapes": "symbols",
    "buttons": "symbols",
}


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One file: ``place`` is its path in the library, with forward slashes."""

    place: str
    svg: str
    title: str
    author: str
    keywords: tuple[str, ...]


def clipart_drawings(source: Source, namer: Namer) -> list[Drawing]:
    """The drawings that are of use, in the order of their paths."""
    library = fetch(source.package) / "usr" / "share" / "openclipart" / "svg"
    clips = list(read_library(library))
    titles = Counter(clip.title for clip in clips)
    found = []
    for clip in clips:
        is_flag = "/flags/" in clip.place
        name = clean_title(clip) if titles[clip.title] < COMMON_TITLE else clean_stem(clip)
        found.append(
            namer.drawing(
                source,
                key=clip.place.removesuffix(".svg"),
                name=f"flag {name}" if is_flag else name,
                svg=clip.svg,
                category="flags" if is_flag else _CATEGORIES.get(clip.place.split("/")[0], "objects"),
                tags=clip.keywords,
            )
        )
    return found


def read_library(library: Path) -> Iterator[Clip]:
    """Every file of use once; links to files are not followed."""
    for path in sorted(library.rglob("*.svg")):
        place = path.relative_to(library).as_posix()
        if path.is_symlink() or path.stat().st_size > LARGEST_BYTES or _LEFT_OUT.search(place) or BRANDS.search(place):
            continue
        clip = read_clip(place, path.read_text(encoding="utf-8", errors="replace"))
        if clip and not _SERIES.search(clip.title):
            yield clip


def read_clip(place: str, svg: str) -> Clip | None:
    """A file's words, or None when it is no SVG, not public domain, or holds a photograph."""
    try:
        root = ElementTree.fromstring(svg.encode())
    except ElementTree.ParseError:
        return None
    licences = [next(iter(node.attrib.values()), "") for node in root.iter() if node.tag.endswith("}license")]
    if "<image" in svg or not any(PUBLIC_DOMAIN.search(licence) for licence in licences):
        return None
    keywords = [_text(node).replace("_", " ").strip().lower() for node in root.iterfind(".//{*}subject//{*}li")]
    return Clip(
        place=place,
        svg=svg,
        title=_text(root.find(".//{*}metadata//{*}title")),
        author=_text(root.find(".//{*}creator//{*}title")),
        keywords=tuple(word for word in keywords if word not in _KEYWORD_NOISE and re.fullmatch(r"[a-z ]+", word)),
    )


def _text(node: ElementTree.Element | None) -> str:
    return "" if node is None else "".join(node.itertext()).strip()


def clean_title(clip: Clip) -> str:
    """``"Clipart by A. Body - pear 02 (B and W)"`` -> ``"pear"``; empty where the author writes another language."""
    if _NOT_ENGLISH.search(clip.author):
        return ""
    title = re.sub(r"^clipart by [^-]+ - ", "", clip.title, flags=re.IGNORECASE)
    title = re.sub(r"\(.*?\)|\d+|\bicons?\b|\bclip ?art\b", " ", title, flags=re.IGNORECASE)
    return " ".join(re.sub(r"[_\-\s]+", " ", title).split())


def clean_stem(clip: Clip) -> str:
    """A name from the file's name, for series that share a title: ``"food/pear_03.svg"`` -> ``"pear"``."""
    stem = Path(clip.place).stem.lower()
    author = {word.lower() for word in re.findall(r"\w+", clip.author)}
    words = [word for word in re.split(r"[_\-\W\d]+", stem) if word and word not in author and word not in _STEM_NOISE]
    return " ".join(words)
