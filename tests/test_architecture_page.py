"""No file of the page names a kind of medium: whatever is special about one comes through its modality's doors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parent.parent / "src" / "sensorium" / "serve" / "page"
SUFFIXES = {".js", ".css", ".html", ".json"}
CONTENT = {PAGE / "board" / "concepts.json"}
"""What people say with the board: it may speak of drawing and music."""

KINDS = (
    "image picture photo photograph drawing draw drew drawn paint brush sketch mosaic pixel png jpeg jpg webp gif "
    "camera portrait lightbox audio sound speech music song wav mp3 ogg flac microphone waveform spectrogram video "
    "film movie mp4 webm csv parquet chart keypoint gesture"
)
WORD = re.compile(rf"(?<![a-z])(?:{KINDS.replace(' ', '|')})(?:s|ings?|ed)?(?![a-z])", re.IGNORECASE)
BROWSERS_NAMES = re.compile(
    r"speechSynthesis|SpeechSynthesisUtterance|SpeechSynthesis|image/svg\+xml|background-image|icons\.svg|mark\.svg"
    r"|symbols\.svg|\bimg-src\b|\bimg\b"
)
"""What browsers and file formats call things that belong to the page itself."""


def files() -> Iterator[Path]:
    yield from (path for path in sorted(PAGE.rglob("*")) if path.suffix in SUFFIXES and path not in CONTENT)


def named(text: str) -> list[str]:
    """The words for kinds of media in a text, also those inside names such as ``drawImage`` and ``image_url``."""
    plain = BROWSERS_NAMES.sub("", text)
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", plain).replace("_", " ")
    return [match.group() for match in WORD.finditer(split)]


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PAGE)))
def test_the_page_names_no_kind_of_medium(path):
    found = [
        f"line {number}: {word}"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for word in named(line)
    ]
    assert not found, "only a modality's viewer and words may name it; see docs/page.md"


def test_the_search_can_fail():
    assert named("context.drawImage(picture)") == ["draw", "Image", "picture"]
    assert named('part["image_url"]; takePhoto(); ".wav"') == ["image", "Photo", "wav"]
    assert named('"history.media": "Download the pictures"') == ["pictures"]
    assert named("h('img'); new SpeechSynthesisUtterance(text); addEventListener('click')") == []
    assert len(list(files())) > 25


def test_files_of_the_page_are_small():
    long = [path.name for path in PAGE.rglob("*.js") if len(path.read_text(encoding="utf-8").splitlines()) > 400]
    assert not long, "a file tells one concept"
