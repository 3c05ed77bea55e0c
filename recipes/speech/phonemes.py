"""Text to phonemes in the international phonetic alphabet, by the program espeak-ng."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache

from sensorium.types import InputError

ESPEAK_VOICES = {"en": "en-us", "es": "es"}
_MARKS = re.compile(r"\([a-z-]+\)|[-\u200d]")  # a change of language, and joints between phonemes
_PAUSES = re.compile(r"([.,;:!?…]+)")


@cache
def phonemes(text: str, language: str) -> str:
    """``("a red heart", "en")`` -> ``"ɐ ɹˈɛd hˈɑːɹt"``; punctuation stays where it was, since it is spoken as a pause.

    Raises:
        InputError: the language has no voice, or espeak-ng is missing.
    """
    if language not in ESPEAK_VOICES:
        raise InputError(f"phonemes are known for {', '.join(ESPEAK_VOICES)}, not {language!r}; choose one of them")
    if shutil.which("espeak-ng") is None:
        raise InputError("the program espeak-ng is needed to make phonemes; install it and run again")
    pieces = _PAUSES.split(text.replace("¿", "").replace("¡", ""))
    spoken = [piece if _PAUSES.fullmatch(piece) else _espeak(piece, language) for piece in pieces if piece.strip()]
    return " ".join(spoken).replace(" ,", ",").replace(" .", ".").replace(" ?", "?").replace(" !", "!").strip()


def _espeak(text: str, language: str) -> str:
    command = ["espeak-ng", "-q", "--ipa=3", "-v", ESPEAK_VOICES[language], text]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return " ".join(_MARKS.sub("", said).split())
