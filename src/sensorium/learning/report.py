"""How good a codec is: fidelity by its modality's measures, use of its codebooks, bits, collisions, a contact sheet.

Media are gone through one batch after the other; only numbers and what the sheet shows are kept. A codec that only
reads has no fidelity; the rest holds for it too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from os import PathLike
from pathlib import Path

import numpy as np

from sensorium.checked import read_json
from sensorium.codecs import Codec, Layout, Measured
from sensorium.files import atomic_file, atomic_folder
from sensorium.modalities import modality
from sensorium.modalities.sheet import save_bands
from sensorium.types import InputError, Signal

BATCH = 32
TILE_PX = 128


@dataclass(frozen=True, kw_only=True)
class CodebookUse:
    """How a codebook is used.

    Args:
        name: of a codebook of the header, or the number of one of the frames'.
        size: number of its codes.
        used: share of them that occurs at all.
        entropy_bits: of the distribution of its codes, at most log2 of the size.
    """

    name: str
    size: int
    used: float
    entropy_bits: float


@dataclass(frozen=True, kw_only=True)
class ReportRow:
    """One line of the table.

    Args:
        name: the codec, or the method it is compared with.
        media: how many were measured.
        bits: a medium costs; the mean when it varies.
        bits_per_s: the same a second, for media in time.
        measures: how well what is restored stands for the originals, see `Modality.overall`; none for reading alone.
        codebooks: use of each; empty for other methods.
        collisions: different media that have the codes of another one; None for other methods.
    """

    name: str
    media: int
    bits: float
    bits_per_s: float | None = None
    measures: Mapping[str, float] = field(default_factory=dict)
    codebooks: tuple[CodebookUse, ...] = ()
    collisions: int | None = None

    def mean(self, what: str) -> float | None:
        """Of a number over the frames' codebooks."""
        of_frames = [getattr(book, what) for book in self.codebooks if book.name.isdecimal()]
        return float(np.mean(of_frames)) if of_frames else None


@dataclass
class Shown:
    """At most twice ``count`` pairs, spread evenly over however many come."""

    count: int
    every: int = 1
    seen: int = 0
    pairs: list[tuple[Signal, Signal | None]] = field(default_factory=list)

    def add(self, original: Signal, restored: Signal | None) -> None:
        if self.seen % self.every == 0:
            self.pairs.append((original, restored))
        self.seen += 1
        if len(self.pairs) > 2 * self.count:
            self.pairs, self.every = self.pairs[::2], 2 * self.every

    def chosen(self) -> list[tuple[Signal, Signal | None]]:
        places = np.linspace(0, len(self.pairs) - 1, min(self.count, len(self.pairs)))
        return [self.pairs[int(place)] for place in places]


class Tally:
    """What is counted of codes and media while they pass."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.counts = [np.zeros(size, np.int64) for size in layout.sizes]
        self.bits, self.seconds = 0.0, 0.0
        self.media_of: dict[bytes, set[bytes]] = {}

    def add(self, signal: Signal, codes: np.ndarray) -> None:
        header, frames = self.layout.split(codes)
        facts = self.layout.facts
        for book, column in enumerate([*header[:, None], *frames.T]):
            self.counts[book] += np.bincount(column, minlength=len(self.counts[book]))
        self.bits += facts.header_bits + len(frames) * facts.bits_per_frame
        self.seconds += len(signal.array) / signal.rate_hz if signal.rate_hz else 0.0
        medium = hashlib.sha256(repr(signal.meta()).encode() + np.ascontiguousarray(signal.array).tobytes()).digest()
        self.media_of.setdefault(codes.tobytes(), set()).add(medium)

    @property
    def collisions(self) -> int:
        """Number of media whose codes are those of another, different one."""
        return sum(len(group) for group in self.media_of.values() if len(group) > 1)

    def codebooks(self) -> tuple[CodebookUse, ...]:
        facts = self.layout.facts
        names = [name for name, _ in facts.header] + [str(book) for book in range(facts.codebooks)]
        return tuple(_use(name, counts) for name, counts in zip(names, self.counts, strict=True))


def _use(name: str, counts: np.ndarray) -> CodebookUse:
    share = counts[counts > 0] / counts.sum()
    entropy = float(-(share * np.log2(share)).sum())
    entropy = max(0.0, entropy)  # not -0.0
    return CodebookUse(name=name, size=len(counts), used=len(share) / len(counts), entropy_bits=entropy)


def codec_row(codec: Codec, media: Iterable[Signal], shown: Shown | None = None) -> ReportRow:
    """Measure a codec.

    Args:
        shown: takes originals and what is restored of them.

    Raises:
        InputError: there are no media, or one does not suit the codec.
    """
    kind, tally, measured, count = modality(codec.facts.modality), Tally(codec.layout), [], 0
    for batch in _batches(media):
        originals = codec.fitted(batch)
        codes = codec.encode(originals)
        writes = codec.facts.use != "read"
        restored: Sequence[Signal | None] = codec.decode(codes) if writes else [None] * len(codes)
        for original, one, back in zip(originals, codes, restored, strict=True):
            count += 1
            tally.add(original, one)
            if back is not None:
                measured.append(kind.measures(original, back))
            if shown is not None:
                shown.add(original, back)
    if not count:
        raise InputError("a codec report needs at least one medium; give a folder, a pattern or a JSONL file of some")
    return ReportRow(
        name=codec.facts.name,
        media=count,
        bits=tally.bits / count,
        bits_per_s=tally.bits / tally.seconds if tally.seconds else None,
        measures=kind.overall(measured) if measured else {},
        codebooks=tally.codebooks(),
        collisions=tally.collisions,
    )


def baseline_rows(codec: Codec, media: Iterable[Signal], bits: float) -> list[ReportRow]:
    """What else would stand for the media within so many bits each, as far as their modality knows something."""
    kind = modality(codec.facts.modality)
    measured: dict[str, list[dict[str, float]]] = {}
    spent: dict[str, float] = {}
    for batch in _batches(media):
        for original in codec.fitted(batch):
            for name, (restored, cost) in kind.baselines(original, bits).items():
                measured.setdefault(name, []).append(kind.measures(original, restored))
                spent[name] = spent.get(name, 0.0) + cost
    return [
        ReportRow(name=name, media=len(rows), bits=spent[name] / len(rows), measures=kind.overall(rows))
        for name, rows in measured.items()
    ]


def _batches(media: Iterable[Signal]) -> Iterator[list[Signal]]:
    left = iter(media)
    while batch := list(islice(left, BATCH)):
        yield batch


def table(rows: Sequence[ReportRow]) -> str:
    """The rows as a Markdown table, and one of the codebooks where there are several."""
    names = list(dict.fromkeys(name for row in rows for name in row.measures))
    timed = any(row.bits_per_s is not None for row in rows)
    heads = ["codec", "media", "bits a medium", *(["bits a second"] if timed else []), *names]
    heads += ["codes used", "bits a code", "collisions"]
    lines = [[*_head(row, timed), *(_number(row.measures.get(name)) for name in names), *_use_of(row)] for row in rows]
    found = _markdown(heads, lines)
    for row in rows:
        if len(row.codebooks) > 1:
            books = [
                [book.name, str(book.size), f"{book.used:.1%}", f"{book.entropy_bits:.2f}"] for book in row.codebooks
            ]
            found += f"\nCodebooks of {row.name}:\n\n" + _markdown(["codebook", "codes", "used", "bits a code"], books)
    return found


def _head(row: ReportRow, timed: bool) -> list[str]:
    return [row.name, str(row.media), f"{row.bits:.0f}", *([_number(row.bits_per_s)] if timed else [])]


def _use_of(row: ReportRow) -> list[str]:
    used, entropy = row.mean("used"), row.mean("entropy_bits")
    collisions = "" if row.collisions is None else str(row.collisions)
    return ["" if used is None else f"{used:.1%}", "" if entropy is None else f"{entropy:.2f}", collisions]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _markdown(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *rows]) + "\n"


def write_report(
    codec: Codec, media: Iterable[Signal], folder: str | PathLike[str], *, shown: int = 64
) -> list[ReportRow]:
    """Measure a codec, and what else would do at equal bits; write ``report.md``, ``report.json``, ``contact.png``.

    Args:
        media: can be gone through twice.
        shown: media on the contact sheet, spread evenly over all: originals over what is restored.
    """
    kept = Shown(shown)
    row = codec_row(codec, media, kept)
    rows = [row, *(baseline_rows(codec, media, row.bits) if row.measures else [])]
    kind, pairs = modality(codec.facts.modality), kept.chosen()
    bands = [[kind.preview(original, TILE_PX) for original, _ in pairs]]
    if row.measures:
        bands.append([kind.preview(restored, TILE_PX) for _, restored in pairs if restored is not None])
    with atomic_folder(Path(folder)) as out:
        (out / "report.md").write_text(table(rows), encoding="utf-8")
        (out / "report.json").write_text(json.dumps([asdict(one) for one in rows], indent=2) + "\n", encoding="utf-8")
        save_bands(bands, out / "contact.png")
    return rows


def keep(row: ReportRow, command: str, folder: str | PathLike[str]) -> None:
    """Write what was measured of a codec into its folder, with the command that did it; nothing else changes there."""
    numbers = {"media": row.media, "bits a medium": row.bits, "bits a second": row.bits_per_s, **row.measures}
    numbers |= {"codes used": row.mean("used"), "collisions": row.collisions}
    kept = Measured(command=command, numbers={name: value for name, value in numbers.items() if value is not None})
    head = read_json(Path(folder, "codec.json")) | {"measured": asdict(kept)}
    with atomic_file(Path(folder, "codec.json")) as out:
        out.write_text(json.dumps(head, indent=2) + "\n", encoding="utf-8")
