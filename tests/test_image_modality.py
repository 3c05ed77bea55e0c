"""Pictures of every kind come in and go out; for bad ones see test_bad_input.py."""

import base64
import io

import numpy as np
import pytest
from PIL import Image as Pillow

from sensorium.modalities import modality
from sensorium.modalities.contract import check_modality
from sensorium.modalities.image import to_square
from sensorium.types import Signal

image = modality("image")


def drawing(height: int = 20, width: int = 30) -> np.ndarray:
    """Left half red, right half blue."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, : width // 2, 0], picture[:, width // 2 :, 2] = 255, 255
    return picture


def encoded(picture: Pillow.Image | np.ndarray, format_: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    (picture if isinstance(picture, Pillow.Image) else Pillow.fromarray(picture)).save(buffer, format_, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".gif"])
def test_a_picture_survives_a_lossless_file(tmp_path, suffix):
    path = tmp_path / f"drawing{suffix}"
    image.save(Signal(drawing()), path)
    opened = image.open(path).array
    assert opened.dtype == np.uint8
    np.testing.assert_array_equal(opened, drawing())


def test_paths_bytes_data_uris_and_pillow_images_are_the_same(tmp_path):
    data = encoded(drawing())
    (tmp_path / "a.png").write_bytes(data)
    uri = "data:image/png;base64," + base64.b64encode(data).decode()
    for source in (tmp_path / "a.png", str(tmp_path / "a.png"), data, uri, Pillow.fromarray(drawing()), drawing()):
        np.testing.assert_array_equal(image.open(source).array, drawing())


def test_transparency_is_white():
    picture = np.zeros((4, 4, 4), np.uint8)
    picture[0, 0] = (255, 0, 0, 255)
    picture[0, 1] = (0, 0, 0, 128)
    for opened in (
        image.open(encoded(picture)).array,
        image.open(encoded(picture, "WEBP", lossless=True)).array,
        image.open(picture).array,
    ):
        assert opened[0, 0].tolist() == [255, 0, 0]
        assert opened[3, 3].tolist() == [255, 255, 255]
        assert abs(int(opened[0, 1, 0]) - 127) <= 1


def test_palette_with_transparency():
    palette = Pillow.fromarray(drawing()).convert("P", palette=Pillow.Palette.ADAPTIVE, colors=4)
    opened = image.open(encoded(palette, transparency=palette.getpixel((0, 0)))).array
    assert opened[0, 0].tolist() == [255, 255, 255]
    assert opened[0, -1].tolist() == [0, 0, 255]


def test_cmyk_is_the_colour_it_prints():
    red = image.open(encoded(Pillow.fromarray(drawing()).convert("CMYK"), "JPEG", quality=95)).array[0, 0]
    assert red[0] > 200
    assert red[2] < 60


@pytest.mark.parametrize("level", [100, 32768, 65535])
def test_sixteen_bits_keep_their_brightness(level):
    """Also of a dark picture, whose numbers would all fit into eight bits."""
    deep = np.full((2, 2), level, np.uint16)
    for data in (encoded(deep), encoded(deep, "TIFF")):
        assert image.open(data).array[0, 0].tolist() == [round(level / 257)] * 3


def test_grey_bilevel_and_one_pixel():
    assert image.open(encoded(Pillow.new("L", (3, 2), 77))).array[0, 0].tolist() == [77, 77, 77]
    assert image.open(encoded(Pillow.new("1", (3, 2), 1))).array[0, 0].tolist() == [255, 255, 255]
    assert image.open(encoded(Pillow.new("RGB", (1, 1), "red"))).array.tolist() == [[[255, 0, 0]]]


@pytest.mark.parametrize(("format_", "options"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})])
def test_of_an_animation_the_first_frame_is_taken_and_said(format_, options):
    frames = [Pillow.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], format_, save_all=True, append_images=frames[1:], **options)
    with pytest.warns(UserWarning, match="several frames; the first is taken"):
        assert image.open(data).array[0, 0].tolist() == [255, 0, 0]


def test_a_phone_picture_is_turned_upright():
    exif = Pillow.Exif()
    exif[0x0112] = 6
    assert image.open(encoded(drawing(), "JPEG", exif=exif.tobytes())).array.shape == (30, 20, 3)


def test_svg_is_drawn():
    pytest.importorskip("resvg_py")
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><rect width="5" height="10" fill="red"/></svg>'
    opened = image.open(svg).array
    assert opened[5, 5].tolist() == [255, 0, 0]
    assert opened[5, -5].tolist() == [255, 255, 255]


def test_to_square_keeps_proportions_on_white():
    square = to_square(drawing(20, 40), 16)
    assert square.shape == (16, 16, 3)
    assert (square[0] == 255).all()
    assert square[8, [0, -1]].tolist() == [[255, 0, 0], [0, 0, 255]]
    assert to_square(square, 16) is square


def test_to_square_shrinks_without_losing_thin_lines():
    lines = np.full((64, 64, 3), 255, np.uint8)
    lines[::8] = 0
    assert (to_square(lines, 8) == 223).all()  # an eighth of each square is black


def test_measures_fall_with_difference():
    same, moved, other = (Signal(one) for one in (drawing(), np.roll(drawing(), 1, axis=1), 255 - drawing()))
    found = [image.measures(same, one) for one in (same, moved, other)]
    assert found[0] == {"psnr_db": 60.0, "ssim": pytest.approx(1, abs=1e-5)}
    for name in ("psnr_db", "ssim"):
        assert found[0][name] > found[1][name] > found[2][name]
    assert image.measures(Signal(drawing(40, 40)), Signal(drawing(20, 20)))["psnr_db"] > 25


def test_preview_fits():
    assert image.preview(Signal(drawing(200, 400)), 64).shape == (32, 64, 3)
    assert image.preview(Signal(drawing())).shape == (20, 30, 3)


def test_it_keeps_the_contract_of_a_modality():
    check_modality(image, [drawing(), Pillow.fromarray(255 - drawing()), encoded(drawing(12, 12))])
