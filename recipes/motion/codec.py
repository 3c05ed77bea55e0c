"""The codec of clips: `fsq` over time and space, trained on moved drawings; it reads and writes.

A step of codes stands for a quarter of a second, so that times can be counted in them, and has 4 x 4 codes.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

from recipes.motion.moved import atlas_of, moved

from sensorium.codecs import Codec, Media, load_codec
from sensorium.data.table import Side
from sensorium.files import cache_dir
from sensorium.learning.learn import learn_codec
from sensorium.modalities import modality
from sensorium.recipe import Learner
from sensorium.types import InputError, Signal

NAME, MINUTES, LEARNED_FROM = "clip", 60.0, 4000


def home() -> Path:
    return cache_dir() / "motion" / "codec"


def clips(side: Side, count: int) -> list[Signal]:
    """Moved drawings of a side."""
    atlas = atlas_of(side)
    return [moved(Random(f"codec:{number}"), side, atlas).part.data for number in range(count)]


def train(minutes: float, start: str = "", count: int = LEARNED_FROM) -> Codec:
    """Train for some minutes in all, and save."""
    media = Media.of(clips("train", count))
    state = home().with_name("codec.training.safetensors")
    codec = learn_codec("fsq", media, minutes=minutes, checkpoint=state, modality="video", name=NAME)
    codec.save(home())
    return codec


def trained() -> Codec:
    """InputError when it has not been trained."""
    if not home().is_dir():
        raise InputError(f"no codec in {home()}; train it with `python -m recipes motion codec {NAME} train`")
    return load_codec(home())


def report(out: Path) -> None:
    """PSNR of held-out clips, of pictures and of what changes in them."""
    shown, kind, codec = clips("test", 100), modality("video"), trained()
    restored = codec.decode(codec.encode(shown))
    found = kind.overall([kind.measures(one, other) for one, other in zip(shown, restored, strict=True)])
    print(", ".join(f"{name} {value:.2f}" for name, value in found.items()))


CLIP = Learner(train=train, minutes=MINUTES, report=report)
