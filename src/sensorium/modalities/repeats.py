"""Texts that come to no end: a model that writes the likeliest may say something over and over.

What ended by itself is left as it is, since people repeat themselves, too: "no no no", or a refrain.
"""

from __future__ import annotations

import unicodedata

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
    """A text that came to no end, with what it says again at its end said once.

    Only what is there again as a whole is cut, and what is begun of it once more. All before stays as it is.
    """
    back, end = text[::-1], len(text)
    for apart in range(SHORTEST, len(text) // 2 + 1):
        if end <= apart:
            break
        pairs = enumerate(zip(back, back[apart:], strict=False))
        same = next((count for count, (one, other) in pairs if one != other), len(text) - apart)
        if same >= apart:
            end = min(end, _first_end(text, len(text) - apart - same, apart))
    return text if end == len(text) else text[:end].rstrip()


def _first_end(text: str, start: int, apart: int) -> int:
    """Where what is said every so many signs, from a place to the end, has been said once; the end of the text where it
    is not said again.

    What has words is said again from the beginning of one of them. What lies within a word must be said often, since
    words repeat themselves, too: "couscous".
    """
    of_words = not all(map(_in_word, text[start : start + apart]))
    while of_words and (_parts_word(text, start) or _parts_word(text, start + apart)):
        start += 1
    times = 2 if of_words else OFTEN
    return start + apart if len(text) - start >= times * apart else len(text)


def _parts_word(text: str, place: int) -> bool:
    return 0 < place < len(text) and all(map(_in_word, text[place - 1 : place + 1]))


def _in_word(sign: str) -> bool:
    """Letters, their marks, and digits; not what parts words."""
    return unicodedata.category(sign)[0] in "LMN" or sign in "'\u2019"
