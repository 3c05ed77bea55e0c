"""How the tokenizers of `transformers` are called: what goes in, what comes out, how long it is.

Legend of shapes: 1 medium, 3 colours, S side in pixels, R samples of sound, D its channels, Q codebooks, T frames.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from sensorium.checked import Range
from sensorium.families.header import Header
from sensorium.families.net_codec import net_to_pixels, pixels_to_net
from sensorium.modalities import Wish
from sensorium.types import InputError, Signal


class PictureModel:
    """A VQ model of square RGB pictures: one codebook, a grid of codes.

    Args:
        vq: a ``JanusVQVAE``, ``Emu3VQVAE`` or ``ChameleonVQVAE``.
        size_px: side of the picture, others are fitted into it on white; None for the side it was trained on.

    Raises:
        InputError: a size that its grid does not divide.
    """

    modality: ClassVar[str] = "image"
    header = Header()

    def __init__(self, vq: Any, size_px: Annotated[int, Range(1, 2**13)] | None = None):
        shrink = 2 ** (len(vq.config.channel_multiplier) - 1)
        size_px = size_px or _trained_size_px(vq.config, shrink)
        if size_px % shrink:
            raise InputError(f"this VQ model needs pictures whose side is a multiple of {shrink} px, not {size_px}")
        self.vq, self.size_px, self.side = vq, size_px, size_px // shrink
        self.in_grids = vq.config.model_type == "emu3_vqgan"
        self.settings: dict[str, Any] = {"size_px": size_px}
        self.facts: dict[str, Any] = {
            "codebook_sizes": (vq.quantize.embedding.num_embeddings,),
            "grid": (self.side, self.side),
            "max_frames": self.side**2,
            "use": "both" if hasattr(vq, "decode") else "read",
            "wish": Wish(size=(size_px, size_px)),
        }

    def encode(self, signal: Signal) -> tuple[list[int], np.ndarray]:
        """Codes (T, 1) of a picture (S, S, 3) uint8."""
        pixels_13SS = pixels_to_net(torch.from_numpy(signal.array[None].copy()))
        sizes = {"image_sizes": torch.tensor([signal.array.shape[:2]])} if self.in_grids else {}
        tokens: Any = self.vq.encode(pixels_13SS.to(_device(self.vq)), **sizes).image_tokens
        flat: Tensor = torch.stack(list(tokens)) if isinstance(tokens, (list, tuple)) else tokens
        return [], flat.reshape(-1, 1).long().cpu().numpy()

    def decode(self, header: np.ndarray, frames: np.ndarray) -> Signal:
        tokens = torch.from_numpy(frames.reshape(1, -1)).to(_device(self.vq))
        if hasattr(self.vq.quantize, "quant_state_dims"):  # Janus decodes the side it was trained on unless told
            self.vq.quantize.quant_state_dims = [self.side, self.side]
        pixels = self.vq.decode(tokens.view(1, self.side, self.side) if self.in_grids else tokens)[0]
        return Signal(net_to_pixels(pixels[None])[0].cpu().numpy())

    def vectors(self, codebook: int) -> Tensor:
        return self.vq.quantize.embedding.weight


def _trained_size_px(config: Any, shrink: int) -> int:
    """Chameleon states its side, Janus its grid; Emu3 takes any, and 256 keeps its pictures short."""
    if hasattr(config, "num_patches"):
        return config.num_patches * shrink
    return getattr(config, "resolution", 256)


class SoundModel:
    """A residual VQ model of sound (R, D) float32: several codebooks, of which the first may be enough.

    Sound is filled up to whole frames; the header tells how much of the last one is there.

    Args:
        vq: a ``MimiModel``, ``EncodecModel``, ``DacModel`` or ``XcodecModel``.
        codebooks: use the first so many; None for all.
        most_s: length of the longest sound.

    Raises:
        InputError: more codebooks than there are, or a model that scales sound or cuts it into chunks.
    """

    modality: ClassVar[str] = "audio"

    def __init__(
        self,
        vq: Any,
        codebooks: Annotated[int, Range(1, 2**10)] | None = None,
        most_s: Annotated[float, Range(1e-3, 1e6)] = 30.0,
    ):
        config = vq.config
        if getattr(config, "normalize", False) or getattr(config, "chunk_length_s", None):
            raise InputError("this model scales sound or cuts it into chunks, which codes cannot say; take another one")
        self.vq, self.rate_hz = vq, getattr(config, "sampling_rate", None) or config.sample_rate
        self.channels = getattr(config, "audio_channels", 1)
        self.known = codebook_vectors(vq)
        if not 1 <= (codebooks or 1) <= len(self.known):
            raise InputError(f"this model has {len(self.known)} codebooks, so it cannot use {codebooks}")
        self.codebooks = codebooks or len(self.known)
        hop = samples_of_frame(config)
        self.header = Header(hop=hop)
        self.settings: dict[str, Any] = {"codebooks": self.codebooks, "most_s": most_s}
        self.facts: dict[str, Any] = {
            "codebook_sizes": tuple(len(vectors) for vectors in self.known[: self.codebooks]),
            "header": self.header.books,
            "grid": (None,),
            "max_frames": self.header.steps(round(most_s * self.rate_hz)),
            "frame_rate_hz": self.rate_hz / hop,
            "hop": hop,
            "wish": Wish(rate_hz=float(self.rate_hz), channels=self.channels),
        }

    def encode(self, signal: Signal) -> tuple[list[int], np.ndarray]:
        """Header and codes (T, Q) of a sound (R, D)."""
        array = signal.array
        if array.ndim != 2 or array.shape[1] != self.channels or not len(array):
            raise InputError(f"this model takes sound (samples, {self.channels}), not {array.shape}; mix it first")
        header, whole = self.header.take(array.astype(np.float32))
        sound_1DR = torch.from_numpy(whole.T[None].copy()).to(_device(self.vq))
        return header, self._codes(sound_1DR).T.long().cpu().numpy()

    def _codes(self, sound_1DR: Tensor) -> Tensor:
        """(Q, T) of the codebooks that are used."""
        kind = self.vq.config.model_type
        if kind == "encodec":
            found = self.vq.encode(sound_1DR, bandwidth=self.vq.config.target_bandwidths[-1]).audio_codes[0]
        elif kind == "mimi":
            found = self.vq.encode(sound_1DR, num_quantizers=self.codebooks).audio_codes
        else:
            found = self.vq.encode(sound_1DR).audio_codes
        return found[0, : self.codebooks]

    def decode(self, header: np.ndarray, frames: np.ndarray) -> Signal:
        codes_1QT = torch.from_numpy(frames.T[None].copy()).to(_device(self.vq))
        if self.vq.config.model_type == "encodec":
            found: Any = self.vq.decode(codes_1QT[None], [None])
        else:
            found = self.vq.decode(audio_codes=codes_1QT)
        restored = found.audio_values.reshape(self.channels, -1).T.float().cpu().numpy()
        whole = np.zeros((len(frames) * self.header.hop, self.channels), np.float32)
        rows = min(len(whole), len(restored))
        whole[:rows] = restored[:rows]
        return Signal(self.header.give(header, whole), rate_hz=float(self.rate_hz))

    def vectors(self, codebook: int) -> Tensor:
        return self.known[codebook]


def samples_of_frame(config: Any) -> int:
    if config.model_type == "mimi":
        return round(config.sampling_rate / config.frame_rate)
    return config.hop_length


def codebook_vectors(vq: Any) -> list[Tensor]:
    """(codes, channels) of every codebook, in the order in which they refine each other."""
    quantizer = vq.quantizer
    if vq.config.model_type == "mimi":
        first, rest = quantizer.semantic_residual_vector_quantizer, quantizer.acoustic_residual_vector_quantizer
        return [layer.codebook.embed for layer in (*first.layers, *rest.layers)]
    if vq.config.model_type == "dac":
        return [layer.codebook.weight for layer in quantizer.quantizers]
    if vq.config.model_type == "encodec":
        count = quantizer.get_num_quantizers_for_bandwidth(vq.config.target_bandwidths[-1])
        return [layer.codebook.embed for layer in quantizer.layers[:count]]
    count = quantizer.get_num_quantizers_for_bandwidth(vq.config.target_bandwidths[-1])
    return [layer.codebook.embed for layer in quantizer.quantizers[:count]]


def _device(vq: Any) -> torch.device:
    return next(vq.parameters()).device
