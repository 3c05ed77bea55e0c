"""The encoder of Whisper base (MIT), out of the packages in which the outside recogniser comes.

What was trained behind it lies with the recipe, without the encoder, which is many times larger.
"""

from __future__ import annotations

import json
from pathlib import Path

from recipes.speech.recogniser import joined
from safetensors.numpy import load_file, save_file
from torch import Tensor

from sensorium.families.ears import pretrained_ear
from sensorium.families.whisper import WhisperCodec
from sensorium.files import atomic_folder

EAR, CONFIG, TENSORS = "ear.", "config.json", "behind.safetensors"


def ear() -> dict[str, Tensor]:
    """The tensors of the encoder, float32, joined from its packages."""
    return pretrained_ear(str(joined()))[1]


def keep(codec: WhisperCodec, place: Path) -> None:
    """Write what was trained of a codec, without the ear."""
    with atomic_folder(place) as fresh:
        save_file({name: one for name, one in codec.tensors().items() if not name.startswith(EAR)}, fresh / TENSORS)
        (fresh / CONFIG).write_text(json.dumps(codec.config(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def with_ear(place: Path) -> WhisperCodec:
    """The codec of which `keep` wrote the trained part."""
    own = {EAR + name: one.numpy() for name, one in ear().items()}
    config = json.loads((place / CONFIG).read_text(encoding="utf-8"))
    return WhisperCodec.build(config, load_file(place / TENSORS) | own)
