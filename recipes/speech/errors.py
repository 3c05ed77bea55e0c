"""How many letters and words are wrong: CER and WER over normalised text, with intervals over clips.

Both texts are compared in small letters, without punctuation and without the marks around it, digits as words, blanks
single. An error rate is the edits of all clips divided by the length of all right texts, so a long text counts more;
its 95 % interval is the bootstrap's over clips, since the letters of one clip are not right or wrong by themselves.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from recipes.speech.numbers import spelled

from sensorium.evaluate.clustered import bootstrap
from sensorium.types import InputError


@dataclass(frozen=True)
class ErrorRate:
    """Edits per letter or word of the right texts, with a 95 % interval; ``count`` clips. May be above 1."""

    value: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f}, n = {self.count})"

    def to_json(self) -> dict[str, Any]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


def normalised(text: str, language: str = "en") -> str:
    """``"Well, it's 20 o'clock!"`` -> ``"well it's twenty o'clock"``; accents stay."""
    text = unicodedata.normalize("NFC", text).lower().replace("’", "'")
    text = re.sub(r"(?<!\d)\d{1,3}(?!\d)", lambda found: f" {spelled(int(found[0]), language)} ", text)
    return " ".join(re.sub(r"[^\w' ]|_|(?<!\w)'|'(?!\w)", " ", text).split())


def error_rate(
    right: Sequence[str],
    said: Sequence[str],
    of: Literal["letters", "words"] = "letters",
    languages: Sequence[str] | None = None,
    seed: int = 0,
) -> ErrorRate:
    """The error rate of what was said or written for every clip.

    Args:
        languages: of the clips, for digits; English where not given.

    Raises:
        InputError: there is nothing to compare, or a right text has no letter.
    """
    return rate_of(*counted(right, said, of, languages), seed)


def rate_of(edits: np.ndarray, lengths: np.ndarray, seed: int = 0) -> ErrorRate:
    """The error rate of one or more clips, from their (clips,) edits and lengths."""
    return ErrorRate(float(edits.sum() / lengths.sum()), *bootstrap(edits, lengths, seed), len(edits))


def counted(
    right: Sequence[str], said: Sequence[str], of: str = "letters", languages: Sequence[str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(clips,) edits and (clips,) lengths of the right texts."""
    import jiwer

    if not right or len(right) != len(said):
        raise InputError(f"there are {len(right)} right texts and {len(said)} to compare; give one for each")
    measure = jiwer.process_characters if of == "letters" else jiwer.process_words
    edits, lengths = [], []
    for truth, answer, language in zip(right, said, languages or ["en"] * len(right), strict=True):
        found = measure(normalised(truth, language), normalised(answer, language))
        edits.append(found.substitutions + found.insertions + found.deletions)
        lengths.append(found.substitutions + found.deletions + found.hits)
    return np.array(edits, float), np.array(lengths, float)
