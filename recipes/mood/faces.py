"""Conversations about the mood of drawn faces.

A picture stands in a conversation as in `recipes.pictograms.tasks`: as the row of the table, the caller puts the codes
in. Held-out families and roots are never trained on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random

from recipes.mood.moods import MOOD_OF_ROOT, MOODS
from recipes.pictograms.concepts import Concept, Concepts
from recipes.pictograms.tasks import Turn, any_picture, picture_part
from recipes.speech.tasks import usually_first

from sensorium.data.table import grouped
from sensorium.types import Conversation, Part, as_message

ASK_MOOD = ("What is the mood?", "How does this face feel?", "How do they feel?", "Which feeling is shown?")
ASK_POLARITY = ("Is the mood positive, negative or neutral?", "Is this face positive, negative or neutral?")
ASK_WHETHER = ("Is this face {mood}?", "Does this face look {mood}?", "Is the mood here {mood}?")
ASK_SAME = ("Do these two feel the same?", "Is the mood of both the same?")
PAIRS = 0.12
"""Share of the conversations that show two faces."""

Faces = Mapping[str, Mapping[str, list[Concept]]]
"""Concepts by mood and root."""


def faces_of(concepts: Iterable[Concept]) -> Faces:
    by_mood = grouped((one for one in concepts if one.root in MOOD_OF_ROOT), lambda one: MOOD_OF_ROOT[one.root])
    return {mood: grouped(found, lambda one: one.root) for mood, found in by_mood.items()}


def mood(concepts: Concepts, random: Random) -> Conversation:
    """A face that may be trained on, and one to three questions about its mood; now and then two faces."""
    faces = faces_of(concepts)
    if random.random() < PAIRS:
        return _pair(faces, random)
    shown = _any_mood(faces, random)
    ways = [
        (usually_first(ASK_MOOD, random), shown),
        (usually_first(ASK_POLARITY, random), MOODS[shown].polarity),
        whether(shown, usually_first(ASK_WHETHER, random), random),
    ]
    return about([_face(faces, shown, random)], random.sample(ways, random.choices((1, 2, 3), (3, 2, 1))[0]))


def whether(mood: str, question: str, random: Random) -> Turn:
    """Whether it is this mood, or, as often, another that it is not."""
    if random.random() < 0.5:
        return question.format(mood=mood), "yes"
    return question.format(mood=random.choice([name for name in MOODS if name != mood])), "no"


def about(media: Iterable[Part], turns: Iterable[Turn]) -> Conversation:
    """Questions and answers, the first beside the media."""
    messages, shown = [], list(media)
    for question, answer in turns:
        messages += [as_message("user", [*shown, question]), as_message("assistant", answer)]
        shown = []
    return Conversation(tuple(messages))


def _pair(faces: Faces, random: Random) -> Conversation:
    one, same = _any_mood(faces, random), random.random() < 0.5
    two = one if same else random.choice([name for name in faces if name != one])
    shown = [_face(faces, mood, random) for mood in (one, two)]
    return about(shown, [(usually_first(ASK_SAME, random), "yes" if same else "no")])


def _any_mood(faces: Faces, random: Random) -> str:
    return random.choices(list(faces), [len(roots) ** 0.5 for roots in faces.values()])[0]


def _face(faces: Faces, mood: str, random: Random) -> Part:
    concepts = random.choice(list(faces[mood].values()))
    return picture_part(any_picture(random.choice(concepts), random))
