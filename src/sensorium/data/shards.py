"""Token shards: conversations rendered once. Training never touches media.

A folder of ``shard-00000.arrow`` files and a ``shards.json``. A shard is an Arrow file with the columns ``ids``
(list<int32>) and ``mask`` (list<bool>); Arrow rather than Parquet, because Parquet must be decoded into memory
and Arrow is read where it lies. Each says in its metadata what it was made from, so a shard exists or it does
not, and a second run writes only what is missing, damaged or has changed. ``shards.json`` comes last: a folder
without it is unfinished. The metadata hold a checksum of the columns, compared when a shard is first read.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import count, islice
from os import PathLike
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa

from sensorium import plugins, seals
from sensorium.checked import Range, checked
from sensorium.data.codes import Encoder, numbered, stamp
from sensorium.files import atomic_file
from sensorium.senses import Senses
from sensorium.stream import Rendered, Stream
from sensorium.types import Conversation, InputError, Role

HEAD_FILE = "shards.json"
FORMAT = 3
METADATA = b"sensorium"
TYPES = [pa.list_(pa.int32()), pa.list_(pa.bool_())]
"""Of the columns."""
PROBE = "Hello, world! Qu'est-ce que c'est ? 17 + 4 = 21. Straße, ¿qué?, 你好, \n\tmany  spaces"

Count = Annotated[int, Range(0, 2**53)]


@dataclass(frozen=True)
class ShardInfo:
    """What a shard says of itself.

    Args:
        source: digest of the conversations, the tokenizer and the codecs it was made from.
        samples, tokens, learned: conversations, their ids, and how many of these are learned.
        kinds: tokens by kind: text, and each codec.
        checksum: of the columns, see `checksum_of`.
    """

    source: Annotated[str, Range(1, 128)]
    samples: Count
    tokens: Count
    learned: Count
    kinds: dict[str, Count]
    checksum: Annotated[str, Range(64, 64)]


@dataclass(frozen=True)
class ShardJob:
    """The work for one shard: plain data, so that it can travel to another process or machine.

    Args:
        index: number of the shard.
        first: number of its first conversation, from 0.
        source: what the shard will be made from, see `ShardInfo`.
    """

    index: int
    first: int
    source: str
    conversations: tuple[Conversation, ...]


@dataclass(frozen=True, kw_only=True)
class ShardMaker:
    """All that every shard needs alike; can be pickled.

    Args:
        senses: encode and render conversations.
        folder: where the shards lie.
        cache: folder of codes by content; None for this user's.
        registered: what was made known in this process alone, see `plugins.register`.
    """

    senses: Senses
    folder: Path
    cache: Path | None = None
    registered: Mapping[tuple[str, str], Any] = field(default_factory=plugins.registered)


def write_shards(
    conversations: Iterable[Conversation],
    senses: Senses,
    folder: str | PathLike[str],
    *,
    per_shard: int = 8192,
    processes: int = 1,
    cache: Path | None = None,
    report: Callable[[ShardInfo], None] | None = None,
) -> Path:
    """Encode and render conversations into token shards, and return the folder.

    May be stopped at any moment: a second run with the same conversations goes on where the first stopped.

    Args:
        per_shard: conversations of a shard.
        processes: worker processes; with more than one, a script needs the usual ``if __name__ == "__main__"``.
        report: called with each shard that is done, in order.

    Raises:
        InputError: a medium cannot be opened, a conversation cannot be rendered, or there are none.
            Shards finished before stay.
    """
    if per_shard < 1:
        raise InputError(f"a shard holds at least one conversation, not {per_shard}")
    maker = ShardMaker(senses=senses, folder=Path(folder), cache=cache)
    jobs = _jobs(conversations, senses, per_shard)
    done: list[ShardInfo] = []
    for info in _run(jobs, maker, processes):
        done.append(info)
        if report is not None:
            report(info)
    if not done:
        raise InputError("there are no conversations to write into shards")
    _finish(maker.folder, done, fingerprints(senses))
    return maker.folder


def encode_one_shard(job: ShardJob, maker: ShardMaker, encoder: Encoder | None = None) -> ShardInfo:
    """Write one shard unless it is there. Depends on nothing but its arguments, so it can run anywhere.

    Args:
        encoder: keeps the code cache open from one shard to the next; None opens it again.
    """
    path = maker.folder / f"shard-{job.index:05d}.arrow"
    known = shard_info(path)
    if known is not None and known.source == job.source and is_whole(path, known):
        return known
    encoder = encoder or Encoder(maker.senses, maker.cache)
    encoded = encoder.encode(job.conversations, job.first)
    rendered = [_render(maker.senses.stream, conversation, job.first + n) for n, conversation in enumerate(encoded)]
    return _write(path, rendered, job.source, maker.senses.stream)


def _render(stream: Stream, conversation: Conversation, number: int) -> Rendered:
    try:
        return stream.render(conversation)
    except InputError as error:
        raise InputError(f"conversation {number + 1}: {error}") from error


def _write(path: Path, rendered: Sequence[Rendered], source: str, stream: Stream) -> ShardInfo:
    ids = np.concatenate([item.ids for item in rendered]).astype(np.int32)
    mask = np.concatenate([item.mask for item in rendered])
    offsets = pa.array(np.cumsum([0, *(len(item.ids) for item in rendered)]), pa.int32())
    vocabulary = stream.vocabulary
    counts = np.bincount(vocabulary.kind_of(ids), minlength=len(vocabulary.kinds))
    kinds = dict(zip(vocabulary.kinds, counts.tolist(), strict=True))
    columns = [pa.ListArray.from_arrays(offsets, pa.array(ids)), pa.ListArray.from_arrays(offsets, pa.array(mask))]
    schema = pa.schema(list(zip(("ids", "mask"), TYPES, strict=True)))
    checksum = checksum_of(pa.record_batch(columns, schema=schema))
    info = ShardInfo(source, len(rendered), len(ids), int(mask.sum()), kinds, checksum)
    schema = schema.with_metadata({METADATA: json.dumps(asdict(info)).encode()})
    with atomic_file(path) as temporary, pa.ipc.new_file(str(temporary), schema) as writer:
        writer.write_batch(pa.record_batch(columns, schema=schema))
    return info


def checksum_of(batch: pa.RecordBatch) -> str:
    """SHA-256 of the ids, the masks and where each sample begins."""
    digest = hashlib.sha256(str(batch.num_rows).encode())
    for column in batch.columns:
        digest.update(np.ascontiguousarray(column.offsets).data)
        digest.update(memoryview(column.values.buffers()[1] or b"")[: _bytes_of(column.values)])
    return digest.hexdigest()


def _bytes_of(values: pa.Array) -> int:
    return -(-len(values) * values.type.bit_width // 8)


def opened(path: Path) -> pa.RecordBatch:
    """The columns of a shard, read where they lie, of the right types and lengths; not yet compared with the checksum.

    Raises:
        ValueError, OSError: they are not, or the file is no shard.
    """
    batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
    if batch.schema.types != TYPES or any(column.null_count for column in batch.columns):
        raise ValueError("the columns are of other types")
    batch.validate(full=True)
    return batch


def is_whole(path: Path, info: ShardInfo) -> bool:
    """Whether a shard holds what was written."""
    try:
        return checksum_of(opened(path)) == info.checksum
    except (OSError, ValueError, TypeError, IndexError):
        return False


def shard_info(path: Path) -> ShardInfo | None:
    """What a shard says of itself; None if it is not there or was cut short."""
    try:
        with pa.memory_map(str(path)) as file:
            told = json.loads(pa.ipc.open_file(file).schema.metadata[METADATA])
            return checked(told, ShardInfo, "the shard")
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError, RecursionError):
        return None


def _run(jobs: Iterator[ShardJob], maker: ShardMaker, processes: int) -> Iterator[ShardInfo]:
    if processes <= 1:
        encoder = Encoder(maker.senses, maker.cache)
        for job in jobs:
            yield encode_one_shard(job, maker, encoder)
        return
    yield from _run_in_processes(jobs, maker, processes)


def _run_in_processes(jobs: Iterator[ShardJob], maker: ShardMaker, processes: int) -> Iterator[ShardInfo]:
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    # Workers are spawned, not forked: a forked process may hang in the thread pools that torch has started.
    pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_start_worker, initargs=(maker,))
    waiting: deque[Any] = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(_work, job))
            while len(waiting) >= 2 * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise InputError(
            "a worker process died, most likely for lack of memory; run again with fewer processes, "
            "finished shards are kept"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_worker: tuple[ShardMaker, Encoder] | None = None


def _start_worker(maker: ShardMaker) -> None:
    import torch

    global _worker
    torch.set_num_threads(1)  # the processes are the threads
    for (group, name), thing in maker.registered.items():
        plugins.register(group, name, thing)
    _worker = maker, Encoder(maker.senses, maker.cache)


def _work(job: ShardJob) -> ShardInfo:
    assert _worker is not None
    return encode_one_shard(job, *_worker)


def _jobs(conversations: Iterable[Conversation], senses: Senses, per_shard: int) -> Iterator[ShardJob]:
    rest, prints = iter(conversations), fingerprints(senses)
    for index in count():
        chunk = tuple(islice(rest, per_shard))
        if not chunk:
            return
        used = {name: prints["codecs"][name] for name in _used_codecs(chunk, senses, index * per_shard)}
        digest = hashlib.sha256(json.dumps([FORMAT, prints["text"], used], sort_keys=True).encode())
        for number, conversation in enumerate(chunk, start=index * per_shard):
            numbered(number, partial(_add, digest), conversation)
        yield ShardJob(index, index * per_shard, digest.hexdigest()[:32], chunk)


def _used_codecs(conversations: Sequence[Conversation], senses: Senses, first: int) -> set[str]:
    """Codecs that these conversations need: a shard is the same whatever other codecs a model has."""
    kinds: dict[tuple[str, Role], int] = {}
    for number, conversation in enumerate(conversations, start=first):
        for message in conversation.messages:
            for part in message.parts:
                if not part.is_text:
                    kinds.setdefault((part.modality, message.role), number)
    found = set()
    for (kind, role), number in kinds.items():
        try:
            found.add(senses.layout_for(kind, role).name)
        except InputError as error:
            raise InputError(f"conversation {number + 1}: {error}") from error
    return found


def _add(digest: Any, conversation: Conversation) -> None:
    for message in conversation.messages:
        digest.update(f"<{message.role} {len(message.parts)}>".encode())
        for part in message.parts:
            if part.codes is not None:
                codes = np.asarray(part.codes, dtype=np.int64)
                digest.update(f"<{part.codec} {codes.shape}>".encode())
                digest.update(np.ascontiguousarray(codes).data)
            held = part.data if part.is_text else "" if part.data is None else stamp(part)
            digest.update(f"<{part.modality} {len(held)}>{held}".encode())


def _finish(folder: Path, done: Sequence[ShardInfo], prints: Mapping[str, Any]) -> None:
    """Write ``shards.json`` and drop shards of a longer, earlier run."""
    head = {
        "format": FORMAT,
        "samples": sum(info.samples for info in done),
        "tokens": sum(info.tokens for info in done),
        "learned": sum(info.learned for info in done),
        "kinds": dict(sum((Counter(info.kinds) for info in done), Counter())),
        "fingerprints": prints,
        "shards": [{"file": f"shard-{n:05d}.arrow", **asdict(info)} for n, info in enumerate(done)],
    }
    with atomic_file(folder / HEAD_FILE) as path:
        seals.write(path, head, indent=1)
    named = {shard["file"] for shard in head["shards"]}
    for path in folder.glob("shard-[0-9][0-9][0-9][0-9][0-9].arrow"):
        if path.name not in named:
            path.unlink()


def fingerprints(senses: Senses) -> dict[str, Any]:
    """What ids mean: the text tokenizer with its template, and of each codec what it is and where its ids begin."""
    tokenizer = senses.tokenizer
    tokens = sorted(item for item in tokenizer.get_vocab().items() if item[1] < senses.text_size)
    text = [tokens, tokenizer.chat_template, tokenizer(PROBE, add_special_tokens=False)["input_ids"]]
    codecs = {
        layout.name: _hash([layout.open_id, layout.facts.identity(), senses.codecs[layout.name].fingerprint()])
        for layout in senses.vocabulary.layouts
    }
    return {"text": _hash(text), "codecs": codecs}


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
