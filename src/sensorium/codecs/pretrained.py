"""The `pretrained` family: the image VQ models that `transformers` ships, as codecs.

Janus (arXiv 2410.13848) and Emu3 (arXiv 2409.18869) encode and decode; Chameleon (arXiv 2405.09818) has no decoder
there, so it can only read. The weights travel inside the codec's folder, as with every other codec.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from sensorium.codecs.base import Codec, Facts
from sensorium.modalities.image import to_square
from sensorium.types import InputError

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
        size_px: side of the picture; others are fitted into it on white.
        name, modality: see `Facts`.

    Raises:
        InputError: another kind of model, or a size that its grid does not divide.
    """

    family: ClassVar[str] = "pretrained"

    def __init__(self, vq: Any, size_px: int, name: str = "image", modality: str = "image"):
        self.kind = vq.config.model_type
        if self.kind not in KINDS:
            raise InputError(f"a model of type {self.kind!r} is no known VQ model; known: {', '.join(KINDS)}")
        shrink = 2 ** (len(vq.config.channel_multiplier) - 1)
        if size_px % shrink:
            raise InputError(f"this VQ model needs pictures whose side is a multiple of {shrink} px, not {size_px}")
        self.vq, self.size_px, self.side = vq.eval().requires_grad_(False), size_px, size_px // shrink
        if hasattr(vq.quantize, "quant_state_dims"):
            vq.quantize.quant_state_dims = [self.side, self.side]
        self.facts = Facts(
            name=name,
            modality=modality,
            codebook_sizes=(vq.quantize.embedding.num_embeddings,),
            grid=(self.side, self.side),
            max_frames=self.side**2,
            use="both" if KINDS[self.kind][3] else "read",
        )

    @classmethod
    def from_hub(cls, source: str, size_px: int = 256, **names: Any) -> Self:
        """The VQ model of a Hub id or folder: one by itself, or inside a whole Janus, Emu3 or Chameleon model.

        Raises:
            InputError: nothing usable lies there.
        """
        from transformers import AutoConfig, AutoModel

        try:
            config = AutoConfig.from_pretrained(source)
            if config.model_type in KINDS:
                return cls(_classes(config.model_type)[1].from_pretrained(source), size_px, **names)
            whole = AutoModel.from_pretrained(source)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"no VQ model could be loaded from {source!r}: {error}") from error
        for part in whole.modules():
            if getattr(getattr(part, "config", None), "model_type", None) in KINDS and hasattr(part, "quantize"):
                return cls(part, size_px, **names)
        raise InputError(f"the model in {source!r} holds no known VQ model; known: {', '.join(KINDS)}")

    @torch.inference_mode()
    def encode(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Pictures (H, W, 3) uint8 to codes (side * side, 1) int64."""
        return [self._encode(to_square(array, self.size_px)) for array in arrays]

    def _encode(self, picture: np.ndarray) -> np.ndarray:
        """One at a time: convolutions of other batch sizes round differently, and codes must not depend on that."""
        pixels_13SS = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        sizes = {"image_sizes": torch.tensor([picture.shape[:2]])} if self.kind == "emu3_vqgan" else {}
        tokens: Any = self.vq.encode(pixels_13SS, **sizes).image_tokens
        flat: Tensor = torch.stack(list(tokens)) if isinstance(tokens, (list, tuple)) else tokens
        return flat.reshape(-1, 1).long().numpy()

    @torch.inference_mode()
    def decode(self, codes: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Codes (side * side, 1) to pictures (size_px, size_px, 3) uint8.

        Raises:
            InputError: wrong codes, or a model that has no decoder.
        """
        checked = [self.check_codes(one) for one in codes]
        if not KINDS[self.kind][3]:
            raise InputError(f"the {self.kind} model in transformers has no decoder: codec {self.facts.name!r} only reads")
        return [self._decode(one) for one in checked]

    def _decode(self, codes: np.ndarray) -> np.ndarray:
        tokens = torch.from_numpy(codes[:, 0])[None]
        pixels = self.vq.decode(tokens.view(1, self.side, self.side) if self.kind == "emu3_vqgan" else tokens)[0]
        return ((pixels + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()

    def features(self, codebook: int) -> np.ndarray:
        """The codebook's vectors, centred, (codes, channels) float32."""
        vectors = self.vq.quantize.embedding.weight.detach().float().numpy()
        return vectors - vectors.mean(0)

    def config(self) -> dict[str, Any]:
        shape = {"kind": self.kind, "vq": self.vq.config.to_diff_dict(), "size_px": self.size_px}
        return shape | {"name": self.facts.name, "modality": self.facts.modality}

    def tensors(self) -> dict[str, np.ndarray]:
        return {name: value.float().numpy() for name, value in self.vq.state_dict().items()}

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> PretrainedCodec:
        settings, model = _classes(config["kind"])
        vq = model(settings(**{k: v for k, v in config["vq"].items() if k not in ("model_type", "transformers_version")}))
        vq.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
        return cls(vq, config["size_px"], config["name"], config["modality"])


def _classes(kind: str) -> tuple[Any, Any]:
    """Config and model class of a kind, imported only now: they are heavy."""
    from importlib import import_module

    package, settings, model, _ = KINDS[kind]
    configuration = import_module(f"transformers.models.{package}.configuration_{package}")
    modeling = import_module(f"transformers.models.{package}.modeling_{package}")
    return getattr(configuration, settings), getattr(modeling, model)
