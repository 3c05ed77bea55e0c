"""The `pretrained` family: the image VQ models that `transformers` ships, as codecs.

Janus (arXiv 2410.13848) and Emu3 (arXiv 2409.18869) encode and decode; Chameleon (arXiv 2405.09818) has no decoder
there, so it can only read. The weights travel inside the codec's folder, as with every other codec.
Legend of shapes: 1 picture, 3 colours, S side in pixels.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from sensorium.codecs import Codec, Facts
from sensorium.modalities import Wish
from sensorium.types import InputError, Signal

# Name of the VQ model's config in transformers: module, config class, model class, whether it decodes.
KINDS = {
    "janus_vqgan": ("janus", "JanusVQVAEConfig", "JanusVQVAE", True),
    "emu3_vqgan": ("emu3", "Emu3VQVAEConfig", "Emu3VQVAE", True),
    "chameleon_vqgan": ("chameleon", "ChameleonVQVAEConfig", "ChameleonVQVAE", False),
}


class PretrainedCodec(Codec):
    """Square RGB pictures through a VQ model of `transformers`.

    Args:
        vq: a ``JanusVQVAE``, ``Emu3VQVAE`` or ``ChameleonVQVAE``.
        size_px: side of the picture, others are fitted into it on white; None for the side it was trained on.
        name, modality: see `Facts`.

    Raises:
        InputError: another kind of model, or a size that its grid does not divide.
    """

    family: ClassVar[str] = "pretrained"

    def __init__(self, vq: Any, size_px: int | None = None, name: str = "image", modality: str = "image"):
        self.kind = vq.config.model_type
        if self.kind not in KINDS:
            raise InputError(f"a model of type {self.kind!r} is no known VQ model; known: {', '.join(KINDS)}")
        shrink = 2 ** (len(vq.config.channel_multiplier) - 1)
        size_px = size_px or _trained_size_px(vq.config, shrink)
        if size_px % shrink:
            raise InputError(f"this VQ model needs pictures whose side is a multiple of {shrink} px, not {size_px}")
        self.vq, self.size_px, self.side = vq.eval().requires_grad_(False), size_px, size_px // shrink
        self.facts = Facts(
            name=name,
            modality=modality,
            codebook_sizes=(vq.quantize.embedding.num_embeddings,),
            grid=(self.side, self.side),
            max_frames=self.side**2,
            use="both" if KINDS[self.kind][3] else "read",
            wish=Wish(size=(size_px, size_px)),
        )

    @classmethod
    def from_hub(cls, source: str, size_px: int | None = None, **names: Any) -> Self:
        """The VQ model of a Hub id or folder: one by itself, or inside a whole Janus, Emu3 or Chameleon model.

        Of a whole model, only the files that hold the VQ model are fetched, and only its weights are read.

        Args:
            names: ``name``, ``modality`` of the codec.

        Raises:
            InputError: nothing usable lies there.
        """
        from transformers import AutoConfig

        try:
            config: Any = AutoConfig.from_pretrained(source)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"no VQ model could be loaded from {source!r}: {_first_line(error)}") from error
        config = config if config.model_type in KINDS else getattr(config, "vq_config", config)
        if config.model_type not in KINDS:
            raise InputError(f"the model in {source!r} holds no known VQ model; known: {', '.join(KINDS)}")
        vq = _classes(config.model_type)[1](config)
        _read_weights(vq, source)
        return cls(vq, size_px, **names)

    @torch.inference_mode()
    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        """Pictures (H, W, 3) uint8 to codes (side * side,) int64."""
        return [self._encode(signal.array) for signal in self.fitted(signals)]

    def _encode(self, picture: np.ndarray) -> np.ndarray:
        """One at a time: convolutions of other batch sizes round differently, and codes must not depend on that."""
        pixels_13SS = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float().to(self.device) / 127.5 - 1
        sizes = {"image_sizes": torch.tensor([picture.shape[:2]])} if self.kind == "emu3_vqgan" else {}
        tokens: Any = self.vq.encode(pixels_13SS, **sizes).image_tokens
        flat: Tensor = torch.stack(list(tokens)) if isinstance(tokens, (list, tuple)) else tokens
        return flat.reshape(-1).long().cpu().numpy()

    @torch.inference_mode()
    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Codes (side * side,) to pictures (size_px, size_px, 3) uint8.

        Raises:
            InputError: wrong codes, or a model that has no decoder.
        """
        checked = [self.layout.check(one) for one in codes]
        if not KINDS[self.kind][3]:
            raise InputError(
                f"codec {self.facts.name!r} only reads: the {self.kind} model in transformers has no decoder; "
                "add a codec with use='write' to write"
            )
        return [Signal(self._decode(one)) for one in checked]

    def _decode(self, codes: np.ndarray) -> np.ndarray:
        tokens = torch.from_numpy(codes)[None].to(self.device)
        if hasattr(self.vq.quantize, "quant_state_dims"):  # Janus decodes the side it was trained on unless told
            self.vq.quantize.quant_state_dims = [self.side, self.side]
        pixels = self.vq.decode(tokens.view(1, self.side, self.side) if self.kind == "emu3_vqgan" else tokens)[0]
        return ((pixels + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()

    @property
    def device(self) -> torch.device:
        """Where it computes; move it with ``codec.vq.to(...)``."""
        return next(self.vq.parameters()).device

    def features(self, codebook: int) -> np.ndarray:
        """The codebook's vectors, centred, (codes, channels) float32."""
        vectors = self.vq.quantize.embedding.weight.detach().float().cpu().numpy()
        return vectors - vectors.mean(0)

    def config(self) -> dict[str, Any]:
        shape = {"kind": self.kind, "vq": self.vq.config.to_diff_dict(), "size_px": self.size_px}
        return shape | {"name": self.facts.name, "modality": self.facts.modality}

    def tensors(self) -> dict[str, np.ndarray]:
        return {name: value.float().cpu().numpy() for name, value in self.vq.state_dict().items()}

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> PretrainedCodec:
        settings, model = _classes(config["kind"])
        shape = {key: value for key, value in config["vq"].items() if key not in ("model_type", "transformers_version")}
        vq = model(settings(**shape))
        vq.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
        return cls(vq, config["size_px"], config["name"], config["modality"])


def _classes(kind: str) -> tuple[Any, Any]:
    """Config and model class of a kind, imported only now: they are heavy."""
    from importlib import import_module

    package, settings, model, _ = KINDS[kind]
    configuration = import_module(f"transformers.models.{package}.configuration_{package}")
    modeling = import_module(f"transformers.models.{package}.modeling_{package}")
    return getattr(configuration, settings), getattr(modeling, model)


def _trained_size_px(config: Any, shrink: int) -> int:
    """Chameleon states its side, Janus its grid; Emu3 takes any, and 256 keeps its pictures short."""
    if hasattr(config, "num_patches"):
        return config.num_patches * shrink
    return getattr(config, "resolution", 256)


def _read_weights(vq: torch.nn.Module, source: str) -> None:
    """Fill a VQ model from the safetensors files of a Hub id or folder, in which its names may have a prefix."""
    from safetensors import safe_open

    ending, names = "quantize.embedding.weight", list(vq.state_dict())
    where = _weight_files(source)
    prefixes = [key.removesuffix(ending) for key in where if key.endswith(ending)]
    prefix = next((one for one in prefixes if all(one + name in where for name in names)), None)
    if prefix is None:
        raise InputError(f"the weights in {source!r} do not hold the VQ model that its config describes")
    tensors = {}
    for file in {where[prefix + name] for name in names}:
        with safe_open(str(_fetch(source, file)), "pt") as weights:
            here = [name for name in names if where[prefix + name] == file]
            tensors |= {name: weights.get_tensor(prefix + name) for name in here}
    vq.load_state_dict(tensors)


def _weight_files(source: str) -> dict[str, str]:
    """File of each tensor."""
    from safetensors import safe_open

    index = _fetch(source, "model.safetensors.index.json", must=False)
    if index is not None:
        return json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    with safe_open(str(_fetch(source, "model.safetensors")), "pt") as weights:
        return dict.fromkeys(weights.keys(), "model.safetensors")


def _fetch(source: str, file: str, must: bool = True) -> Path | None:
    """A file of a Hub id (fetched into its cache) or folder; None when it may be missing and is."""
    from transformers.utils import cached_file

    try:
        found = cached_file(source, file, _raise_exceptions_for_missing_entries=must)
    except (OSError, ValueError) as error:
        raise InputError(f"{file} of {source!r} could not be fetched: {_first_line(error)}") from error
    return None if found is None else Path(found)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
