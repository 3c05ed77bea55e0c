"""What `sensorium eval failures` looks at: a codec, a model of ours, or an encoder of texts, from what is typed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sensorium.grounding.encoders import Encoder, OfCodec, OfModel, OfTexts


def encoder_of(said: str, material: Sequence[Path]) -> Encoder:
    """Args:
        material: whose first medium says what a model of ours is shown.

    Raises:
        InputError: it is none of these, or cannot be loaded.
    """
    from sensorium import api
    from sensorium.cli.options import quiet
    from sensorium.grounding.material import read_material
    from sensorium.model.folder import IN_THE_BOX

    if said in {*api.codec_names(), *api.boxed_codecs()} or (Path(said) / "codec.json").is_file():
        return OfCodec(api.codec(said))
    quiet()
    if any((folder / "sensorium.json").is_file() for folder in (Path(said), IN_THE_BOX / said)):
        kind = read_material(material[:1])[0].facts.medium.modality
        return OfModel(api.load(said), Path(said).name, kind)
    return OfTexts(said)
