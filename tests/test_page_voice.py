"""The board's voice, in a real browser: a model's own, the browser's where no model speaks, and which of them it is."""

from __future__ import annotations

import numpy as np
import pytest
from in_browser import VOICES, until, visiting
from serving import running, tiny_assistant
from sounding import Loudness

pytestmark = pytest.mark.slow
HEARD = """
  window.contexts = [];
  window.heard = [];
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function (...when) {
    if (!contexts.includes(this.context)) contexts.push(this.context);
    this.context.lasts_s = (this.context.lasts_s ?? 0) + this.buffer.duration;
    heard.push({ rate: this.buffer.sampleRate, samples: [...this.buffer.getChannelData(0)] });
    return start.apply(this, when);
  };
"""
"""Notes what is played, and where."""
QUIET = "contexts.every(({state}) => state === 'closed')"
CUT = "({state, currentTime, lasts_s}) => state === 'closed' && currentTime < lasts_s - 0.3"
"""Of a context: it was stopped before all was heard."""
PLAYING = "contexts.some(({state, currentTime}) => state === 'running' && currentTime > 0.2)"
SPEECH = "**/v1/audio/speech"
MODELS_VOICE, BROWSERS_VOICE = "Voice: the model “tiny”", "Voice: “Vera” of your browser, not the model's"


@pytest.fixture(scope="module")
def server():
    with running({"tiny": tiny_assistant(codecs=[Loudness()]), "mute": tiny_assistant(codecs=[])}) as made:
        yield made


@pytest.fixture
def board(browser, server):
    """A function that opens the board, in a browser with a voice of its own unless told otherwise."""
    with visiting(browser, server.url) as visit:

        def opened(scripts: tuple[str, ...] = (HEARD, VOICES), **options):
            page = visit(**options)
            for script in scripts:
                page.context.add_init_script(script)
            page.goto(server.url + "#board")
            page.reload()
            page.locator(".symbol").first.wait_for()
            return page

        yield opened


def tap(page, name: str) -> None:
    page.locator(".symbols").get_by_role("button", name=name, exact=True).click()


def without_taps(page) -> None:
    page.get_by_label("Say each symbol").uncheck()


def requests_of(page) -> list[dict]:
    asked: list[dict] = []
    page.on("request", lambda one: asked.append(one.post_data_json) if one.url.endswith("/audio/speech") else None)
    return asked


def said(text: str, model: str = "tiny") -> dict:
    return {"model": model, "input": text, "response_format": "pcm"}


def test_a_tapped_symbol_and_the_sentence_are_said_by_the_model(board, server):
    page = board()
    page.get_by_text(MODELS_VOICE).wait_for()
    asked = requests_of(page)
    tap(page, "mum")
    until(page, f"heard.length && {QUIET}")
    made = np.frombuffer(server.post("/v1/audio/speech", said("mum")).content, "<i2")
    heard = page.evaluate("heard")
    assert {one["rate"] for one in heard} == {24_000}
    played = np.concatenate([one["samples"] for one in heard])
    assert len(made) > 24_000 * 0.3 and np.abs(made).max() > 1000
    np.testing.assert_array_equal(np.round(played * 2**15).astype(int), made, "what is heard is what the server made")
    tap(page, "dad")
    page.get_by_role("button", name="Say it").click()
    page.get_by_role("button", name="Stop").wait_for()
    page.get_by_role("button", name="Say it").wait_for()
    assert asked == [said("mum"), said("dad"), said("Mum dad.")]
    assert page.evaluate("spoken") == []
    assert page.locator(".voice").inner_text() == MODELS_VOICE


def test_what_is_said_stops_at_another_tap_and_when_the_board_is_left(board):
    page = board()

    def cut(count: int) -> None:
        until(page, f"contexts.length >= {count} && ({CUT})(contexts[{count - 1}])")

    tap(page, "mum")
    until(page, PLAYING)
    page.get_by_role("button", name="Say it").click()
    cut(1)
    until(page, PLAYING)
    page.get_by_role("button", name="Stop").click()
    cut(2)
    page.get_by_role("button", name="Say it").click()
    until(page, PLAYING)
    tap(page, "dad")
    cut(3)
    page.get_by_role("button", name="Say it").wait_for()
    until(page, PLAYING)
    page.get_by_role("link", name="Chat").click()
    cut(4)
    assert page.evaluate("[contexts.length, spoken.length]") == [4, 0], "nobody else says what was stopped"


def test_a_request_that_is_stopped_before_the_first_sound_is_given_up(board):
    page = board(expected="ERR_ABORTED")
    without_taps(page)
    page.route(SPEECH, lambda route: None)  # it never answers
    tap(page, "mum")
    page.get_by_role("button", name="Say it").click()
    with page.expect_event("requestfailed") as given_up:
        page.get_by_role("button", name="Stop").click()
    assert given_up.value.url.endswith("/v1/audio/speech")
    page.get_by_role("button", name="Say it").wait_for()
    assert page.evaluate("[heard.length, spoken.length]") == [0, 0]


@pytest.mark.parametrize("failure", ["busy", "nothing", "offline"])
def test_the_browsers_voice_stands_in_for_a_model_that_fails_and_is_named(board, failure):
    page = board(expected="503|ERR_INTERNET_DISCONNECTED")
    without_taps(page)
    if failure == "offline":
        page.context.set_offline(True)
    else:
        status = {"busy": 503, "nothing": 200}[failure]
        page.route(SPEECH, lambda route: route.fulfill(status=status, body=""))
    tap(page, "mum")
    page.get_by_role("button", name="Say it").click()
    page.get_by_text("The model “tiny” could not say it, so your browser's voice “Vera” does.").wait_for()
    assert page.evaluate("spoken") == ["Mum., Vera"]
    assert page.locator(".voice").inner_text() == BROWSERS_VOICE
    page.context.set_offline(False)
    page.unroute(SPEECH)
    page.get_by_role("button", name="Say it").click()
    page.get_by_text(MODELS_VOICE).wait_for()
    until(page, PLAYING)


def test_a_failure_without_any_other_voice_is_told(board):
    page = board((), expected="503")
    page.route(SPEECH, lambda route: route.fulfill(status=503, body=""))
    without_taps(page)
    tap(page, "mum")
    page.get_by_role("button", name="Say it").click()
    page.get_by_role("alert").get_by_text("The server is busy; wait a moment and try again.").wait_for()


def test_another_model_speaks_for_one_that_does_not(board):
    page = board()
    page.get_by_label("Model", exact=True).select_option("mute")
    asked = requests_of(page)
    tap(page, "mum")
    until(page, PLAYING)
    assert asked == [said("mum")]
    assert page.locator(".voice").inner_text() == MODELS_VOICE


def test_a_model_says_only_what_is_in_its_languages(board, server, monkeypatch):
    monkeypatch.setattr(server.state.registry.get("tiny"), "languages", ["fr", "it"])
    page = board()
    page.get_by_text(BROWSERS_VOICE).wait_for()
    asked = requests_of(page)
    tap(page, "mum")
    until(page, "spoken.length === 1")
    page.get_by_label("Language of the board").select_option("fr")
    page.get_by_text(MODELS_VOICE).wait_for()
    tap(page, "papa")
    until(page, PLAYING)
    assert asked == [said("papa")]
    assert page.evaluate("spoken") == ["mum, Vera"]
    page.get_by_label("Language of the board").select_option("de")
    page.get_by_text("Voice: none here for Deutsch").wait_for()


def test_who_wants_no_word_said_at_a_tap_is_not_asked_again(board):
    page = board()
    without_taps(page)
    page.reload()
    asked = requests_of(page)
    tap(page, "mum")
    page.get_by_role("button", name="Say it").click()
    until(page, PLAYING)
    assert asked == [said("Mum.")]


def test_a_server_whose_models_do_not_speak_is_not_asked_to(browser):
    with running({"mute": tiny_assistant(codecs=[])}) as server, visiting(browser, server.url) as visit:
        page = visit()
        page.context.add_init_script(VOICES)
        page.goto(server.url + "#board")
        page.reload()
        asked = requests_of(page)
        page.get_by_text(BROWSERS_VOICE).wait_for()
        tap(page, "mum")
        until(page, "spoken.length === 1")
        assert asked == []
