"""What tells moods without a model: counted words of the training sentences, and the lexicon that labelled them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import log

from recipes.mood.sentences import Sentence, Sentences, words_of

NEGATIONS = {"not", "no", "never"}
REACH = 3
"""Words before a rated one among which a negation turns it."""


class CountedWords:
    """Naive Bayes over the words of sentences, each polarity as likely as the others."""

    def __init__(self, sentences: Sequence[Sentence]):
        self.counts = {one.polarity: Counter[str]() for one in sentences}
        for one in sentences:
            self.counts[one.polarity].update(words_of(one.text))
        self.known = len({word for counts in self.counts.values() for word in counts})

    def best(self, text: str, answers: Sequence[str]) -> str:
        return max(answers, key=lambda answer: self._likely(text, self.counts[answer]))

    def _likely(self, text: str, counts: Counter[str]) -> float:
        whole = counts.total() + self.known
        return sum(log((counts[word] + 1) / whole) for word in words_of(text))


def rated(sentences: Sentences, text: str) -> str:
    """By the sum of all ratings, turned after a negation: of held-out words it knows what it labelled them by."""
    words = words_of(text)
    turned = [bool({*words[max(0, place - REACH) : place]} & NEGATIONS) for place in range(len(words))]
    found = zip((sentences.ratings.get(word, 0.0) for word in words), turned, strict=True)
    total = sum(-rating if turn else rating for rating, turn in found)
    return "positive" if total > 0 else "negative" if total < 0 else "neutral"
