"""What nano's own tokenizer is learned from: with about 3,500 entries most words of the recipe are one token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from random import Random

from recipes.pictograms import phrases, tasks
from recipes.pictograms.concepts import Concepts

# Plain words that a user may type and the names do not hold.
EVERYDAY = (
    "I you he she it we they and or but not yes no please thank thanks good bad big small new old the a an of in on at "
    "with for from to is are was be have has do does can could would like want see show tell me my your what which who "
    "where when why how many much there here this that these those more less very picture image drawing word name"
)


def corpus(
    concepts: Concepts, texts: int = 30_000, seed: int = 0, shares: Mapping[str, float] = tasks.SHARES
) -> Iterator[str]:
    """The tasks' own messages, every name and tag, everyday words."""
    for conversation in tasks.conversations(concepts, texts, seed, shares):
        for message in conversation.messages:
            yield from (part.data for part in message.parts if part.is_text)
    random = Random(seed)
    for concept in concepts:
        yield from _name_texts(concept.names.values(), random)
        yield from concept.tags
    yield from (f" {word}" for word in EVERYDAY.split() for _ in range(20))
    yield from (text for pair in phrases.SMALL_TALK for text in pair for _ in range(20))


def _name_texts(names: Iterable[str], random: Random) -> Iterator[str]:
    """A name at the start of a text and after a space, as both occur."""
    for name in names:
        yield from random.choices((name, f" {name}"), k=4)
