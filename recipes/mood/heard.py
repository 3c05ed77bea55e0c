"""Conversations about the mood of what is said: sentences that are heard."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from recipes.mood import thoughts
from recipes.mood.faces import asked_about
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


NOTHING = "nothing"
"""Is heard of a mood in a neutral sentence."""


def mood(sentences: Sentences, told: Callable[[str], Part], random: Random, thinking: float = 0.0) -> Conversation:
    """A sentence that may be trained on, heard, and questions about its mood.

    Args:
        told: the sound of a normalised text.
        thinking: share of the conversations whose questions are thought about.
    """
    one = sentences.pick(random, "train")
    heard = normalised(one.telling) or NOTHING
    asks = [ASK_POLARITY, *([ASK_SIDE] if one.polarity != "neutral" else [])]
    posed = [thoughts.polarity(usually_first(ask, random), heard, one.polarity, one.mood) for ask in asks]
    if one.mood:
        posed = [random.choice(posed), thoughts.which(usually_first(ASK_SPEAKER, random), heard, one.mood)]
        posed.append(thoughts.whether(usually_first(ASK_WHETHER, random), heard, one.mood, random))
    asked = random.sample(posed, min(len(posed), random.randint(1, 2)))
    return asked_about([told(normalised(one.text))], asked, random.random() < thinking)
