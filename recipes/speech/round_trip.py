"""Measuring codecs that write speech: what an outside recogniser still understands after the round trip.

Every condition decodes the codes of the same clips; the originals are a condition too, since a recogniser errs by
itself. The excess of a codec is the difference on the same clips, with the bootstrap's interval over clips.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from recipes.speech import human
from recipes.speech.clips import Clip, folder
from recipes.speech.errors import counted, normalised, rate_of
from recipes.speech.sound import read_sound

from sensorium.codecs import Codec
from sensorium.evaluate import Results
from sensorium.families.spelled import SpelledCodec
from sensorium.learning.report import Tally
from sensorium.types import Signal

ORIGINAL = "original"
Recognise = Callable[[Sequence[Signal], Sequence[str]], list[str]]


@dataclass(frozen=True)
class Said:
    """Sounds with what is said in them; ``name`` of the set."""

    name: str
    sounds: Sequence[Signal]
    texts: Sequence[str]
    languages: Sequence[str]


def teacher_set(clips: Sequence[Clip], count: int) -> Said:
    """Held-out sentences in the speaking voice."""
    chosen = [clip for clip in clips if clip.part == "test"][:count]
    return Said(
        "teacher",
        [read_sound(folder() / clip.path) for clip in chosen],
        [clip.text for clip in chosen],
        [clip.lang for clip in chosen],
    )


def people_set(count: int, seed: int = 0) -> Said:
    """Sentences by people, English."""
    chosen = human.sentences(count, seed)
    return Said("people", [read_sound(one.path) for one in chosen], [one.text for one in chosen], ["en"] * len(chosen))


def measure(codecs: Mapping[str, Codec], sets: Sequence[Said], recognise: Recognise, results: Results) -> None:
    """The originals, and each codec by its name, on all sets.

    Args:
        codecs: by what the table calls them; one codec may come twice, with its head and without.
    """
    for one in sets:
        measured = f"{one.name}, CER after the round trip"
        first = _edits(one, one.sounds, recognise)
        results.add(measured, ORIGINAL, rate_of(*first))
        for name, codec in codecs.items():
            back = _round_trip(codec, one, name, results)
            found = _edits(one, back, recognise)
            results.add(measured, name, rate_of(*found))
            results.add(f"{one.name}, CER above the original", name, rate_of(found[0] - first[0], first[1]))
            if isinstance(codec, SpelledCodec):
                said = codec.decode(
                    [codec.cut(normalised(*pair)) for pair in zip(one.texts, one.languages, strict=True)]
                )
                results.add(measured, f"{name}, of the text itself", rate_of(*_edits(one, said, recognise)))


def _edits(one: Said, sounds: Sequence[Signal], recognise: Recognise) -> tuple[np.ndarray, np.ndarray]:
    return counted(one.texts, recognise(sounds, one.languages), "letters", one.languages)


def _round_trip(codec: Codec, one: Said, name: str, results: Results) -> list[Signal]:
    """The sounds decoded from their codes; rates, use of codes and speed go into the notes."""
    tally, back, encoding_s, decoding_s, written = Tally(codec.layout), [], 0.0, 0.0, 0
    for sound in one.sounds:
        began = perf_counter()
        (codes,) = codec.encode([sound])
        between = perf_counter()
        back += codec.decode([codes])
        encoding_s, decoding_s = encoding_s + between - began, decoding_s + perf_counter() - between
        tally.add(sound, codes)
        written += len(codes)
    frames = [book for book in tally.codebooks() if book.name.isdecimal()]
    rate_hz = codec.facts.frame_rate_hz
    codes_per_s = rate_hz * codec.layout.step_codes if rate_hz else written / tally.seconds
    results.notes[f"{name}, {one.name}"] = facts = {
        "kbit_per_s": round(tally.bits / tally.seconds / 1000, 3),
        "codes_per_s": round(codes_per_s, 2),
        "codes_used": round(float(np.mean([book.used for book in frames])), 4),
        "codebooks": [book.size for book in frames],
        "entropy_bits": round(sum(book.entropy_bits for book in frames), 2),
        "encoding_real_time_factor": round(tally.seconds / encoding_s, 1),
        "decoding_real_time_factor": round(tally.seconds / decoding_s, 1),
        "seconds": round(tally.seconds, 1),
    }
    results.say(f"{name}, {one.name}: {facts}")
    return back


def markdown(results: Results) -> str:
    """Rates, use and speed of the codecs as a table."""
    heads = ("codec, set", "kbit/s", "codes/s", "codes used", "encodes x real time", "decodes x real time")
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for name, facts in results.notes.items():
        if isinstance(facts, dict) and "kbit_per_s" in facts:
            lines.append(_line(name, facts))
    return "\n".join(lines) + "\n"


def _line(name: str, facts: Mapping[str, Any]) -> str:
    cells = [name, facts["kbit_per_s"], facts["codes_per_s"], f"{100 * facts['codes_used']:.1f} %"]
    cells += [facts["encoding_real_time_factor"], facts["decoding_real_time_factor"]]
    return f"| {' | '.join(map(str, cells))} |"
