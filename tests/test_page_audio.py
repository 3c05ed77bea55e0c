"""Sound on the page, in a real browser that hears a file for a microphone: recorded, shown, played, sent, answered."""

from __future__ import annotations

import base64

import pytest
import soundfile
from bad_sounds import encoded, tone
from in_browser import PHONE, answers, attach, chromium, file, say, until, visiting
from serving import running, tiny_assistant
from sounding import Loudness

pytestmark = pytest.mark.slow
LAST = "[...document.querySelectorAll('.audio-view audio')].at(-1)"
LOUD = """(() => {
  const canvas = [...document.querySelectorAll('.audio-plot canvas')].at(-1);
  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  const rows = Array.from({length: canvas.height}, (_, y) => pixels[4 * (y * canvas.width + canvas.width / 2)]);
  return rows.indexOf(Math.max(...rows)) / canvas.height;
})()"""
"""How far below the top the spectrogram is brightest in its middle."""


@pytest.fixture(scope="module")
def hearing(tmp_path_factory):
    path = tmp_path_factory.mktemp("microphone") / "said.wav"
    soundfile.write(path, tone(10, 48000, 440), 48000)
    with chromium(f"--use-file-for-fake-audio-capture={path}") as found:
        yield found


@pytest.fixture(scope="module")
def server():
    with running({"tiny": tiny_assistant(codecs=[Loudness()])}) as made:
        yield made


@pytest.fixture
def visit(hearing, server):
    with visiting(hearing, server.url) as found:
        yield found


def plays(page) -> None:
    """The last sound of the page can be played, and its line moves."""
    until(page, f"{LAST}.duration > 0.3")
    page.evaluate(f"{LAST}.play()")
    until(page, f"{LAST}.currentTime > 0.1")
    until(page, f"!{LAST}.closest('.audio-view').querySelector('.audio-now').hidden")


def test_speak_to_it_and_hear_it_answer(visit):
    page = visit(permissions=["microphone"])
    page.get_by_role("button", name="Record with the microphone").click()
    page.get_by_text("Recording: 1 s").wait_for()
    page.get_by_role("button", name="Done").click()
    page.locator(".shelf .audio-view").wait_for()
    until(page, f"{LAST}.duration > 0.9 && {LAST}.duration < 30")
    plays(page)
    sent = []
    page.on("request", lambda request: sent.append(request.post_data) if "completions" in request.url else None)
    page.get_by_label("Answer with").select_option("audio")
    say(page, "What is this?")
    answers(page).locator(".audio-view").first.wait_for()
    page.get_by_role("button", name="Stop").wait_for(state="detached")
    plays(page)
    assert base64.b64encode(b"RIFF")[:5].decode() in sent[0], "it was sent as a wav file"


def test_a_recording_that_is_given_up_adds_nothing(visit):
    page = visit(permissions=["microphone"])
    page.get_by_role("button", name="Record with the microphone").click()
    page.get_by_text("Recording: 1 s").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    assert page.locator(".audio-view").count() == 0


def test_a_sound_has_its_spectrogram_and_an_axis_of_seconds_on_a_phone(visit):
    page = visit(**PHONE)
    attach(page, file("high.wav", encoded("wav", tone(2, 16000, 4000)), "audio/wav"))
    page.locator(".shelf .audio-axis span").first.wait_for()
    high = page.evaluate(LOUD)
    assert page.locator(".shelf .audio-axis").inner_text().split("\n")[0].startswith("0 s")
    attach(page, file("low.flac", encoded("flac", tone(2, 16000, 200)), "audio/flac"))
    until(page, "document.querySelectorAll('.shelf .audio-axis span:first-child').length === 2")
    assert page.evaluate(LOUD) > high + 0.3, "lower tones are lower"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator(".shelf .audio-plot").last.click(position={"x": 100, "y": 20})
    until(page, f"{LAST}.currentTime > 0.3")


def test_a_file_that_is_no_sound_is_refused_in_words(visit):
    page = visit(locale="fr-FR")
    attach(page, file("nonsense.webm", b"nothing", "audio/webm"))
    page.get_by_text("« nonsense.webm » ne s'ouvre pas comme un son").wait_for()


def test_codes_lie_along_the_time_of_what_is_seen(visit):
    page = visit()
    page.get_by_role("link", name="What it sees").click()
    page.set_input_files("#see-file", [file("a.wav", encoded("wav", tone(1)), "audio/wav")])
    page.get_by_text("It became 10 numbers").wait_for()
    assert page.locator(".audio-view").count() == 2, "what was given, and what the codes make of it"
