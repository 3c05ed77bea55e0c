"""Thinking about a clip before answering: where what is asked about is first and last, and when it changes.

Who is asked whether it does something says what it does, and beside it what was asked, in the same words. Who writes
subtitles goes through all things, says what each does, and what comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from recipes.motion.clips import done
from recipes.motion.questions import AT_ONCE, Talk
from recipes.scenes.happenings import SAID
from recipes.scenes.questions import row_by_row
from recipes.scenes.scene import DIRECTIONS
from recipes.scenes.thoughts import ACROSS, DOWN, along, held_against, named, over

from sensorium.data.facts import Box, Event, Facts
from sensorium.families.numbers import in_words

STILL_PX = 1
KINDS = ("acts", "direction", "does", "subtitles")
DOINGS = [said for one, said in SAID.items() if one != "moves"] + [f"{SAID['moves']} {one}" for one in DIRECTIONS]


def thought_about(talks: Sequence[Talk], facts: Facts) -> tuple[Talk, ...]:
    """With all those of `KINDS` thought about."""
    return tuple(thinking(talk, facts) if talk.kind in KINDS else talk for talk in talks)


def thinking(talk: Talk, facts: Facts) -> Talk:
    """The same question, with the request to think, and an answer that ends in the old one."""
    thought = all_followed(facts) if talk.kind == "subtitles" else followed(facts, *talk.about)
    if talk.kind == "does":
        (does,) = (doing(event) for event in facts.events if event.subject in talk.about)
        thought = held_against(f"{thought}; {does}", next(one for one in DOINGS if talk.said.endswith(f" {one}?")))
    said, answer = over(talk.said, talk.answer, thought)
    return replace(talk, said=said, answer=answer)


def all_followed(facts: Facts) -> str:
    """ "red star: ...; moves right. blue ring: ...; stays. First red star, then ...": in the order of the codes."""
    does = {event.subject: done(event) for event in facts.events}
    order = sorted(range(len(facts.things)), key=lambda number: _longest_first(facts, number))
    told = [f"{followed(facts, number)}; {does.get(number, 'stays')}" for number in order]
    if len(does) > 1:
        events = sorted(facts.events, key=lambda one: (one.start_s, one.subject))
        told.append(f"First {', then '.join(named(facts.things[event.subject]) for event in events)}")
    return ". ".join(told)


def _longest_first(facts: Facts, number: int) -> tuple[float, tuple[float, ...]]:
    """The longest seen first, as `sensorium.families.tracks` lists them; those seen as long, as one reads."""
    begin_s, end_s = seen(facts, number)
    return begin_s - end_s, tuple(row_by_row(facts.things[number].box))


def seen(facts: Facts, number: int) -> tuple[float, float]:
    """From when until when a thing is seen, in seconds."""
    track, end_s = facts.things[number].track, facts.medium.duration_s
    return (track[0][0], min(track[-1][0] + 1 / facts.medium.rate_hz, end_s)) if track else (0.0, end_s)


def doing(event: Event) -> str:
    """ "move left", "grow"."""
    return f"{SAID[event.what]} {event.direction}".rstrip()


def followed(facts: Facts, number: int) -> str:
    """ "red star: across eight to twenty, then forty to fifty, right; down ...; seen zero to two; changes ..."."""
    thing, there = facts.things[number], seen(facts, number)
    first, last = thing.box, thing.box
    if thing.track:
        _, x0, y0, x1, y1 = thing.track[-1]
        last = (x0, y0, x1, y1)
    changing = [one for one in facts.events if one.subject == number and one.what not in AT_ONCE]
    changes = next(((one.start_s, one.end_s) for one in changing), (there[0], there[0]))
    places = [
        f"{('across', 'down')[axis]} {along(first, axis)}, then {along(last, axis)}, {_change(first, last, axis)}"
        for axis in (ACROSS, DOWN)
    ]
    times = [
        f"{what} {in_words(begin)} to {in_words(end)}" for what, (begin, end) in (("seen", there), ("changes", changes))
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
