"""Media to learn from or to measure on: of a folder, a pattern, a single file, or a JSONL file of conversations.

They are listed once, by name, and opened one at a time whenever they are gone through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from glob import glob
from pathlib import Path
from typing import Any

from sensorium.codecs import Media
from sensorium.data import read_conversations
from sensorium.modalities import Wish, modality, modality_names
from sensorium.source import Source
from sensorium.types import Conversation, InputError, Signal

Say = Callable[[str], None]
CONVERSATIONS = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class Found:
    """Media of one modality that were found.

    Args:
        kind: name of the modality.
        sources: whatever `Modality.open` takes.
        words: what is said of each: its folder's name, or what the assistant says in its conversation.
    """

    kind: str
    sources: Sequence[Any]
    words: Sequence[str]

    def at_most(self, count: int) -> Found:
        """So many of them, evenly chosen."""
        every = -(-len(self.sources) // count)
        return replace(self, sources=self.sources[::every], words=self.words[::every])

    def media(self, say: Say = print, wish: Wish = Wish()) -> Media:
        """Opened one at a time; those that cannot be read are told, once, and left out."""
        told: set[str] = set()

        def named() -> Iterator[tuple[Signal, str]]:
            for source, words in zip(self.sources, self.words, strict=True):
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
    place = Path(where).expanduser()
    in_file = place.suffix.lower() in CONVERSATIONS and place.is_file()
    found = list(_in_conversations(place) if in_file else _in_folder(place))
    counts = Counter(name for name, _, _ in found)
    if not counts[kind or ""] and (kind or not counts):
        known = sorted({suffix for name in [kind] if name for suffix in modality(name).extensions} or _suffixes())
        raise InputError(
            f"no {f'{kind} files' if kind else 'media'} in {where}; give a folder, a pattern or a JSONL file of "
            f"conversations, files may end in {', '.join(known)}"
        )
    chosen = kind or counts.most_common(1)[0][0]
    if kind is None and len(counts) > 1:
        others = ", ".join(f"{count} {name}" for name, count in counts.most_common()[1:])
        say(f"taking the {counts[chosen]} media of modality {chosen}, not {others}; choose another with --modality")
    kept = [(source, words) for name, source, words in found if name == chosen]
    return Found(chosen, [source for source, _ in kept], [words for _, words in kept])


def _suffixes() -> set[str]:
    return {suffix for name in modality_names() for suffix in modality(name).extensions}


def _in_folder(place: Path) -> Iterator[tuple[str, Any, str]]:
    """Modality, path and folder's name of each file, in order."""
    opener = {suffix: name for name in reversed(modality_names()) for suffix in modality(name).extensions}
    found = place.rglob("*") if place.is_dir() else map(Path, glob(str(place), recursive=True))
    for path in sorted(path for path in found if path.is_file()):
        if path.suffix.lower() in opener:
            yield opener[path.suffix.lower()], path, path.parent.name


def _in_conversations(path: Path) -> Iterator[tuple[str, Any, str]]:
    """Modality, data, and what the assistant says, of each medium of a file; each medium once."""
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
    shown = any(
        not part.is_text for message in conversation.messages if message.role == "user" for part in message.parts
    )
    speaker = "assistant" if shown else "user"
    return " ".join(message.text for message in conversation.messages if message.role == speaker).strip()
