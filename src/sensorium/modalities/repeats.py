"""Texts that come to no end: a model that writes the likeliest may say something over and over.

What ended by itself is left as it is, since people repeat themselves, too: "no no no", or a refrain.
"""

from __future__ import annotations

SHORTEST = 4
"""Signs of what is said again and left out, where a text came to no end."""
LONG, OFTEN = 16, 4
"""Signs of a phrase, and how many times it is said in a row, from which a text is taken to come to no end."""


def endless(text: str) -> bool:
    """Whether a text ends in a long phrase said many times in a row; a short one may be said as often as one likes."""
    for length in range(LONG, len(text) // OFTEN + 1):
        phrase = text[-length:]
        if text.endswith(OFTEN * phrase):
            return phrase not in (2 * phrase)[1:-1]  # else it is itself a shorter one, said many times
    return False


def once(text: str) -> str:
    """A text that came to no end, without what it says again at its end, once or many times or in part.

    All before stays as it is.
    """
    back, again = text[::-1], 0
    for apart in range(SHORTEST, len(text)):
        if again >= len(text) - apart:
            break
        pairs = enumerate(zip(back, back[apart:], strict=False))
        again = max(again, next((count for count, (one, other) in pairs if one != other), len(text) - apart))
    return text[: len(text) - again] if again >= SHORTEST else text
