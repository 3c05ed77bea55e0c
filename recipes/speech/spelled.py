"""The codec `audio-words`: what the codec `audio` hears, as pieces of the words that are said in training, and said in
the speaking voice.

What lies with the recipe is all but the codec that hears, which lies there already.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from recipes.speech.clips import Clip
from recipes.speech.errors import normalised
from recipes.speech.phonemes import phonemes
from recipes.speech.sources import WHISPER_PARTS
from recipes.speech.texts import LANGUAGES, Texts, texts_of
from safetensors.numpy import load_file, save_file

from sensorium.families.inner import put_together, told
from sensorium.families.letters import Letters
from sensorium.families.pieces import in_signs, learn_merges
from sensorium.families.recogniser import Recogniser
from sensorium.families.spelled import HEARING, SpelledCodec
from sensorium.families.whisper import WhisperCodec
from sensorium.files import atomic_folder

WORDS = "audio-words"
EAR = "package:" + "+".join(package.name.replace("-", "_") for package in WHISPER_PARTS)
CODES, TEXTS, LIKELY, PRONOUNCED = 2000, 20_000, 60_000, 10_000
CONFIG, TENSORS = "config.json", "behind.safetensors"
KEPT = Path(__file__).with_name("weights") / WORDS


def in_pieces(hearing: WhisperCodec) -> SpelledCodec:
    """The codec with pieces of training texts, and what is likely in more of them."""
    heard, signs = hearing.without_voice(), hearing.settings.signs
    texts = texts_of(Texts.fetched(), LIKELY, "train", "pieces")
    said = [in_signs(normalised(one.text, one.language), signs) for one in texts]
    return SpelledCodec(heard, learn_merges(said[:TEXTS], signs, CODES), WORDS, letters=Letters.of(said, signs))


def pronounced(clips: Iterable[Clip]) -> Iterator[tuple[str, str]]:
    """Training texts with their phonemes, those of clips first."""
    yield from ((normalised(one.text, one.lang), one.phonemes) for one in clips)
    for one in texts_of(Texts.fetched(), PRONOUNCED, "train", "pronounced"):
        yield normalised(one.text, one.language), phonemes(one.text, one.language)


def without_ear(codec: SpelledCodec) -> SpelledCodec:
    """The same codec, small: the encoder that it hears by is taken from installed packages."""
    hearing: Any = codec.hearing
    return codec.but(hearing=hearing.without_ear(EAR))


def written(codec: SpelledCodec) -> SpelledCodec:
    """The same codes in a codec that hears with all of Whisper base, which is taken from installed packages."""
    return codec.but(recogniser=Recogniser(source=EAR, languages=list(LANGUAGES)))


def keep(codec: SpelledCodec, place: Path = KEPT) -> None:
    """Write what a codec has beside the one that hears."""
    own = {name: value for name, value in codec.config().items() if name != HEARING}
    with atomic_folder(place) as fresh:
        save_file({name: one for name, one in codec.tensors().items() if not name.startswith(HEARING)}, fresh / TENSORS)
        (fresh / CONFIG).write_text(json.dumps(own, ensure_ascii=False) + "\n", encoding="utf-8")


def with_hearing(hearing: WhisperCodec, place: Path = KEPT) -> SpelledCodec:
    """The codec of which `keep` wrote the rest."""
    own, heard = json.loads((place / CONFIG).read_text(encoding="utf-8")), hearing.without_voice()
    tensors = put_together({HEARING: heard.tensors()})
    return SpelledCodec.build(own | {HEARING: told(heard)}, tensors | load_file(place / TENSORS))
