"""Media to learn from or to measure on: of a folder, a pattern, a single file, or a JSONL file of conversations.

Files are listed once, by name, and lines of conversations are read anew at each pass; media are opened one at a time.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from glob import glob
from itertools import islice
from pathlib import Path
from typing import Any

from sensorium.codecs import Media
from sensorium.data import read_conversations
from sensorium.modalities import Wish, modality, modality_names
from sensorium.source import Source
from sensorium.types import Conversation, InputError, Signal

Say = Callable[[str], None]
Listed = Iterator[tuple[str, Any, str]]
"""Modality, source, and words: the name of the folder, or what the assistant says in its conversation."""
CONVERSATIONS = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class Found:
    """Media of one modality that were found.

    Args:
        kind: name of the modality.
        count: how many there are.
        listed: lists all media, also of other modalities.
        every: take the first of so many only.
    """

    kind: str
    count: int
    listed: Callable[[], Listed]
    every: int = 1

    def at_most(self, most: int) -> Found:
        """So many of them, evenly chosen."""
        return replace(self, every=-(-self.count // most))

    def sources(self) -> Iterator[tuple[Any, str]]:
        """What `Modality.open` takes, and words."""
        of_kind = ((source, words) for name, source, words in self.listed() if name == self.kind)
        return islice(of_kind, 0, None, self.every)

    def media(self, say: Say = print, wish: Wish = Wish()) -> Media:
        """Opened one at a time; those that cannot be read are told, once, and left out."""
        told: set[str] = set()

        def named() -> Iterator[tuple[Signal, str]]:
            for source, words in self.sources():
                try:
                    yield modality(self.kind).open(source, wish), words
                except InputError as error:
                    if str(error) not in told:
                        told.add(str(error))
                        say(f"left out: {error}")

        return Media(named)


def find_media(where: str, kind: str | None = None, say: Say = print) -> Found:
    """The media of a modality.

    Args:
        where: a folder, all below it; a pattern such as ``"pictures/*.png"``; a file; a JSONL file of conversations.
        kind: name of the modality; None for the one that most of the media are of.

    Raises:
        InputError: there are none.
    """
    if kind is not None and kind not in modality_names():
        raise InputError(f"no modality named {kind!r} is installed; there are: {', '.join(modality_names())}")
    place = Path(os.path.expanduser(where))
    if place.suffix.lower() in CONVERSATIONS and os.path.isfile(place):
        found = Found(kind or "", 0, lambda: _in_conversations(place))
    else:
        files = list(_in_folder(place, kind))
        found = Found(kind or "", 0, lambda: iter(files))
    counts = Counter(name for name, _, _ in found.listed())
    if not counts or (kind and not counts[kind]):
        names = modality_names() if kind is None else [kind]
        known = sorted({suffix for name in names for suffix in modality(name).extensions})
        raise InputError(
            f"no {f'{kind} files' if kind else 'media'} in {where}; give a folder, a pattern or a JSONL file of "
            f"conversations, files may end in {', '.join(known)}"
        )
    chosen = kind or counts.most_common(1)[0][0]
    if kind is None and len(counts) > 1:
        others = ", ".join(f"{count} {name}" for name, count in counts.most_common()[1:])
        say(f"taking the {counts[chosen]} media of modality {chosen}, not {others}; choose another with --modality")
    return replace(found, kind=chosen, count=counts[chosen])


def _in_folder(place: Path, kind: str | None) -> Listed:
    """Files in order; a suffix that several modalities have is of the first one that opens such a file."""
    names = modality_names() if kind is None else (kind,)
    found = place.rglob("*") if os.path.isdir(place) else map(Path, glob(str(place), recursive=True))
    opener: dict[str, str | None] = {}
    for path in sorted(path for path in found if os.path.isfile(path)):
        suffix = path.suffix.lower()
        if opener.get(suffix) is None:
            able = [name for name in names if suffix in modality(name).extensions]
            opener[suffix] = next((name for name in able if len(able) == 1 or _opens(name, path)), None)
        name = opener[suffix]
        if name is not None:
            yield name, path, path.parent.name


def _opens(name: str, path: Path) -> bool:
    try:
        modality(name).open(path)
    except InputError:
        return False
    return True


def _in_conversations(path: Path) -> Listed:
    """Media of a file, each once."""
    seen: set[str] = set()
    for conversation in read_conversations(path):
        words = _said(conversation)
        for part in conversation.parts():
            if part.is_text or part.data is None:
                continue
            stamp = Source.of(part.data).stamp()
            if stamp not in seen:
                seen.add(stamp)
                yield part.modality, part.data, words


def _said(conversation: Conversation) -> str:
    """Of a medium that the user shows, the answer; of one that the assistant makes, the request."""
    asked = [message for message in conversation.messages if message.role == "user"]
    shown = any(not part.is_text for message in asked for part in message.parts)
    speaker = "assistant" if shown else "user"
    return " ".join(message.text for message in conversation.messages if message.role == speaker).strip()
