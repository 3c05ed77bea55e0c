"""A real browser for tests: headless Chromium, driven by Playwright; tests are skipped where either is missing."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NO_PLAYWRIGHT = "Playwright is missing: pip install playwright"
NO_BROWSER = "no Chromium here: install one (Debian: chromium) or name it in the variable CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome")
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
VOICES = """
  const voices = [
    { lang: "fr-FR", name: "from the internet", localService: false },
    { lang: "en-GB", name: "Vera", localService: true },
  ];
  window.spoken = [];
  speechSynthesis.getVoices = () => voices;
  speechSynthesis.speak = (words) => {
    spoken.push(`${words.text}, ${words.voice.name}`);
    setTimeout(words.onend);
  };
  window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
"""
"""A script that gives a browser a voice of its own; what it says is noted, and said at once."""


@contextmanager
def chromium(*more: str) -> Iterator[Any]:
    """A browser with a camera that films a test pattern; ``more`` are flags of Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT)
    flags = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", *more]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium's sandbox refuses to run as root, as in most containers
    with playwright.sync_playwright() as driver:
        own = Path(driver.chromium.executable_path)
        path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
        if path is None and not own.exists():
            pytest.skip(NO_BROWSER)
        browser = driver.chromium.launch(executable_path=path or own, args=flags)
        yield browser
        browser.close()


@contextmanager
def visiting(browser: Any, url: str) -> Iterator[Callable[..., Any]]:
    """A function that opens the page in a fresh profile.

    Its options are those of a Playwright context, and ``expected``: a regular expression for the errors that belong
    to the test. At the end, no request has left the page's origin and the browser has reported no other error.
    """
    contexts: list[Any] = []
    problems: list[str] = []
    asked: list[str] = []

    def visit(locale: str = "en-GB", expected: str = "$^", **options: Any) -> Any:
        context = browser.new_context(locale=locale, **options)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()

        def hear(message: Any) -> None:
            if message.type == "error" and not re.search(expected, f"{message.text} {message.location['url']}"):
                problems.append(message.text)

        page.on("console", hear)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(url)
        until(page, "document.querySelector('#model').options.length || !offline.hidden")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert [one for one in asked if not one.startswith((url, "data:", "blob:"))] == []
    assert problems == []


def until(page: Any, condition: str, seconds: float = 20) -> None:
    """Wait until a JavaScript expression holds. Playwright's own way evaluates a string, which the page forbids."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"it never came true that {condition}")


def file(name: str, content: bytes, kind: str = "image/png") -> dict[str, Any]:
    return {"name": name, "mimeType": kind, "buffer": content}


def attach(page: Any, *files: dict[str, Any]) -> None:
    page.set_input_files(".composer input[type=file]", list(files))


def say(page: Any, words: str) -> None:
    page.get_by_label(re.compile("^(Your message|Votre message)$")).fill(words)
    page.keyboard.press("Enter")


def answers(page: Any) -> Any:
    return page.get_by_role("article", name=re.compile("^Mod(el|èle)$"))
