"""Sound on the page, in a real browser that hears a file for a microphone: recorded, shown, played, sent, answered."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import soundfile
from bad_sounds import encoded, tone
from in_browser import PHONE, answers, attach, chromium, file, say, until, visiting
from serving import running, tiny_assistant
from sounding import Loudness

from sensorium.modalities.subtitles import Segment, srt, vtt

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


CUES = [(0.0, 1.5, "good <b>"), (61.25, 62.0, "morning")]
SRT = "1\n00:00:00,000 --> 00:00:01,500\ngood <b>\n\n2\n00:01:01,250 --> 00:01:02,000\nmorning\n\n"


@pytest.mark.parametrize("options", [{}, PHONE])
def test_what_is_said_is_written_down_and_saved_as_subtitles(visit, options):
    page = visit(**options)
    asked = []

    def answer(route):
        asked.append(route.request.post_data_buffer)
        route.fulfill(status=200, body=SRT, headers={"content-type": "text/plain; charset=utf-8"})

    page.route("**/v1/audio/transcriptions", answer)
    sound = encoded("flac", tone(1))
    attach(page, file("a.flac", sound, "audio/flac"))
    page.get_by_role("button", name="Write down what is said").press("Enter")
    page.get_by_text("01:01 morning").wait_for()
    assert len(asked) == 1 and sound in asked[0], "the very sound is asked about"
    for name, value in (("model", b"tiny"), ("response_format", b"srt")):
        assert f'name="{name}"\r\n\r\n'.encode() + value + b"\r\n" in asked[0]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    saved = {}
    for form in ("SRT", "VTT"):
        with page.expect_download() as found:
            page.get_by_role("button", name=f"Save the subtitles as {form}").click()
        saved[found.value.suggested_filename] = Path(found.value.path()).read_text(encoding="utf-8")
    segments = [Segment(*cue) for cue in CUES]
    assert srt(segments) == SRT
    assert {name: text.strip() for name, text in saved.items()} == {
        "subtitles.srt": SRT.strip(),
        "subtitles.vtt": vtt(segments).strip(),
    }


def test_what_is_written_down_stays_when_the_message_is_sent_and_whoever_types_is_left_alone(visit):
    page, asked = visit(), []
    page.route("**/v1/audio/transcriptions", lambda route: asked.append(route))
    attach(page, file("a.wav", encoded("wav", tone(1)), "audio/wav"))
    page.get_by_role("button", name="Write down what is said").click()
    message = page.get_by_label("Your message")
    message.fill("What is this?")
    page.get_by_text("Listening").wait_for()
    asked[0].fulfill(status=200, body=SRT)
    page.get_by_text("01:01 morning").wait_for()
    assert message.evaluate("field => field === document.activeElement")
    message.press("Enter")
    page.locator(".message.mine").get_by_text("01:01 morning").wait_for()
    answers(page).first.wait_for()
    page.get_by_role("button", name="Stop").wait_for(state="detached")
    page.locator(".message.mine").get_by_text("01:01 morning").wait_for()
    assert len(asked) == 1


def test_writing_down_goes_on_while_the_message_is_sent_and_can_be_stopped(visit):
    page, asked = visit(expected="ERR_ABORTED"), []
    page.route("**/v1/audio/transcriptions", lambda route: asked.append(route))  # it is never answered
    attach(page, file("a.wav", encoded("wav", tone(1)), "audio/wav"))
    page.get_by_role("button", name="Write down what is said").click()
    say(page, "What is this?")
    mine = page.locator(".message.mine .transcript")
    mine.get_by_text("Listening").wait_for()
    stop = mine.get_by_role("button", name="Stop")
    stop.focus()
    page.locator(".composer").get_by_role("button", name="Send").wait_for()  # the answer has come
    answers(page).first.wait_for()
    assert stop.evaluate("button => button === document.activeElement")
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/v1/audio/transcriptions")):
        page.keyboard.press("Enter")
    mine.get_by_role("button", name="Write down what is said").wait_for()
    assert page.locator(".notice").count() == 0
    assert len(asked) == 1


def test_the_server_writes_down_what_is_said_or_says_that_nothing_is(visit):
    page = visit()
    attach(page, file("quiet.wav", encoded("wav", 0 * tone(1)), "audio/wav"))
    page.get_by_role("button", name="Write down what is said").click()
    page.get_by_text("Nothing is said in it, as far as the model hears.").wait_for()


def test_a_sound_that_cannot_be_heard_now_may_be_asked_about_again(visit):
    page = visit(expected="503")
    page.route("**/v1/audio/transcriptions", lambda route: route.fulfill(status=503, body=""))
    attach(page, file("a.wav", encoded("wav", tone(1)), "audio/wav"))
    page.get_by_role("button", name="Write down what is said").click()
    page.get_by_role("alert").get_by_text("The server is busy; wait a moment and try again.").wait_for()
    page.get_by_role("button", name="Write down what is said").wait_for()
