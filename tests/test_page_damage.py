"""What the browser has kept for the page comes back damaged: the page starts, drops it, and says so once."""

from __future__ import annotations

import json

import pytest
from in_browser import answers, say, until, visiting
from page_server import running

SENTENCE = "this browser had kept was damaged"
PART = {"type": "text", "text": "hello"}
MESSAGE = {"role": "user", "content": [PART]}
WHOLE = {"id": "w", "title": "Whole", "at": 9, "messages": [MESSAGE]}

SETTINGS = {
    "language no JSON": ("sensorium.language", "{"),
    "language of every object": ("sensorium.language", '"constructor"'),
    "language a list": ("sensorium.language", "[[]]"),
    "model a thing": ("sensorium.model", '{"a": 1}'),
    "board a word": ("sensorium.board", '"word"'),
    "board in no language": ("sensorium.board", '{"tongue": "xx", "made": true}'),
    "conversations a thing": ("sensorium.conversations", '{"a": 1}'),
    "conversations of nothing": ("sensorium.conversations", "[null, 1]"),
    "messages of nothing": ("sensorium.conversations", '[{"id": "a", "messages": [null]}]'),
    "parts of nothing": ("sensorium.conversations", '[{"id": "a", "messages": [{"role": "user", "content": [null]}]}]'),
}
ENTRIES = {
    "a conversation that is none": ("conversations", "a", None),
    "a conversation of words": ("conversations", "a", "words"),
    "a conversation without messages": ("conversations", "a", {"id": "a", "at": 10}),
    "messages of nothing": ("conversations", "a", WHOLE | {"id": "a", "at": 10, "messages": [None]}),
    "parts of nothing": ("conversations", "a", WHOLE | {"id": "a", "at": 10, "messages": [{"role": "user"}]}),
    "a part without a type": ("conversations", "a", WHOLE | {"id": "a", "messages": [MESSAGE | {"content": [{}]}]}),
    "a title of numbers": ("conversations", "a", WHOLE | {"id": "a", "at": 10, "title": {"b": 1}}),
    "under another's key": ("conversations", "a", WHOLE | {"at": 10}),
    "sets of nothing": ("made", "sets", [None]),
    "sets that are none": ("made", "sets", 7),
    "a set with a part that is none": ("made", "sets", [{"words": "a", "kind": "b", "parts": [{"type": 1}]}]),
}
PUT = """([store, key, value]) => new Promise((resolve, reject) => {
    const opening = indexedDB.open("sensorium");
    opening.onsuccess = () => {
        const writing = opening.result.transaction([store], "readwrite");
        writing.objectStore(store).put(value, key);
        writing.oncomplete = () => (opening.result.close(), resolve());
        writing.onerror = () => reject(writing.error);
    };
})"""


@pytest.fixture
def visit(browser):
    with running() as server, visiting(browser, server.url) as made:
        yield made


def starts(page):
    page.reload()
    until(page, "document.querySelector('#model').options.length || !offline.hidden")


def is_told(page) -> bool:
    return SENTENCE in page.inner_text("#notices")


pytestmark = pytest.mark.slow


def test_damaged_settings_are_dropped_and_told_once(visit):
    page = visit()
    for name, text in SETTINGS.values():
        page.evaluate("([name, text]) => localStorage.setItem(name, text)", [name, text])
        starts(page)
        assert is_told(page), (name, text)
        starts(page)
        assert not is_told(page), (name, text)


def test_damaged_entries_of_the_database_are_dropped_told_once_and_the_rest_stays(visit):
    page = visit()
    page.evaluate(PUT, ["conversations", "w", WHOLE])
    for store, key, value in ENTRIES.values():
        page.evaluate(PUT, [store, key, value])
        starts(page)
        assert is_told(page), json.dumps(value)
        assert page.get_by_role("button", name="Whole", exact=True).count() == 1
        starts(page)
        assert not is_told(page), json.dumps(value)


def test_a_medium_that_is_none_is_left_out_of_its_conversation(visit):
    page = visit()
    shown = {"type": "image_url", "kept": "m"}
    page.evaluate(PUT, ["conversations", "w", WHOLE | {"messages": [MESSAGE | {"content": [PART, shown]}]}])
    page.evaluate(PUT, ["media", "m", "no medium"])
    starts(page)
    assert is_told(page)
    page.get_by_role("article").get_by_text("hello").wait_for()
    say(page, "Go on")
    answers(page).get_by_text("You said: Go on").wait_for()


def test_a_key_that_cannot_be_sent_is_asked_for_again(visit):
    page = visit()
    page.evaluate("sessionStorage.setItem('sensorium.key', 'ключ\\n')")
    starts(page)
    assert is_told(page)
    assert page.evaluate("offline.hidden && sessionStorage.getItem('sensorium.key') === null")


def test_what_is_whole_is_not_touched(visit):
    page = visit()
    for name, value in {"language": "fr", "model": "fake", "board": {"tongue": "de", "made": True}}.items():
        page.evaluate("([n, v]) => localStorage.setItem(n, v)", [f"sensorium.{name}", json.dumps(value)])
    page.evaluate("localStorage.setItem('sensorium.conversations', JSON.stringify([" + json.dumps(WHOLE) + "]))")
    starts(page)
    assert page.inner_text("#notices") == ""
    assert page.evaluate("document.documentElement.lang") == "fr"
    page.get_by_role("button", name="Whole", exact=True).wait_for()
