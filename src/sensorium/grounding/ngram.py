"""An n-gram model of words with interpolated Kneser-Ney smoothing (Kneser and Ney 1995; Chen and Goodman 1999)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from math import log

DISCOUNT = 0.75
END = "</s>"


class NGram:
    """Learned from texts when it is made.

    Args:
        texts: one sentence each.
        order: words looked at, the one that is foretold included.
    """

    def __init__(self, texts: Iterable[str], order: int = 3):
        self.order = order
        self._counts: list[defaultdict[tuple[str, ...], Counter[str]]] = [defaultdict(Counter) for _ in range(order)]
        for text in texts:
            said = [*[""] * (order - 1), *words(text), END]
            for at in range(order - 1, len(said)):
                self._add(tuple(said[at - order + 1 : at]), said[at])

    def _add(self, context: tuple[str, ...], word: str) -> None:
        """Shorter contexts count in how many different longer ones a word was seen, not how often."""
        for length in range(self.order - 1, -1, -1):
            own = self._counts[length][context[len(context) - length :]]
            own[word] += 1
            if own[word] > 1:
                return

    def prob(self, context: tuple[str, ...], word: str) -> float:
        """Of a word after a context of at most ``order - 1`` words; never 0."""
        found = 1 / (len(self._counts[0][()]) + 1)
        for length in range(len(context) + 1):
            own = self._counts[length].get(context[len(context) - length :])
            if own:
                total = own.total()
                found = (max(own[word] - DISCOUNT, 0) + DISCOUNT * len(own) * found) / total
        return found

    def log_prob(self, prompt: str, answer: str) -> float:
        """Of an answer, and of nothing more, after a prompt; nats."""
        said = [*[""] * (self.order - 1), *words(prompt)]
        total = 0.0
        for word in (*words(answer), END):
            total += log(self.prob(tuple(said[-self.order + 1 :]), word))
            said.append(word)
        return total

    def continued(self, prompt: str, most: int = 8) -> str:
        """The likeliest word each time."""
        said = [*[""] * (self.order - 1), *words(prompt)]
        start = len(said)
        while len(said) < start + most:
            context = tuple(said[-self.order + 1 :])
            known = next(
                (
                    own
                    for n in range(self.order - 1, -1, -1)
                    if (own := self._counts[n].get(context[len(context) - n :]))
                ),
                None,
            )
            if known is None or (best := max(known, key=known.__getitem__)) == END:
                break
            said.append(best)
        return " ".join(said[start:])


def words(text: str) -> list[str]:
    return text.lower().replace("?", " ?").split()
