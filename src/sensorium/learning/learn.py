"""Media of a folder, and training a codec of a named family on them with one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from glob import glob
from pathlib import Path
from typing import Any

import numpy as np

from sensorium import plugins
from sensorium.codecs import Codec, check_name
from sensorium.modalities import modality, modality_names
from sensorium.types import InputError, Signal

Say = Callable[[str], None]


def find_media(where: str, kind: str) -> list[Path]:
    """Files of a modality: below a folder, matching a pattern such as ``"pictures/*.png"``, or a single file.

    Raises:
        InputError: there are none.
    """
    if kind not in modality_names():
        raise InputError(f"no modality named {kind!r} is installed; there are: {', '.join(modality_names())}")
    known = modality(kind).extensions
    place = Path(where).expanduser()
    found = place.rglob("*") if place.is_dir() else map(Path, glob(str(place), recursive=True))
    files = sorted(path for path in found if path.is_file() and path.suffix.lower() in known)
    if not files:
        raise InputError(f"no {kind} files in {where}; give a folder or a pattern, files may end in {', '.join(known)}")
    return files


def open_media(files: Iterable[Path], kind: str, say: Say = print) -> Iterator[Signal]:
    """Canonical signals of the files, one at a time; those that cannot be read are told and left out."""
    opener = modality(kind)
    for path in files:
        try:
            yield opener.open(path)
        except InputError as error:
            say(f"left out: {error}")


def learn_codec(
    family: str,
    signals: Iterable[Signal],
    *,
    minutes: float,
    codes: int | None = None,
    checkpoint: Path | None = None,
    say: Say = print,
    **names: Any,
) -> Codec:
    """Train a codec on canonical signals.

    Args:
        family: ``"fsq"``, ``"kmeans"``, or an installed family whose class has a ``learn`` with these arguments.
        minutes: time of training; a family without an open end stops when it is done.
        codes: size of the codebook, where the family lets one choose; None for its own default.
        checkpoint: file to go on from and to save to, where the family can.
        names: ``name``, ``modality`` and ``use`` of the codec, see `Facts`.

    Raises:
        InputError: there are no media, the family has nothing to train, or no tokens can be made of the name.
    """
    check_name(names.get("name", family))
    known = plugins.names(plugins.CODECS)
    if family not in known:
        raise InputError(f"no codec family named {family!r} is installed; there are: {', '.join(known)}")
    learn = {"fsq": _learn_fsq, "kmeans": _learn_kmeans}.get(family)
    learn = learn or getattr(plugins.load(plugins.CODECS, family), "learn", None)
    if learn is None:
        raise InputError(f"codecs of the family {family!r} are not trained; choose fsq or kmeans")
    return learn(signals, minutes=minutes, codes=codes, checkpoint=checkpoint, say=say, **names)


def _learn_fsq(
    signals: Iterable[Signal], *, minutes: float, codes: int | None, checkpoint: Path | None, say: Say, **names: Any
) -> Codec:
    import torch

    from sensorium.families.fsq import FSQCodec, FSQConfig, pixels_to_net, reconstruction
    from sensorium.learning.training import CodecTraining, train_codec
    from sensorium.modalities.image import to_square

    if codes is not None:
        names["levels"] = fsq_levels(codes)
    config = FSQConfig(**names)
    squares = [to_square(signal.array, config.size_px) for signal in signals]
    if not squares:
        raise InputError("there is no medium to learn from")
    pixels_NSS3 = torch.from_numpy(np.stack(squares))
    say(f"learning from {len(squares)} media for {minutes:g} minutes")
    torch.manual_seed(0)
    net = config.net()

    def sample(rng: np.random.Generator, batch: int) -> torch.Tensor:
        return pixels_to_net(pixels_NSS3[torch.from_numpy(rng.integers(0, len(squares), batch))])

    def loss(net: torch.nn.Module, x_B3SS: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"reconstruction": reconstruction(x_B3SS, net(x_B3SS)[0])}

    train_codec(net, sample, loss, CodecTraining(minutes=minutes), checkpoint=checkpoint, say=say)
    return FSQCodec(config, net)


def fsq_levels(codes: int) -> tuple[int, ...]:
    """Levels of each channel for a codebook of a power of two, 4 to 65,536: as many of 8 as fit, the rest on top.

    Raises:
        InputError: another number of codes.
    """
    bits = codes.bit_length() - 1
    if codes != 2**bits or not 2 <= bits <= 16:
        raise InputError(f"an fsq codebook has a power of two of codes, from 4 to 65536, not {codes}")
    channels = max(1, -(-bits // 3))
    return tuple(2 ** (bits // channels + (channel < bits % channels)) for channel in range(channels))


def _learn_kmeans(
    signals: Iterable[Signal], *, minutes: float, codes: int | None, checkpoint: Path | None, say: Say, **names: Any
) -> Codec:
    """Takes as long as it takes, a minute or two; there is nothing to go on from."""
    from sensorium.families.kmeans import KMeansCodec

    squares = list(signals)
    if not squares:
        raise InputError("there is no medium to learn from")
    say(f"learning from {len(squares)} media")
    return KMeansCodec.fit(squares, **names) if codes is None else KMeansCodec.fit(squares, codes, **names)
