"""Clips on the page, in a real browser with the screen of a telephone: shown, and their subtitles saved as a file."""

from __future__ import annotations

import json

import numpy as np
import pytest
from in_browser import PHONE, answers, attach, chromium, file, say, until, visiting
from serving import running, tiny_assistant

import sensorium as sm
from sensorium.families.frames import FramesCodec
from sensorium.modalities import modality
from sensorium.types import Signal

pytestmark = pytest.mark.slow
SRT = "1\n00:00:00,500 --> 00:00:01,000\nA red star moves left\n\n2\n00:00:01,250 --> 00:00:02,000\nA moon grows"
VTT = "WEBVTT\n\n00:00.500 --> 00:01.000\nA red star moves left"


@pytest.fixture(scope="module")
def server():
    with running({"tiny": tiny_assistant(codecs=[FramesCodec(sm.codec("image-read"))])}) as made:
        yield made


@pytest.fixture
def visit(server):
    with chromium() as browser, visiting(browser, server.url) as found:
        yield found


def answering(page, words: str) -> None:
    """Whatever is asked, the server streams these words."""

    def events(route):
        pieces = [{"delta": {"content": words}}, {"delta": {}, "finish_reason": "stop"}]
        lines = [json.dumps({"object": "chat.completion.chunk", "choices": [{"index": 0, **one}]}) for one in pieces]
        body = "".join(f"data: {line}\n\n" for line in (*lines, "[DONE]"))
        route.fulfill(status=200, content_type="text/event-stream", body=body)

    page.route("**/v1/chat/completions", events)


def clip() -> bytes:
    frames = np.full((16, 64, 64, 3), 255, np.uint8)
    for number, frame in enumerate(frames):
        frame[20:30, 2 * number : 2 * number + 10] = (220, 30, 30)
    return modality("video").write(Signal(frames, rate_hz=8.0), "image/gif")


@pytest.mark.parametrize(("words", "name"), [(SRT, "subtitles.srt"), (VTT, "subtitles.vtt")])
def test_a_clip_is_shown_and_its_subtitles_are_saved(visit, words, name):
    page = visit(**PHONE)
    attach(page, file("star.gif", clip(), "image/gif"))
    answering(page, words)
    say(page, "Write subtitles.")
    until(page, "document.querySelector('.message.mine .video-view img')?.naturalWidth === 64")
    button = answers(page).get_by_role("button", name="Download the subtitles")
    with page.expect_download() as saved:
        button.click()
    assert saved.value.suggested_filename == name
    assert saved.value.path().read_text(encoding="utf-8") == words + "\n"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_other_answers_are_no_subtitles(visit):
    page = visit()
    answering(page, "It moves left at 00:00:00,500 --> 1.")
    say(page, "What happens?")
    answers(page).get_by_text("It moves left").wait_for()
    answers(page).get_by_role("button", name="Copy").wait_for()
    assert answers(page).get_by_role("button", name="Download the subtitles").count() == 0
