"""The web page with the model in the box behind it, in a real browser.

With ``SENSORIUM_SCREENSHOTS=1`` the pictures of docs/screenshots are made again.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pytest
from in_browser import PHONE, answers, attach, chromium, file, say, until, visiting
from PIL import Image
from serving import running

from sensorium.model.folder import IN_THE_BOX

BOARD = Path(__file__).resolve().parent.parent / "src" / "sensorium" / "serve" / "page" / "board"
SCREENSHOTS = Path(__file__).resolve().parent.parent / "docs" / "screenshots"
MAKE_SCREENSHOTS = "SENSORIUM_SCREENSHOTS"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (IN_THE_BOX / "nano").is_dir(), reason="this copy has no model in the box"),
]


@pytest.fixture(scope="module")
def browser():
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def server():
    with running({"nano": "nano"}) as made:
        yield made


@pytest.fixture
def visit(browser, server):
    with visiting(browser, server.url) as made:
        yield made


def symbol(page, name: str) -> bytes:
    """A PNG of a symbol of the board, on white."""
    drawn = (BOARD / "symbols.svg").read_text(encoding="utf-8")
    body = re.search(rf'<symbol id="{name}" viewBox="([^"]+)">(.*)</symbol>', drawn)
    svg = f'<svg viewBox="{body[1]}" width="240" height="240">{body[2]}</svg>'
    page.set_content(f"<body style='margin:10px;background:#fff'>{svg}")
    return page.screenshot(clip={"x": 0, "y": 0, "width": 260, "height": 260})


def test_a_drawing_is_asked_for_and_named(visit):
    page = visit()
    say(page, "Draw a red heart.")
    picture = answers(page).get_by_role("img")
    picture.wait_for()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    bytes_ = picture.evaluate("image => [...atob(image.src.split(',')[1])].map((letter) => letter.charCodeAt(0))")
    attach(page, file("drawing.png", bytes(bytes_)))
    say(page, "What is this?")
    answers(page).nth(1).locator(".words").wait_for()
    until(page, "!document.querySelector('[aria-busy=true]')")
    assert answers(page).nth(1).locator(".words").inner_text().strip()
    assert page.locator(".problem").count() == 0


def test_a_broken_picture_gives_the_servers_sentence(visit):
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(buffer, "PNG")
    page = visit(expected="400")
    attach(page, file("torn.png", buffer.getvalue()[:1500]))
    say(page, "What is this?")
    page.locator(".problem").wait_for()
    assert "picture" in page.locator(".problem").inner_text()
    say(page, "Hello!")
    answers(page).locator(".words").wait_for()


def test_candidates_symbols_and_what_it_sees(visit):
    page = visit()
    page.get_by_role("link", name="Make").click()
    page.get_by_label("What shall I draw?").fill("a cat")
    page.get_by_label("How many attempts").fill("2")
    page.get_by_role("button", name="Draw", exact=True).click()
    page.get_by_role("img", name="a cat, attempt 2").wait_for()
    page.get_by_role("link", name="Board").click()
    page.get_by_label("Symbols by the model").check()
    until(page, "document.querySelectorAll('.symbol img').length >= 2")
    page.get_by_label("Symbols by the model").uncheck()
    page.get_by_role("link", name="Make").click()
    page.get_by_role("button", name="a cat, attempt 1").click()
    page.get_by_role("button", name="See it as the model does").click()
    page.get_by_role("img", name="Made from the numbers").wait_for()
    assert page.get_by_role("gridcell").count() >= 8


@pytest.mark.skipif(MAKE_SCREENSHOTS not in os.environ, reason=f"asked for by setting {MAKE_SCREENSHOTS}")
@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_screenshots(visit, device):
    phone = device == "phone"
    options = PHONE | {"device_scale_factor": 2} if phone else {"viewport": {"width": 1280, "height": 800}}
    page = visit(**options)
    apple = symbol(page.context.new_page(), "apple")
    say(page, "Draw a red heart.")
    settled(page, 1)
    if phone:
        shoot(page, "phone")
        page.locator(".tabs a[href='#board']").tap()
        build_sentence(page)
        shoot(page, "phone-board")
        return
    page.get_by_role("button", name="New conversation").click()
    attach(page, file("apple.png", apple))
    say(page, "What is this?")
    settled(page, 1)
    say(page, "What kind of thing is it?")
    settled(page, 2)
    shoot(page, "chat")
    page.get_by_role("link", name="Make").click()
    for words in ("a yellow banana", "a red heart"):
        page.get_by_label("What shall I draw?").fill(words)
        page.get_by_role("button", name="Draw", exact=True).click()
        page.get_by_role("img", name=f"{words}, attempt 4").wait_for()
    shoot(page, "draw")
    page.get_by_role("link", name="Board").click()
    build_sentence(page)
    page.get_by_label("Symbols by the model").check()
    until(page, "document.querySelectorAll('.symbol img').length == 15", seconds=200)
    shoot(page, "board")
    page.get_by_role("link", name="What it sees").click()
    page.set_input_files("#see-file", file("apple.png", apple))
    page.get_by_role("img", name="Made from the numbers").wait_for()
    page.get_by_role("grid").last.get_by_role("gridcell").nth(20).hover()
    shoot(page, "what-it-sees", full=True)


def build_sentence(page) -> None:
    for name in ("I", "Actions", "eat", "Food", "apple"):
        page.get_by_role("button", name=name, exact=True).click()


def settled(page, count: int) -> None:
    answers(page).nth(count - 1).locator(".foot").wait_for()
    until(page, "!document.querySelector('[aria-busy=true]')")


def shoot(page, name: str, full: bool = False) -> None:
    """Write a screenshot; ``full`` shows the panel to its end."""
    if full:
        height = page.evaluate("document.querySelector('.panel:not([hidden])').scrollHeight")
        page.set_viewport_size({"width": page.viewport_size["width"], "height": height})
    page.wait_for_timeout(300)
    SCREENSHOTS.mkdir(exist_ok=True)
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(SCREENSHOTS / f"{name}.png", optimize=True)
