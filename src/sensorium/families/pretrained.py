"""The `pretrained` family: tokenizers of pictures and of sound that `transformers` ships, as codecs.

Pictures: Janus (arXiv 2410.13848) and Emu3 (arXiv 2409.18869) encode and decode; Chameleon (arXiv 2405.09818) has no
decoder there, so it can only read. Sound: Mimi (arXiv 2410.00037), EnCodec (arXiv 2210.13438), DAC (arXiv 2306.06546)
and X-Codec (arXiv 2408.17175). The weights travel inside the codec's folder, as with every other codec.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch

from sensorium.checked import NAME, check_sizes, checked, checked_arguments
from sensorium.codecs import Codec, Facts
from sensorium.families import pretrained_sources as sources
from sensorium.families.net_codec import fits
from sensorium.families.pretrained_models import PictureModel, SoundModel
from sensorium.modalities import modality
from sensorium.types import InputError, Signal

# Name of the model's config in transformers: module, config class, model class, and how it is used.
KINDS: dict[str, tuple[str, str, str, type[PictureModel] | type[SoundModel]]] = {
    "janus_vqgan": ("janus", "JanusVQVAEConfig", "JanusVQVAE", PictureModel),
    "emu3_vqgan": ("emu3", "Emu3VQVAEConfig", "Emu3VQVAE", PictureModel),
    "chameleon_vqgan": ("chameleon", "ChameleonVQVAEConfig", "ChameleonVQVAE", PictureModel),
    "mimi": ("mimi", "MimiConfig", "MimiModel", SoundModel),
    "encodec": ("encodec", "EncodecConfig", "EncodecModel", SoundModel),
    "dac": ("dac", "DacConfig", "DacModel", SoundModel),
    "xcodec": ("xcodec", "XcodecConfig", "XcodecModel", SoundModel),
}


class PretrainedCodec(Codec):
    """Pictures or sound through a model of `transformers`.

    Args:
        vq: a model of one of `KINDS`.
        name, modality: see `Facts`; by default both are what the model is for.
        settings: of `PictureModel` or `SoundModel`.

    Raises:
        InputError: another kind of model, or settings that it does not have.
    """

    family: ClassVar[str] = "pretrained"
    suits: ClassVar[tuple[str, ...]] = ("image", "audio")

    def __init__(self, vq: Any, name: NAME | None = None, modality: NAME | None = None, **settings: Any):
        self.kind = vq.config.model_type
        if self.kind not in KINDS:
            raise InputError(f"a model of type {self.kind!r} is no known tokenizer; known: {', '.join(KINDS)}")
        self.vq = vq.eval().requires_grad_(False)
        use = KINDS[self.kind][3]
        try:
            self.model = use(self.vq, **settings)
        except TypeError as error:
            raise InputError(f"a model of type {self.kind!r} is for {use.modality}: {error}") from error
        modality = modality or use.modality
        facts: dict[str, Any] = self.model.facts
        self.facts = Facts(name=name or modality, modality=modality, **facts)

    @classmethod
    def from_hub(cls, source: str, **settings: Any) -> Self:
        """The model of a Hub id or folder: one by itself, or the one inside a whole Janus, Emu3 or Chameleon model.

        Of a whole model, only the files that hold the tokenizer are fetched, and only its weights are read.

        Args:
            settings: as for the constructor.

        Raises:
            InputError: nothing usable lies there.
        """
        config = sources.config_of(source)
        config = config if config.model_type in KINDS else getattr(config, "vq_config", config)
        if config.model_type not in KINDS:
            raise InputError(f"the model in {source!r} holds no known VQ model; known: {', '.join(KINDS)}")
        model = _classes(config.model_type)[1]
        if KINDS[config.model_type][3] is SoundModel:
            return cls(sources.whole(model, source), **settings)
        vq = model(config)
        sources.read_weights(vq, source)
        return cls(vq, **settings)

    @torch.inference_mode()
    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        """Media to codes, one at a time: other batch sizes round differently, and codes must not depend on that."""
        return [self.layout.join(*self.model.encode(signal)) for signal in self.fitted(signals)]

    @torch.inference_mode()
    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Codes to media.

        Raises:
            InputError: wrong codes, or a model that has no decoder.
        """
        split = [self.layout.split(one) for one in codes]
        if self.facts.use == "read":
            raise InputError(
                f"codec {self.facts.name!r} only reads: the {self.kind} model in transformers has no decoder; "
                "add a codec with use='write' to write"
            )
        mend = modality(self.facts.modality).mend
        return [mend(self.model.decode(header, frames)) for header, frames in split]

    def features(self, codebook: int) -> np.ndarray:
        """A codebook's vectors, centred, (codes, channels) float32."""
        vectors = self.model.vectors(codebook).detach().float().cpu().numpy()
        return vectors - vectors.mean(0)

    def header_features(self, codebook: int) -> np.ndarray | None:
        return self.model.header.features(codebook)

    def config(self) -> dict[str, Any]:
        shape = {"kind": self.kind, "vq": self.vq.config.to_diff_dict()} | self.model.settings
        return shape | {"name": self.facts.name, "modality": self.facts.modality}

    def tensors(self) -> dict[str, np.ndarray]:
        return {name: value.float().cpu().numpy() for name, value in self.vq.state_dict().items()}

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> PretrainedCodec:
        left = checked(config, dict[str, Any], "config")
        one_of: Any = Literal.__getitem__(tuple(KINDS))
        kind = checked(left.pop("kind", None), one_of, "config.kind")
        shape = checked(left.pop("vq", None), dict[str, Any], "config.vq")
        check_sizes(shape, "config.vq")
        settings, model = _classes(kind)
        given = {name: shape[name] for name in shape.keys() - {"model_type", "transformers_version"}}
        weights = {name: torch.from_numpy(value) for name, value in tensors.items()}
        fits(lambda: model(settings(**given)), weights)
        vq = model(settings(**given))
        vq.load_state_dict(weights)
        named = {name: left.pop(name) for name in ("name", "modality") if name in left}
        named = checked_arguments(cls, named, "config")
        return cls(vq, **named, **checked_arguments(KINDS[kind][3], left, "config"))


def _classes(kind: str) -> tuple[Any, Any]:
    """Config and model class of a kind, imported only now: they are heavy."""
    from importlib import import_module

    package, settings, model, _ = KINDS[kind]
    configuration = import_module(f"transformers.models.{package}.configuration_{package}")
    modeling = import_module(f"transformers.models.{package}.modeling_{package}")
    return getattr(configuration, settings), getattr(modeling, model)
