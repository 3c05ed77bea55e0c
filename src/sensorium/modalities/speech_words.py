"""What a model is asked about speech, one text for each task.

Training data, commands and the server's routes take them from here, so that a model is asked as it was taught.
"""

from __future__ import annotations

import re

WHAT_IS_SAID = "What is said?"
TRANSLATED = "What is it in {language}?"
IN_ENGLISH = TRANSLATED.format(language="English")
SAY = "Say: {words}"
BLANKS = re.compile(r"\s+")
TITLES = "".join(rf"(?<!\b{title}\.)" for title in ("Mr", "Mrs", "Ms", "Dr", "St", "Sr", "Sra"))
SENTENCES = re.compile(rf"{TITLES}(?<=[.!?…。！？])\s+|(?<=[。！？])")
ENDS = (re.compile(r"(?<=[,;:،、，；：])\s+|\s+(?=[–—(])"), BLANKS)
"""Where a sentence may be cut that is too long: behind its parts, and else between words."""


def to_say(words: str) -> str:
    """The request to say these words."""
    return SAY.format(words=" ".join(words.split()))


def phrases(words: str, longest: int) -> list[str]:
    """A text sentence by sentence, as models learn to speak: asked for several at once, one may say the first and stop.

    A sentence of more than ``longest`` characters comes in as few pieces as may be, cut where a speaker would pause.
    """
    sentences = filter(None, SENTENCES.split(" ".join(words.split())))
    return [piece for sentence in sentences for piece in _phrases(sentence, longest, ENDS)]


def _phrases(text: str, longest: int, ends: tuple[re.Pattern[str], ...]) -> list[str]:
    if len(text) <= longest:
        return [text] if text else []
    if not ends:
        return [text[start : start + longest] for start in range(0, len(text), longest)]
    found: list[str] = []
    for piece in filter(None, ends[0].split(text)):
        if found and len(found[-1]) + 1 + len(piece) <= longest:
            found[-1] += f" {piece}"
        else:
            found += _phrases(piece, longest, ends[1:])
    return found
