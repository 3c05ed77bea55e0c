"""The network of a Whisper model (Radford et al. 2022, arXiv:2212.04356): one sound at a time, on a CPU.

The encoder hears as much of its half minute as there is sound. The decoder knows those tokens alone that it may write,
keeps what it has computed, and computes in 8 bit, since it takes all its weights for a single token; the encoder would
mishear in 8 bit.

Legend: M mel bands, F frames of spectra, T frames of the encoder, N tokens, P those before them, W width, H heads, D
width of a head, L tokens that are known.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.families.ears import Whole, layers_of
from sensorium.families.whisper import HALF
from sensorium.types import InputError


class Attention(nn.Module):
    """Of places to one another, and to those before them where these are kept."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj, self.out_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x_NW: Tensor) -> Tensor:
        query_NW, key_NW, value_NW = self.in_proj(x_NW).chunk(3, 1)
        return self.out_proj(attended(query_NW, key_NW, value_NW, self.heads))

    def onwards(self, x_NW: Tensor, kept_2PW: Tensor) -> tuple[Tensor, Tensor]:
        """What is told of places that know only those before them, and what is to be kept of all."""
        query_NW, *new = self.in_proj(x_NW).chunk(3, 1)
        kept_2PW = torch.cat([kept_2PW, torch.stack(new)], 1)
        told_NW = attended(query_NW, kept_2PW[0], kept_2PW[1], self.heads, onwards=len(x_NW) > 1)
        return self.out_proj(told_NW), kept_2PW


def attended(query_NW: Tensor, key_PW: Tensor, value_PW: Tensor, heads: int, onwards: bool = False) -> Tensor:
    """(N, W) attention; ``onwards``: of the last N of P places, each to none behind it."""
    parts = (one.unflatten(1, (heads, -1)).transpose(0, 1)[None] for one in (query_NW, key_PW, value_PW))
    query_1HND, key_1HPD, value_1HPD = parts
    before = len(key_PW) - len(query_NW)
    seen_NP = torch.ones(len(query_NW), len(key_PW), dtype=torch.bool).tril(before) if onwards else None
    told_1HND = F.scaled_dot_product_attention(query_1HND, key_1HPD, value_1HPD, attn_mask=seen_NP)
    return told_1HND[0].transpose(0, 1).flatten(1)


class Layer(nn.Module):
    """Of the encoder."""

    def __init__(self, width: int, heads: int, wide: int) -> None:
        super().__init__()
        self.norm1, self.self_attn = nn.LayerNorm(width), Attention(width, heads)
        self.norm2, self.linear1, self.linear2 = nn.LayerNorm(width), nn.Linear(width, wide), nn.Linear(wide, width)

    def forward(self, x_NW: Tensor) -> Tensor:
        return self.thought(x_NW + self.self_attn(self.norm1(x_NW)))

    def thought(self, x_NW: Tensor) -> Tensor:
        return x_NW + self.linear2(F.gelu(self.linear1(self.norm2(x_NW))))


class WritingLayer(Layer):
    """Of the decoder, which asks what was heard."""

    def __init__(self, width: int, heads: int, wide: int) -> None:
        super().__init__(width, heads, wide)
        self.norm_heard, self.ask, self.take = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)
        self.hold = nn.Linear(width, 2 * width)

    def onwards(self, x_NW: Tensor, kept_2PW: Tensor, heard_2TW: Tensor) -> tuple[Tensor, Tensor]:
        told_NW, kept_2PW = self.self_attn.onwards(self.norm1(x_NW), kept_2PW)
        x_NW = x_NW + told_NW
        asked_NW = self.ask(self.norm_heard(x_NW))
        x_NW = x_NW + self.take(attended(asked_NW, heard_2TW[0], heard_2TW[1], self.self_attn.heads))
        return self.thought(x_NW), kept_2PW


class Hearer(nn.Module):
    """The encoder: log-mel spectra (M, F) to (T, W)."""

    def __init__(self, bands: int, width: int, heads: int, wide: int, layers: int, frames: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(bands, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=HALF, padding=1)
        self.positions_TW = nn.Parameter(torch.zeros(frames, width))
        self.layers = nn.ModuleList(Layer(width, heads, wide) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, mel_MF: Tensor) -> Tensor:
        x_TW = F.gelu(self.conv2(F.gelu(self.conv1(mel_MF[None]))))[0].T
        x_TW = x_TW + self.positions_TW[: len(x_TW)]
        for layer in self.layers:
            x_TW = layer(x_TW)
        return self.norm(x_TW)


class Writer(nn.Module):
    """The decoder, which knows L tokens."""

    def __init__(self, width: int, heads: int, wide: int, layers: int, places: int, tokens: int) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(tokens, width), nn.Linear(width, tokens, bias=False)
        self.positions_TW = nn.Parameter(torch.zeros(places, width))
        self.layers = nn.ModuleList(WritingLayer(width, heads, wide) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def held(self, heard_TW: Tensor) -> list[Tensor]:
        """(2, T, W) for every layer, keys and values of what was heard."""
        layers: Any = self.layers
        return [torch.stack(layer.hold(heard_TW).chunk(2, 1)) for layer in layers]


class Writing:
    """What is being written of one sound.

    Args:
        held: what the decoder holds of it, (2, T, W) for every layer.
    """

    def __init__(self, writer: Writer, held: Sequence[Tensor]) -> None:
        self.writer, self.held, self.places = writer, held, 0
        self.kept = [one[:, :0] for one in held]

    def after(self, tokens: list[int]) -> Tensor:
        """(L,) logits of the token behind all that were given, these last."""
        end = self.places + len(tokens)
        x_NW = self.writer.embedding(torch.tensor(tokens)) + self.writer.positions_TW[self.places : end]
        layers: Any = self.writer.layers
        for number, layer in enumerate(layers):
            x_NW, self.kept[number] = layer.onwards(x_NW, self.kept[number], self.held[number])
        self.places = end
        return self.writer.head(self.writer.norm(x_NW[-1:]))[0]


def nets_of(whole: Whole, tokens: list[int], quick: bool = True) -> tuple[Hearer, Writer]:
    """The networks of a Whisper model, in eval mode.

    Args:
        tokens: those that the decoder is to know, by their numbers in the model.
        quick: the decoder in 8 bit where this machine can.

    Raises:
        InputError: the weights do not fit each other.
    """
    try:
        width, bands, _ = whole.encoder["conv1.weight"].shape
        wide, frames = len(whole.encoder["layers.0.linear1.bias"]), len(whole.encoder["positions_TW"])
        hearer = Hearer(bands, width, whole.heads, wide, layers_of(whole.encoder), frames)
        places = len(whole.decoder["positions_TW"])
        writer = Writer(width, whole.heads, wide, layers_of(whole.decoder), places, len(tokens))
        known = whole.decoder["embedding.weight"][tokens]
        hearer.load_state_dict(_linear(whole.encoder))
        writer.load_state_dict(_linear(whole.decoder) | {"embedding.weight": known, "head.weight": known})
    except (RuntimeError, KeyError, IndexError) as error:
        raise InputError(f"these weights are no whole Whisper model ({str(error)[:200]})") from error
    return hearer.eval(), _quick(writer.eval()) if quick else writer.eval()


def _linear(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """In the names of layers that can be computed in 8 bit."""
    return {name.replace("in_proj_", "in_proj."): one for name, one in tensors.items()}


def _quick(net: Writer) -> Writer:
    """With products in 8 bit, scaled anew for every input, which is four times as fast; as it is where torch cannot."""
    try:
        from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic
    except ImportError:
        return net
    if set(torch.backends.quantized.supported_engines) <= {"none"}:
        return net
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return quantize_dynamic(net, {nn.Linear: per_channel_dynamic_qconfig}, torch.qint8, inplace=True)
