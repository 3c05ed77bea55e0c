"""A training run from conversations: files in shares, views of media, what tokens weigh, how large a step is.

Whatever is not said is chosen from the data and by timing the model on this machine.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from sensorium.data import (
    Mixture,
    PackedBatch,
    PackedLoader,
    Sample,
    TokenShards,
    pack,
    read_conversations,
    write_shards,
)
from sensorium.device import computing
from sensorium.files import atomic_file
from sensorium.modalities import modality
from sensorium.model import context_of
from sensorium.model.align import start_at_places, start_at_words
from sensorium.model.rows import meanings
from sensorium.stream.said import said
from sensorium.training import NextTokenLoss, TrainConfig, TrainResult, checkpoint, fit, loss_of, machine
from sensorium.training.loop import CHECKPOINTS
from sensorium.training.losses import Among
from sensorium.types import TEXT, Conversation, InputError, Message, Part, Signal

log = logging.getLogger(__name__)
ENOUGH_STEPS = 300
"""Steps that a run should come to, if that can be had by smaller steps."""
MOST_ROWS = 8
ROW_TOKENS = (256, 2048)
HEAVIEST_TEXT = 8.0
LOOKED_AT = 3072
"""Tokens of the data from which the rows of new codecs start."""
MOST_SAID = 100_000
"""Media, with what is said of them, from which the rows of new codecs start."""
LEAST_TEXTS = 4
"""Different texts; fewer (yes and no) are no names."""
COUNTED = 2000
"""Samples whose tokens are counted to weigh the kinds."""

Change = Callable[[Signal, np.random.Generator], Signal]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file of conversations and how it is read.

    Args:
        path: JSONL in the OpenAI chat form.
        share: of the samples, beside those of other files; None for as many as the file has.
        views: how often its conversations are encoded: as they are, and ``views - 1`` times with media changed.
        change: what changes a medium that the model reads: shifts, recolours, adds noise before it is quantised.
    """

    path: str | PathLike[str]
    share: float | None = None
    views: int = 1
    change: Change | None = None

    def __post_init__(self) -> None:
        if self.views < 1 or (self.views > 1 and self.change is None):
            raise InputError(f"{self.path}: views must be 1, or more with a change that makes them, not {self.views}")


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a run learns from.

    Args:
        sources: files of conversations.
        validate: a file of conversations that are not trained on, whose loss is logged.
        weights: how much a token of a kind counts in the loss (``"text"``, or a codec's name; 1 if not named). None
            lets words be heard beside media: text counts so much more that its tokens together weigh as much as the
            codes (up to eight times more each). A written medium may have 80 codes and its name two tokens.
        among: see `NextTokenLoss`.
        keep: weight of words after media that are not learned, such as a user's: they are kept as the LLM says them
            with its adapter off, see `KeptWordsLoss`; 0 for none.
        rows, row_tokens: packed rows of a batch and tokens of a row; None fits the rows to the longest conversation,
            and takes as many as still let the run come to some hundred steps on this machine, eight at most.
    """

    sources: Sequence[Source]
    validate: str | PathLike[str] | None = None
    weights: Mapping[str, float] | None = None
    among: Among = "all"
    keep: float = 0.0
    rows: int | None = None
    row_tokens: int | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """A whole run, as the function ``run`` of a run file returns it: ``sensorium train --config FILE``.

    Args:
        model: the LLM to grow, or a grown model to train further.
        codecs: to add, by name or folder.
        learn: see `sensorium.grow`.
        out: folder of the run.
    """

    model: str
    data: Data
    config: TrainConfig
    out: str | PathLike[str]
    codecs: Sequence[str] = ()
    learn: Literal["rows", "adapter", "full"] = "rows"


def start(grown: Any, data: Data, config: TrainConfig, out: Path) -> TrainResult:
    """Encode the conversations once into token shards and train a grown model on them.

    Under ``torchrun`` the first process encodes and the others wait.
    """
    apart = grown.keeps_documents_apart()
    if not apart:
        kind = grown.lm.config.model_type
        log.warning("%s models mix documents that share a row, so each gets a row of its own: keep rows short", kind)
    with machine.world(config) as world:
        if world.is_first:
            _write(grown, data, out)
        world.wait()
        samples, held_out = _read(grown, data, config, out)
        weights = data.weights if data.weights is not None else balanced(samples, grown.vocabulary)
        loss = loss_of(weights, data.among, data.keep)
        if world.is_first:
            _choose(grown, samples, data, config, loss, out)
        world.wait()
        sizes = _chosen(out)
        rows, tokens = sizes["rows"], sizes["row_tokens"]
        loader = PackedLoader(
            samples, batch_rows=rows, row_tokens=tokens, seed=config.seed, pack=apart, late=_writes(grown)
        )
        validate = [] if held_out is None else list(_batches(held_out, rows, tokens, apart))
        if not checkpoint.is_any(out / CHECKPOINTS):
            _start_at_words(grown, samples, config)
            _start_at_places(grown, samples, config, tokens, apart)
        grown.new.clear()
        return fit(grown, loader, config, out, loss, validate)


def _start_at_words(grown: Any, samples: Any, config: TrainConfig) -> None:
    """Start the input rows of new codecs at what the data say of their media, see `start_at_words`.

    A body that trains as well finds better places itself.
    """
    read = sorted(name for name in grown.new if _reads_without_words(grown.codecs[name]))
    if grown.learn == "full" or not read:
        return
    order = np.random.default_rng(config.seed).permutation(len(samples)).tolist()
    rendered = ((one.ids, one.mask) for one in (samples[number] for number in order))
    known = said(rendered, grown.vocabulary, grown.stream.stop_ids, MOST_SAID)
    if len(known.texts) >= LEAST_TEXTS:
        start_at_words(grown, known, read, steps=min(800, 100 + len(known)), seed=config.seed)


def _reads_without_words(codec: Any) -> bool:
    return codec.facts.use != "write" and not any(meanings(codec))


def _start_at_places(grown: Any, samples: Any, config: TrainConfig, tokens: int, apart: bool) -> None:
    """Start the output rows of new codecs from a look at some of the data, see `start_at_places`.

    A body that trains as well finds its places itself, and those of before are not worth holding on to: media that it
    writes in other conversations than it was shown would end at once.
    """
    written = sorted(name for name in grown.new if grown.codecs[name].facts.use != "read")
    if grown.learn == "full" or not written:
        return
    rows = PackedLoader(samples, batch_rows=1, row_tokens=tokens, seed=config.seed, epochs=1, pack=apart)
    hidden, following = [], []
    with torch.no_grad(), computing(config.dtype, grown.device):
        for packed in islice(rows, -(-LOOKED_AT // tokens)):
            batch = packed.to(grown.device)
            hidden.append(grown.hidden(batch.ids_BT, batch.position_ids_BT)[0, :-1].float())
            following.append(batch.ids_BT[0, 1:])
    start_at_places(grown, torch.cat(hidden), torch.cat(following), written)


def _writes(grown: Any) -> Callable[[Sample], bool]:
    """Whether a sample has a medium to write. Those come last: words are few, and are learned in a fraction of the time
    that a medium takes, so that a run that is cut short has learned to read at least."""
    return lambda sample: bool(grown.vocabulary.kind_of(sample.ids[sample.mask]).any())


def _folder(out: Path, number: int) -> Path:
    return out / ("shards" if number == 0 else f"shards-{number}")


def _write(grown: Any, data: Data, out: Path) -> None:
    for number, source in enumerate(data.sources):
        place = write_shards(viewed(source), grown.senses, _folder(out, number))
        if not TokenShards(place, grown.senses).head["learned"]:
            raise InputError(f'{source.path} holds no message of role "assistant", so there is nothing to learn')
    if data.validate is not None:
        write_shards(read_conversations(data.validate), grown.senses, out / "shards-validate")


def _read(grown: Any, data: Data, config: TrainConfig, out: Path) -> tuple[Any, TokenShards | None]:
    """What to train on and what to validate on."""
    parts = [TokenShards(_folder(out, number), grown.senses) for number in range(len(data.sources))]
    held_out = None if data.validate is None else TokenShards(out / "shards-validate", grown.senses)
    if len(parts) == 1:
        return parts[0], held_out
    shares = [len(p) if s.share is None else s.share for p, s in zip(parts, data.sources, strict=True)]
    return Mixture(list(zip(parts, shares, strict=True)), seed=config.seed), held_out


def viewed(source: Source, seed: int = 0) -> Iterator[Conversation]:
    """The conversations of a file, and again with the media changed that somebody shows to the model."""
    for view in range(source.views):
        for number, conversation in enumerate(read_conversations(source.path)):
            if view == 0 or source.change is None:
                yield conversation
            else:
                generator = np.random.default_rng([seed, view, number])
                messages = (_changed(message, source.change, generator) for message in conversation.messages)
                yield Conversation(tuple(messages))


def _changed(message: Message, change: Change, generator: np.random.Generator) -> Message:
    if message.role == "assistant":
        return message
    return replace(message, parts=tuple(_changed_part(part, change, generator) for part in message.parts))


def _changed_part(part: Part, change: Change, generator: np.random.Generator) -> Part:
    if part.is_text or part.data is None:
        return part
    return Part(part.modality, data=change(modality(part.modality).open(part.data), generator))


def balanced(samples: Any, vocabulary: Any) -> dict[str, float]:
    """Weight of text that makes its learned tokens count as much as the codes together, at most eight times more."""
    numbers = np.random.default_rng(0).permutation(len(samples))[:COUNTED]
    counts = np.zeros(len(vocabulary.kinds), np.int64)
    for number in numbers.tolist():
        sample = samples[number]
        learned = np.asarray(sample.ids)[1:][np.asarray(sample.mask)[1:]]
        counts += np.bincount(vocabulary.kind_of(learned), minlength=len(counts))
    text, codes = int(counts[0]), int(counts[1:].sum())
    return {TEXT: float(np.clip(codes / text, 1.0, HEAVIEST_TEXT))} if text else {}


def _choose(grown: Any, samples: Any, data: Data, config: TrainConfig, loss: NextTokenLoss, out: Path) -> None:
    """Write down how large batches are; a run that goes on keeps what was chosen."""
    before = _chosen(out)
    tokens = data.row_tokens or before.get("row_tokens") or row_tokens(samples, grown)
    rows = data.rows or before.get("rows") or fitting_rows(grown, samples, config, tokens, loss)
    with atomic_file(out / "batch.json") as path:
        path.write_text(json.dumps({"rows": rows, "row_tokens": tokens}) + "\n", encoding="utf-8")


def _chosen(out: Path) -> dict[str, int]:
    path = out / "batch.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {name: int(found[name]) for name in ("rows", "row_tokens")}
    except FileNotFoundError:
        return {}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error}); delete it, and the size of a step is chosen anew") from error


def row_tokens(samples: Any, grown: Any) -> int:
    """Tokens of a row that the longest conversation fits, in steps of 64, as far as the model reads."""
    least, most = ROW_TOKENS
    reads = context_of(grown.lm) or most
    return int(min(max(least, -(-int(samples.lengths.max()) // 64) * 64), most, reads))


def fitting_rows(grown: Any, samples: Any, config: TrainConfig, tokens: int, loss: NextTokenLoss) -> int:
    """Rows of a batch with which the time comes to some hundred steps: one row is timed."""
    if config.minutes is None:
        return MOST_ROWS
    seconds = _seconds_of(grown, pack([samples[0].cut(tokens)], tokens), config, loss)
    rows = int(60 * config.minutes / ENOUGH_STEPS / seconds / config.accumulate)
    log.info("a row of %d tokens takes %.2f s", tokens, seconds)
    return max(1, min(MOST_ROWS, rows))


def _seconds_of(grown: Any, batch: PackedBatch, config: TrainConfig, loss: NextTokenLoss) -> float:
    """Of a row's way forward and back, the second time."""
    device, seconds = grown.device, 0.0
    for _ in range(2):
        began = time.monotonic()
        with computing(config.dtype, device):
            loss(grown, batch.to(device)).total.backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds = time.monotonic() - began
        grown.zero_grad(set_to_none=True)
    return seconds


def _batches(samples: TokenShards, rows: int, tokens: int, apart: bool) -> Iterable[PackedBatch]:
    """All samples once."""
    return PackedLoader(samples, batch_rows=rows, row_tokens=tokens, epochs=1, pack=apart)
