"""What an answer written freely says: a letter, yes or no, a box, a refusal; or nothing that can be read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from sensorium.data.facts import Box
from sensorium.evaluate.marks import Outcome

REFUSALS = re.compile(
    r"\b(i (?:can ?no|ca)n?'?t|i am (?:not able|unable)|i'?m (?:not able|unable|sorry|afraid)|sorry|as an ai|"
    r"i do(?: not|n'?t) (?:see|have)|no (?:medium|attachment|file)\b.* (?:provided|attached)|unable to)",
    re.IGNORECASE,
)
LEAD = r"(?:the )?(?:right |correct )?(?:answer|option)(?: is)?\s*:?\s*"
NUMBER = r"-?\d+(?:\.\d+)?"
BOX = re.compile(rf"({NUMBER})\s*,\s*({NUMBER})\s*,\s*({NUMBER})\s*,\s*({NUMBER})")


@dataclass(frozen=True)
class Said:
    """What was understood: ``value`` is "" unless the outcome is "answered"."""

    value: str
    outcome: Outcome = "answered"


def refused(text: str) -> bool:
    return bool(REFUSALS.search(text.replace("’", "'")))


def _unread(text: str) -> Said:
    return Said("", "refused" if refused(text) else "unparsable")


def option(text: str, options: Sequence[str]) -> Said:
    """Which option is meant: by its letter ("B", "(b)", "Answer: B."), its words, or both."""
    letters = ascii_uppercase[: len(options)]
    plain = _plain(text)
    exact = [one for one in options if plain.lower() == one.lower()]
    if exact:
        return Said(exact[0])
    found = re.match(rf"(?:{LEAD})?\(?([{letters}])(?=$|[).:,\n])", plain, re.IGNORECASE)
    if found:
        return Said(options[letters.index(found[1].upper())])
    marked = set(re.findall(rf"\b(?:answer|option)\b\W*(?:is\W*)?\(?([{letters}])\b", text))
    if len(marked) == 1:
        return Said(options[letters.index(marked.pop())])
    named = [one for one in options if _occurs(one, plain)]
    longest = [one for one in named if not any(one != other and _occurs(one, other) for other in named)]
    return Said(longest[0]) if len(longest) == 1 and not refused(text) else _unread(text)


def yes_no(text: str) -> Said:
    """ "Yes.", "**No**, there is none" and the like; neither where both or none is said."""
    words = re.findall(r"[a-z']+", text.lower().replace("’", "'"))
    words = words[1:] if words[:1] == ["answer"] else words
    if words[:1] in (["yes"], ["no"]):
        return Said(words[0])
    yes = "yes" in words
    no = bool({"no", "not", "isn't", "aren't", "doesn't"} & set(words))
    return _unread(text) if yes == no or refused(text) else Said("yes" if yes else "no")


def free(text: str, right: Sequence[str]) -> Said:
    """The right answer that a short text gives, else the text as it is."""
    plain = _plain(text)
    if not plain:
        return Said("", "unparsable")
    if refused(text):
        return Said("", "refused")
    said = re.sub(r"^(?:(?:it is|it's|the answer is)\s+)?(?:(?:a|an|the)\s+)?", "", plain, flags=re.IGNORECASE).lower()
    bare = {re.sub(r"^(?:a|an|the)\s+", "", one.lower()): one for one in right}
    return Said(bare.get(said, said))


def places(text: str) -> list[Box]:
    """Every four numbers in a row, corners put in order."""
    found = [tuple(map(float, numbers)) for numbers in BOX.findall(text)]
    return [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in found]


def _plain(text: str) -> str:
    """Without marks of Markdown, quotation marks and the stop at the end."""
    return re.sub(r"[*_`\"“”]", "", text).strip().rstrip(".!").strip()


def _occurs(words: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text, re.IGNORECASE) is not None
