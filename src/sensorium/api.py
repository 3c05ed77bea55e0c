"""The few functions that most people need: load, grow, train, codec."""

from __future__ import annotations

import logging
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeVar

from sensorium import plugins
from sensorium.codecs import Codec, load_codec
from sensorium.engines import make_engine
from sensorium.files import cache_dir
from sensorium.generate import Assistant
from sensorium.modalities import Modality
from sensorium.model import Base, Grown, Init, Learn, grow
from sensorium.model.folder import HEAD_FILE, IN_THE_BOX, read_head
from sensorium.runs import Data, Source, start
from sensorium.training import TrainConfig, TrainResult
from sensorium.types import InputError

log = logging.getLogger(__name__)

__all__ = ["Base", "Grown", "Init", "Learn", "codec", "codec_names", "codec_of", "grow", "load", "register", "train"]


Kind = TypeVar("Kind")


def register(thing: Kind) -> Kind:
    """Make a modality or a codec family known in this process, e.g. from a notebook; also as a decorator.

    Packages register entry points instead, see docs/codecs.md.

    Args:
        thing: a subclass of `Codec`, or a `Modality` (its class or an instance).

    Raises:
        InputError: it is neither.
    """
    known: Any = thing
    if isinstance(known, type) and issubclass(known, Codec):
        plugins.register(plugins.CODECS, known.family, known)
    elif isinstance(known, Modality) or (isinstance(known, type) and issubclass(known, Modality)):
        plugins.register(plugins.MODALITIES, known.name, known() if isinstance(known, type) else known)
    else:
        raise InputError(f"only a Codec class or a Modality can be registered, not {known!r:.80}")
    return thing


def load(name: str | PathLike[str], base: str | Path | Base | None = None, engine: str = "torch") -> Assistant:
    """A model to chat with: ``"nano"``, a folder, or a Hub id. See `sensorium.model.Model.load`.

    Args:
        engine: what writes, e.g. ``"torch"``, ``"onnx"``, ``"fast"``; see `sensorium.engines.make_engine`.
    """
    assistant = Assistant.load(name, base)
    assistant.engine = make_engine(assistant.lm, engine)
    return assistant


def codec(name: str | PathLike[str]) -> Codec:
    """A trained codec: one in the box by name (``"image"``; nano's, where several models have one of that name), or by
    that of its model too (``"smol/image-read"``), or a folder that `Codec.save` wrote."""
    boxed = _boxed()
    found = boxed | boxed_codecs()
    if str(name) in found:
        return load_codec(found[str(name)])
    if Path(name).is_dir():
        return load_codec(name)
    raise InputError(f"no codec {str(name)!r}: not a folder, and not in the box ({', '.join(sorted(boxed)) or 'none'})")


def codec_names() -> list[str]:
    """Names of the codecs in the box."""
    return sorted(_boxed())


def boxed_codecs() -> dict[str, Path]:
    """Folders of all codecs in the box by ``MODEL/NAME``, also of those that another model's of the same name hides."""
    found = sorted(path.parent for path in IN_THE_BOX.glob("*/codecs/*/codec.json"))
    return {f"{folder.parts[-3]}/{folder.name}": folder for folder in found}


def default_codecs() -> list[str]:
    """Names of nano's codecs: what an LLM is grown by where none is named."""
    return sorted(name for name, folder in _boxed().items() if folder.parts[-3] == "nano")


def codec_of(modality: str) -> Codec:
    """The codec in the box for a modality, one that writes before one that only reads.

    Raises:
        InputError: there is none.
    """
    found = [load_codec(folder) for folder in _boxed().values()]
    found = sorted((one for one in found if one.facts.modality == modality), key=lambda one: one.facts.use == "read")
    if not found:
        raise InputError(
            f"there is no codec for {modality!r} in the box; train one (`sensorium codec train`) and give its folder"
        )
    return found[0]


def model_of(modality: str, use: Literal["read", "write"]) -> str:
    """Name of the model in the box that reads, or writes, a modality, by what the models say of themselves; of several
    the first by name. No weights are loaded.

    Raises:
        InputError: there is none.
    """
    names = sorted(path.parent.name for path in IN_THE_BOX.glob(f"*/{HEAD_FILE}"))
    for name in names:
        _, vocabulary = read_head(IN_THE_BOX / name)
        if any(one.facts.modality == modality and one.facts.use in (use, "both") for one in vocabulary.layouts):
            return name
    raise InputError(
        f"no model in the box {use}s {modality!r} ({', '.join(names) or 'there is none'}); name one that does, a "
        "folder or a Hub id"
    )


def _boxed() -> dict[str, Path]:
    """Folders of the codecs in the box by name; of several models' the first model's, nano's before all."""
    found = sorted(boxed_codecs().values(), key=lambda folder: folder.parts[-3] == "nano")
    return {folder.name: folder for folder in found}


def train(
    grown: Grown,
    data: str | PathLike[str] | Data,
    minutes: float | None = None,
    out: str | PathLike[str] | None = None,
    rows: int | None = None,
    row_tokens: int | None = None,
    **options: Any,
) -> TrainResult:
    """Encode conversations once into token shards and train a grown model on them.

    Args:
        data: conversations as JSONL in the OpenAI chat form, or files in shares with views, weights of the kinds of
            tokens, and data to validate on: see `sensorium.runs.Data`.
        minutes: time budget of this run, beside the limits in ``options``.
        out: folder for checkpoints and logs; a second call with the same folder goes on where the first stopped.
        rows, row_tokens: packed rows per step and tokens per row, chosen by the data and the time where not given.
        options: further fields of `TrainConfig`.
    """
    config = TrainConfig(minutes=minutes, **options)
    if not isinstance(data, Data):
        data = Data(sources=(Source(path=data),), rows=rows, row_tokens=row_tokens)
    out = Path(out) if out is not None else cache_dir() / "runs" / Path(data.sources[0].path).stem
    return start(grown, data, config, out)
