"""Training conversations from makers in given shares; number i depends on the seed and on i only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random

from sensorium.types import Conversation, InputError

Maker = Callable[[Random], Conversation]


def conversations(
    makers: Mapping[str, Maker], shares: Mapping[str, float], count: int, seed: int, start: int = 0
) -> Iterator[Conversation]:
    """``count`` conversations, each by a maker taken by chance.

    Args:
        makers: by the name of the task.
        shares: odds of the tasks; they need not sum to one, and tasks that are left out are not made.
        start: number of the first conversation, to go on where an earlier call stopped.

    Raises:
        InputError: a task is unknown or no share is positive.
    """
    unknown = [name for name in shares if name not in makers]
    if unknown or sum(shares.values()) <= 0:
        raise InputError(f"shares must be positive odds of {', '.join(makers)}; got {dict(shares)}")
    names, odds = list(shares), list(shares.values())
    for index in range(start, start + count):
        random = Random(f"{seed}:{index}")
        yield makers[random.choices(names, odds)[0]](random)
