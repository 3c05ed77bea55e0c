"""The codec `audio-words`: what the codec `audio` hears, as pieces of the words that are said in training.

What lies with the recipe is the pieces; the codec that hears them lies there already.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from recipes.speech.clips import Clip
from recipes.speech.errors import normalised
from recipes.speech.phonemes import phonemes
from recipes.speech.texts import Texts, texts_of

from sensorium.families.inner import told
from sensorium.families.spelled import HEARING, SpelledCodec
from sensorium.families.whisper import WhisperCodec
from sensorium.files import atomic_folder

WORDS = "audio-words"
CODES, TEXTS, PRONOUNCED = 2000, 20_000, 10_000
CONFIG = "config.json"
KEPT = Path(__file__).with_name("weights") / WORDS


def in_pieces(hearing: WhisperCodec) -> SpelledCodec:
    """The codec with pieces of training texts."""
    said = (normalised(one.text, one.language) for one in texts_of(Texts.fetched(), TEXTS, "train", "pieces"))
    return SpelledCodec.of(hearing.without_voice(), said, CODES, name=WORDS)


def pronounced(clips: Iterable[Clip]) -> Iterator[tuple[str, str]]:
    """Training texts with their phonemes, those of clips first."""
    yield from ((normalised(one.text, one.lang), one.phonemes) for one in clips)
    for one in texts_of(Texts.fetched(), PRONOUNCED, "train", "pronounced"):
        yield normalised(one.text, one.language), phonemes(one.text, one.language)


def keep(codec: SpelledCodec, place: Path = KEPT) -> None:
    """Write what a codec has beside the one that hears."""
    own = {name: value for name, value in codec.config().items() if name != HEARING}
    with atomic_folder(place) as fresh:
        (fresh / CONFIG).write_text(json.dumps(own, ensure_ascii=False) + "\n", encoding="utf-8")


def with_hearing(hearing: WhisperCodec, place: Path = KEPT) -> SpelledCodec:
    """The codec of which `keep` wrote the rest."""
    own = json.loads((place / CONFIG).read_text(encoding="utf-8"))
    heard = hearing.without_voice()
    tensors = {f"{HEARING}.{name}": one for name, one in heard.tensors().items()}
    return SpelledCodec.build(own | {HEARING: told(heard)}, tensors)
