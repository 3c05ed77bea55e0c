"""Which of the known names a sound has: notes of a soundfont that nobody learned from, and the samples of Sonic Pi
whose kind is one of the names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from recipes.sounds.codec import OF_A_KIND, WORDS, called, sound_words
from recipes.sounds.notes import KINDS, played
from recipes.sounds.samples import folder, log_mel, read_sounds, told

from sensorium.evaluate import Among, Results, Task, rate
from sensorium.types import Conversation, Part, Signal, as_message

ASK = "What sound is it?"
SAMPLED: Mapping[str, str] = {
    "bass drum": "bass drum", "snare": "snare drum", "cymbal": "cymbal", "tom": "tom", "guitar": "guitar",
    "bass": "bass",
}  # fmt: skip
"""Kinds of the samples of Sonic Pi that are a name."""


@dataclass(frozen=True)
class Named:
    """A sound to be named.

    Args:
        word: its name.
    """

    word: str
    signal: Signal


def held_out(each: int, seed: int) -> Iterator[tuple[str, list[Named]]]:
    """What is asked about, by where it is from."""
    yield (
        "a soundfont never heard",
        [Named(one.kind, one.signal) for one in played("held-out", each * len(KINDS), seed)],
    )
    sounds = read_sounds(folder(), fewest=1)
    yield "samples of Sonic Pi", [Named(SAMPLED[one.kind], one.signal) for one in sounds if one.kind in SAMPLED]


def name_by_codec(results: Results, each: int, seed: int) -> None:
    """The first name that the codec gives, whether one of its names is right, and the nearest neighbour's name."""
    codec = sound_words()
    known = played("train", OF_A_KIND * len(KINDS), 0)
    for where, asked in held_out(each, seed):
        codes_NK, which = np.stack(codec.encode([one.signal for one in asked])), range(len(asked))
        right_NK = np.array(
            [[WORDS[code] == one.word for code in row] for row, one in zip(codes_NK, asked, strict=True)]
        )
        measure = f"name among {len(WORDS)}, {where}"
        results.add(measure, "sound-words, first", rate(right_NK[:, 0].astype(float).tolist(), which))
        results.add(
            measure, f"sound-words, any of {right_NK.shape[1]}", rate(right_NK.any(1).astype(float).tolist(), which)
        )
        near = [known[place].kind for place in nearest([one.signal for one in asked], [one.signal for one in known])]
        right = [float(name == one.word) for name, one in zip(near, asked, strict=True)]
        results.add(measure, "nearest neighbour on spectra", rate(right, which))


def nearest(asked: Sequence[Signal], known: Sequence[Signal]) -> np.ndarray:
    """For each sound the place of the one whose spectra are likest, by mean and deviation over time."""
    points_ND = told([log_mel(one) for one in [*asked, *known]])
    points_ND /= np.linalg.norm(points_ND, axis=1, keepdims=True)
    return (points_ND[: len(asked)] @ points_ND[len(asked) :].T).argmax(1)


def name_by_model(model: Any, results: Results, each: int, seed: int) -> None:
    """The same asked of a model, with controls: no sound, and another's."""
    names = [called(word) for word in WORDS]
    for where, asked in held_out(each, seed):
        talks = [conversation(one) for one in asked]
        task = Task(name=f"{ASK} {where}", conversations=talks, scorer=Among(names, ks=(1, 3)))
        task.run(model, results)
        task.blind("no sound").run(model, results)
        task.wrong("another's sound").run(model, results)


def conversation(sound: Named) -> Conversation:
    asked = as_message("user", [Part("audio", sound.signal), ASK])
    return Conversation((asked, as_message("assistant", called(sound.word))))
