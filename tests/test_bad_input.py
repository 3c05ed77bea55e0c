"""Bad pictures, bad codes, broken codec folders, full disks: each gets one clear sentence and loses nothing."""

import errno
import io
import json
import os
import struct
import subprocess
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from sensorium.codecs import load_codec
from sensorium.families.kmeans import KMeansCodec
from sensorium.files import atomic_file
from sensorium.modalities import Wish, modality
from sensorium.modalities.image import MAX_PIXELS, to_square
from sensorium.types import InputError, Signal

image = modality("image")


def encoded(side: int = 64, format_: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (side, side, 3)).astype(np.uint8)
    Pillow.fromarray(noise).save(buffer, format_)
    return buffer.getvalue()


def png_bomb(side: int) -> bytes:
    """A PNG of some hundred bytes that claims to hold side * side pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    )


def gif_bomb(side: int) -> bytes:
    data = bytearray(encoded(16, "GIF"))
    data[6:10] = struct.pack("<HH", side, side)
    return bytes(data)


def webp_bomb(side: int) -> bytes:
    """An extended WebP with a canvas of side * side pixels, which its reader would make room for on opening."""
    size = (side - 1).to_bytes(3, "little")
    frame = encoded(16, "WEBP")[12:]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + size + size + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


def svg(inside: str, root: str = 'viewBox="0 0 10 10"') -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg" {root}>{inside}</svg>'.encode()


LAUGHS = "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
BAD_FILES = {
    "empty": (b"", "is empty"),
    "text": (b"not a picture at all", "not a picture of a known kind"),
    "half a PNG": (encoded()[:5000], "damaged or cut short"),
    "a PNG's first bytes": (encoded()[:12], "damaged"),
    "half a JPEG": (encoded(64, "JPEG")[:2000], "damaged or cut short"),
    "half a WebP": (encoded(64, "WEBP")[:500], "damaged"),
    "half a GIF": (encoded(64, "GIF")[:2000], "damaged or cut short"),
    "half a TIFF": (encoded(64, "TIFF")[:2000], "damaged or cut short"),
    "PNG bomb": (png_bomb(60_000), "far too many pixels"),
    "smaller PNG bomb": (png_bomb(9_000), "9000 x 9000 pixels, more than"),
    "GIF bomb": (gif_bomb(60_000), "far too many pixels"),
    "WebP bomb": (webp_bomb(16_000), "16000 x 16000 pixels, more than"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "not a picture of a known kind"),
}


@pytest.mark.parametrize(("data", "sentence"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_picture_gets_one_sentence_with_its_name(tmp_path, data, sentence):
    path = tmp_path / "holiday.png"
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
        with pytest.raises(InputError, match=sentence) as caught:
            image.open(path)
    assert "holiday.png" in str(caught.value)
    assert "\n" not in str(caught.value)


BAD_DRAWINGS = {
    "cut": (b"<svg><rect", "cannot be drawn"),
    "entities": (
        f'<!DOCTYPE svg [<!ENTITY a "ha">{LAUGHS}]>'.encode() + svg("<text>&i;</text>" * 100),
        "cannot be drawn",
    ),
    "another file": (svg('<image href="/etc/logo.png" width="9" height="9"/>'), "draws another file, '/etc/logo.png'"),
}


@pytest.mark.parametrize(("data", "sentence"), BAD_DRAWINGS.values(), ids=BAD_DRAWINGS)
def test_a_bad_svg_gets_one_sentence_with_its_name(tmp_path, data, sentence):
    pytest.importorskip("resvg_py")
    path = tmp_path / "drawing.svg"
    path.write_bytes(data)
    with pytest.raises(InputError, match=sentence) as caught:
        image.open(path)
    assert "drawing.svg" in str(caught.value)


@pytest.mark.parametrize(
    "root", ['viewBox="0 0 1 1000000"', 'viewBox="0 0 1000000 1"', 'width="1000000" height="1000000"']
)
def test_an_svg_of_any_shape_stays_small(root):
    pytest.importorskip("resvg_py")
    assert max(image.open(svg("<circle r='5'/>", root)).array.shape) <= 512


def test_an_svg_without_the_extra_names_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "resvg_py", None)
    with pytest.raises(InputError, match=r"pip install 'sensorium\[svg\]'"):
        image.read(svg(""), "the picture", Wish())  # as the process does that opens it


BAD_SOURCES = [
    ("no/such/cat.png", "there is no file no/such/cat.png"),
    ("https://example.org/cat.png", "not fetched from the network"),
    ("cat\0.png", "there is no file cat"),
    ("c" * 5000, "cannot be read|there is no file"),
    ("data:image/png;base64,@@@", "base64 of the picture in the data URI is damaged"),
    ("data:image/png;base64,é", "base64 of the picture in the data URI is damaged"),
    ("data:image/png;base64", "a data URI must read"),
    (os.devnull, "not an ordinary file"),
    (12, "a picture is a path, bytes, a data URI, an array or a signal, not int"),
    (np.zeros((4, 4, 2), np.uint8), "shape"),
    (np.zeros((0, 4, 3), np.uint8), "shape"),
    (np.full((4, 4, 3), 2.0), r"must lie in 0\.\.1"),
    (np.full((4, 4, 3), np.nan), r"must lie in 0\.\.1"),
    (np.zeros((4, 4, 3), np.int64), "bytes or floats"),
    (np.broadcast_to(np.uint8(0), (MAX_PIXELS, 2)), "pixels, more than"),
]


@pytest.mark.parametrize(("source", "sentence"), BAD_SOURCES, ids=[sentence for _, sentence in BAD_SOURCES])
def test_a_bad_source_gets_one_sentence(source, sentence):
    with pytest.raises(InputError, match=sentence):
        image.open(source)


def test_a_cut_picture_that_pillow_has_opened_lazily_gets_one_too():
    with pytest.raises(InputError, match="damaged or cut short"):
        image.open(Pillow.open(io.BytesIO(encoded()[:5000])))


def test_a_folder_is_not_a_picture(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        image.open(tmp_path)


def test_saving_a_picture_as_something_else_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"cannot be saved as '\.docx'"):
        image.save(Signal(np.zeros((4, 4, 3), np.uint8)), tmp_path / "drawing.docx")
    assert not list(tmp_path.iterdir())


def test_a_codec_is_given_pictures_only():
    with pytest.raises(InputError, match="an RGB picture"):
        to_square(np.zeros((4, 4)), 8)


@pytest.fixture(scope="module")
def codec() -> KMeansCodec:
    centroids = np.random.default_rng(0).random((16, 48)).astype(np.float32)
    return KMeansCodec(centroids, size_px=16, patch_px=4)


@pytest.mark.parametrize(
    ("codes", "sentence"),
    [
        (np.full(16, 16), "code 16 at place 0 is out of range for codec 'image'"),
        (np.full(16, -1), "code -1 at place 0 is out of range"),
        (np.zeros(15, int), "takes exactly 16 frames of 1 codes, not 15 codes"),
        (np.zeros(0, int), "takes exactly 16 frames of 1 codes, not 0 codes"),
        (np.zeros((16, 1), int), "takes a flat list of integer codes, not int64"),
        (np.zeros(16), "takes a flat list of integer codes, not float64"),
    ],
)
def test_bad_codes_get_one_sentence(codec, codes, sentence):
    with pytest.raises(InputError, match=sentence):
        codec.decode([codes])


@pytest.fixture
def saved(codec, tmp_path):
    codec.save(tmp_path / "codec")
    return tmp_path / "codec"


def edit(folder, **changes) -> None:
    """Change the head of a saved codec; ``part__key=value`` changes a key of a part."""
    head = json.loads((folder / "codec.json").read_text())
    for name, value in changes.items():
        part, _, key = name.partition("__")
        (head[part] if key else head)[key or part] = value
    (folder / "codec.json").write_text(json.dumps(head))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("name", ["codec.json", "codec.safetensors"])
def test_a_codec_cut_short_is_refused(saved, name, share):
    whole = (saved / name).read_bytes()
    (saved / name).write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError, match="damaged") as caught:
        load_codec(saved)
    assert str(saved) in str(caught.value)


def test_a_codec_of_a_family_that_is_not_installed_names_it(saved):
    edit(saved, family="tape")
    with pytest.raises(InputError, match="a package that is not installed: no codecs named 'tape'"):
        load_codec(saved)


@pytest.mark.parametrize("name", ["", "a b", "a|b", "a:1", "a/b"])
def test_a_name_of_which_no_tokens_can_be_made_is_refused(name):
    with pytest.raises(InputError, match="cannot be named"):
        KMeansCodec(np.zeros((4, 48), np.float32), size_px=16, patch_px=4, name=name)


@pytest.mark.parametrize("name", ["codec.json", "codec.safetensors"])
def test_a_codec_with_a_file_missing_is_refused(saved, name):
    (saved / name).unlink()
    with pytest.raises(InputError, match=f"not a codec folder: {name} is missing"):
        load_codec(saved)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"facts__codebook_sizes": [17]}, "facts that its family does not confirm"),
        ({"facts__grid": [2, 8]}, "facts that its family does not confirm"),
        ({"config__patch_px": 8}, r"have shape \(K, 192\), not \(16, 48\)"),
        ({"config__colour": "red"}, "does not fit its own weights"),
        ({"facts": {"name": "image"}}, "damaged"),
        ({"facts": None}, "damaged"),
        ({"config": None}, "does not fit its own weights"),
    ],
)
def test_facts_that_disagree_are_refused(saved, changes, sentence):
    edit(saved, **changes)
    with pytest.raises(InputError, match=sentence):
        load_codec(saved)


def test_an_unknown_family_is_named(saved):
    edit(saved, family="wavelets")
    with pytest.raises(ValueError, match="no codecs named 'wavelets' is installed"):
        load_codec(saved)


def no_space(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("where", ["os.replace", "safetensors.numpy.save_file", "pathlib.Path.write_text"])
def test_a_full_disk_keeps_the_former_codec(codec, saved, monkeypatch, where):
    other = KMeansCodec(codec.centroids[::-1], size_px=16, patch_px=4)
    with monkeypatch.context() as patched:
        patched.setattr(where, no_space)
        with pytest.raises(InputError, match="the disk is full"):
            other.save(saved)
    assert load_codec(saved).fingerprint() == codec.fingerprint()
    assert [path.name for path in saved.parent.iterdir()] == ["codec"]


def test_a_disk_that_fills_up_at_the_last_moment_keeps_the_former_codec(codec, saved, monkeypatch):
    replace, calls = os.replace, []

    def second_fails(*args):
        calls.append(args)
        return no_space() if len(calls) == 2 else replace(*args)

    monkeypatch.setattr("os.replace", second_fails)
    with pytest.raises(InputError, match="the disk is full"):
        KMeansCodec(codec.centroids[::-1], size_px=16, patch_px=4).save(saved)
    assert load_codec(saved).fingerprint() == codec.fingerprint()
    assert [path.name for path in saved.parent.iterdir()] == ["codec"]


def test_a_full_disk_keeps_the_former_picture(tmp_path, monkeypatch):
    path = tmp_path / "drawing.png"
    image.save(Signal(np.zeros((8, 8, 3), np.uint8)), path)
    before = path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", no_space)
        with pytest.raises(InputError, match="the disk is full"):
            image.save(Signal(np.ones((8, 8, 3), np.uint8)), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 64 KB, where one may be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip("mounting is not permitted")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_really_full(codec, tiny_disk):
    codec.save(tiny_disk / "codec")
    large = KMeansCodec(np.random.default_rng(1).random((4096, 48)), size_px=16, patch_px=4)
    with pytest.raises(InputError, match="the disk is full"):
        large.save(tiny_disk / "codec")
    with pytest.raises(InputError, match="the disk is full"), atomic_file(tiny_disk / "notes.txt") as path:
        path.write_bytes(bytes(100_000))
    assert load_codec(tiny_disk / "codec").fingerprint() == codec.fingerprint()
    assert [path.name for path in tiny_disk.iterdir()] == ["codec"]
