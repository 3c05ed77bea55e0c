"""The viewers of series, boxes, actions and clips in a real browser, beside a model that reads and writes them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from in_browser import attach, file, until, visiting
from serving import Greys, png, running, tiny_assistant
from toys import ToyCodec

from sensorium.families.uniform import UniformCodec
from sensorium.modalities import modality
from sensorium.types import Signal

pytestmark = pytest.mark.slow

CSV = '"time [s]","ax [m/s2]","pressure [hPa]"\n' + "\n".join(f"{i / 100},{i % 7},{1000 + i / 10}" for i in range(400))
BOXES = {"frame": [64, 48], "boxes": [{"label": "cat", "box": [1, 2, 30, 40]}, {"label": "nose", "point": [33, 11]}]}
EVENTS = [{"time": at / 10, "kind": "move", "x": 6 * at, "y": 5} for at in range(9)] + [{"time": 1.0, "kind": "press"}]
LIST = {"categories": ("cat", "move"), "frame": (64, 48), "max_frames": 20}


class Flicker(ToyCodec):
    """How bright a clip is, four times a second."""

    family = "flicker"

    def __init__(self, **_: Any):
        super().__init__("flicker", sizes=(8,), grid=None, max_frames=40, modality="video")

    def encode(self, signals: Any) -> list[np.ndarray]:
        return [one.array[::2].mean((1, 2, 3)).astype(np.int64) // 32 for one in signals]

    def decode(self, codes: Any) -> list[Signal]:
        rows = [np.repeat(np.asarray(one, np.uint8) * 32, 16 * 16 * 3).reshape(-1, 16, 16, 3) for one in codes]
        return [Signal(array, rate_hz=4) for array in rows]


@pytest.fixture(scope="module")
def server():
    codecs = [
        Greys(),
        UniformCodec(2, bins=8, max_frames=500),
        UniformCodec(4, bins=8, ranges=[(0, 64)] * 4, name="boxes", modality="boxes", **LIST),
        Flicker(),
        UniformCodec(4, bins=8, ranges=[(0, 64)] * 4, name="actions", modality="actions", **LIST),
    ]
    with running({"tiny": tiny_assistant(codecs=codecs)}) as made:
        yield made


@pytest.fixture
def page(browser, server):
    with visiting(browser, server.url) as visit:
        yield visit()


def test_a_series_is_drawn_with_axes_units_and_values_and_comes_closer(page):
    attach(page, file("shaken.csv", CSV.encode(), "text/csv"))
    chart = page.locator(".shelf .series-chart")
    chart.wait_for()
    assert chart.locator("polyline").count() == 2
    words = chart.locator("text").all_text_contents()
    assert {"ax [m/s2]", "pressure [hPa]", "time [s]", "0", "6", "1,000"} <= set(words)
    chart.hover(position={"x": 150, "y": 20})
    until(
        page,
        "/s · ax: [0-9.]+ m\\/s2 · pressure: [0-9,.]+ hPa/.test(document.querySelector('.series-values').innerText)",
    )
    chart.focus()
    chart.press("+")
    closer = chart.locator("text").all_text_contents()
    assert "0" not in closer[: closer.index("ax [m/s2]") - 2], "the axis of time begins later"
    page.get_by_role("button", name="The whole series").click()
    assert chart.locator("text").all_text_contents() == words
    box = chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 20)
    page.mouse.up()
    assert chart.locator("text").all_text_contents() != words


def test_a_table_that_browsers_cannot_read_is_named(page):
    attach(page, file("shaken.parquet", b"PAR1", ""))
    page.get_by_text("a table that this page cannot draw").wait_for()


def test_boxes_are_drawn_on_the_picture_before_them(page):
    attach(page, file("cat.png", png_of(64, 48), "image/png"))
    page.locator(".shelf img").wait_for()
    attach(page, file("cat.json", json.dumps(BOXES).encode(), "application/json"))
    drawing = page.locator(".boxes-view svg")
    drawing.locator("image").wait_for(state="attached")
    assert (drawing.locator("rect").count(), drawing.locator("circle").count()) == (1, 1)
    assert drawing.locator("text").all_text_contents() == ["cat", "nose"]
    assert drawing.locator("rect").evaluate("box => box.getBBox().width") == 29
    assert page.locator(".boxes-view p").all_inner_texts() == ["cat: 1, 2, 30, 40", "nose: 33, 11"]


def png_of(width: int, height: int) -> bytes:
    import io

    import PIL.Image

    buffer = io.BytesIO()
    PIL.Image.open(io.BytesIO(png())).resize((width, height)).save(buffer, format="PNG")
    return buffer.getvalue()


def test_actions_are_played_again(page):
    content = json.dumps({"frame": [64, 48], "events": EVENTS}).encode()
    attach(page, file("drawn.actions", content, ""))
    view = page.locator(".actions-view")
    entries = view.locator(".actions-list button")
    entries.first.wait_for()
    assert entries.all_inner_texts()[-1] == "1 s · press (48, 5)"
    assert view.locator(".now").inner_text().startswith("1 s · press")
    view.get_by_role("button", name="Play again").click()
    until(page, "Number(document.querySelector('.actions-bar input').value) < 0.6")
    until(page, "document.querySelector('.actions-view .now').innerText.includes('press')")
    view.get_by_role("button", name="Play again").wait_for()
    entries.nth(3).click()
    assert view.locator(".actions-stage circle").get_attribute("cx") == "18"


def clip(kind: str) -> bytes:
    """Two seconds: black, then white."""
    array = np.repeat(np.array([0, 255], np.uint8), 8 * 32 * 32 * 3).reshape(16, 32, 32, 3)
    return modality("video").to_bytes(Signal(array, rate_hz=8), kind)


MOMENT = "Number(document.querySelector('.video-bar input').value)"


@pytest.mark.parametrize("kind", ["video/mp4", "video/webm"])
def test_a_clip_plays_again_and_again_shows_its_time_and_stands_still_when_told(page, kind):
    attach(page, file("film", clip(kind), kind))
    view = page.locator(".shelf .video-view")
    view.wait_for()
    until(page, "/^[0-2]\\.[0-9] \\/ 2\\.0 s$/.test(document.querySelector('.video-clock').innerText)")
    until(page, f"{MOMENT} > 0.2")
    view.get_by_role("button", name="Pause").click()
    view.get_by_role("button", name="Play").wait_for()
    page.evaluate("document.querySelector('.video-view video').currentTime = 1.9")
    until(page, f"{MOMENT} > 0.9")
    view.get_by_role("button", name="Play").click()
    until(page, f"{MOMENT} < 0.5")


def test_a_gif_is_a_picture_that_moves_unless_stillness_is_wished(browser, server):
    with visiting(browser, server.url) as visit:
        page = visit(reduced_motion="reduce")
        attach(page, file("film.gif", clip("image/gif"), "image/gif"))
        page.get_by_role("dialog").get_by_role("button", name="clip").click()
        page.locator(".video-stage canvas").wait_for()
        page.locator(".video-view").get_by_role("button", name="Play").click()
        page.locator(".video-stage img").wait_for()


def test_what_a_model_sees_of_a_clip_goes_to_the_moment_of_a_code(page):
    page.get_by_role("link", name="What it sees").click()
    page.set_input_files("#see-file", file("film.mp4", clip("video/mp4"), "video/mp4"))
    strip = page.get_by_role("slider", name="Its numbers")
    strip.focus()
    page.keyboard.press("End")
    until(page, f"{MOMENT} > 0.8")
    page.keyboard.press("Home")
    until(page, f"{MOMENT} < 0.2")
