"""Episodes: a scene made for a question, its facts, and the conversation about it.

The first question decides what the scene is like, so that its answers come evenly; others that need no such care
follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from recipes.scenes import happenings, questions
from recipes.scenes.atlas import Atlas
from recipes.scenes.facts import facts_of
from recipes.scenes.questions import Asked, Turn
from recipes.scenes.render import frames, picture
from recipes.scenes.sample import MOST, MOST_MOVING, crowd, sample_looks, sample_scene
from recipes.scenes.scene import Look, Scene

from sensorium.data.facts import Facts
from sensorium.data.table import Side
from sensorium.recipe import Maker
from sensorium.types import Conversation, InputError, Message, Part, as_message

STILL: Mapping[str, float] = {
    "describe": 2, "name": 1, "colour": 1, "material": 1, "size": 1, "exists": 1.5, "is it": 1, "relation": 1.5,
    "where": 1, "beside": 1, "locate": 1.5, "point": 1, "count": 2, "total": 1, "draw": 3,
}  # fmt: skip
MOVING: Mapping[str, float] = {"happens": 1, "acts": 2, "direction": 2, "who": 1, "when": 1, "does": 2, "narrate": 2}
WRITTEN = ("draw", "narrate")  # their answers are media
MORE = 3  # further questions at most
FEW = 3  # things at most in what is to be drawn
COUNTED = ("kind", "colour")


@dataclass(frozen=True, kw_only=True)
class Making:
    """How scenes are made.

    Args:
        side: of the split.
        side_px: width and height.
        duration_s, rate_hz: of clips.
        more: further questions about a scene at most.
        atlas: with drawings, if any.
    """

    side: Side = "train"
    side_px: int = 128
    duration_s: float = 2.0
    rate_hz: float = 8.0
    more: int = MORE
    atlas: Atlas


@dataclass(frozen=True)
class Episode:
    """A scene with its facts, and what is said: turns about it, or a wish that it fulfils."""

    scene: Scene
    facts: Facts
    turns: tuple[Turn, ...] = ()
    wish: str = ""

    def conversation(self, media: Sequence[Part]) -> Conversation:
        """What is said, with the picture, or the frames of the clip, as ``media``."""
        if self.wish:
            return Conversation((as_message("user", self.wish), Message("assistant", tuple(media))))
        messages: list[Message] = []
        for number, turn in enumerate(self.turns):
            rate = f"{self.scene.rate_hz:g} frames a second. " if self.scene.rate_hz else ""
            first = [*media, *([rate] if rate else [])] if not number else []
            messages += [as_message("user", [*first, *turn.question]), as_message("assistant", turn.answer)]
        return Conversation(tuple(messages))

    def rendered(self, atlas: Atlas) -> list[Part]:
        """The picture, or the frames."""
        shown = frames(self.scene, atlas) if self.scene.duration_s else [picture(self.scene, atlas)]
        return [Part("image", one) for one in shown]


def episode(task: str, random: Random, making: Making, name: str = "", path: str = "") -> Episode:
    """An episode whose first question is of a kind of `STILL` or `MOVING`.

    Args:
        name, path: of the medium, for the facts.

    Raises:
        InputError: there is no such kind.
    """
    if task not in (*STILL, *MOVING):
        raise InputError(f"no scenes are made for {task!r}; there are {', '.join((*STILL, *MOVING))}")
    while True:
        looks, wanted = _looks(task, random, making)
        scene = sample_scene(
            random, looks, making.side, side_px=making.side_px, duration_s=making.duration_s if task in MOVING else 0.0,
            rate_hz=making.rate_hz, atlas=making.atlas, name=name,
        )  # fmt: skip
        facts = facts_of(scene, making.atlas, path)
        asked = Asked(facts, making.side, making.atlas, random)
        if task in WRITTEN:
            wish = questions.drawn(asked) if task == "draw" else happenings.narrated(asked)
            return Episode(scene, facts, wish=wish)
        first = _first(task, asked, wanted)
        if first is not None:
            return Episode(scene, facts, (first, *_more(task, first, asked, making.more)))


def _looks(task: str, random: Random, making: Making) -> tuple[list[Look], dict[str, str]]:
    """What a scene shows, and what is counted in it."""
    if task == "count":
        aspect = random.choice(COUNTED)
        looks, value = crowd(random, making.side, random.randint(0, MOST - 1), aspect)
        return looks, {"name" if aspect == "kind" else aspect: value}
    pair = task in ("relation", "where", "beside")
    most = MOST_MOVING if task in MOVING else FEW if task == "draw" else MOST
    return sample_looks(random, making.side, random.randint(1 + pair, most), making.atlas), {}


def _first(task: str, asked: Asked, wanted: dict[str, str]) -> Turn | None:
    if task == "count":
        return questions.count(asked, wanted)
    if task == "total":
        return questions.total(asked)
    return (happenings.ASK if task in MOVING else questions.ASK)[task](asked)


def _more(task: str, first: Turn, asked: Asked, most: int) -> Iterator[Turn]:
    """Further questions of other kinds; scenes made for counting are not asked what the crowd gives away."""
    ask = happenings.ASK if task in MOVING else questions.ASK
    kinds = [kind for kind in ask if kind != first.kind]
    for kind in asked.random.sample(kinds, asked.random.randint(0, most) if task != "count" else 0):
        turn = ask[kind](asked)
        if turn is not None:
            yield turn


def makers(making: Making) -> dict[str, Maker]:
    """A maker of conversations, with rendered media, for each task: what a plan's training is made of."""

    def maker(task: str) -> Maker:
        def make(random: Random) -> Conversation:
            made = episode(task, random, making)
            return made.conversation(made.rendered(making.atlas))

        return make

    return {task: maker(task) for task in (*STILL, *MOVING)}
