"""How good a codec for pictures is: fidelity, use of the codebook, collisions, and JPEG at equal bits beside it.

Shape legend: N pictures, H and W pixels; pictures are RGB uint8 (H, W, 3), compared at the codec's own size.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from sensorium.codecs import Codec, Layout
from sensorium.files import atomic_folder
from sensorium.modalities.image import psnr_db, ssim
from sensorium.types import InputError, Signal


@dataclass(frozen=True, kw_only=True)
class ReportRow:
    """One line of the table.

    Args:
        name: the codec, or the method it is compared with.
        pictures: how many were measured.
        bits: a picture costs, as codes or as entropy-coded bytes; the mean when it varies.
        psnr_db: mean over pictures of the peak signal-to-noise ratio, each at most 60 dB.
        pooled_psnr_db: the same from the squared error of all pixels together.
        ssim: mean structural similarity of the brightness (Wang et al. 2004).
        codes_used: share of the codebook that occurs at all (None for JPEG).
        entropy_bits: of the distribution of single codes, the most being log2 of the codebook's size.
        collisions: different pictures that have the codes of another one.
    """

    name: str
    pictures: int
    bits: float
    psnr_db: float
    pooled_psnr_db: float
    ssim: float
    codes_used: float | None = None
    entropy_bits: float | None = None
    collisions: int | None = None


def codec_row(codec: Codec, pictures: Sequence[np.ndarray]) -> tuple[ReportRow, list[np.ndarray]]:
    """Measure a codec on pictures; also returns the reconstructions.

    Raises:
        InputError: there are no pictures.
    """
    if not len(pictures):
        raise InputError("a codec report needs at least one picture")
    codes = codec.encode([Signal(picture) for picture in pictures])
    decoded = [signal.array for signal in codec.decode(codes)]
    originals = [resized(one, back.shape[:2]) for one, back in zip(pictures, decoded, strict=True)]
    used, entropy = code_use(codes, codec.layout)
    frames = sum(len(codec.layout.split(one)[1]) for one in codes) / len(codes)
    row = ReportRow(
        name=codec.facts.name,
        pictures=len(pictures),
        bits=frames * codec.facts.bits_per_frame,
        codes_used=used,
        entropy_bits=entropy,
        collisions=collisions(originals, codes),
        **fidelity(originals, decoded),
    )
    return row, decoded


def jpeg_row(pictures: Sequence[np.ndarray], bits: float) -> tuple[ReportRow, list[np.ndarray]]:
    """JPEG within ``bits`` a picture: the best of all sizes and qualities, headers and tables not counted.

    A JPEG file of these few bits does not exist (its headers alone are larger), so this flatters JPEG.
    """
    found = [_best_jpeg(picture, bits) for picture in pictures]
    decoded = [picture for picture, _ in found]
    mean_bits = sum(cost for _, cost in found) / len(found)
    measured: dict[str, Any] = fidelity(pictures, decoded)
    row = ReportRow(name="jpeg", pictures=len(pictures), bits=mean_bits, **measured)
    return row, decoded


def fidelity(originals: Sequence[np.ndarray], decoded: Sequence[np.ndarray]) -> dict[str, float]:
    """The fields ``psnr_db``, ``pooled_psnr_db`` and ``ssim`` of a row."""
    pairs = list(zip(originals, decoded, strict=True))
    together = [np.concatenate([one.ravel() for one in side]) for side in zip(*pairs, strict=True)]
    return {
        "psnr_db": float(np.mean([psnr_db(a, b) for a, b in pairs])),
        "pooled_psnr_db": psnr_db(*together),
        "ssim": float(np.mean([ssim(a, b) for a, b in zip(originals, decoded, strict=True)])),
    }


def code_use(codes: Sequence[np.ndarray], layout: Layout) -> tuple[float, float]:
    """Share of the codes that occur, and entropy in bits of a single code; means over the frames' codebooks."""
    together = np.concatenate([layout.split(one)[1] for one in codes])
    used, entropy = [], []
    for book, size in enumerate(layout.facts.codebook_sizes):
        counts = np.bincount(together[:, book], minlength=size)
        share = counts[counts > 0] / counts.sum()
        used.append(len(share) / size)
        entropy.append(float(-(share * np.log2(share)).sum()))
    return float(np.mean(used)), float(np.mean(entropy))


def collisions(pictures: Sequence[np.ndarray], codes: Sequence[np.ndarray]) -> int:
    """Number of pictures whose codes are those of another, different picture."""
    shown: dict[bytes, set[bytes]] = {}
    for picture, code in zip(pictures, codes, strict=True):
        shown.setdefault(code.tobytes(), set()).add(picture.tobytes())
    return sum(len(group) for group in shown.values() if len(group) > 1)


def contact_sheet(rows: Sequence[Sequence[np.ndarray]], columns: int = 16) -> np.ndarray:
    """Pictures of one size as bands: first those of ``rows[0]``, under each its counterparts of the other rows."""
    height, width = rows[0][0].shape[:2]
    bands = []
    for start in range(0, len(rows[0]), columns):
        for row in rows:
            part = list(row[start : start + columns])
            part += [np.full((height, width, 3), 255, np.uint8)] * (columns - len(part))
            bands.append(np.concatenate(part, axis=1))
        bands.append(np.full((6, width * columns, 3), 160, np.uint8))
    return np.concatenate(bands[:-1])


def table(rows: Sequence[ReportRow]) -> str:
    """The rows as a Markdown table."""
    heads = ["codec", "pictures", "bits a picture", "PSNR dB", "pooled PSNR dB", "SSIM"]
    heads += ["codes used", "bits a code", "collisions"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in rows:
        used = "" if row.codes_used is None else f"{row.codes_used:.1%}"
        entropy = "" if row.entropy_bits is None else f"{row.entropy_bits:.2f}"
        same = "" if row.collisions is None else str(row.collisions)
        lines.append(
            f"| {row.name} | {row.pictures} | {row.bits:.0f} | {row.psnr_db:.2f} | {row.pooled_psnr_db:.2f} "
            f"| {row.ssim:.3f} | {used} | {entropy} | {same} |"
        )
    return "\n".join(lines) + "\n"


def write_report(
    codec: Codec, media: Sequence[Signal], folder: str | PathLike[str], *, shown: int = 64
) -> list[ReportRow]:
    """Measure a codec and JPEG at equal bits; write ``report.md``, ``report.json`` and ``contact.png``.

    Args:
        shown: pictures on the contact sheet, spread evenly over ``pictures``: originals over reconstructions.
    """
    from PIL import Image

    pictures = [signal.array for signal in media]
    row, decoded = codec_row(codec, pictures)
    originals = [resized(one, back.shape[:2]) for one, back in zip(pictures, decoded, strict=True)]
    rows = [row, jpeg_row(originals, row.bits)[0]]
    chosen = np.linspace(0, len(pictures) - 1, min(shown, len(pictures))).astype(int)
    sheet = contact_sheet([[originals[i] for i in chosen], [decoded[i] for i in chosen]])
    with atomic_folder(Path(folder)) as out:
        (out / "report.md").write_text(table(rows), encoding="utf-8")
        (out / "report.json").write_text(json.dumps([asdict(one) for one in rows], indent=2) + "\n", encoding="utf-8")
        Image.fromarray(sheet).save(out / "contact.png", optimize=True)
    return rows


def resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture fitted into the codec's square, as the codec itself saw it."""
    if picture.shape[:2] == size:
        return picture
    from sensorium.modalities.image import to_square

    if size[0] != size[1]:
        raise InputError(f"a report compares square pictures, and this codec decodes to {size[1]} x {size[0]} pixels")
    return to_square(picture, size[0])


def _best_jpeg(picture: np.ndarray, bits: float) -> tuple[np.ndarray, int]:
    from PIL import Image

    full = Image.fromarray(picture)
    best, best_error, cost = np.full_like(picture, 255), np.inf, 0
    for side in (8, 16, 24, 32, 48, 64):
        size = (max(1, picture.shape[1] * side // 64), max(1, picture.shape[0] * side // 64))
        small = full.resize(size, Image.Resampling.LANCZOS)
        for quality in (5, 10, 20, 30, 45, 60, 75, 90):
            data = io.BytesIO()
            small.save(data, "JPEG", quality=quality, optimize=True)
            spent = 8 * _scan_bytes(data.getvalue())
            if spent > bits:
                break
            back = Image.open(data).convert("RGB").resize(full.size, Image.Resampling.BICUBIC)
            error = float(np.square(np.asarray(back).astype(float) - picture).mean())
            if error < best_error:
                best, best_error, cost = np.asarray(back), error, spent
    return best, cost


def _scan_bytes(jpeg: bytes) -> int:
    """Bytes of the entropy-coded data between the last header (start of scan) and the end marker."""
    start = jpeg.rindex(b"\xff\xda")
    return len(jpeg) - start - 2 - int.from_bytes(jpeg[start + 2 : start + 4], "big") - 2
