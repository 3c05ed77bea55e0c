"""Clips in codes: what the codecs make of every clip, kept in one file for each codec, and put into conversations.

A clip is written in one way and read in several views: as it is, then as other microphones and rooms may have heard it
(see `augment`). Clips that are made later are encoded later; another codec of the name starts the file anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from recipes.speech.augment import augmented
from recipes.speech.clips import Clip, folder
from recipes.speech.sound import read_sound

from sensorium.codecs import Codec
from sensorium.files import atomic_file
from sensorium.types import Conversation, InputError, Message, Part, Signal

SAVED_EVERY = 100
PACE = (0.85, 1.18)
"""How many times as long what is read may take in training."""
MISHEARD = 0.03
"""How often a code that is read in training is another of the clip."""

Codes = Mapping[str, list[np.ndarray]]


def misheard(codes: np.ndarray, random: Random) -> np.ndarray:
    """Codes (time,) at another pace, some of them others: so that few clips are not learned by heart."""
    length = max(1, round(len(codes) * random.uniform(*PACE)))
    places = np.linspace(0, len(codes) - 1, length).round().astype(int)
    wrong = np.array([random.random() < MISHEARD for _ in places])
    return codes[np.where(wrong, [random.randrange(len(codes)) for _ in places], places)]


@dataclass(frozen=True, kw_only=True)
class Coded:
    """What clips, named by their path in the manifest, stand for.

    Args:
        reader, writer: names of the codecs.
        read: views of every clip, by path.
        written: its codes to be written, by path.
        change: codes that are read, as they may be misheard.
    """

    reader: str
    writer: str
    read: Codes
    written: Codes
    change: Callable[[np.ndarray, Random], np.ndarray] = misheard

    def known(self, clips: Iterable[Clip]) -> list[Clip]:
        """The clips that can be read."""
        return [clip for clip in clips if clip.path in self.read]

    def fill(self, conversation: Conversation, random: Random) -> Conversation:
        """The conversation with codes in place of paths: written ones in answers, one view's everywhere else."""
        return Conversation(tuple(self._filled(message, random) for message in conversation.messages))

    def _filled(self, message: Message, random: Random) -> Message:
        return replace(message, parts=tuple(self._part(part, message.role, random) for part in message.parts))

    def _part(self, part: Part, role: str, random: Random) -> Part:
        if part.is_text or part.codes is not None:
            return part
        if role == "assistant":
            return part.with_codes(self.written[part.data][0].astype(np.int64), self.writer)
        codes = self.change(random.choice(self.read[part.data]), random)
        return part.with_codes(codes.astype(np.int64), self.reader)


def encode(
    codec: Codec, clips: Iterable[Clip], path: Path, views: Callable[[Clip], int], say: Callable[[str], Any] = print
) -> Codes:
    """All clips in codes; those that the file holds already are not encoded again.

    Args:
        path: of the file (npz).
        views: of a clip, 1 for as it is; each further one is changed at random, always in the same way.
    """
    found = kept(codec, path)
    missing = [clip for clip in clips if clip.path not in found]
    for number, clip in enumerate(missing, 1):
        found[clip.path] = codec.encode([seen(clip, view) for view in range(views(clip))])
        if number % SAVED_EVERY == 0 or number == len(missing):
            _save(codec, found, path)
            say(f"{codec.facts.name}: {number} of {len(missing)} clips encoded")
    return found


def seen(clip: Clip, view: int) -> Signal:
    """A clip as it is (view 0), or changed at random in a way that depends on the clip and the view only."""
    sound = read_sound(folder() / clip.path)
    if not view:
        return sound
    rng = np.random.default_rng([view, *clip.path.encode()])
    return sound.with_array(augmented(sound.array[:, 0], sound.rate_hz or 1.0, rng)[:, None])


def kept(codec: Codec, path: Path) -> dict[str, list[np.ndarray]]:
    """What a file holds; nothing where there is none, or one of another codec."""
    if not path.exists():
        return {}
    with np.load(path) as file:
        if str(file["fingerprint"]) != codec.fingerprint():
            return {}
        pieces = np.split(file["codes"], np.cumsum(file["lengths"])[:-1])
        found: dict[str, list[np.ndarray]] = {}
        for name, piece in zip(np.repeat(file["paths"], file["views"]), pieces, strict=True):
            found.setdefault(str(name), []).append(piece)
        return found


def _save(codec: Codec, found: Codes, path: Path) -> None:
    pieces = [piece for codes in found.values() for piece in codes]
    with atomic_file(path) as out:
        np.savez_compressed(
            out,
            fingerprint=codec.fingerprint(),
            paths=np.array(list(found)),
            views=[len(codes) for codes in found.values()],
            lengths=[len(piece) for piece in pieces],
            codes=np.concatenate(pieces).astype(np.int32),
        )


def read_coded(codec: Codec, path: Path, make: str) -> Codes:
    """What a file holds; InputError where it has not been made."""
    found = kept(codec, path)
    if not found:
        raise InputError(f"{path} holds no codes of this {codec.facts.name}; make them with `{make}`")
    return found
