"""Media a second of any codec: encoding, decoding, one at a time and in batches.

    python benchmarks/codec_speed.py CODEC [CODEC ...] [--media FOLDER] [--count 64] [--batch 16] [--rounds 5]

Codecs are folders or names in the box. Each gets the same media of its modality from the folder, or, of pictures,
coloured shapes that are made up; they are already as the codec wishes, so that resizing does not count. Codecs
alternate in one process and the median round counts. CPU time is steadier than wall time on a shared machine; both are
printed, and for media in time the seconds of media that are done in one of wall time. ``opening`` is what the same
media cost as files, for comparison.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
import torch

from sensorium.api import codec as named_codec
from sensorium.codecs import Codec
from sensorium.learning.media import find_media
from sensorium.modalities import modality
from sensorium.types import InputError, Signal


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


def media_for(codec: Codec, where: str | None, count: int) -> list[Signal]:
    """As many media as are there, at most ``count``, as the codec wishes them."""
    facts = codec.facts
    if where is None and facts.modality == "image":
        return shapes(count, (facts.wish.size or (64,))[0])
    if where is None:
        raise InputError(f"give --media FOLDER: none are made up for the modality {facts.modality!r} of {facts.name!r}")
    found = find_media(where, facts.modality).at_most(count)
    return codec.fitted(list(islice(found.media(wish=facts.wish), count)))


def batches(items: Sequence, size: int) -> list[Sequence]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def jobs(codec: Codec, media: Sequence[Signal], batch: int) -> dict[str, Callable[[], None]]:
    """What is measured of a codec; each job goes once through all media."""
    kind = modality(codec.facts.modality)
    codes = codec.encode(media)
    files = [kind.to_bytes(medium) for medium in media]

    def every(work: Callable[[Sequence], object], parts: list[Sequence]) -> Callable[[], None]:
        def run() -> None:
            for part in parts:
                work(part)

        return run

    found = {
        "opening": every(lambda part: [kind.open(one) for one in part], batches(files, batch)),
        "encode, one at a time": every(codec.encode, batches(media, 1)),
        f"encode, batches of {batch}": every(codec.encode, batches(media, batch)),
    }
    if codec.facts.use != "read":
        found["decode, one at a time"] = every(codec.decode, batches(codes, 1))
        found[f"decode, batches of {batch}"] = every(codec.decode, batches(codes, batch))
    return found


def measure(
    codecs: dict[str, Codec], media: dict[str, list[Signal]], batch: int, rounds: int
) -> list[dict[str, object]]:
    """One row per codec and job: media a second, by wall time and by CPU time, from the median of all rounds."""
    work = {(name, job): run for name, one in codecs.items() for job, run in jobs(one, media[name], batch).items()}
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
            "media_per_s": round(len(media[name]) / median(wall[name, job]), 1),
            "media_per_cpu_s": round(len(media[name]) / median(cpu[name, job]), 1),
            "media_s_per_s": round(seconds / median(wall[name, job]), 1) if (seconds := length_s(media[name])) else "",
        }
        for name, job in work
    ]


def length_s(media: Sequence[Signal]) -> float:
    """Seconds that media in time last together."""
    return sum(len(one.array) / one.rate_hz for one in media if one.rate_hz)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("codecs", nargs="+", help="folders of codecs, or names in the box")
    parser.add_argument("--media", help="folder, pattern or JSONL file of media")
    parser.add_argument("--count", type=int, default=64, help="of media")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the rows here too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    codecs = {name: named_codec(name) for name in options.codecs}
    media = {name: media_for(one, options.media, options.count) for name, one in codecs.items()}
    rows = measure(codecs, media, options.batch, options.rounds)
    print(f"{options.threads} of {os.cpu_count()} threads")
    print("| codec | job | media/s | media/CPU second | seconds of media/s |\n|---|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(map(str, row.values())) + " |")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
