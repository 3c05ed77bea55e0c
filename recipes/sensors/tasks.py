"""What the model is taught: naming, telling what happens, going on, and writing a series from words."""

from __future__ import annotations

from random import Random

import numpy as np
from recipes.sensors.facts import MOST, PLACES, TRENDS, Shape, made, shape_of
from recipes.sensors.sets import LabelledSet

from sensorium.types import Conversation, Part, as_message

COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "many")
_LIST = ("{question} Choose: {classes}.", "{question} One of: {classes}.")
ASK: dict[str, tuple[str, ...]] = {
    "trend": ("Does it rise or fall?", "What is the trend?", "Which way does the series go?"),
    "peaks": ("How many peaks?", "How many peaks are there?", "Count the peaks."),
    "cycles": ("How many periods?", "How many periods are there?", "Does it repeat, and how often?"),
    "place": ("Where is it highest?", "Where is the highest value?", "When does it reach its maximum?"),
    "all": ("What happens?", "What happens in this series?", "Describe the series."),
}
_WISH = ("Write a series that {}.", "Make a series that {}.", "I need a series that {}.")


def counted(number: int, what: str) -> str:
    """ "no peaks", "one peak", "three peaks", "many peaks"."""
    return f"{COUNTS[min(number, MOST + 1)]} {what}{'' if number == 1 else 's'}"


def told(shape: Shape) -> dict[str, str]:
    """The short answer to each kind of question."""
    answers = {
        "trend": f"It {shape.trend}.",
        "peaks": f"It has {counted(shape.peaks, 'peak')}.",
        "cycles": f"It has {counted(shape.cycles, 'period')}.",
        "place": f"It is highest {shape.place}.",
    }
    told_all = f"It {shape.trend}, has {counted(shape.peaks, 'peak')} and is highest {shape.place}."
    return answers | {"all": told_all}


def ask(source: LabelledSet, random: Random) -> str:
    """The set's question; every other time with its classes, in any order."""
    if random.random() < 0.5:
        return source.question
    classes = random.sample(source.classes, len(source.classes))
    return random.choice(_LIST).format(question=source.question, classes=", ".join(classes))


def naming(question: str, series: Part, answer: str) -> Conversation:
    return Conversation((as_message("user", [series, question]), as_message("assistant", answer)))


def telling(kind: str, series: Part, shape: Shape, random: Random) -> Conversation:
    return naming(random.choice(ASK[kind]), series, told(shape)[kind])


def go_on(title: str, changes: bool) -> str:
    """The wish for a series, or its changes against one season before, to go on; what is known begins the answer."""
    return f"Go on{' with the changes' if changes else ''}{': ' if title else ''}{title}."


def wish_for(shape: Shape, random: Random) -> str:
    """One or two of the facts that a written series can be checked by."""
    wishes = [f"{shape.trend}", f"has {counted(shape.peaks, 'peak')}", f"is highest {shape.place}"]
    picked = random.sample(wishes, random.choice((1, 2, 2)))
    return random.choice(_WISH).format(" and ".join(picked))


def fulfilled(wish: str, values: np.ndarray) -> bool:
    """Whether a series (time, channels) has every fact that the wish names."""
    shape = shape_of(values)
    checks: list[tuple[tuple[str, ...], str]] = [
        (TRENDS, shape.trend),
        (tuple(counted(n, "peak") for n in range(MOST + 2)), counted(shape.peaks, "peak")),
        (PLACES, shape.place),
    ]
    return all(_named(wish, words) in (None, fact) for words, fact in checks)


def _named(wish: str, words: tuple[str, ...]) -> str | None:
    return next((word for word in words if f" {word}" in wish), None)


def writing(wish: str, series: Part) -> Conversation:
    return Conversation((as_message("user", wish), as_message("assistant", series)))


def made_up(rng: np.random.Generator, length: int) -> np.ndarray:
    """A made-up series of any trend and up to six peaks."""
    return made(int(rng.integers(0, 7)), TRENDS[rng.integers(3)], length, rng)


def periodic(rng: np.random.Generator, length: int) -> tuple[np.ndarray, int]:
    """A made-up series (length,) and its season: a slope, a repeated pattern that may grow, noise with a memory."""
    time, period = np.arange(length), int(rng.integers(4, 50))
    parts = rng.normal(size=(3, 2)) / (1 + np.arange(3))[:, None] ** rng.uniform(0, 2)
    waves = 2 * np.pi * np.arange(1, 4)[:, None] * time / period
    pattern = (parts[:, :1] * np.sin(waves) + parts[:, 1:] * np.cos(waves)).sum(0)
    noise = rng.normal(size=length) * rng.choice([0.05, 0.2, 0.5, 1.0])
    memory = rng.choice([0.0, 0.6, 0.95])
    for at in range(1, length):
        noise[at] += memory * noise[at - 1]
    growth = 1 + rng.uniform(-0.3, 0.8) * time / length
    return (growth * pattern + rng.normal() * 2 * time / length + noise).astype(np.float32), period


def changed(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another view of a series (time, channels): cut at both ends, warped in time, scaled, with noise."""
    count, low, high = len(values), rng.uniform(0, 0.05), 1 - rng.uniform(0, 0.05)
    steps = np.exp(rng.normal(0, 0.3, 6))
    length = round(count * rng.uniform(0.95, 1.05)) if count > 40 else count
    warped = np.interp(np.linspace(0, 1, length), np.linspace(0, 1, 7), np.r_[0, np.cumsum(steps)] / steps.sum())
    places = (low + (high - low) * warped) * (count - 1)
    found = np.stack([np.interp(places, np.arange(count), channel) for channel in values.T], 1)
    noise = 0.03 * rng.normal(size=found.shape) * values.std(0)
    return (found * rng.uniform(0.9, 1.1) + noise).astype(np.float32)
