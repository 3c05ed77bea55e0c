"""The report of a codec: measures, use of codebooks, bits, collisions, baselines, the contact sheet; any modality."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from media_toys import MAKE, clips, known, waves
from PIL import Image as Pillow

from sensorium.codecs import Codec, Learning, Media
from sensorium.families.kmeans import KMeansCodec
from sensorium.families.semantic import SemanticCodec, SemanticConfig
from sensorium.learning.report import (
    CodebookUse,
    ReportRow,
    Shown,
    baseline_rows,
    codec_row,
    table,
    write_report,
)
from sensorium.modalities.image import image, psnr_db, ssim
from sensorium.modalities.jpeg import best_jpeg
from sensorium.modalities.sheet import in_bands
from sensorium.types import InputError, Signal


@pytest.fixture(autouse=True)
def modalities() -> Iterator[None]:
    with known():
        yield


def kmeans(media: list[Signal], kind: str, codes: int = 16, **settings) -> Codec:
    learning = Learning(minutes=1, codes=codes, train=lambda *args: None, say=lambda line: None)
    return KMeansCodec.learn(Media.of(media), learning, modality=kind, steps=20, **settings)


def pictures(count: int, side: int = 64, seed: int = 0) -> list[Signal]:
    """One coloured box each on white."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(count):
        picture = np.full((side, side, 3), 255, np.uint8)
        top, left = rng.integers(0, side // 2, 2)
        picture[top : top + side // 2, left : left + side // 2] = rng.integers(0, 255, 3)
        found.append(Signal(picture))
    return found


@pytest.mark.parametrize("kind", ["waves", "bands", "clips"])
def test_media_of_any_axes_are_reported(kind, tmp_path):
    codec, unseen = kmeans(MAKE[kind](20), kind, rows=2), MAKE[kind](9, seed=1)
    (row,) = write_report(codec, unseen, tmp_path / "report", shown=9)
    back = codec.decode(codec.encode(unseen))
    errors = [np.abs(a.array.astype(float) - b.array).mean() for a, b in zip(unseen, back, strict=True)]
    assert row.measures["error"] == pytest.approx(np.mean(errors))
    seconds = sum(len(signal.array) for signal in unseen) / (unseen[0].rate_hz or 1)
    facts = codec.facts
    bits = sum(facts.header_bits + -(-len(signal.array) // 2) * facts.bits_per_frame for signal in unseen)
    assert row.bits == pytest.approx(bits / 9)
    assert row.bits_per_s == pytest.approx(bits / seconds)
    assert [book.name for book in row.codebooks] == [*(name for name, _ in facts.header), "0"]
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"report.md", "report.json", "contact.png"}
    (written,) = json.loads((tmp_path / "report" / "report.json").read_text())
    assert written["codebooks"][-1]["used"] == row.codebooks[-1].used
    sheet = Pillow.open(tmp_path / "report" / "contact.png")
    assert sheet.height == 2 * max(kind_preview_height(kind, signal) for signal in [*unseen, *back])


def kind_preview_height(kind: str, signal: Signal) -> int:
    from sensorium.modalities import modality

    return modality(kind).preview(signal, 128).shape[0]


def test_a_codec_that_only_reads_is_reported_without_fidelity(tmp_path):
    config = SemanticConfig(size_px=16, codes=2, widths=(8, 8), blocks=(0, 1), channels=8, hidden=8)
    (row,) = write_report(SemanticCodec(config), pictures(5, side=16), tmp_path / "report")
    assert row.measures == {}
    assert row.bits == pytest.approx(2 * np.log2(243))
    assert [book.size for book in row.codebooks] == [243, 243]
    assert "| image-read | 5 | 16 |" in (tmp_path / "report" / "report.md").read_text()
    assert Pillow.open(tmp_path / "report" / "contact.png").size == (5 * 16, 16)


def test_collisions_count_different_media_with_equal_codes():
    """A codec of one centroid gives the same code to all patches of all pictures."""
    codec = KMeansCodec(np.zeros((1, 192), np.float32))
    first, second = pictures(2)
    assert codec_row(codec, [first, second]).collisions == 2
    assert codec_row(codec, [first, first]).collisions == 0
    assert codec_row(kmeans(pictures(8), "image"), [first, second]).collisions == 0


def test_use_and_entropy_of_known_codes():
    """Two of four centroids occur, equally often: half of the codes are used, one bit each."""
    flat = np.stack([np.full(192, value, np.float32) for value in (0, 1, 2, 3)])
    black, white = (Signal(np.full((64, 64, 3), value, np.uint8)) for value in (0, 255))
    row = codec_row(KMeansCodec(flat), [black, white])
    assert row.codebooks == (CodebookUse(name="0", size=4, used=0.5, entropy_bits=1.0),)
    assert (row.mean("used"), row.mean("entropy_bits")) == (0.5, 1.0)


def test_no_media_are_told():
    with pytest.raises(InputError, match="at least one"):
        codec_row(KMeansCodec(np.zeros((1, 192), np.float32)), [])


def test_media_are_gone_through_without_being_kept():
    """More media than a batch; those shown are spread evenly, and only they are held."""
    shown = Shown(5)
    for number in range(1000):
        shown.add(Signal(np.array([number])), None)
        assert len(shown.pairs) <= 11
    numbers = [int(signal.array[0]) for signal, _ in shown.chosen()]
    assert len(numbers) == 5
    assert numbers[0] == 0
    assert numbers[-1] > 800
    steps = np.diff(numbers)
    assert steps.max() <= 2.1 * steps.min()


def test_psnr_of_all_pixels_together_and_ssim():
    dark, grey = np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 51, np.uint8)
    assert psnr_db(dark, dark) == 60
    assert psnr_db(dark, grey) == pytest.approx(20 * np.log10(5))
    pairs = [(dark, grey), (dark, np.full_like(dark, 5))]
    found = image.overall([image.measures(Signal(a), Signal(b)) for a, b in pairs])
    assert list(found) == ["psnr_db", "pooled_psnr_db", "ssim"]
    together = psnr_db(*(np.concatenate(side) for side in zip(*pairs, strict=True)))
    assert found["pooled_psnr_db"] == pytest.approx(together, abs=1e-6)
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8)
    assert ssim(noise, noise) == pytest.approx(1)
    assert ssim(noise, 255 - noise) < 0


def test_jpeg_stays_within_the_bits_and_gains_from_more():
    codec, media = kmeans(pictures(8), "image"), pictures(4)
    few, many = (baseline_rows(codec, media, bits)[0] for bits in (400, 4000))
    assert few.name == "jpeg"
    assert few.bits <= 400
    assert many.measures["psnr_db"] > few.measures["psnr_db"]
    restored, spent = best_jpeg(media[0].array, 1)
    assert spent == 0
    assert (restored == 255).all()


def test_only_pictures_are_compared_with_jpeg():
    codec = kmeans(clips(8), "clips", rows=1)
    assert baseline_rows(codec, clips(2), 1000) == []


def test_report_of_pictures_of_other_sizes_has_jpeg_beside_it(tmp_path):
    codec = kmeans(pictures(8), "image")
    media = [*pictures(3), *pictures(2, side=40, seed=1)]
    ours, jpeg = write_report(codec, media, tmp_path / "report", shown=4)
    assert (ours.media, jpeg.media) == (5, 5)
    assert ours.bits == 64 * 4
    assert "| image | 5 | 256 |" in (tmp_path / "report" / "report.md").read_text()


def test_contact_sheet_puts_reconstructions_under_originals():
    white, black = np.full((8, 8, 3), 255, np.uint8), np.zeros((6, 8, 3), np.uint8)
    sheet = in_bands([[white] * 3, [black] * 3], columns=2)
    assert sheet.shape == (8 * 4 + 6, 16, 3)
    assert sheet[0, 0, 0] == 255
    assert sheet[8, 0, 0] == 0


def test_table_leaves_blank_what_a_method_does_not_have():
    jpeg = ReportRow(name="jpeg", media=1, bits=10, measures={"psnr_db": 20.0, "ssim": 0.5})
    assert table([jpeg]).splitlines()[-1] == "| jpeg | 1 | 10 | 20 | 0.5 |  |  |  |"
    books = (CodebookUse(name="scale", size=4, used=0.25, entropy_bits=0.5),)
    books += tuple(replace(books[0], name=str(book), used=0.5 + book / 4) for book in range(2))
    sound = ReportRow(name="sound", media=1, bits=10, bits_per_s=2.5, codebooks=books, collisions=0)
    lines = table([sound]).splitlines()
    assert lines[2] == "| sound | 1 | 10 | 2.5 | 62.5% | 0.50 | 0 |"
    assert "| scale | 4 | 25.0% | 0.50 |" in lines


def test_waves_of_a_list_can_be_measured_without_a_folder():
    codec = kmeans(waves(12), "waves", rows=2)
    assert codec_row(codec, waves(3, seed=2)).media == 3
