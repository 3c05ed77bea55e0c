"""Notes and noises with names, played by General MIDI soundfonts: two that are trained on, and one that is held out.

Soundfonts come from Debian and are played by ``tinysoundfont`` (``pip install --no-deps tinysoundfont``: what it
depends on is for loudspeakers only). It knows no modulators, so that the pianos of MuseScore_General sound dull.

Fonts share recordings. Most of MuseScore_General is FluidR3Mono again, note for note; only what sounds different is
taken from it. TimGM6mb has some names of samples in common with both, but no recording that could be found; a fretless
bass that comes near to one is left out. What was compared, and how, is in README.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soxr
from recipes.sounds.instruments import CHORDS, INSTRUMENTS, NOT_HELD_OUT, ONCE, OWN, STROKES, Instrument

from sensorium.data.fetch import Credit, Package, fetch
from sensorium.types import InputError, Signal

if TYPE_CHECKING:
    from tinysoundfont import Synth

KINDS: tuple[str, ...] = tuple(INSTRUMENTS)
TRAIN, HELD_OUT = "train", "held-out"
RATE_HZ = 16000
PLAYED_HZ = 48000
"""Fonts are played at this rate, for the player does not filter, and resampled."""
LONGEST_S = 4.0
SHORTEST_S = 0.2
PEAK = 0.5
SILENT = 1e-4
"""A peak below is no sound."""
BEFORE_S = 0.005
LOWEST_HZ = 15.0
TRIES = 8
DRUMS = 128
"""The bank of the drum channel."""


@dataclass(frozen=True)
class Font:
    """A soundfont in a Debian package; ``path`` in the unpacked package."""

    package: Package
    path: str
    split: str


FONTS = {
    "fluid": Font(
        Package(name="fluidr3mono-gm-soundfont", registry="debian"),
        "usr/share/fluidr3mono-gm-soundfont/FluidR3Mono_GM.sf3", TRAIN,
    ),
    "musescore": Font(
        Package(name="musescore-general-soundfont-small", registry="debian"),
        "usr/share/sounds/sf3/MuseScore_General_Lite.sf3", TRAIN,
    ),
    "timgm": Font(
        Package(name="timgm6mb-soundfont", registry="debian"), "usr/share/sounds/sf2/TimGM6mb.sf2", HELD_OUT,
    ),
}  # fmt: skip
CREDITS = (
    Credit(
        name="FluidR3Mono", package=FONTS["fluid"].package, licence="MIT",
        author="Frank Wen, Michael Cowgill, Ethan Winer, Michael Schorsch",
        url="https://packages.debian.org/fluidr3mono-gm-soundfont",
    ),
    Credit(
        name="MuseScore_General", package=FONTS["musescore"].package, licence="MIT, parts CC0-1.0 or public domain",
        author="S. Christian Collins, Frank Wen, Michael Cowgill, Ethan Winer, Michael Schorsch, Amir Oosman, "
        "Sam Gossner",
        url="https://packages.debian.org/musescore-general-soundfont-small",
    ),
    Credit(
        name="TimGM6mb", package=FONTS["timgm"].package, licence="GPL-2.0", author="Tim Brechbill, David Bolton",
        url="https://packages.debian.org/timgm6mb-soundfont", use="evaluation only",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Note:
    """A sound with a name.

    Args:
        kind: one of `KINDS`.
        source: which font and program, "fluid 0", or which drum, "fluid drum 36" ("... of kit 25" for another kit).
        signal: float32 (samples, 1) at 16 kHz, at most 4 s, within -0.5..0.5.
    """

    kind: str
    source: str
    signal: Signal


@dataclass(frozen=True)
class Source:
    """What is played: a program of a font, or with ``drum`` a key of its drum kit ``program``."""

    font: str
    program: int
    drum: int | None = None

    def __str__(self) -> str:
        if self.drum is None:
            return f"{self.font} {self.program}"
        return f"{self.font} drum {self.drum}" + (f" of kit {self.program}" if self.program else "")


@dataclass(frozen=True)
class Stroke:
    """A key is pressed, with a velocity of 1 to 127, and let go."""

    key: int
    velocity: int
    start_s: float
    length_s: float


def played(split: str, count: int, seed: int = 0) -> list[Note]:
    """Sounds of ``split`` "train" or "held-out": as many of each kind, in mixed order; the same for the same arguments.

    Fewer than ``count`` where nothing of a font that is needed for a kind can be heard.

    Raises:
        InputError: the split is unknown, ``tinysoundfont`` is missing, or a font cannot be fetched.
    """
    return [note for number in range(count) if (note := _note(split, number, seed)) is not None]


def kinds_of(split: str) -> list[str]:
    """Names that the fonts of a split can play; InputError for an unknown split."""
    if split not in (TRAIN, HELD_OUT):
        raise InputError(f"notes are of the split {TRAIN!r} or {HELD_OUT!r}, not {split!r}; name one of these")
    return [kind for kind in KINDS if sources(kind, split)]


def sources(kind: str, split: str) -> list[Source]:
    """All that can play a kind."""
    one = INSTRUMENTS[kind]
    found = []
    for font in (name for name, its in FONTS.items() if its.split == split):
        programs = OWN.get(kind, ()) if font == "musescore" else one.programs
        left_out = NOT_HELD_OUT if split == HELD_OUT else ()
        found += [Source(font, program) for program in programs if program not in left_out]
        if font != "musescore":
            found += [Source(font, kit, drum) for kit in one.kits for drum in one.drums]
    return found


def _note(split: str, number: int, seed: int) -> Note | None:
    """The sound of a number: kinds take turns, in another order each round, and so do what plays a kind."""
    kinds = kinds_of(split)
    turn, place = divmod(number, len(kinds))
    kind = kinds[np.random.default_rng([seed, turn]).permutation(len(kinds))[place]]
    playing = sources(kind, split)
    order = np.random.default_rng([seed, KINDS.index(kind), len(playing)]).permutation(len(playing))
    for tried in range(TRIES):
        source = playing[order[(turn + tried) % len(playing)]]
        rng = np.random.default_rng([seed, number, tried, split == HELD_OUT])
        strokes = _struck(rng, source.drum) if source.drum is not None else _phrase(rng, INSTRUMENTS[kind])
        pitched = source.drum is None and INSTRUMENTS[kind].plays not in (STROKES, ONCE)
        samples = tidied(_sounded(source, strokes, 0.0 if pitched else float(rng.uniform(-1, 1))))
        if len(samples):
            return Note(kind, str(source), Signal(samples[:, None], float(RATE_HZ)))
    return None


def _phrase(rng: np.random.Generator, one: Instrument) -> list[Stroke]:
    """Mostly one note; now and then two to four in a row, or together where the instrument plays chords."""
    length_s, velocity = float(rng.uniform(0.3, 2.5)), int(rng.integers(50, 128))
    key = int(rng.integers(one.lowest, one.highest + 1))
    if one.plays == STROKES:
        return _struck(rng, key, 0.4, 1.0)
    if one.plays == ONCE:
        return [Stroke(key, velocity, 0.0, max(length_s, 1.0))]
    if rng.random() < 0.65:
        return [Stroke(key, velocity, 0.0, length_s)]
    count = int(rng.integers(2, 5))
    if one.plays == CHORDS and rng.random() < 0.5:
        steps = ([0, 4, 7, 12], [0, 3, 7, 12], [0, 5, 9, 12])[int(rng.integers(3))]
        lower = min(key, one.highest - steps[count - 1])
        return [Stroke(lower + step, velocity, 0.0, length_s) for step in steps[:count]]
    keys = [key]
    while len(keys) < count:
        keys.append(int(np.clip(keys[-1] + rng.choice([-5, -4, -3, -2, -1, 1, 2, 3, 4, 5]), one.lowest, one.highest)))
    each_s = float(rng.uniform(0.2, 0.7))
    return [Stroke(at, velocity, place * each_s, 0.95 * each_s) for place, at in enumerate(keys)]


def _struck(rng: np.random.Generator, key: int, shortest_s: float = 0.15, longest_s: float = 0.6) -> list[Stroke]:
    """One to four strokes of a key, evenly in time, not equally strong."""
    step_s = float(rng.uniform(shortest_s, longest_s))
    return [
        Stroke(key, int(rng.integers(50, 128)), number * step_s, 0.9 * step_s) for number in range(rng.integers(1, 5))
    ]


def _sounded(source: Source, strokes: Sequence[Stroke], tuning: float) -> np.ndarray:
    """(samples,) at `PLAYED_HZ`; ``tuning`` in semitones."""
    synth, font = _opened(source.font)
    channel, drum = 0, source.drum is not None
    if synth.sfpreset_name(font, DRUMS if drum else 0, source.program) is None:
        return np.zeros(0, np.float32)
    synth.program_select(channel, font, DRUMS if drum else 0, source.program, drum)
    synth.set_tuning(channel, tuning)
    parts, at = [], 0
    for when, stroke, down in _events(strokes):
        parts.append(_generated(synth, when - at))
        at = when
        if down:
            synth.noteon(channel, stroke.key, stroke.velocity)
        else:
            synth.noteoff(channel, stroke.key)
    parts.append(_generated(synth, round((LONGEST_S + 0.5) * PLAYED_HZ) - at))
    synth.sounds_off()
    _generated(synth, PLAYED_HZ // 10)  # until then the last sound fades, and would be heard in the next
    return np.concatenate(parts)


def _events(strokes: Sequence[Stroke]) -> Iterator[tuple[int, Stroke, bool]]:
    """What happens at which sample, in order; a key is let go before it is pressed again."""
    both = [(round(one.start_s * PLAYED_HZ), one, True) for one in strokes]
    both += [(round((one.start_s + one.length_s) * PLAYED_HZ), one, False) for one in strokes]
    yield from sorted(both, key=lambda event: (event[0], event[2]))


def _generated(synth: Synth, samples: int) -> np.ndarray:
    """(samples,) the mean of both channels of what sounds now."""
    return np.frombuffer(synth.generate(samples), np.float32).reshape(-1, 2).mean(1) if samples else np.zeros(0)


def tidied(samples: np.ndarray) -> np.ndarray:
    """(samples,) at 16 kHz of those at `PLAYED_HZ`: silence around is cut, at most 4 s, peak 0.5; empty if silent."""
    if not len(samples) or np.abs(samples).max() < SILENT:
        return np.zeros(0, np.float32)
    found = _level(soxr.resample(samples.astype(np.float32), PLAYED_HZ, RATE_HZ))
    loud = np.flatnonzero(np.abs(found) > 0.01 * np.abs(found).max())
    found = found[max(0, loud[0] - round(BEFORE_S * RATE_HZ)) :][: round(LONGEST_S * RATE_HZ)]
    last = np.flatnonzero(np.abs(found) > 0.001 * np.abs(found).max())[-1] + 1
    found = found[: max(last, round(SHORTEST_S * RATE_HZ))]
    fade = np.linspace(1, 0, round(0.01 * RATE_HZ), dtype=np.float32)
    found[-len(fade) :] *= fade
    return found * np.float32(PEAK / np.abs(found).max())


def _level(samples: np.ndarray) -> np.ndarray:
    """Without what is too low to be heard: some recordings, as the alto saxophone of TimGM6mb, have a constant part."""
    hz = np.fft.rfftfreq(2 * len(samples), 1 / RATE_HZ)
    kept = 1 - np.exp(-((hz / LOWEST_HZ) ** 2))
    return np.fft.irfft(np.fft.rfft(samples, 2 * len(samples)) * kept)[: len(samples)].astype(np.float32)


def font_path(name: str) -> Path:
    """Where a soundfont is; fetched when it is not there yet. InputError when it cannot be."""
    return fetch(FONTS[name].package) / FONTS[name].path


@lru_cache(maxsize=len(FONTS))
def _opened(name: str) -> tuple[Synth, int]:
    """A player with a font, and the font's number in it; opening takes seconds, for fonts are compressed."""
    try:
        from tinysoundfont import Synth
    except ImportError as error:
        raise InputError(
            "playing soundfonts needs a player; install it with `pip install --no-deps tinysoundfont`"
        ) from error
    synth = Synth(samplerate=PLAYED_HZ)
    return synth, synth.sfload(str(font_path(name)))
