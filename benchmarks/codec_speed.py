"""Pictures a second of any picture codec: encoding, decoding, one at a time and in batches.

    python benchmarks/codec_speed.py FOLDER [FOLDER ...] [--pictures 64] [--batch 16] [--rounds 5] [--threads 1]

Each codec gets the same pictures of coloured shapes, already at its own size, so that resizing does not count.
Codecs alternate in one process and the median round counts. CPU time is steadier than wall time on a shared
machine; both are printed. ``opening`` is what the same pictures cost as PNG files, for comparison.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import torch

from sensorium.codecs import Codec, load_codec
from sensorium.modalities.image import image
from sensorium.types import Signal


def shapes(count: int, size_px: int) -> list[Signal]:
    """Pictures (size_px, size_px, 3) of three coloured discs on white."""
    generator, (y, x) = np.random.default_rng(0), np.mgrid[:size_px, :size_px] / size_px
    found = []
    for _ in range(count):
        picture = np.full((size_px, size_px, 3), 255, np.uint8)
        for centre_y, centre_x, radius in generator.random((3, 3)):
            picture[(y - centre_y) ** 2 + (x - centre_x) ** 2 < (0.1 + radius / 4) ** 2] = generator.integers(0, 255, 3)
        found.append(Signal(picture))
    return found


def batches(items: Sequence, size: int) -> list[Sequence]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def jobs(codec: Codec, count: int, batch: int) -> dict[str, Callable[[], None]]:
    """What is measured of a codec; each job goes once through all pictures."""
    side = getattr(codec, "size_px", None) or getattr(getattr(codec, "settings", None), "size_px", 64)
    pictures = shapes(count, side)
    codes = codec.encode(pictures)
    files = [image.to_bytes(picture) for picture in pictures]

    def every(work: Callable[[Sequence], object], parts: list[Sequence]) -> Callable[[], None]:
        def run() -> None:
            for part in parts:
                work(part)

        return run

    found = {
        "opening": every(lambda part: [image.open(one) for one in part], batches(files, batch)),
        "encode, one at a time": every(codec.encode, batches(pictures, 1)),
        f"encode, batches of {batch}": every(codec.encode, batches(pictures, batch)),
    }
    if codec.facts.use != "read":
        found["decode, one at a time"] = every(codec.decode, batches(codes, 1))
        found[f"decode, batches of {batch}"] = every(codec.decode, batches(codes, batch))
    return found


def measure(codecs: dict[str, Codec], count: int, batch: int, rounds: int) -> list[dict[str, object]]:
    """One row per codec and job: median pictures a second, by wall time and by CPU time."""
    work = {(name, job): run for name, codec in codecs.items() for job, run in jobs(codec, count, batch).items()}
    wall: dict[tuple[str, str], list[float]] = {key: [] for key in work}
    cpu: dict[tuple[str, str], list[float]] = {key: [] for key in work}
    for turn in range(rounds + 1):
        for key, run in work.items():
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            run()
            if turn:  # the first warms up
                wall[key].append(time.perf_counter() - wall_s)
                cpu[key].append(time.process_time() - cpu_s)
    return [
        {
            "codec": name,
            "job": job,
            "pictures_per_s": round(count / median(wall[name, job]), 1),
            "pictures_per_cpu_s": round(count / median(cpu[name, job]), 1),
        }
        for name, job in work
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("codecs", nargs="+", type=Path, help="folders of codecs")
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the rows here too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    codecs = {str(folder): load_codec(folder) for folder in options.codecs}
    rows = measure(codecs, options.pictures, options.batch, options.rounds)
    print(f"{options.pictures} pictures, {options.threads} of {os.cpu_count()} threads")
    print("| codec | job | pictures/s | pictures/CPU second |\n|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(map(str, row.values())) + " |")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
