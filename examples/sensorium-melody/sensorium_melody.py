"""Short tunes as a modality of their own: an outside package of one file, its player, and two entry points.

A file is a ringtone in RTTTL, text such as ``scale:d=4,o=5,b=120:c,d,e,8f.,p,g6``: its name, then what holds where no
note says it (length, octave, beats a minute), then the notes. A length of 4 is a quarter, one beat; a dot makes it
half as long again; p is a pause. Legend: N notes, columns pitch (MIDI number, 0 for a pause) and seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from sensorium.codecs import Codec, Facts
from sensorium.modalities import Modality, Wish
from sensorium.types import InputError, Signal

NAMES = ("c", "c#", "d", "d#", "e", "f", "f#", "g", "g#", "a", "a#", "b")
LOWEST, OCTAVES = 60, (4, 5, 6, 7)
LENGTHS = [(part, dot) for part in (1, 2, 4, 8, 16, 32) for dot in ("", ".")]
BEATS = np.array([4 / part * (1.5 if dot else 1) for part, dot in LENGTHS])
TEMPOS = np.arange(25, 901)
NOTE = re.compile(r"(\d*)([a-gp]#?)(\d?)(\.?)(\d?)(\.?)")
ENGLISH = {"name": "tune", "names": "tunes", "make": "Play", "make.request": "Play {words}.", "play": "Listen"}
FRENCH = {"name": "air", "names": "airs", "make": "Jouer", "make.request": "Joue {words}.", "play": "Écouter"}


class Melody(Modality):
    """Tunes: (notes, 2) float32 of pitch and seconds, one voice."""

    name, noun = "melody", "tune"
    extensions, media_types = (".rtttl",), ("text/x-rtttl",)
    viewer = "melody.js"
    words: ClassVar[Mapping[str, Mapping[str, str]]] = {"en": ENGLISH, "fr": FRENCH}

    def read(self, data: bytes, where: str, wish: Wish) -> Signal:
        _, _, rest = data.decode(errors="replace").partition(":")
        defaults, _, notes = rest.lower().partition(":")
        given = {"d": "4", "o": "6", "b": "63"} | dict(re.findall(r"([dob])\s*=\s*(\d+)", defaults))
        found = [NOTE.fullmatch("".join(note.split())) for note in notes.split(",")]
        if None in found or not int(given["d"]) or not int(given["b"]):
            raise InputError(f"{where} is no ringtone in RTTTL; write one such as tune:d=4,o=5,b=120:c,d,e,2c")
        return self.check(Signal(np.array([_note(one.groups(), given) for one in found if one])))

    def check(self, signal: Signal) -> Signal:
        notes = np.asarray(signal.array)
        if notes.ndim != 2 or notes.shape[1] != 2 or notes.dtype.kind not in "iuf" or not len(notes):
            raise InputError(f"a tune has the shape (notes, 2), pitch and seconds, not {notes.dtype} {notes.shape}")
        fine = np.isin(notes[:, 0], [0, *range(LOWEST, LOWEST + 48)]) & (notes[:, 1] > 0) & (notes[:, 1] < 100)
        if not fine.all():
            pitch, seconds = notes[fine.argmin()]
            raise InputError(
                f"note {fine.argmin() + 1} of the tune has pitch {pitch:g} and lasts {seconds:g} s; pitches are 60 to "
                "107, or 0 for a pause, and last up to 100 s"
            )
        return Signal(notes.astype(np.float32), channels=("pitch", "length"), units=("MIDI", "s"))

    def write(self, signal: Signal, media_type: str) -> bytes:
        tempo, lengths = written(signal)
        marks = [(_spelled(int(pitch)), *LENGTHS[at]) for pitch, at in zip(signal.array[:, 0], lengths, strict=True)]
        notes = ",".join(f"{part}{name}{octave}{dot}" for (name, octave), part, dot in marks)
        return f"tune:d=4,o=5,b={TEMPOS[tempo]}:{notes}".encode()

    def preview(self, signal: Signal, size_px: int = 256) -> np.ndarray:
        """A line for each note, high ones above."""
        picture, height = np.full((size_px // 2, size_px, 3), 255, np.uint8), size_px // 2
        edges = np.append(0, signal.array[:, 1].cumsum()) / signal.array[:, 1].sum() * size_px
        rows = ((1 - (signal.array[:, 0] - LOWEST) / 48) * (height - 1)).astype(int)
        for row, start, stop in zip(rows, edges, edges[1:], strict=False):
            if row < height:
                picture[max(row - height // 48, 0) : row + 1, int(start) : max(int(stop), int(start) + 1)] = 40
        return picture

    def measures(self, original: Signal, other: Signal) -> dict[str, float]:
        """Share of notes, of the longer tune, with the right pitch; how far the lengths are apart, as a factor."""
        pairs = list(zip(original.array.tolist(), other.array.tolist(), strict=False))
        right = sum(one[0] == two[0] for one, two in pairs) / max(len(original.array), len(other.array))
        return {"pitches_right": right, "length_error": float(np.mean([abs(np.log(a[1] / b[1])) for a, b in pairs]))}


def _note(said: Sequence[str], given: Mapping[str, str]) -> tuple[float, float]:
    """Pitch and seconds of a note; the dot stands before or behind the octave."""
    part, name, early, dot, late, last_dot = said
    octave = int(early or late or given["o"])
    if name != "p" and (name not in NAMES or octave not in OCTAVES):
        raise InputError(f"the note {name}{octave} of the tune is none of RTTTL; notes are c4 to b7")
    seconds = 60 / int(given["b"]) * 4 / max(int(part or given["d"]), 1) * (1.5 if dot or last_dot else 1)
    return (0 if name == "p" else LOWEST + 12 * (octave - 4) + NAMES.index(name), seconds)


def _spelled(pitch: int) -> tuple[str, str]:
    return ("p", "") if not pitch else (NAMES[pitch % 12], str(pitch // 12 - 1))


def written(signal: Signal) -> tuple[int, np.ndarray]:
    """The place in TEMPOS and in LENGTHS (N,) by which a tune is written: exact for tunes that RTTTL can say."""
    wanted_TN1 = np.log(signal.array[None, :, 1:].astype(float) * TEMPOS[:, None, None] / 60)
    apart_TNL = np.abs(wanted_TN1 - np.log(BEATS))
    errors_T = apart_TNL.min(2).sum(1).round(3) + np.abs(np.log(TEMPOS / 120)) * 1e-4  # of equals the usual
    tempo = int(errors_T.argmin())
    return tempo, apart_TNL[tempo].argmin(1)


class Notes(Codec):
    """The tempo once, then of each note its pitch and its length: nothing is lost."""

    family = "rtttl"

    def __init__(self, name: str = "melody", max_notes: int = 100):
        sizes = (1 + 48, len(LENGTHS))
        self.facts = Facts(
            name=name, modality="melody", codebook_sizes=sizes, header=(("tempo", len(TEMPOS)),), max_frames=max_notes
        )

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        return [self._encode(signal) for signal in signals]

    def _encode(self, signal: Signal) -> np.ndarray:
        tempo, lengths = written(signal)
        pitches = np.where(signal.array[:, 0] > 0, signal.array[:, 0] - LOWEST + 1, 0).astype(np.int64)
        return self.layout.join([tempo], np.stack([pitches, lengths], 1))

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        return [self._decode(*self.layout.split(one)) for one in codes]

    def _decode(self, header: np.ndarray, notes: np.ndarray) -> Signal:
        pitches = np.where(notes[:, 0] > 0, notes[:, 0] + LOWEST - 1, 0)
        return Melody().check(Signal(np.stack([pitches, 60 / TEMPOS[header[0]] * BEATS[notes[:, 1]]], 1)))

    def features(self, codebook: int) -> np.ndarray:
        """Tones that are near, or octaves apart, learn from each other, and so do lengths."""
        if codebook:
            return np.log(BEATS)[:, None].astype(np.float32)
        height = np.arange(-1, 48)[:, None]
        return np.hstack([height < 0, (height % 12 == np.arange(12)) & (height >= 0), height / 48]).astype(np.float32)

    def config(self) -> dict[str, Any]:
        return {"name": self.facts.name, "max_notes": self.facts.max_frames}

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Notes:
        return cls(**config)


melody = Melody()
