"""Wishes for pictures, each with a scene that fulfils it and shows nothing else, and whether another one does.

What a wish does not say is as usual, so that it need not be guessed: things are plain, of medium size, in the middle or
beside each other. Words are those of the recipe's questions, sizes those of its scenes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import permutations
from random import Random

import numpy as np
from recipes.scenes.atlas import Atlas
from recipes.scenes.codec import SHAPE, SIDE_PX
from recipes.scenes.held_out import looks, may_show
from recipes.scenes.sample import fits, seen_on
from recipes.scenes.scene import SIZES, Background, Look, Placed, Scene
from recipes.scenes.words import NUMBERS, UNSAID, a, listed, phrase, plural

from sensorium.data.table import Side
from sensorium.families.things import Found, ThingsCodec

Box = Sequence[float]
Spot = tuple[int, int]
WIDE_PX = {"small": 11, "medium": 17, "large": 26}
USUAL = "medium"
USUAL_COLOUR = {"circle": "blue", "square": "purple", "diamond": "pink", "star": "orange", "heart": "pink",
                "cross": "black", "moon": "grey", "drop": "blue"}  # fmt: skip
"""Of things that training shows plain, and so."""
NEAR, MIDDLE, FAR = 16, SIDE_PX // 2, SIDE_PX - 16
ROW, COLUMN = ((NEAR, MIDDLE), (FAR, MIDDLE)), ((MIDDLE, NEAR), (MIDDLE, FAR))
SPOTS: Mapping[int, Sequence[Spot]] = {
    1: ((MIDDLE, MIDDLE),),
    2: ROW,
    3: ((NEAR, NEAR), (FAR, NEAR), (MIDDLE, FAR)),
    4: ((NEAR, NEAR), (FAR, NEAR), (NEAR, FAR), (FAR, FAR)),
}
"""Middles of so many things."""
PLACES: Mapping[str, Spot] = {
    "in the middle": (MIDDLE, MIDDLE), "at the top": (MIDDLE, NEAR), "at the bottom": (MIDDLE, FAR),
    "on the left": (NEAR, MIDDLE), "on the right": (FAR, MIDDLE), "in the top left": (NEAR, NEAR),
    "in the top right": (FAR, NEAR), "in the bottom left": (NEAR, FAR), "in the bottom right": (FAR, FAR),
}  # fmt: skip
RELATIONS: Mapping[str, Sequence[Spot]] = {
    "left of": ROW, "right of": ROW[::-1], "above": COLUMN, "below": COLUMN[::-1],
}  # fmt: skip
"""Middles of one thing and of another of which it is so."""
THIRD: Mapping[str, tuple[Sequence[Spot], Spot]] = {
    "below them": (SPOTS[3][:2], SPOTS[3][2]), "above them": (((NEAR, FAR), (FAR, FAR)), (MIDDLE, NEAR)),
}  # fmt: skip
ASKS = ("Draw {}.", "Draw {}.", "Draw {}.", "Paint {}.", "Please draw {}.", "Can you draw {}?", "Draw me {}.",
        "Make a picture of {}.", "Show me a picture of {}.", "I would like a picture of {}.")  # fmt: skip
PLAIN, SIZED, UNCOLOURED = 0.5, 0.35, 0.15
"""Shares of things that are plain, of those whose size is said, and of lone things whose colour is not."""
FORMS = {"alone": 3, "placed": 2, "pair": 4, "inside": 1, "third": 1, "listed": 2, "counted": 2}
OFF_CENTRE = 6
"""A thing in the middle is no farther from it along an axis, one at an edge farther; in px."""


@dataclass(frozen=True)
class Wished:
    """A wish in words, and a scene that fulfils it, its things in the order in which the words tell them.

    Args:
        said: values of each thing that the words say, by aspect.
        pairs: things that are to stand so, as (one, predicate, other).
        places: of `PLACES`, by thing.
    """

    words: str
    scene: Scene
    said: tuple[Mapping[str, str], ...]
    pairs: tuple[tuple[int, str, int], ...] = ()
    places: Mapping[int, str] = field(default_factory=dict)

    def codes(self, codec: ThingsCodec) -> np.ndarray:
        """The things in codes, in the order of the words, so that they need not be put into another."""
        return codec.listed([codec.frame(as_written(thing)) for thing in self.scene.things])


@dataclass(frozen=True)
class Plan:
    """What is to be said, before there is a scene."""

    words: str
    said: Sequence[Mapping[str, str]]
    spots: Sequence[Spot]
    pairs: tuple[tuple[int, str, int], ...] = ()
    places: Mapping[int, str] = field(default_factory=dict)


@cache
def atlas() -> Atlas:
    """Shapes alone."""
    return Atlas()


def as_written(thing: Placed, time_s: float = 0.0) -> Found:
    """A thing of a scene as the codec is to say it, at a time at which it is there."""
    state = thing.at(time_s, atlas())
    assert state is not None, "it is not there"
    values = {"name": thing.look.kind, "colour": thing.look.colour, "material": thing.look.material, "size": thing.size}
    left, top, right, bottom = (float(min(max(side, 0), SIDE_PX)) for side in state.box)
    numbers = {name: known.index(values[name]) for name, known in SHAPE.values.items()}
    return Found(1.0, (left, top, right, bottom), numbers)


def wish(random: Random, side: Side = "train") -> Wished:
    """A wish for a picture of a side of the split: one that is not of train shows a pair that training never does."""
    while True:
        form = random.choices(list(FORMS), list(FORMS.values()))[0]
        plan = _PLANS[form](random, side)
        things = tuple(map(placed, plan.said, plan.spots))
        shown = [thing.look for thing in things]
        if _is_of(shown, side) and seen_on(shown, atlas()) and (form == "inside" or fits(things, SIDE_PX, atlas())):
            scene = Scene(SIDE_PX, Background("plain", "white"), things, split=side)
            words = random.choice(ASKS).format(plan.words)
            return Wished(words, scene, tuple(plan.said), plan.pairs, plan.places)


def _is_of(shown: Sequence[Look], side: Side) -> bool:
    known, own = set(may_show(side)), set(looks(side))
    return all(look in known for look in shown) and any(look in own for look in shown)


def placed(said: Mapping[str, str], spot: Spot) -> Placed:
    """A thing of which so much is said, its middle at a spot."""
    kind = said["name"]
    look = Look(kind, said.get("colour") or USUAL_COLOUR[kind], said.get("material", UNSAID))
    size = said.get("size", USUAL)
    width, height = atlas().extent(look.kind, WIDE_PX[size])
    return Placed(look, size, WIDE_PX[size], round(spot[0] - width / 2), round(spot[1] - height / 2))


def any_thing(random: Random, side: Side, plain: float = PLAIN) -> dict[str, str]:
    """What is said of a thing that scenes of a side may show."""
    shown: Sequence[Look] = looks(side) if random.random() < 0.5 else may_show(side)
    if random.random() < plain:
        shown = [look for look in shown if look.material == UNSAID]
    return values_of(random.choice(shown), random)


def values_of(look: Look, random: Random) -> dict[str, str]:
    """What is said of a look: not that it is plain, and its size now and then."""
    said = {"name": look.kind, "colour": look.colour}
    if look.material != UNSAID:
        said["material"] = look.material
    if random.random() < SIZED:
        said["size"] = random.choice(list(SIZES))
    return said


def in_words(said: Mapping[str, str]) -> str:
    """ "a small striped red star"."""
    return a(phrase(said))


def _alone(random: Random, side: Side) -> Plan:
    said = any_thing(random, side)
    if random.random() < UNCOLOURED and "material" not in said and said["name"] in USUAL_COLOUR:
        del said["colour"]
    return Plan(in_words(said), [said], SPOTS[1])


def _placed(random: Random, side: Side) -> Plan:
    places = random.sample(list(PLACES), random.randint(1, 2))
    said = [any_thing(random, side) for _ in places]
    words = listed([f"{in_words(one)} {place}" for one, place in zip(said, places, strict=True)])
    return Plan(words, said, [PLACES[place] for place in places], places=dict(enumerate(places)))


def _pair(random: Random, side: Side) -> Plan:
    said, predicate = [any_thing(random, side) for _ in range(2)], random.choice(list(RELATIONS))
    words = f"{in_words(said[0])} {predicate} {in_words(said[1])}"
    return Plan(words, said, RELATIONS[predicate], ((0, predicate, 1),))


def _inside(random: Random, side: Side) -> Plan:
    """A small thing in a large ring; that it is so is said or goes without saying."""
    rings = [look for look in may_show(side) if look.kind == "ring"]
    said = [any_thing(random, side), values_of(random.choice(rings), random)]
    said = [one | {"size": size} for one, size in zip(said, ("small", "large"), strict=True)]
    words = f"{in_words(said[0])} inside {in_words(said[1])}"
    return Plan(words, said, [*SPOTS[1], *SPOTS[1]], ((0, "inside", 1),))


def _third(random: Random, side: Side) -> Plan:
    said, predicate = [any_thing(random, side) for _ in range(3)], random.choice(("left of", "right of"))
    where = random.choice(list(THIRD))
    both, alone = THIRD[where]
    both = both if predicate == "left of" else both[::-1]
    words = f"{in_words(said[0])} {predicate} {in_words(said[1])} and {in_words(said[2])} {where}"
    pairs = ((0, predicate, 1), *((2, where.removesuffix(" them"), other) for other in (0, 1)))
    return Plan(words, said, [*both, alone], pairs)


def _listed(random: Random, side: Side) -> Plan:
    said = [any_thing(random, side) for _ in range(random.randint(2, max(SPOTS)))]
    return Plan(listed(list(map(in_words, said))), said, SPOTS[len(said)])


def _counted(random: Random, side: Side) -> Plan:
    """Several that are alike, and perhaps another."""
    alike, others = any_thing(random, side), [any_thing(random, side) for _ in range(random.randint(0, 1))]
    count = random.randint(2, max(SPOTS) - len(others))
    words = [f"{NUMBERS[count]} {plural(phrase(alike))}", *map(in_words, others)]
    return Plan(listed(words), [alike] * count + others, SPOTS[count + len(others)])


_PLANS: Mapping[str, Callable[[Random, Side], Plan]] = {
    "alone": _alone,
    "placed": _placed,
    "pair": _pair,
    "inside": _inside,
    "third": _third,
    "listed": _listed,
    "counted": _counted,
}


def fulfilled(wished: Wished, things: Sequence[Found]) -> dict[str, bool]:
    """What of a wish is so in a picture with these things: "things", kinds and colours, no more and no fewer of them;
    and where they are said "places", relations and places, "materials" and "sizes", of those very things."""
    best = (False,) * 4
    for order in permutations(things) if len(things) == len(wished.said) else ():
        pairs = list(zip(order, wished.said, strict=True))
        if all(has(one, said, ("name", "colour")) for one, said in pairs):
            aspects = (all(has(one, said, (aspect,)) for one, said in pairs) for aspect in ("material", "size"))
            best = max(best, (True, _stand(wished, order), *aspects))
    said = {
        "things": True,
        "places": bool(wished.pairs or wished.places),
        "materials": any("material" in one for one in wished.said),
        "sizes": any("size" in one for one in wished.said),
    }
    return {name: so for (name, is_said), so in zip(said.items(), best, strict=True) if is_said}


def has(one: Found, said: Mapping[str, str], aspects: Sequence[str]) -> bool:
    """Whether a thing has what is said of some aspects."""
    return all(SHAPE.values[name][one.values[name]] == said[name] for name in aspects if name in said)


def _stand(wished: Wished, things: Sequence[Found]) -> bool:
    pairs = all(stands(things[one].box, predicate, things[other].box) for one, predicate, other in wished.pairs)
    return pairs and all(_lies(things[number].box, place) for number, place in wished.places.items())


def stands(one: Box, predicate: str, other: Box) -> bool:
    """Whether a box is left of, right of, above or below another, or inside it."""
    if predicate == "inside":
        return all(a > b for a, b in zip(one[:2], other[:2], strict=True)) and one[2] < other[2] and one[3] < other[3]
    if predicate in ("right of", "below"):
        return stands(other, {"right of": "left of", "below": "above"}[predicate], one)
    axis = 0 if predicate == "left of" else 1
    return one[2 + axis] <= other[axis]


def _lies(box: Box, place: str) -> bool:
    """Whether the middle of a box is where a place is, along both axes."""
    for axis, spot in enumerate(PLACES[place]):
        off = (box[axis] + box[2 + axis]) / 2 - MIDDLE
        where = 0 if abs(off) <= OFF_CENTRE else 1 if off > 0 else -1
        if where != (spot > MIDDLE) - (spot < MIDDLE):
            return False
    return True
