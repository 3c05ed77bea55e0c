"""Thinking about a mood before answering: what is seen, or which word is heard, then its mood, then what was asked.

A step at a time (chain of thought, Wei et al. 2022, arXiv:2201.11903): "a crying face: sad, negative"; who says yes or
no puts the mood that is there and the one asked for side by side, see `recipes.scenes.thoughts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from recipes.mood.moods import MOODS
from recipes.pictograms.tasks import Turn
from recipes.scenes.thoughts import held_against, over


@dataclass(frozen=True)
class Posed:
    """A question about a mood with its answer, and the thought that leads there."""

    question: str
    answer: str
    thought: str

    @property
    def at_once(self) -> Turn:
        return self.question, self.answer

    @property
    def thinking(self) -> Turn:
        return over(self.question, self.answer, self.thought)


def which(question: str, shown: str, mood: str) -> Posed:
    """Which mood it is: "a crying face: sad"."""
    return Posed(question, mood, f"{shown}: {mood}")


def polarity(question: str, shown: str, side: str, mood: str = "") -> Posed:
    """Whether it is positive: "a crying face: sad, negative"; of what is in no mood, "lovely: positive"."""
    return Posed(question, side, f"{shown}: {mood}, {side}" if mood else f"{shown}: {side}")


def whether(question: str, shown: str, mood: str, random: Random) -> Posed:
    """Whether it is this mood, or, as often, another that it is not: "a crying face: sad, asked happy"."""
    right = random.random() < 0.5
    asked = mood if right else random.choice([name for name in MOODS if name != mood])
    thought = held_against(f"{shown}: {mood}", asked)
    return Posed(question.format(mood=asked), "yes" if right else "no", thought)


def same(question: str, shown: tuple[str, str], moods: tuple[str, str]) -> Posed:
    """Whether two are in the same mood: "a crying face: sad, a robot: neutral; sad and neutral"."""
    each = ", ".join(f"{one}: {mood}" for one, mood in zip(shown, moods, strict=True))
    return Posed(question, "yes" if moods[0] == moods[1] else "no", f"{each}; {' and '.join(moods)}")
