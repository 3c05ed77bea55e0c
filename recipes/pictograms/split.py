"""The leak-free split: by concept, in all drawing families and sources at once.

A concept's *root* is its name without gender, skin tone and "person", "man", "woman": all drawings of a root lie on the
same side, whoever drew them. 8 % of the roots are for tests and 4 % for validation, by a hash of the root, so the split
never changes when sources are added. Flags are one group and stay in train. Held-out drawing families (tier C) are
never trained on, wherever their root lies: ask `Picture.trainable`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from sensorium.data import table

_TONE = re.compile(r"\b(?:(?:medium-)?(?:light|dark)|medium)(?: skin tone)\b")
_GENDER = re.compile(
    r"\b(?:person|people|persons|m[ae]n|wom[ae]n|male|female|mx|mrs|boys?|girls?|lad(?:y|ies)|gentlem[ae]n"
    r"|child(?:ren)?|adults?)\b(?:['’]s)?"
)
_SMALL = re.compile(r"\b(?:in|with|a|an|the|of|and|who|is|facing right|facing left)\b")
_SAME = {  # words for one thing that differ by gender or age only
    "prince": "royal", "princess": "royal", "crown royal": "royal",
    "mother": "parent", "father": "parent",
    "bride": "wedding", "groom": "wedding", "veil": "wedding", "tuxedo": "wedding",
    "older": "old", "grandmother": "old", "grandfather": "old",
    "merman": "mermaid", "merperson": "mermaid",
    "santa claus": "claus", "christmas": "claus",
    "beard": "bearded",
    "policeman": "police officer", "policewoman": "police officer",
    "fireman": "firefighter",
    "heroine": "hero",
}  # fmt: skip


def root_of(label: str) -> str:
    """``"man astronaut: dark skin tone"`` -> ``"astronaut"``; a bare "woman" has the root "person"."""
    text = unicodedata.normalize("NFKC", label).lower().replace("_", " ")
    if text.startswith(("family", "kiss:", "couple with heart")):
        return text.split(":")[0].strip()
    if not text.startswith("flag"):
        text = _SMALL.sub(" ", _GENDER.sub(" ", _TONE.sub(" ", text)))
    text = " ".join(re.sub(r"[^\w&+#*.!?-]+", " ", text).split()).strip(" -.")
    return _SAME.get(text, text) or "person"


def split_of(root: str, category: str = "") -> str:
    """ "train", "val" or "test"; the same for the same root, whatever else there is."""
    return "train" if category == "flags" or root.startswith("flag ") else table.split_of(root)


def known_root(label: str, roots: Collection[str]) -> str:
    """The root of a free title: the longest known root it speaks of, else its own.

    "Two crocodiles by the river" shows the concept "crocodile", and so must lie on that concept's side of the split.
    """
    own = root_of(label)
    words = own.split()
    for size in range(len(words), 0, -1):
        for start in range(len(words) - size + 1):
            phrase = " ".join(words[start : start + size])
            for form in (phrase, phrase.removesuffix("s"), phrase.removesuffix("es")):
                if form in roots:
                    return form
    return own
