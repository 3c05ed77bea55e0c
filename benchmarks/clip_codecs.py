"""Shapes of an `fsq` codec of clips, each trained on moved drawings for about as much computing, on one thread.

``PYTHONPATH=. python benchmarks/clip_codecs.py`` prints a row for each: fidelity on 60 clips of held-out combinations,
codes a clip (16 frames of 64 px), parameters, steps, seconds of computing.
"""

from __future__ import annotations

import time
from random import Random
from typing import Any

import torch
from recipes.motion.moved import atlas_of, moved

from sensorium.codecs import Learning, Media
from sensorium.data.table import Side
from sensorium.families.fsq import FSQCodec
from sensorium.learning.training import CodecTraining, train_codec
from sensorium.modalities import modality
from sensorium.types import Signal

TRAIN, TEST = 1500, 60
SMALL = {"encoder_widths": (32, 64, 96), "encoder_blocks": (0, 1, 1), "decoder_widths": (32, 64, 96)}
SMALL |= {"decoder_blocks": (0, 1, 2)}
SHAPES: dict[str, tuple[int, dict[str, Any]]] = {
    "4 x 4 codes each 2 frames, patches of 4 px, narrow": (214, {"hop": 2, "grid": 4, **SMALL}),
    "4 x 4 codes each 2 frames, patches of 8 px": (158, {"hop": 2, "grid": 4, "patch_px": 8}),
    "4 x 4 codes each 4 frames, patches of 8 px": (200, {"hop": 4, "grid": 4, "patch_px": 8}),
    "8 x 8 codes each 2 frames, patches of 4 px": (77, {"hop": 2, "grid": 8}),
}
"""By name: steps that take about 30 seconds of computing where they were measured, and settings."""
WIDE = {"encoder_widths": (64, 128), "encoder_blocks": (1, 2), "decoder_widths": (64, 128), "decoder_blocks": (1, 3)}


def clips(side: Side, count: int) -> list[Signal]:
    atlas = atlas_of(side)
    return [moved(Random(f"codec:{number}"), side, atlas).part.data for number in range(count)]


def learned(steps: int, settings: dict[str, Any], media: Media) -> FSQCodec:
    def train(net: Any, sample: Any, loss: Any, **how: Any) -> None:
        train_codec(net, sample, loss, CodecTraining(minutes=1, steps=steps, **how), say=lambda line: None)

    learning = Learning(minutes=1, train=train, say=lambda line: None)
    return FSQCodec.learn(media, learning, modality="video", name="clip", **{"size_px": 64, **WIDE, **settings})


def main() -> None:
    torch.set_num_threads(1)
    kind, media, shown = modality("video"), Media.of(clips("train", TRAIN)), clips("test", TEST)
    print(
        "| shape | codes | parameters | PSNR dB | of changes dB | steps | computing s |\n|---|---|---|---|---|---|---|"
    )
    for name, (steps, settings) in SHAPES.items():
        start = time.process_time()
        codec = learned(steps, settings, media)
        spent_s = time.process_time() - start
        codes = codec.encode(shown)
        restored = codec.decode(codes)
        found = kind.overall([kind.measures(one, other) for one, other in zip(shown, restored, strict=True)])
        size = sum(tensor.size for tensor in codec.tensors().values())
        fidelity = f"{found['psnr_db']:.2f} | {found['change_psnr_db']:.2f}"
        print(f"| {name} | {len(codes[0])} | {size} | {fidelity} | {steps} | {spent_s:.0f} |", flush=True)


if __name__ == "__main__":
    main()
