"""What codecs there are: their facts in a table, and how fast they are on media made up as they wish them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sensorium.codecs import Codec, Facts, Measured
from sensorium.types import InputError, Signal

LASTING_S = 2.0
FRAMES = 16
ROUNDS = 3
COLUMNS = (
    "codec", "name", "modality", "family", "use", "header", "codebooks", "frames", "codes", "bits", "encoding",
    "decoding",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Media a second, or seconds of media in one; None for what a codec cannot do, or no medium could be made up for.

    Args:
        unit: ``"x"`` for media in time (the real-time factor), else ``"/s"``.
    """

    encoding: float | None = None
    decoding: float | None = None
    unit: str = "/s"


def table(codecs: Mapping[str, Codec], timed: bool = False) -> str:
    """A line of Markdown for each codec.

    Codes and bits are those of a second where a codec has a rate (``a second``), else of a medium, header included: of
    one that may have any length those of a frame, and the most. Speeds are in media a second, or in seconds of media
    (``x``), one medium at a time. Below, what was measured of them, where that was kept (`Codec.measured`).

    Args:
        codecs: by what they are called where they lie, e.g. ``MODEL/NAME``; the name of their tokens is their own.
        timed: measure the speeds; empty otherwise.
    """
    rows = [COLUMNS if timed else COLUMNS[:-2]]
    rows += [_row(called, codec, pace_of(codec) if timed else None) for called, codec in codecs.items()]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    measured = [f"- {called}: {_measured(one.measured)}" for called, one in codecs.items() if one.measured]
    below = ["", "Measured:", "", *measured] if measured else []
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:], *below])


def _measured(found: Measured) -> str:
    return f"{', '.join(f'{name} {value:.4g}' for name, value in found.numbers.items())} (`{found.command}`)"


def _row(called: str, codec: Codec, pace: Pace | None) -> tuple[str, ...]:
    facts = codec.facts
    header = " ".join(f"{name}:{size}" for name, size in facts.header) or "-"
    if facts.frame_rate_hz is not None:
        steps = facts.frame_rate_hz * facts.frames_per_step
        frames = f"{facts.frame_rate_hz:g} a second" + (f" of {facts.frames_per_step}" if facts.grid[1:] else "")
        codes, bits = f"{steps * facts.codebooks:g} a second", f"{steps * facts.bits_per_frame:,.0f} a second"
    else:
        count = facts.fixed_frames or facts.max_frames
        most = "" if facts.fixed_frames else "at most "
        frames = f"{most}{count}"
        codes = _most(facts, facts.codebooks, count * facts.codebooks + len(facts.header))
        bits = _most(facts, facts.bits_per_frame, count * facts.bits_per_frame + facts.header_bits)
    said = (
        called,
        facts.name,
        facts.modality,
        codec.family,
        facts.use,
        header,
        _sizes(facts.codebook_sizes),
        frames,
        codes,
        bits,
    )
    return said if pace is None else (*said, _told(pace.encoding, pace.unit), _told(pace.decoding, pace.unit))


def _most(facts: Facts, of_a_frame: float, of_a_medium: float) -> str:
    """Codes or bits of a medium; where it may have any length, those of a frame and of the longest."""
    return f"{of_a_medium:,.0f}" if facts.fixed_frames else f"{of_a_frame:.3g} a frame, at most {of_a_medium:,.0f}"


def _sizes(sizes: Sequence[int]) -> str:
    """``(243, 243, 16)`` as ``"2 x 243, 16"``."""
    edges = [0, *(place for place, (one, other) in enumerate(pairwise(sizes), 1) if one != other), len(sizes)]
    return ", ".join(f"{stop - start} x {sizes[start]}" if stop - start > 1 else str(sizes[start])
                     for start, stop in pairwise(edges))  # fmt: skip


def _told(speed: float | None, unit: str) -> str:
    return "-" if speed is None else f"{speed:,.3g}{unit}"


def pace_of(codec: Codec) -> Pace:
    """How fast a codec is on noise, the middle of some rounds after one to warm up.

    What is written is as long as what comes out: noise may have few codes, e.g. no words are heard in it.
    """
    signal = made_up(codec)
    if signal is None:
        return Pace()
    lasting = len(signal.array) / signal.rate_hz if signal.rate_hz else 1.0
    try:
        (codes,) = codec.encode([signal])
    except InputError:  # its media are more than an array, e.g. lie in a frame
        return Pace()
    encoding = lasting / _seconds(lambda: codec.encode([signal]))
    if signal.rate_hz and codec.facts.frame_rate_hz is None:
        codes = _any_codes(codec)
    try:
        (written,) = codec.decode([codes])
        lasting = len(written.array) / written.rate_hz if written.rate_hz else 1.0
        decoding = lasting / _seconds(lambda: codec.decode([codes]))
    except InputError:  # it only reads
        decoding = None
    return Pace(encoding=encoding, decoding=decoding, unit="x" if signal.rate_hz else "/s")


def _any_codes(codec: Codec) -> np.ndarray:
    """Flat codes of a few frames, drawn evenly."""
    facts, rng = codec.facts, np.random.default_rng(0)
    steps = max(1, min(FRAMES, facts.max_frames) // facts.frames_per_step)
    count = facts.fixed_frames or steps * facts.frames_per_step
    frames = rng.integers(0, facts.codebook_sizes, (count, facts.codebooks))
    return codec.layout.join([int(rng.integers(size)) for _, size in facts.header], frames)


def made_up(codec: Codec) -> Signal | None:
    """Noise as a codec wishes its media; None for media that are no plain numbers, e.g. lists of things."""
    wish, rng = codec.facts.wish, np.random.default_rng(0)
    if wish.size:
        frames = () if wish.rate_hz is None else (max(1, round(LASTING_S * wish.rate_hz)),)
        bytes_ = rng.integers(0, 256, (*frames, *wish.size, wish.channels or 3)).astype(np.uint8)
        return Signal(bytes_, wish.rate_hz)
    if wish.rate_hz is None or wish.channels is None:
        return None
    rows = max(2, round(LASTING_S * wish.rate_hz))
    return Signal(rng.uniform(-0.5, 0.5, (rows, wish.channels)).astype(np.float32), wish.rate_hz)


def _seconds(work: Callable[[], object]) -> float:
    work()
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return sorted(found)[ROUNDS // 2]
