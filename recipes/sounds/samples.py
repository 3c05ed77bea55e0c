"""Sounds that are no speech: the samples of Sonic Pi (Debian ``sonic-pi-samples``, CC0), with kinds by their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from recipes.sounds.notes import CREDITS, FONTS, font_path

from sensorium.data.fetch import Credit, Package, attribution, fetch
from sensorium.files import atomic_file, cache_dir
from sensorium.modalities import Wish, modality
from sensorium.modalities.spectra import mel_db
from sensorium.types import InputError, Signal

PACKAGE = Package(name="sonic-pi-samples", registry="debian")
CREDIT = Credit(
    name="samples of Sonic Pi", package=PACKAGE, author="contributors of freesound.org and others", licence="CC0-1.0",
    url="https://github.com/sonic-pi-net/sonic-pi",
)  # fmt: skip
ABOUT = (
    "Sounds were resampled, mixed to one channel and cut after a few seconds; kinds were told from their names. "
    "Soundfonts were played, note by note."
)
WISH = Wish(rate_hz=16000.0, channels=1)
LONGEST_S = 4.0
BANDS = 32
TOGETHER = 2
"""Frames of 10 ms that make a row."""
KINDS: Mapping[str, str] = {
    "bass drum": r"bd_|drum_bass|drum_heavy_kick|elec_\w+_kick",
    "snare": r"sn_|drum_snare|elec_(\w+_)?snare",
    "cymbal": r"drum_cymbal|drum_splash|elec_cymbal",
    "tom": r"drum_tom|elec_fuzz_tom",
    "bell": r"perc_bell|elec_(bell|chime|triangle|ping)$|drum_cowbell",
    "tabla": r"tabla_",
    "bass": r"bass_|glitch_bass",
    "guitar": r"guit_",
    "ambience": r"ambi_",
    "loop": r"loop_",
    "robot": r"(mehackit|glitch)_robot",
    "glitch": r"glitch_perc",
    "vinyl": r"vinyl_",
    "blip": r"elec_(beep|bli?u?p|flip|plip|pop|tick|twip)",
    "noise of things": r"perc_(door|impact|snap|swash|swoosh|till)",
}
"""By the beginning of their names; what fits none is left out."""


@dataclass(frozen=True)
class Sound:
    """One sample.

    Args:
        group: sounds that may be takes of one thing, such as ``drum_tom_hi_soft`` and ``drum_tom_hi_hard``, share it.
    """

    name: str
    kind: str
    group: str
    signal: Signal


def folder() -> Path:
    """InputError when the package cannot be fetched."""
    return fetch(PACKAGE)


def make() -> Path:
    """Fetch the samples and the soundfonts, and write who made them; the folder of the attribution."""
    folder()
    for name in FONTS:
        font_path(name)
    with atomic_file(cache_dir() / "sounds" / "ATTRIBUTION.md") as path:
        path.write_text(attribution([CREDIT, *CREDITS], ABOUT), encoding="utf-8")
    return cache_dir() / "sounds"


def kind_of(name: str) -> str:
    """Empty where the name tells none."""
    return next((kind for kind, pattern in KINDS.items() if re.match(pattern, name)), "")


def group_of(name: str) -> str:
    """``drum_tom_hi_soft`` -> ``drum_tom_hi``, ``tabla_tas3`` -> ``tabla_tas``, ``loop_amen_full`` -> ``loop_amen``."""
    return re.sub(r"(_(soft|hard|full|g|o|s|m))+$", "", re.sub(r"_?\d+$", "", name))


def read_sounds(place: Path, fewest: int) -> list[Sound]:
    """The samples whose name tells a kind of which there are ``fewest`` groups or more, in the order of their names.

    Raises:
        InputError: there are none.
    """
    paths = sorted(path for path in place.rglob("*.flac") if kind_of(path.stem))
    groups = Counter(kind for kind, _ in {(kind_of(path.stem), group_of(path.stem)) for path in paths})
    found = [
        Sound(path.stem, kind_of(path.stem), group_of(path.stem), _opened(path))
        for path in paths
        if groups[kind_of(path.stem)] >= fewest
    ]
    if not found:
        raise InputError(
            f"there are no samples with a kind in {place}; fetch them with `python -m recipes sounds data`"
        )
    return found


def _opened(path: Path) -> Signal:
    signal = modality("audio").open(path, WISH)
    assert signal.rate_hz is not None
    return signal.with_array(signal.array[: round(LONGEST_S * signal.rate_hz)])


def log_mel(signal: Signal) -> np.ndarray:
    """(N, 32) power in mel bands every 20 ms, in tens of dB below the loudest: how loud a sound is does not matter."""
    assert signal.rate_hz is not None
    rows_NB = mel_db(signal.array[:, 0], signal.rate_hz, BANDS)
    rows_NB = np.pad(rows_NB, ((0, -len(rows_NB) % TOGETHER), (0, 0)), mode="edge")
    rows_NB = rows_NB.reshape(-1, TOGETHER, BANDS).mean(1)
    return np.maximum(rows_NB - rows_NB.max(), -60.0).astype(np.float32) / 10


def told(rows: Sequence[np.ndarray]) -> np.ndarray:
    """(sounds, 2 D): mean and deviation of rows (N, D) over time, each number scaled to the spread over the sounds."""
    found = np.stack([np.concatenate([one.mean(0), one.std(0)]) for one in rows])
    return (found - found.mean(0)) / (found.std(0) + 1e-6)
