"""What is asked of a clip and answered from its facts: what, how, where to, when; subtitles; and clips wished for.

Questions about moved drawings are those of the recipe ``scenes``, none of which can be guessed from its words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from recipes.motion.clips import Clip, done
from recipes.motion.subtitles import FORMS, subtitles
from recipes.scenes import happenings
from recipes.scenes.atlas import Atlas
from recipes.scenes.happenings import seconds
from recipes.scenes.questions import Asked, Turn
from recipes.scenes.words import described

from sensorium.data.facts import Event, Facts
from sensorium.data.table import Side
from sensorium.types import Conversation, Message, as_message

AT_ONCE = ("appears", "vanishes")


@dataclass(frozen=True)
class Talk:
    """What is said about a clip: a question and its answer; or a wish that the clip fulfils, which has no answer.

    Args:
        kind: of the question.
        said: the question, or the wish.
        about: numbers of the things that one must look at.
    """

    kind: str
    said: str
    answer: str = ""
    about: tuple[int, ...] = ()


def conversation(clip: Clip, talks: Sequence[Talk]) -> Conversation:
    """A wish with the clip that fulfils it, or questions about it, one after the other."""
    if not talks[0].answer:
        return Conversation((as_message("user", talks[0].said), as_message("assistant", clip.part)))
    messages: list[Message] = []
    for number, one in enumerate(talks):
        shown = [clip.part] if number == 0 else []
        messages += [as_message("user", [*shown, one.said]), as_message("assistant", one.answer)]
    return Conversation(tuple(messages))


def of_moved(kind: str, facts: Facts, side: Side, atlas: Atlas, random: Random) -> Talk | None:
    """What is said about a moved clip: "write", or a kind of `MOVED`; None where the clip gives no cause for it."""
    asked = Asked(facts, side, atlas, random)
    if kind == "write":
        return Talk(kind, happenings.narrated(asked))
    turn = MOVED[kind](asked)
    if turn is None:
        return None
    assert isinstance(turn.answer, str)
    return Talk(kind, "".join(part for part in turn.question if isinstance(part, str)), turn.answer, turn.about)


def until(asked: Asked) -> Turn | None:
    """When something that takes its time is over."""
    events = [event for event in asked.facts.events if event.what not in AT_ONCE]
    found = asked.pick([event.subject for event in events], without=("size",))
    if not found:
        return None
    event = next(one for one in events if one.subject == found[0])
    verb = done(event).replace(event.what, happenings.SAID[event.what], 1)
    return Turn("until", (f"Until when does {found[1]} {verb}?",), seconds(event.end_s), (found[0],))


def captioned(asked: Asked) -> Turn:
    """Subtitles of the clip."""
    form = asked.random.choice(list(FORMS))
    text = subtitles(asked.facts, form, lambda event: _cue(asked.facts, event))
    about = tuple(event.subject for event in asked.facts.events)
    return Turn("subtitles", (f"Write subtitles as {form}.",), text, about)


def _cue(facts: Facts, event: Event) -> str:
    said = f"{described(facts.things[event.subject], size=False)} {done(event)}"
    return said[0].upper() + said[1:]


MOVED: Mapping[str, Callable[[Asked], Turn | None]] = {**happenings.ASK, "until": until, "subtitles": captioned}
"""By kind: "happens", "acts", "direction", "who", "when", "does", "until", "subtitles"."""


def of_animated(kind: str, facts: Facts) -> Talk:
    """What is said about an animated drawing, of a kind of `ANIMATED`."""
    (thing,), (event,) = facts.things, facts.events
    said, answer = {
        "name": ("What is this?", thing.name),
        "doing": ("What does it do?", f"It {done(event)}."),
        "end": ("When is it over?", seconds(event.end_s)),
        "animate": (f"Make a clip: {thing.name} {done(event)}.", ""),
    }[kind]
    return Talk(kind, said, answer, (0,))


ANIMATED = ("name", "doing", "end", "animate")
