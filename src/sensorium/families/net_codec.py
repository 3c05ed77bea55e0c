"""What codecs with a network share: a shape that is a dataclass, weights in half precision, batches, a device.

Shape legend: B media of a batch, D channels of a medium, N its axes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, field, fields
from math import prod
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from sensorium.checked import checked
from sensorium.codecs import Codec

BATCH = 8
"""Media that are computed together; one at a time where each has a length of its own."""
Net = TypeVar("Net", bound=nn.Module)


def later(default: Any) -> Any:
    """A field of a config that came after codecs had been saved: left out where it has its default value.

    Fingerprints of older codecs then stay as they are.
    """
    return field(default=default, metadata={"later": True})


class NetCodec(Codec):
    """A codec whose trained state is one network.

    Attributes:
        config_class: dataclass of everything that shapes the codec; has a method ``net`` for a fresh network.
        settings: the codec's own.
        net: in eval mode. Its large weights are rounded to half precision, in which they are stored: codes are then
            the same before and after saving.
    """

    config_class: ClassVar[type]
    settings: Any
    net: Any

    def __init__(self, config: Any, net: nn.Module | None = None) -> None:
        self.settings = config
        self.net = rounded(config.net() if net is None else net)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.net.parameters()).device

    def to(self, device: torch.device | str) -> Self:
        """Move the network; codes of a borderline value may differ from device to device."""
        self.net.to(device)
        return self

    def features(self, codebook: int) -> np.ndarray:
        """One-hot level of every channel, (codes, sum of levels) float32."""
        return level_features(self.settings.levels)

    def config(self) -> dict[str, Any]:
        kept = {one.name: getattr(self.settings, one.name) for one in fields(self.settings) if self._tells(one)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}

    def _tells(self, one: Field) -> bool:
        return not one.metadata.get("later") or getattr(self.settings, one.name) != one.default

    def tensors(self) -> dict[str, np.ndarray]:
        """Weights, the large ones in half precision, as they are stored and shipped."""
        return stored(self.net)

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self:
        settings = checked(config, cls.config_class, "config")
        return cls(settings, restored(settings.net, tensors))


def stored(net: nn.Module) -> dict[str, np.ndarray]:
    """Weights, the large ones in half precision."""
    state = net.state_dict()
    return {name: (one.half() if one.ndim > 1 else one).contiguous().cpu().numpy() for name, one in state.items()}


def restored(make: Callable[[], Net], tensors: Mapping[str, np.ndarray]) -> Net:
    """A network with these weights; RuntimeError when they are another's."""
    weights = {name: torch.from_numpy(np.array(array)) for name, array in tensors.items()}
    fits(make, weights)
    net = make()
    net.load_state_dict(weights)
    return net


def fits(make: Callable[[], nn.Module], weights: Mapping[str, Tensor]) -> None:
    """RuntimeError when weights are not those of the network; made without memory, it may claim to be of any size."""
    with torch.device("meta"):
        probe = make()
    probe.load_state_dict({name: one.to("meta") for name, one in weights.items()}, assign=True)


def level_features(levels: Sequence[int]) -> np.ndarray:
    """One-hot level of every channel, (codes, sum of levels) float32; a code's first channel varies fastest."""
    codes, parts = np.arange(prod(levels)), []
    for count in levels:
        parts.append(np.eye(count, dtype=np.float32)[codes % count])
        codes = codes // count
    return np.concatenate(parts, axis=1)


def rounded(net: Net) -> Net:
    """A copy in eval mode whose large weights are what half precision keeps of them."""
    net = copy.deepcopy(net).eval().requires_grad_(False)
    for weight in net.parameters():
        if weight.ndim > 1:
            weight.copy_(weight.half().float())
    return net


def settle(net: nn.Module, run: Callable[[], Any], times: int = 16) -> None:
    """Measure anew what normalisation layers divide by; their running means lag behind when a training was short.

    Args:
        run: puts a batch of media through the network.
    """
    norms = [module for module in net.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    before = [norm.momentum for norm in norms]
    net.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all batches
        norm.train()
    with torch.no_grad():
        for _ in range(times):
            run()
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
    net.eval()


def even_batches(arrays: Sequence[np.ndarray], size: int = BATCH) -> Iterator[Tensor]:
    """Stacks of always ``size`` arrays, the last filled up with zeros; of a size of 1, each as it is.

    Libraries add in another order for another batch size; a value at the border of two levels would then change
    its code with the company it is in.
    """
    for start in range(0, len(arrays), size):
        batch = np.zeros((size, *arrays[start].shape), arrays[start].dtype)
        for place, array in enumerate(arrays[start : start + size]):
            batch[place] = array
        yield torch.from_numpy(batch)


def to_net(media_BND: Tensor) -> Tensor:
    """(B, N, D) to floats (B, D, N): bytes to -1..1, numbers as they are."""
    return pixels_to_net(media_BND) if media_BND.dtype == torch.uint8 else media_BND.movedim(-1, 1)


def pixels_to_net(bytes_BND: Tensor) -> Tensor:
    """Bytes (B, N, D) to floats (B, D, N) in -1..1."""
    return bytes_BND.movedim(-1, 1).float() / 127.5 - 1


def net_to_pixels(x_BDN: Tensor) -> Tensor:
    """Floats (B, D, N), clipped to -1..1, to bytes (B, N, D)."""
    return ((x_BDN + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).movedim(1, -1).contiguous()
