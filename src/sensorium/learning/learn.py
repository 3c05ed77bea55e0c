"""Training a codec of a named family on media with one call: the place where classes that learn meet the loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sensorium import plugins
from sensorium.codecs import Codec, Learning, Media, check_name
from sensorium.learning.training import CodecTraining, train_codec
from sensorium.types import InputError, Signal

Say = Callable[[str], None]


def learn_codec(
    family: str | None,
    media: Media,
    *,
    minutes: float,
    codes: int | None = None,
    checkpoint: Path | None = None,
    say: Say = print,
    **names: Any,
) -> Codec:
    """Train a codec on media.

    Args:
        family: an installed family whose class learns (`Codec.learn`); None for one that suits the media.
        minutes: time of training; a family without an open end stops when it is done.
        codes: size of the codebook, where the family lets one choose; None for its own default.
        checkpoint: file to go on from and to save to, where the family can.
        names: ``modality``, and perhaps ``name`` and ``use`` of the codec (see `Facts`) and settings of the family.

    Raises:
        InputError: there are no media, the family has nothing to train, or no tokens can be made of the name.
    """
    check_name(names.get("name", "codec"))
    known = plugins.names(plugins.CODECS)
    if family is not None and family not in known:
        raise InputError(f"no codec family named {family!r} is installed; there are: {', '.join(known)}")
    if family is None:
        family = family_for(media.first())
        say(f"family {family}, by what the media are; choose another with --family")
    how = learning(minutes=minutes, codes=codes, checkpoint=checkpoint, say=say)
    return plugins.load(plugins.CODECS, family).learn(media, how, **names)


def learning(*, minutes: float, codes: int | None = None, checkpoint: Path | None = None, say: Say = print) -> Learning:
    """What a class learns with, see `learn_codec`."""
    return Learning(minutes=minutes, codes=codes, say=say, train=partial(_train, minutes, checkpoint, say))


def family_for(signal: Signal) -> str:
    """Lists of things (boxes, events) are cut into even bins; everything else has a network learn it."""
    return "uniform" if signal.labels or signal.frame else "fsq"


def _train(
    minutes: float, checkpoint: Path | None, say: Say, net: Any, sample: Callable, loss: Callable, **how: Any
) -> None:
    given: dict[str, Any] = {"minutes": minutes} | how
    train_codec(net, sample, loss, CodecTraining(**given), checkpoint=checkpoint, say=say)
