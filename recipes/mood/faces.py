"""Conversations about the mood of drawn faces.

A picture stands in a conversation as in `recipes.pictograms.tasks`: as the row of the table, the caller puts the codes
in. Held-out families and roots are never trained on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random

from recipes.mood import thoughts
from recipes.mood.moods import MOOD_OF_ROOT, MOODS
from recipes.mood.thoughts import Posed
from recipes.pictograms.concepts import Concept, Concepts
from recipes.pictograms.phrases import phrase
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


def mood(concepts: Concepts, random: Random, thinking: float = 0.0) -> Conversation:
    """A face that may be trained on, and one to three questions about its mood; now and then two faces.

    Args:
        thinking: share of the conversations whose questions are thought about.
    """
    faces = faces_of(concepts)
    shown, posed = _pair(faces, random) if random.random() < PAIRS else _one(faces, random)
    return asked_about([picture_part(any_picture(one, random)) for one in shown], posed, random.random() < thinking)


def asked_about(media: Iterable[Part], posed: Iterable[Posed], thinking: bool) -> Conversation:
    """Questions, thought about or not."""
    return about(media, [one.thinking if thinking else one.at_once for one in posed])


def about(media: Iterable[Part], turns: Iterable[Turn]) -> Conversation:
    """Questions and answers, the first beside the media."""
    messages, shown = [], list(media)
    for question, answer in turns:
        messages += [as_message("user", [*shown, question]), as_message("assistant", answer)]
        shown = []
    return Conversation(tuple(messages))


def _one(faces: Faces, random: Random) -> tuple[list[Concept], list[Posed]]:
    """A face, and questions about it."""
    mood = _any_mood(faces, random)
    face = _face(faces, mood, random)
    name, polarity = phrase(face.label), MOODS[mood].polarity
    posed = [
        thoughts.which(usually_first(ASK_MOOD, random), name, mood),
        thoughts.polarity(usually_first(ASK_POLARITY, random), name, polarity, mood),
        thoughts.whether(usually_first(ASK_WHETHER, random), name, mood, random),
    ]
    return [face], random.sample(posed, random.choices((1, 2, 3), (3, 2, 1))[0])


def _pair(faces: Faces, random: Random) -> tuple[list[Concept], list[Posed]]:
    """Two faces, of one mood or of two, and whether it is one."""
    one, same = _any_mood(faces, random), random.random() < 0.5
    two = one if same else random.choice([name for name in faces if name != one])
    shown = [_face(faces, mood, random) for mood in (one, two)]
    names = (phrase(shown[0].label), phrase(shown[1].label))
    return shown, [thoughts.same(usually_first(ASK_SAME, random), names, (one, two))]


def _any_mood(faces: Faces, random: Random) -> str:
    return random.choices(list(faces), [len(roots) ** 0.5 for roots in faces.values()])[0]


def _face(faces: Faces, mood: str, random: Random) -> Concept:
    return random.choice(random.choice(list(faces[mood].values())))
