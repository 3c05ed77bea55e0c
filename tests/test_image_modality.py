"""Pictures of every kind come in; bad ones get one clear sentence."""

import base64
import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

from sensorium.modalities import modality
from sensorium.modalities.image import MAX_PIXELS, to_square
from sensorium.types import InputError

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
    image.save(drawing(), path)
    opened = image.open(path)
    assert opened.shape == (20, 30, 3) and opened.dtype == np.uint8
    np.testing.assert_array_equal(opened, drawing())


def test_paths_bytes_data_uris_and_pillow_images_are_the_same(tmp_path):
    data = encoded(drawing())
    (tmp_path / "a.png").write_bytes(data)
    uri = "data:image/png;base64," + base64.b64encode(data).decode()
    for source in (tmp_path / "a.png", str(tmp_path / "a.png"), data, uri, Pillow.fromarray(drawing()), drawing()):
        np.testing.assert_array_equal(image.open(source), drawing())


def test_transparency_is_white():
    picture = np.zeros((4, 4, 4), np.uint8)
    picture[0, 0] = (255, 0, 0, 255)
    picture[0, 1] = (0, 0, 0, 128)
    for opened in (image.open(encoded(picture)), image.open(picture)):
        assert opened[0, 0].tolist() == [255, 0, 0] and opened[3, 3].tolist() == [255, 255, 255]
        assert abs(int(opened[0, 1, 0]) - 127) <= 1


def test_palette_with_transparency():
    palette = Pillow.fromarray(drawing()).convert("P", palette=Pillow.Palette.ADAPTIVE, colors=4)
    opened = image.open(encoded(palette, transparency=palette.getpixel((0, 0))))
    assert opened[0, 0].tolist() == [255, 255, 255] and opened[0, -1].tolist() == [0, 0, 255]


def test_cmyk_grey_sixteen_bits_and_one_pixel():
    cmyk = image.open(encoded(Pillow.fromarray(drawing()).convert("CMYK"), "JPEG", quality=95))
    assert cmyk.shape == (20, 30, 3) and cmyk[0, 0, 0] > 200 > 60 > cmyk[0, 0, 2]
    assert image.open(encoded(Pillow.new("L", (3, 2), 77)))[0, 0].tolist() == [77, 77, 77]
    deep = np.full((2, 2), 32768, np.uint16)
    assert image.open(encoded(Pillow.fromarray(deep)))[0, 0].tolist() == [128, 128, 128]
    assert image.open(encoded(Pillow.new("RGB", (1, 1), "red"))).tolist() == [[[255, 0, 0]]]


def test_of_an_animation_the_first_frame_is_taken_and_said():
    frames = [Pillow.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.warns(UserWarning, match="animated; its first frame"):
        assert image.open(data)[0, 0].tolist() == [255, 0, 0]


def test_a_phone_picture_is_turned_upright():
    exif = Pillow.Exif()
    exif[0x0112] = 6
    assert image.open(encoded(drawing(), "JPEG", exif=exif.tobytes())).shape == (30, 20, 3)


def test_svg_is_drawn():
    pytest.importorskip("resvg_py")
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><rect width="5" height="10" fill="red"/></svg>'
    opened = image.open(svg)
    assert opened[5, 5].tolist() == [255, 0, 0] and opened[5, -5].tolist() == [255, 255, 255]
    with pytest.raises(InputError, match="SVG that cannot be drawn"):
        image.open(b"<svg><rect")


def bomb(side: int = 60_000) -> bytes:
    """A PNG of a few hundred bytes that claims to hold side * side pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty"),
        (b"not a picture at all", "not a picture of a known kind"),
        (encoded(drawing(200, 200))[:120], "damaged or cut short"),
        (encoded(drawing(), "JPEG")[:200], "damaged or cut short|known kind"),
        (bomb(), "pixels"),
        (bomb(9_000), "pixels"),
    ],
)
def test_bad_files_get_one_sentence_with_their_name(tmp_path, data, sentence):
    path = tmp_path / "holiday.png"
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match=sentence) as caught:
            image.open(path)
    assert "holiday.png" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("/no/such/cat.png", "there is no file /no/such/cat.png"),
        ("data:image/png;base64,@@@", "base64 of a data URI is damaged"),
        ("data:image/png,abc", "a data URI must read"),
        (12, "a picture is a path, bytes, a data URI or an array, not int"),
        (np.zeros((4, 4, 2), np.uint8), "shape"),
        (np.zeros((0, 4, 3), np.uint8), "shape"),
        (np.full((4, 4, 3), 2.0), "must lie in 0..1"),
        (np.full((4, 4, 3), np.nan), "must lie in 0..1"),
        (np.zeros((4, 4, 3), np.int64), "bytes or floats"),
        (np.broadcast_to(np.uint8(0), (MAX_PIXELS, 2)), "pixels, more than"),
    ],
)
def test_bad_sources_get_one_sentence(source, sentence):
    with pytest.raises(InputError, match=sentence):
        image.open(source)


def test_a_folder_is_not_a_picture(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        image.open(tmp_path)


def test_saving_as_something_else_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be saved as '.docx'"):
        image.save(drawing(), tmp_path / "drawing.docx")
    assert not list(tmp_path.iterdir())


def test_to_square_keeps_proportions_on_white():
    square = to_square(drawing(20, 40), 16)
    assert square.shape == (16, 16, 3)
    assert (square[0] == 255).all() and (square[8, 0] == [255, 0, 0]).all() and (square[8, -1] == [0, 0, 255]).all()
    assert to_square(square, 16) is square


def test_distance_grows_with_difference():
    same, other = drawing(), 255 - drawing()
    assert image.distance(same, same) == 0
    assert image.distance(same, np.roll(same, 1, axis=1)) < image.distance(same, other)


def test_preview_fits():
    assert image.preview(drawing(200, 400), 64).shape == (32, 64, 3)
    assert image.preview(drawing()).shape == (20, 30, 3)
