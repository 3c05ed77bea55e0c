"""Thinking about a clip before answering: where what is asked about is first and last, and when it changes.

Who is asked whether it does something says what it does, and beside it what was asked, in the same words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from recipes.motion.questions import AT_ONCE, Talk
from recipes.scenes.happenings import SAID
from recipes.scenes.scene import DIRECTIONS
from recipes.scenes.thoughts import ACROSS, ASK, DOWN, MARK, along, held_against, named

from sensorium.data.facts import Box, Event, Facts
from sensorium.families.numbers import in_words

STILL_PX = 1
KINDS = ("acts", "direction", "does")
DOINGS = [said for one, said in SAID.items() if one != "moves"] + [f"{SAID['moves']} {one}" for one in DIRECTIONS]


def thought_about(talks: Sequence[Talk], facts: Facts) -> tuple[Talk, ...]:
    """With all those of `KINDS` thought about."""
    return tuple(thinking(talk, facts) if talk.kind in KINDS else talk for talk in talks)


def thinking(talk: Talk, facts: Facts) -> Talk:
    """The same question, with the request to think, and an answer that ends in the old one."""
    (number,) = talk.about
    thought = followed(facts, number)
    if talk.kind == "does":
        (done,) = (doing(event) for event in facts.events if event.subject == number)
        thought = held_against(f"{thought}; {done}", next(one for one in DOINGS if talk.said.endswith(f" {one}?")))
    return replace(talk, said=f"{talk.said} {ASK}", answer=f"{thought}. {MARK} {talk.answer}")


def doing(event: Event) -> str:
    """ "move left", "grow"."""
    return f"{SAID[event.what]} {event.direction}".rstrip()


def followed(facts: Facts, number: int) -> str:
    """ "red star: across eight to twenty, then forty to fifty, right; down ...; seen zero to two; changes ..."."""
    thing, end_s = facts.things[number], facts.medium.duration_s
    first, last, seen = thing.box, thing.box, (0.0, end_s)
    if thing.track:
        (start_s, *_), (until_s, x0, y0, x1, y1) = thing.track[0], thing.track[-1]
        last, seen = (x0, y0, x1, y1), (start_s, min(until_s + 1 / facts.medium.rate_hz, end_s))
    changing = [one for one in facts.events if one.subject == number and one.what not in AT_ONCE]
    changes = next(((one.start_s, one.end_s) for one in changing), (seen[0], seen[0]))
    places = [
        f"{('across', 'down')[axis]} {along(first, axis)}, then {along(last, axis)}, {_change(first, last, axis)}"
        for axis in (ACROSS, DOWN)
    ]
    times = [
        f"{what} {in_words(begin)} to {in_words(end)}" for what, (begin, end) in (("seen", seen), ("changes", changes))
    ]
    return f"{named(thing)}: {'; '.join(places + times)}"


def _change(first: Box | None, last: Box | None, axis: int) -> str:
    """What becomes of a box along an axis: where it goes, or how its sides part."""
    assert first is not None and last is not None
    near, far = (round(last[side]) - round(first[side]) for side in (axis, axis + 2))
    if max(abs(near), abs(far)) <= STILL_PX:
        return "same"
    if near * far > 0:
        return (("left", "right"), ("up", "down"))[axis][near > 0]
    return "larger" if far - near > 0 else "smaller"
