"""One tiny model learns a few words for media of every modality, then tells real files and writes such files.

Codecs are those of the package; what is written is opened again and told by measuring it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import fresh_base

import sensorium as sm
from sensorium.codecs import Codec
from sensorium.families.kmeans import KMeansCodec
from sensorium.families.uniform import UniformCodec
from sensorium.modalities import Wish, modality
from sensorium.types import Part, Signal

pytestmark = pytest.mark.slow
COLOURS = {"red": (220, 30, 30), "green": (30, 160, 40), "blue": (40, 60, 220)}
TONES_HZ = {"low": 200, "high": 800}
STEPS_PX = {"right": 2, "left": -2, "still": 0}
TRENDS = {"rises": 1.0, "falls": -1.0, "stays": 0.0}
SIDES = {"west": 4, "middle": 26, "east": 48}
EVENTS = {"click": ("press", "release"), "drag": ("press", "move", "release"), "type": ("key", "key")}
SOUND_HZ, WINDOW = 4000, 80


def square(word: str, rng: np.random.Generator) -> Signal:
    picture = np.full((16, 16, 3), 255, np.uint8)
    picture[2:14, 2:14] = np.clip(np.array(COLOURS[word]) + rng.integers(-12, 12, 3), 0, 255)
    return Signal(picture)


def colour_of(signal: Signal) -> str:
    middle = signal.array[4:-4, 4:-4].reshape(-1, 3).mean(0)
    return min(COLOURS, key=lambda word: float(np.abs(middle - COLOURS[word]).sum()))


def tone(word: str, rng: np.random.Generator) -> Signal:
    time = np.arange(WINDOW * int(rng.integers(8, 12))) / SOUND_HZ
    wave = rng.uniform(0.2, 0.8) * np.sin(2 * np.pi * TONES_HZ[word] * time)
    return Signal(wave[:, None].astype(np.float32), float(SOUND_HZ))


def pitch_of(signal: Signal) -> str:
    loudest_hz = np.abs(np.fft.rfft(signal.array[:, 0])).argmax() * signal.rate_hz / len(signal.array)
    return min(TONES_HZ, key=lambda word: abs(TONES_HZ[word] - loudest_hz))


def walk(word: str, rng: np.random.Generator) -> Signal:
    clip, colour = np.full((6, 16, 16, 3), 255, np.uint8), (0, 0, 0)
    left = {"right": 0, "left": 10, "still": 5}[word] + int(rng.integers(0, 2))
    for frame, picture in enumerate(clip):
        at = left + STEPS_PX[word] * frame
        picture[5:11, max(at, 0) : at + 5] = colour
    return Signal(clip, 10.0)


def motion_of(signal: Signal) -> str:
    dark_TX = (255 - signal.array.astype(float).mean(3)).mean(1)
    at_T = (dark_TX * np.arange(dark_TX.shape[1])).sum(1) / dark_TX.sum(1)
    step = float(at_T[-1] - at_T[0]) / (len(at_T) - 1)
    return min(STEPS_PX, key=lambda word: abs(STEPS_PX[word] - step))


def trend(word: str, rng: np.random.Generator) -> Signal:
    values = TRENDS[word] * np.linspace(-1, 1, 8) + rng.normal(0, 0.05, 8)
    values[0] += 0.3 * (word == "stays")  # what stays has some range too
    return Signal((values * rng.uniform(2, 5) + 20)[:, None].astype(np.float32), 10.0, ("ax",), ("g",))


def trend_of(signal: Signal) -> str:
    values = signal.array[1:, 0] - signal.array[:, 0].mean()
    slope = float(values[-1] - values[0]) / max(float(np.ptp(signal.array)), 1e-9)
    return min(TRENDS, key=lambda word: abs(TRENDS[word] - slope))


def thing(word: str, rng: np.random.Generator) -> Signal:
    x, y = SIDES[word] + int(rng.integers(-3, 4)), int(rng.integers(4, 24))
    return Signal(np.array([[x, y, x + 12, y + 16]], np.float32), frame=(64, 48), labels=("cat",))


def side_of(signal: Signal) -> str:
    assert signal.labels == ("cat",)
    return min(SIDES, key=lambda word: abs(SIDES[word] - float(signal.array[0, 0])))


def events(word: str, rng: np.random.Generator) -> Signal:
    kinds = EVENTS[word]
    rows = [[0.2 * (n + 1), *rng.integers(8, 40, 2), 0] for n in range(len(kinds))]
    return Signal(np.array(rows, np.float32), frame=(64, 48), labels=kinds)


def deed_of(signal: Signal) -> str:
    return next((word for word, kinds in EVENTS.items() if kinds == signal.labels), str(signal.labels))


@dataclass(frozen=True)
class Kind:
    """Media of a modality that words tell: how they are made, the kind of file, the codec, and how to tell them."""

    words: tuple[str, ...]
    make: Callable[[str, np.random.Generator], Signal]
    ending: str
    tell: Callable[[Signal], str]
    learn: Callable[[list[Signal]], Codec]


def rows(name: str, **given: Any) -> Callable[[list[Signal]], Codec]:
    return lambda media: UniformCodec.learn(media, name=name, modality=name, **given)


def clusters(name: str, codes: int, **given: Any) -> Callable[[list[Signal]], Codec]:
    return lambda media: KMeansCodec.fit(media, codes, name=name, modality=name, **given)


WINDOWS = {"of": "windows", "rate_hz": float(SOUND_HZ), "rows": WINDOW, "most_rows": 12 * WINDOW}
FRAMES = {"of": "windows", "rows": 1, "shape": (16, 16, 3), "floats": False, "rate_hz": 10.0, "most_rows": 6}
KINDS = {
    "image": Kind(tuple(COLOURS), square, ".png", colour_of, clusters("image", codes=16, size_px=16, patch_px=8)),
    "audio": Kind(tuple(TONES_HZ), tone, ".wav", pitch_of, clusters("audio", codes=8, **WINDOWS)),
    "video": Kind(tuple(STEPS_PX), walk, ".gif", motion_of, clusters("video", codes=12, **FRAMES)),
    "series": Kind(tuple(TRENDS), trend, ".csv", trend_of, rows("series", codes=16)),
    "boxes": Kind(tuple(SIDES), thing, ".boxes", side_of, rows("boxes", codes=33)),
    "actions": Kind(tuple(EVENTS), events, ".actions", deed_of, rows("actions", codes=17)),
}


def question(name: str) -> str:
    return f"which {name}?"


def wish(name: str, word: str) -> str:
    return f"{name}: {word}"


@pytest.fixture(scope="module")
def taught(tmp_path_factory) -> Iterator[Path]:
    place, rng = tmp_path_factory.mktemp("cells"), np.random.default_rng(0)
    lines, codecs = [], []
    for name, kind in KINDS.items():
        opened = []
        for number in range(36):
            word, path = kind.words[number % len(kind.words)], place / f"{name}-{number}{kind.ending}"
            modality(name).save(modality(name).open(kind.make(word, rng)), path)
            opened.append(modality(name).open(path))
            medium = {"type": f"{name}_url", f"{name}_url": {"url": str(path)}}
            asked = [medium, {"type": "text", "text": question(name)}]
            lines.append({"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": word}]})
            wished = {"role": "user", "content": wish(name, word)}
            lines.append({"messages": [wished, {"role": "assistant", "content": [medium]}]})
        codecs.append(kind.learn(opened))
    (place / "talk.jsonl").write_text("\n".join(map(json.dumps, lines)))
    grown = sm.grow(fresh_base(), codecs, learn="full")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENSORIUM_CACHE", str(place / "cache"))
        sm.train(
            grown, place / "talk.jsonl", out=place / "run", max_steps=400, rows=8, row_tokens=192, lr=3e-3, warmup=10,
            optimizer="muon", schedule="trapezoid", device="cpu", dtype="float32",
        )  # fmt: skip
        grown.export(place / "model")
        yield place / "model"


@pytest.mark.cell("text out", "image in", "audio in", "video in", "series in", "boxes in", "actions in")
@pytest.mark.parametrize("name", KINDS)
def test_what_is_in_a_file_is_told(taught, tmp_path, name):
    kind, rng, model = KINDS[name], np.random.default_rng(7), sm.load(taught)
    told = []
    for number, word in enumerate(kind.words * 4):
        path = tmp_path / f"{number}{kind.ending}"
        modality(name).save(modality(name).open(kind.make(word, rng)), path)
        assert kind.tell(modality(name).open(path)) == word, "the test itself can tell them"
        told.append(model.chat([Part(name, path), question(name)], want="text").text)
    right = np.mean([said == word for said, word in zip(told, kind.words * 4, strict=True)])
    assert right >= 0.9, told


@pytest.mark.cell("text in", "image out", "audio out", "video out", "series out", "boxes out", "actions out")
@pytest.mark.parametrize("name", KINDS)
def test_what_is_wished_is_in_the_file_that_is_written(taught, tmp_path, name):
    kind, model = KINDS[name], sm.load(taught)
    found = []
    for number, word in enumerate(kind.words * 2):
        (part,) = model.chat(wish(name, word), want=name, temperature=0.3, seed=number).parts
        path = tmp_path / f"{number}{kind.ending}"
        part.save(path)
        found.append(kind.tell(modality(name).open(path, Wish())))
    assert found == list(kind.words * 2)
