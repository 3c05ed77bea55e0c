"""Conversations about the mood of what is said: sentences that are heard."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from recipes.mood.faces import about, whether
from recipes.mood.sentences import Sentences
from recipes.speech.errors import normalised
from recipes.speech.tasks import usually_first

from sensorium.types import Conversation, Part

ASK_SPEAKER = ("How does the speaker feel?", "How do they feel?", "What is the mood?")
ASK_POLARITY = (
    "Is that positive, negative or neutral?", "Is what is said positive, negative or neutral?",
    "Is the mood positive, negative or neutral?",
)  # fmt: skip
ASK_SIDE = ("Is that positive or negative?", "Is what is said positive or negative?")
ASK_WHETHER = ("Is the speaker {mood}?", "Does the speaker feel {mood}?")


def mood(sentences: Sentences, told: Callable[[str], Part], random: Random) -> Conversation:
    """A sentence that may be trained on, heard, and questions about its mood.

    Args:
        told: the sound of a normalised text.
    """
    one = sentences.pick(random, "train")
    ways = [(usually_first(ASK_POLARITY, random), one.polarity)]
    if one.polarity != "neutral":
        ways.append((usually_first(ASK_SIDE, random), one.polarity))
    if one.mood:
        ways = [random.choice(ways), (usually_first(ASK_SPEAKER, random), one.mood)]
        ways.append(whether(one.mood, usually_first(ASK_WHETHER, random), random))
    return about([told(normalised(one.text))], random.sample(ways, min(len(ways), random.randint(1, 2))))
