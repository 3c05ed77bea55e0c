"""Sentences that are positive, negative or neutral, and sentences in which somebody says how he feels.

Whether a word is positive is the mean of ten people's ratings (VADER's lexicon). Sentences are made of templates, or
are a dictionary's examples whose rated words all agree; neutral are those without a rated word. "Not" stands before
positive words only: what is not bad is not for sure good. **Leak-free split**, by word: a sentence is for tests when
its rated words are, and one that mixes both sides is for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

from recipes.mood.moods import MOODS, side_of
from recipes.mood.sources import LEXICON
from recipes.speech.sources import WORDNET
from recipes.speech.texts import Texts

from sensorium.data.fetch import fetch
from sensorium.data.table import Side, grouped

KINDS: Mapping[str, float] = {"feeling": 0.35, "quality": 0.25, "example": 0.25, "neutral": 0.15}
NEUTRAL: Mapping[str, float] = {"sentence": 0.3, "count": 0.1, "name": 0.1, "example": 0.5}
SURELY, HARDLY, AGREED = 1.6, 0.5, 1.2
"""Ratings (of -4 to 4) from which a word decides, from which it counts at all, and how far people may differ."""
TURNING = {
    "not", "no", "never", "nor", "none", "without", "hardly", "lack", "cannot", "like", "kind", "well", "but", "if",
}  # fmt: skip
"""Words that turn others, or are rated for what they seldom mean: no example with them is used."""

THINGS = (
    "film", "food", "trip", "book", "day", "hotel", "service", "music", "weather", "garden", "meeting", "phone",
    "story", "idea", "match", "concert", "house", "game", "museum", "teacher", "plan", "answer", "letter", "song",
    "place", "job", "speech", "meal", "show", "neighbour",
)  # fmt: skip
QUALITIES = (
    "The {thing} was {word}.", "The {thing} is {word}.", "What {a} {word} {thing}!", "It was {a} {word} {thing}.",
    "I found the {thing} {word}.", "This {thing} is really {word}.", "My {thing} was so {word}.",
    "We had {a} {word} {thing}.", "The {thing} they had was very {word}.", "Everyone says the {thing} is {word}.",
)  # fmt: skip
NOT_QUALITIES = ("The {thing} was not {word}.", "The {thing} is not {word} at all.", "It was not {a} {word} {thing}.")
FEELINGS = (
    "I feel {word}.", "I am {word}.", "I am {word} today.", "I feel so {word}.", "I was {word} all day.",
    "That made me feel {word}.", "I have been {word} since this morning.", "When I heard it I was {word}.",
    "My brother called, and now I am {word}.", "I came home and felt {word}.", "You know, I am really {word}.",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """One of them.

    Args:
        mood: "" where nobody says how he feels.
        telling: the words of it that tell so; "" where there are none, or nobody looked for them.
    """

    text: str
    polarity: str
    mood: str = ""
    telling: str = ""


class Sentences:
    """Everything whose mood is known.

    Args:
        ratings: of words, surely rated or not.
        qualities: words that say how something is.
        texts: where examples and neutral sentences are from.
    """

    def __init__(self, ratings: Mapping[str, float], qualities: Iterable[str], texts: Texts):
        self.ratings = ratings
        self.texts = texts
        told = {word for mood in MOODS.values() for word in mood.words}
        rated = [one for one in qualities if abs(ratings.get(one, 0)) >= SURELY and one not in told]
        self.qualities = grouped(rated, lambda word: (side_of(word), self._sign(word)))

    @classmethod
    def fetched(cls, texts: Texts | None = None) -> Sentences:
        """From the sources."""
        ratings = read_ratings(fetch(LEXICON) / "vaderSentiment" / "vader_lexicon.txt")
        return cls(ratings, read_adjectives(fetch(WORDNET)), texts or Texts.fetched())

    def pick(self, random: Random, side: Side, kinds: Mapping[str, float] = KINDS) -> Sentence:
        """A sentence of this side ("train" or "test"), by chance."""
        kind = random.choices(list(kinds), list(kinds.values()))[0]
        return {"feeling": feeling, "quality": self._quality, "example": self._example, "neutral": self._neutral}[kind](
            random, side
        )

    def said(self, text: str) -> list[float]:
        """The ratings of the words of a text that are rated."""
        found = (self.ratings.get(word, 0.0) for word in words_of(text))
        return [rating for rating in found if abs(rating) >= HARDLY]

    def _telling(self, text: str) -> list[str]:
        return [word for word in words_of(text) if abs(self.ratings.get(word, 0.0)) >= HARDLY]

    def _quality(self, random: Random, side: Side) -> Sentence:
        polarity = random.choice(("positive", "negative"))
        turned = polarity == "negative" and random.random() < 0.25
        word = random.choice(self.qualities[side, "positive" if turned else polarity])
        form = random.choice(NOT_QUALITIES if turned else QUALITIES)
        a = "an" if word[0] in "aeiou" else "a"
        text = form.format(word=word, a=a, thing=random.choice(THINGS))
        return Sentence(text=text, polarity=polarity, telling=f"not {word}" if turned else word)

    def _example(self, random: Random, side: Side) -> Sentence:
        polarity = random.choice(("positive", "negative"))
        text = random.choice(self.examples[side, polarity])
        return Sentence(text=text, polarity=polarity, telling=", ".join(self._telling(text)))

    def _neutral(self, random: Random, side: Side) -> Sentence:
        while True:
            one = self.texts.pick(random, side, NEUTRAL)
            if one.language == "en" and not self.said(one.text) and not TURNING & {*words_of(one.text)}:
                return Sentence(text=one.text, polarity="neutral")

    @cached_property
    def examples(self) -> Mapping[tuple[Side, str], Sequence[str]]:
        """A dictionary's sentences by side and polarity."""
        found: dict[tuple[Side, str], list[str]] = {}
        for text in self.texts.examples:
            words, rated = words_of(text), self._telling(text)
            sides, signs = {side_of(word) for word in rated}, {self._sign(word) for word in rated}
            sure = any(abs(self.ratings[word]) >= SURELY for word in rated)
            if sure and len(sides) == len(signs) == 1 and not TURNING & {*words}:
                (side,), (sign,) = sides, signs
                if side == "test" or self.texts.side(text) == "train":
                    found.setdefault((side, sign), []).append(text)
        return found

    def _sign(self, word: str) -> str:
        return "positive" if self.ratings[word] > 0 else "negative"


def feeling(random: Random, side: Side) -> Sentence:
    """Somebody says how he feels."""
    mood = random.choice([name for name in MOODS if words_for(name, side)])
    word = random.choice(words_for(mood, side))
    text = random.choice(FEELINGS).format(word=word)
    return Sentence(text=text, polarity=MOODS[mood].polarity, mood=mood, telling=word)


def words_for(mood: str, side: Side) -> list[str]:
    return [word for word in MOODS[mood].words if side_of(word) == side]


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def read_ratings(path: Path) -> dict[str, float]:
    """The mean rating of every word of letters on which people agreed."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return {word: float(mean) for word, mean, spread, *_ in rows if word.isalpha() and float(spread) <= AGREED}


def read_adjectives(folder: Path) -> list[str]:
    """The adjectives of an unpacked ``wordnet-base`` that occur in the texts its senses were counted in."""
    lines = (folder / "usr" / "share" / "wordnet" / "index.adj").read_text(encoding="latin-1").splitlines()
    rows = (line.split() for line in lines if line[0].isalpha())
    return [word for word, _, _, pointers, *rest in rows if word.isalpha() and int(rest[int(pointers) + 1])]
