"""Questions about clips: what moves, where to, when; from the facts alone, and not to be guessed from their words.

Sizes are not said here: what is large never grows.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from recipes.scenes.questions import Asked, Turn
from recipes.scenes.sample import OFTEN
from recipes.scenes.scene import DIRECTIONS
from recipes.scenes.words import described, listed

from sensorium.data.facts import Event, Facts

STAYS = "It stays as it is."
SAID = {"moves": "move", "grows": "grow", "shrinks": "shrink", "turns": "turn", "appears": "appear",
         "vanishes": "vanish"}  # fmt: skip


def done(event: Event) -> str:
    """ "moves left", "grows"."""
    return f"{event.what} {event.direction}".rstrip()


def _of(facts: Facts, number: int) -> Event | None:
    return next((event for event in facts.events if event.subject == number), None)


def acts(asked: Asked) -> Turn | None:
    """What one thing does; any change is as likely to be asked for as that it stays."""
    numbers = list(range(len(asked.facts.things)))
    idle = [number for number in numbers if _of(asked.facts, number) is None]
    if idle and asked.random.random() < 0.85:
        numbers = [number for number in numbers if number not in idle]
    found = asked.pick(numbers, without=("size",))
    if found is None:
        return None
    event = _of(asked.facts, found[0])
    answer = f"It {done(event)}." if event else STAYS
    return Turn("acts", (f"What does {found[1]} do?",), answer, (found[0],))


def direction(asked: Asked) -> Turn | None:
    moving = [event.subject for event in asked.facts.events if event.direction]
    found = asked.pick(moving, without=("size",))
    event = found and _of(asked.facts, found[0])
    if not found or not event:
        return None
    return Turn("direction", (f"Where does {found[1]} move?",), event.direction, (found[0],))


def who(asked: Asked) -> Turn | None:
    """What alone does something."""
    whats = [event.what for event in asked.facts.events]
    alone = [event for event in asked.facts.events if whats.count(event.what) == 1]
    if not alone:
        return None
    event = asked.random.choice(alone)
    answer = described(asked.facts.things[event.subject], size=False)
    return Turn("who", (f"What {event.what}?",), answer, (event.subject,))


def when(asked: Asked) -> Turn | None:
    """When something begins."""
    found = asked.pick([event.subject for event in asked.facts.events], without=("size",))
    event = found and _of(asked.facts, found[0])
    if not found or not event:
        return None
    asks = "start to " if event.what not in ("appears", "vanishes") else ""
    question = f"When does {found[1]} {asks}{SAID[event.what]}?"
    return Turn("when", (question,), seconds(event.start_s), (found[0],))


def seconds(time_s: float) -> str:
    """ "at 0.5 seconds"."""
    return f"at {time_s:g} second{'' if time_s == 1 else 's'}"


def does(asked: Asked) -> Turn | None:
    """Whether a thing does something that it could do."""
    found = asked.pick([event.subject for event in asked.facts.events], without=("size",))
    event = found and _of(asked.facts, found[0])
    if not found or not event:
        return None
    right = asked.random.random() < 0.5
    said = done(event) if right else _another(event, asked.atlas.turns(asked.facts.things[found[0]].name), asked.random)
    verb, _, rest = said.partition(" ")
    question = f"Does {found[1]} {SAID[verb]} {rest}".rstrip() + "?"
    return Turn("does", (question,), "yes" if right else "no", (found[0],))


def _another(event: Event, turns: bool, random: Random) -> str:
    """Something else, with the odds that it has in clips; in another direction counts as something else."""
    while True:
        change = random.choice(("grows", "grows", "shrinks"))  # large things, a third, shrink
        able = ["moves", "appears", "vanishes", change, *(["turns"] if turns else [])]
        what = random.choices(able, [OFTEN.get(one, 1) for one in able])[0]
        said = f"{what} {random.choice(list(DIRECTIONS))}" if what == "moves" else what
        if said != done(event):
            return said


def narrated(asked: Asked) -> str:
    """The wish for a clip in which this happens."""
    facts = asked.facts
    return f"Make a clip: {listed([_told(facts, number) for number in range(len(facts.things))])}."


def _told(facts: Facts, number: int) -> str:
    event = _of(facts, number)
    return f"{described(facts.things[number])} {done(event) if event else 'stays'}"


def describe(asked: Asked) -> Turn:
    """Everything that happens, in order of time."""
    events = sorted(asked.facts.events, key=lambda event: event.start_s)
    said = [f"{described(asked.facts.things[one.subject])} {done(one)} {seconds(one.start_s)}" for one in events]
    return Turn("happens", ("What happens?",), listed(said))


ASK: dict[str, Callable[[Asked], Turn | None]] = {
    "happens": describe,
    "acts": acts,
    "direction": direction,
    "who": who,
    "when": when,
    "does": does,
}
