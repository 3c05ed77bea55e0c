"""Conversations to tune a model on, written from facts: what is there and what is not, in the words of the evaluation.

Several turns about one medium, of several aspects, whose right answers affirm and deny; Lu et al. 2023
(arXiv:2309.04041) tune with such conversations against hallucination. Turns are the questions of
`sensorium.grounding.generate` in the forms of `sensorium.grounding.prompts`, and those of
`sensorium.grounding.premises`. Nobody can tell the answers from the words:

- the same words are asked of media with different answers, each of which is right equally often;
- no turn names what an earlier one of its conversation told of;
- of two questions of which one is affirmed and one denied of a medium, a toss chooses the one that is asked, where both
  could be: so yes and no are a fair toss whatever was said before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from string import ascii_uppercase

from sensorium.data.conversations import write_conversations
from sensorium.data.fact_importers import gathered
from sensorium.data.facts import Facts
from sensorium.grounding.generate import STREAMS, Group, Items, Material, Stream, in_turn
from sensorium.grounding.media import parts
from sensorium.grounding.premises import TIER, premises
from sensorium.grounding.prompts import prompt
from sensorium.grounding.question import Question
from sensorium.grounding.telling import Named, Words
from sensorium.grounding.wording import described
from sensorium.types import TEXT, Conversation, InputError, Message, Part

LENGTHS = range(2, 9)
"""Turns that a conversation may have."""
ROUNDS = 3
"""Of questions that are written to fill conversations."""
SPARE = 4
"""Times more are written than there is room for, since not all of them fit."""


def existence(material: Material, items: Items) -> list[Iterator[Group]]:
    """Is it there: two media by two questions, each true of one."""
    return STREAMS["groups"](material, {aspect: by for aspect, by in items.items() if aspect == "existence"})


def values(material: Material, items: Items) -> list[Iterator[Group]]:
    """Is it so: the same of all other aspects."""
    return STREAMS["groups"](material, {aspect: by for aspect, by in items.items() if aspect != "existence"})


TAUGHT: Mapping[str, tuple[float, Stream]] = {
    "choice": (0.25, STREAMS["choice"]), "existence": (0.2, existence), "values": (0.2, values),
    "premise": (0.2, premises), "open": (0.05, STREAMS["open"]), "caption": (0.1, STREAMS["caption"]),
}  # fmt: skip
"""Kinds of turns with their shares."""


@dataclass(frozen=True)
class Turn:
    """A question as it is put, what is to be answered, and what both tell of."""

    question: Question
    prompt: str
    answer: str
    asked: Named
    told: Named

    @property
    def first(self) -> bool:
        """Whether it asks what there is without naming anything: what was said before could tell, so nothing is."""
        one = self.question
        return one.aspect in ("object", "existence") and one.task in ("choice", "open") and self.prompt == one.text

    @property
    def last(self) -> bool:
        """Whether its answer tells all there is, so that nothing can be asked afterwards."""
        return self.question.task == "caption"

    @property
    def asks(self) -> str:
        """What a conversation asks once at most: the value of an aspect, or the very words."""
        one = self.question
        return one.aspect if one.task in ("choice", "open") and one.tier != TIER else self.prompt


@dataclass
class Talk:
    """A conversation that is being put together.

    Args:
        most: turns that it may have.
    """

    most: int
    turns: list[Turn] = field(default_factory=list)

    def takes(self, turn: Turn) -> bool:
        """Whether a turn may come next."""
        if len(self.turns) == self.most or (self.turns and (turn.first or self.turns[-1].last)):
            return False
        return not any(turn.asks == one.asks or one.told.meets(turn.asked) for one in self.turns)


Talks = Mapping[str, Sequence[Talk]]
"""Of each medium, by its path."""


def conversations(material: Material, count: int, folder: Path | str = ".") -> Iterator[Conversation]:
    """At most ``count`` conversations, each about one medium; fewer where the facts give no more.

    Args:
        material: its seed is that of all that is drawn.
        folder: that the paths of its media are relative to.
    """
    random = material.random("teach")
    chosen = random.sample(range(len(material.facts)), min(count, len(material.facts)))
    own = Material([material.facts[n] for n in chosen], [material.paths[n] for n in chosen], material.seed)
    talks: dict[str, list[Talk]] = {path: [] for path in own.paths}
    for number in range(count if own.paths else 0):
        talks[own.paths[number % len(own.paths)]].append(Talk(random.choice(LENGTHS)))
    _fill(own, talks)
    for talk in in_turn(map(iter, talks.values())):
        if talk.turns:
            yield _conversation(talk, parts(talk.turns[0].question, Path(folder)))


def write(files: Sequence[Path], out: Path, count: int, seed: int = 0) -> int:
    """Write conversations from files of facts as JSONL; how many.

    Raises:
        InputError: facts are wrong or their media missing, or nothing can be asked.
    """
    found = gathered(files)
    material = Material([facts for facts, _ in found], [str(path) for _, path in found], seed)
    made = list(conversations(material, count))
    if not made:
        raise InputError("nothing can be asked: different media must give different answers to the same words")
    return write_conversations(made, out)


def _fill(material: Material, talks: Talks) -> None:
    """Put groups of questions into conversations, as far as they fit; those that open come first, closing ones last."""
    every = [talk for own in talks.values() for talk in own]
    words, seen = Words(material.facts), set[tuple[str, str]]()
    items, closing = material.items(), list[list[Turn]]()
    for round_ in range(ROUNDS):
        again = replace(material, seed=material.random("round", round_).randrange(2**62))
        room = sum(talk.most - len(talk.turns) for talk in every)
        random = again.random("order")
        found = list(_groups(again, items, SPARE * room, words))
        for group in sorted(random.sample(found, len(found)), key=lambda one: not one[0].first):
            if group[0].last:
                closing.append(group)
            else:
                _place(group, talks, seen, random)
    for group in closing:
        _place(group, talks, seen, material.random("closing"))


def _groups(material: Material, items: Items, count: int, words: Words) -> Iterator[list[Turn]]:
    """Groups of about ``count`` turns."""
    known = dict(zip(material.paths, material.facts, strict=True))
    for kind, (share, stream) in TAUGHT.items():
        random, taken = material.random("forms", kind), 0
        for group in in_turn(stream(material, items)):
            if taken >= count * share:
                break
            bare = random.random() < 0.5
            taken += len(group)
            yield [_turn(one, bare, known[one.medium], words) for one in group]


def _turn(question: Question, bare: bool, facts: Facts, words: Words) -> Turn:
    """A question as it is put to a model that ranks the options, or to one that writes.

    Args:
        bare: the former; questions with a false premise are always put so, but for places.
    """
    if question.task not in ("choice", "groups"):
        bare = question.tier == TIER and question.task == "open"
    asked, answer = prompt(question, question.options, bare), question.answer
    if question.task == "caption":
        answer = described(facts)
    elif question.options and not bare:
        answer = ascii_uppercase[question.options.index(answer)]
    return Turn(question, asked, answer, words.named(asked), words.named(f"{asked} {answer}"))


def _place(group: Iterable[Turn], talks: Talks, seen: set[tuple[str, str]], random: Random) -> None:
    """Put a group into conversations about its media, whole or not at all.

    Where several questions are asked of the same media, each could be asked in each of the conversations that are
    chosen; a toss says which one is. The others may be asked in further conversations.
    """
    asked: dict[str, dict[str, Turn]] = {}
    for turn in group:
        asked.setdefault(turn.question.text, {})[turn.question.medium] = turn
    if any((medium, turn.prompt) in seen for own in asked.values() for medium, turn in own.items()):
        return
    media = next(iter(asked.values()))
    left = {medium: random.sample(talks[medium], len(talks[medium])) for medium in media}
    for text in random.sample(list(asked), len(asked)):
        fits = {
            medium: next((one for one in left[medium] if all(one.takes(own[medium]) for own in asked.values())), None)
            for medium in media
        }
        for medium, talk in fits.items():
            if talk is None or None in fits.values():
                return
            talk.turns.append(asked[text][medium])
            seen.add((medium, asked[text][medium].prompt))
            left[medium] = [one for one in left[medium] if one is not talk]


def _conversation(talk: Talk, media: Sequence[Part]) -> Conversation:
    """The medium comes first, as evaluation shows it."""
    messages: list[Message] = []
    for turn in talk.turns:
        asked = Part(TEXT, turn.prompt)
        messages += [
            Message("user", (asked,) if messages else (*media, asked)),
            Message("assistant", (Part(TEXT, turn.answer),)),
        ]
    return Conversation(tuple(messages))
