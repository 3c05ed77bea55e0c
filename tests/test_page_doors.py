"""A modality's doors on the page: what the server tells of it, and how a second one from outside fares in a browser."""

from __future__ import annotations

import json
import os
import sys
import zipfile

import pulse
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from in_browser import PHONE, VOICES, answers, attach, file, say, until, visiting
from page_server import asked, made_by, running
from serving import running as serving
from serving import tiny_assistant

from sensorium import plugins
from sensorium.data import read_conversations
from sensorium.modalities import modality
from sensorium.serve.http import doors, errors

slow = pytest.mark.slow
BEATS = [3, 9, 1, 30, 3, 9, 1, 30] * 25


@pytest.fixture
def client(monkeypatch):
    """The doors alone, of a house with pictures, an outside modality, and one that cannot be loaded."""
    known = {"image": modality("image"), "pulse": pulse.pulse, "broken": None}

    def load(name):
        if name == "broken":
            raise ImportError("its package lacks a library")
        return known[name]

    monkeypatch.setattr(doors, "modality", load)
    monkeypatch.setattr(doors, "modality_names", lambda: tuple(known))
    app = FastAPI()
    errors.install(app)
    app.include_router(doors.router)
    return TestClient(app)


def test_modalities_tell_their_files_viewers_and_words(client):
    image, beats = client.get("/v1/modalities").json()["data"]
    assert image["id"] == "image" and ".png" in image["extensions"] and "image/png" in image["media_types"]
    assert image["viewer"] == "page/viewers/image/image.js"
    assert image["words"]["en"]["names"] == "pictures" and image["words"]["fr"]["names"] == "images"
    assert beats["viewer"] == "page/viewers/pulse/pulse.js"


def test_a_viewer_comes_from_the_package_of_its_modality(client):
    for name in ("image", "pulse"):
        reply = client.get(f"/page/viewers/{name}/{name}.js")
        assert reply.headers["content-type"] == "text/javascript; charset=utf-8"
        assert "export default" in reply.text


@pytest.mark.parametrize(
    "address",
    [
        "image/image.py", "image/pulse.js", "image/..%2Fimage.js", "image/%2e%2e%2fimage%2fimage.js", "image/base.py",
        "image/%2Fetc%2Fpasswd", "..%2f..%2fmodalities/image.js",
        "unknown/image.js", "broken/broken.js", "image/image.js%00",
    ],
)  # fmt: skip
def test_nothing_but_a_viewer_is_sent(client, address):
    assert client.get(f"/page/viewers/{address}").status_code == 404


@pytest.mark.parametrize("viewer", ["../secret.js", "/etc/passwd", "pulse.py", "missing.js", None])
def test_a_modality_cannot_name_a_file_elsewhere(viewer):
    class Odd(pulse.Pulse):
        pass

    Odd.viewer = viewer
    assert doors.viewer_file(Odd()) is None
    assert doors.card(Odd()).viewer is None


def test_a_viewer_needs_no_key_but_what_the_server_tells_does():
    with serving(api_keys=("secret",)) as server:
        assert server.get("/page/viewers/image/image.js").status_code == 200
        assert server.get("/v1/modalities").status_code == 401
        told = server.get("/v1/modalities", headers={"Authorization": "Bearer secret"}).json()["data"]
        assert "image" in [card["id"] for card in told]


def test_the_words_of_a_modality_are_the_same_in_all_its_languages():
    english, french = (modality("image").words[language] for language in ("en", "fr"))
    assert list(english) == list(french)


@pytest.fixture
def server():
    with running() as made:
        yield made


@pytest.fixture
def visit(browser, server):
    with visiting(browser, server.url) as made:
        yield made


def beats_file(beats=BEATS, name="run.beats"):
    return file(name, " ".join(map(str, beats)).encode(), "")


def choose(page, model: str) -> None:
    page.get_by_label("Model", exact=True).select_option(model)


def settled(page) -> None:
    until(page, "!document.querySelector('[aria-busy=true]')")


@slow
def test_an_outside_modality_is_added_shown_sent_and_written(visit, server):
    page = visit()
    choose(page, "heart")
    page.get_by_role("heading", name="Write, or add pulses.").wait_for()
    assert page.get_by_role("button", name="Take a photo").count() == 0
    assert "icture" not in page.locator("body").inner_text()
    attach(page, beats_file())
    until(page, "document.querySelectorAll('.shelf .pulse-view i').length === 200")
    say(page, "How many?")
    answers(page).get_by_text("200 beats").wait_for()
    sent = asked(server, "/v1/chat/completions")[0]["messages"][0]["content"]
    assert [part["type"] for part in sent] == ["pulse_url", "text"]
    assert sent[0]["pulse_url"]["url"] == pulse.uri_of(BEATS)
    page.get_by_label("Answer with").select_option("pulse")
    say(page, "calmly")
    written = answers(page).get_by_role("img", name="Answer to “calmly”")
    written.locator("i").nth(5).wait_for()
    bars = "[...document.querySelectorAll('[aria-label=\"Answer to “calmly”\"] i')]"
    until(page, f"{bars}.some(bar => getComputedStyle(bar).backgroundColor === 'rgb(198, 79, 107)')")


@pytest.fixture
def real(tmp_path, monkeypatch):
    """A server with a tiny random model that has the modality, which is installed as any package is."""
    installed = tmp_path / "pulse-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: pulse\nVersion: 1\n")
    (installed / "entry_points.txt").write_text(f"[{plugins.MODALITIES}]\npulse = pulse:pulse\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # for the processes that open media
    plugins._installed.cache_clear()
    with serving({"heart": tiny_assistant(codecs=[pulse.beats_codec()])}, max_tokens=100) as made:
        yield made
    plugins._installed.cache_clear()


@slow
def test_the_whole_way_of_an_outside_modality_with_a_real_server(browser, real, tmp_path):
    with visiting(browser, real.url) as visit:
        page = visit()
        attach(page, file("rows.beats", b"3 3\n9 1\n31 7\n4 4", ""))
        page.get_by_role("img", name="rows.beats").locator("i").nth(7).wait_for()
        page.get_by_label("Answer with").select_option("pulse")
        say(page, "Another like it")
        answers(page).get_by_role("img").locator("i").nth(5).wait_for()
        settled(page)
        say(page, "And one more")
        answers(page).nth(1).get_by_role("img").locator("i").nth(5).wait_for()
        settled(page)
        assert page.locator(".problem").count() == 0
        page.get_by_label("More: Another like it").click()
        with page.expect_download() as saved:
            page.get_by_role("button", name="Download the conversation").click()
        saved.value.save_as(tmp_path / "beats.jsonl")
        page.get_by_role("link", name="Make").click()
        page.get_by_label("How should it beat?").fill("calmly")
        page.get_by_role("button", name="Beat", exact=True).click()
        page.get_by_role("img", name="calmly, attempt 4").locator("i").nth(5).wait_for()
        page.get_by_role("link", name="What it sees").click()
        page.get_by_role("button", name="Used before: pulse 1").click()
        page.get_by_role("img", name="Made from the numbers").wait_for()
        assert page.get_by_role("slider", name="Its numbers").is_visible()
    (conversation,) = read_conversations(tmp_path / "beats.jsonl")
    (part,) = conversation.messages[1].parts
    assert part.codec == "beats" and pulse.pulse.open(part.data).array.ravel().tolist() == part.codes.tolist()


@slow
def test_a_downloaded_conversation_keeps_the_codes_that_the_model_wrote(visit, server):
    page = visit()
    choose(page, "heart")
    page.get_by_role("button", name="Beat calmly.").click()
    answers(page).get_by_role("img").wait_for()
    settled(page)
    page.reload()
    answers(page).get_by_role("img").locator("i").first.wait_for()

    def menu(entry: str):
        page.get_by_label("More: Beat calmly.").click()
        with page.expect_download() as saved:
            page.get_by_role("button", name=entry).click()
        return saved.value.path()

    record = json.loads(menu("Download the conversation").read_text(encoding="utf-8"))
    (part,) = record["messages"][1]["content"]
    beats = pulse.beats_of(part["pulse_url"]["url"])
    assert part == pulse.written(beats) and len(beats) == len("Beat calmly.")
    with zipfile.ZipFile(menu("Download the media")) as archive:
        assert archive.namelist() == ["01-pulse.beats"]
    say(page, "And now?")
    answers(page).nth(1).wait_for()
    settled(page)
    assert asked(server, "/v1/chat/completions")[-1]["messages"][1]["content"] == [part]


@slow
def test_a_long_medium_is_seen_as_one_strip_with_all_its_codebooks(visit):
    page = visit()
    choose(page, "heart")
    page.get_by_role("link", name="What it sees").click()
    page.set_input_files("#see-file", beats_file([*BEATS, 31, 3] * 6))
    strip = page.get_by_role("slider", name="Its numbers")
    strip.focus()
    assert page.locator(".tile").count() == 0
    assert page.get_by_text("scale 60").is_visible()
    assert page.locator(".detail").inner_text().startswith("At 0 s, piece 1 of 1,212: number 3 · 3.")
    page.keyboard.press("End")
    page.keyboard.press("PageDown")
    page.keyboard.press("ArrowLeft")
    assert strip.get_attribute("aria-valuetext") == "At 24 s, piece 1,201 of 1,212: number 1 · 1."
    assert page.locator(".marker:visible").count() == 2
    box = strip.bounding_box()
    strip.hover(position={"x": box["width"] / 2, "y": 5})
    assert "piece 607 of" in page.locator(".detail").inner_text()
    lines = strip.locator("canvas").evaluate(
        "canvas => [5, 30].map((y) => [...canvas.getContext('2d').getImageData(0, y, 1, 1).data].join())"
    )
    assert len(set(lines)) == 2  # code 3 of one codebook is not code 3 of the other
    assert page.locator(".facts").inner_text().split("\n")[::2][:2] == ["2,425", "5"]


@slow
def test_a_viewer_may_record(visit, server):
    page = visit()
    choose(page, "both")
    page.get_by_role("button", name="Feel your pulse").click()
    page.get_by_role("img", name="felt.beats").wait_for()
    assert page.get_by_role("button", name="Take a photo").is_visible()


@slow
def test_a_file_that_two_modalities_take_is_asked_about(visit, server, monkeypatch):
    monkeypatch.setattr(pulse.Pulse, "media_types", ("image/png",))
    page = visit()
    choose(page, "both")
    attach(page, file("either.png", b"1 2 3"))
    page.get_by_role("dialog").get_by_role("button", name="pulse").click()
    page.get_by_role("img", name="either.png").locator("i").nth(2).wait_for()
    attach(page, file("neither.png", b"1 2 3"))
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert page.locator(".shelf li").count() == 1


@slow
def test_attempts_of_a_chosen_kind_are_made_anew_and_copies_left_out(visit, server):
    page = visit()
    choose(page, "both")
    page.get_by_role("link", name="Make").click()
    page.locator("#make-kind").select_option("pulse")
    page.get_by_label("How should it beat?").fill("calmly")
    page.get_by_role("button", name="Beat", exact=True).click()
    page.get_by_role("img", name="calmly, attempt 4").wait_for()
    page.get_by_role("button", name="Try again").click()
    page.locator(".set").nth(1).wait_for()
    settled(page)
    first, second = made_by(server)
    assert first["modalities"] == ["pulse"] and first["messages"][0]["content"] == "Beat calmly."
    assert first["seed"] != second["seed"]
    assert [first["attempt"], second["attempt"]] == [0, 1]
    page.reload()
    page.get_by_role("img", name="calmly, attempt 3").nth(1).locator("i").first.wait_for()
    sets = [one.locator(".attempts li") for one in page.locator(".set").all()]
    assert [one.count() for one in sets] == [3, 4], "one of the second four was a copy"


@slow
def test_an_answer_is_tried_again_until_it_is_no_copy(visit, server):
    page = visit()
    say(page, "Draw a cat")
    drawn = answers(page).get_by_role("img")
    drawn.wait_for()
    settled(page)
    first = drawn.get_attribute("src")
    page.get_by_role("button", name="Try again").click()
    until(page, "document.querySelectorAll('.wait').length === 0")
    settled(page)
    assert drawn.get_attribute("src") != first
    bodies = asked(server, "/v1/chat/completions")
    assert [body["attempt"] for body in bodies] == [0, 1, 2], "the stand-in's attempt 1 is a copy"
    assert len({body["seed"] for body in bodies}) == 3
    assert bodies[1]["modalities"] == ["image"], "what was one picture is to be one again"


@slow
def test_media_of_the_history_are_kept_however_large_and_apart_from_settings(visit):
    page = visit()
    choose(page, "heart")
    attach(page, file("long.beats", b"7" + b" " * 7_000_000))
    say(page, "How many?")
    answers(page).get_by_text("1 beats").wait_for()
    settled(page)
    assert page.locator(".notice").count() == 0
    assert page.evaluate("JSON.stringify(localStorage).length") < 200
    page.reload()
    answers(page).get_by_text("1 beats").wait_for()
    assert page.evaluate(KEPT) == ["1", "1"]
    page.get_by_label("More: How many?").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_text("What you say will be kept here.").wait_for()
    assert page.evaluate(KEPT) == ["0", "0"]


KEPT = """() => new Promise((resolve) => {
  indexedDB.open("sensorium").onsuccess = ({ target }) => {
    const stores = ["conversations", "media"];
    const transaction = target.result.transaction(stores);
    const counts = stores.map((name) => transaction.objectStore(name).count());
    transaction.oncomplete = () => resolve(counts.map(({ result }) => String(result)));
  };
})"""


@slow
def test_conversations_of_earlier_versions_move_and_damaged_ones_do_not_stop_the_page(visit):
    page = visit()
    part = {"type": "pulse_url", "pulse_url": {"url": pulse.uri_of([5, 6])}}
    once = {"id": "1-2", "title": "From before", "messages": [{"role": "user", "content": [part]}]}
    for kept in ("[{]", "5", '"x"', json.dumps([{"id": 3}, {"id": "4", "messages": [{}]}, once])):
        page.evaluate(DAMAGE, kept)
        page.reload()
        until(page, "document.querySelector('#model').options.length > 1")
    page.get_by_role("button", name="From before", exact=True).click()
    page.locator(".pulse-view i").nth(1).wait_for()
    assert page.evaluate("localStorage.getItem('sensorium.conversations')") is None
    page.get_by_role("link", name="Board").click()
    page.get_by_role("button", name="mum").wait_for()


DAMAGE = """(kept) => {
  for (const name of ["conversations", "board", "language", "model"]) localStorage.setItem(`sensorium.${name}`, kept);
}"""


@slow
def test_the_page_works_where_the_browser_keeps_nothing(visit):
    page = visit()
    page.context.add_init_script(NOTHING_KEPT)
    page.reload()
    until(page, "document.querySelector('#model').options.length > 1")
    say(page, "hello")
    answers(page).get_by_text("You said: hello").wait_for()
    page.get_by_role("alert").get_by_text("this conversation is not kept").wait_for()
    page.get_by_role("button", name="New conversation").click()
    page.get_by_role("button", name="hello", exact=True).click()
    answers(page).get_by_text("You said: hello").wait_for()


NOTHING_KEPT = """
  IDBFactory.prototype.open = () => { const request = {}; setTimeout(() => request.onerror()); return request; };
  Storage.prototype.getItem = Storage.prototype.setItem = () => { throw new Error("forbidden"); };
"""


@slow
@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
def test_a_notice_covers_nothing(visit, device):
    page = visit(**device)
    attach(page, file("notes.pdf", b"%PDF", "application/pdf"))
    page.get_by_role("alert").wait_for()
    boxes = [page.locator(name).bounding_box() for name in (".notice", ".log", ".composer")]
    for one, other in zip(boxes, boxes[1:], strict=False):
        assert one["y"] + one["height"] <= other["y"]
    page.locator(".tabs a[href='#make']").click()
    page.get_by_role("alert").wait_for(state="detached")


@slow
def test_a_sentence_of_the_board_is_said_by_the_browser_or_it_says_why_not(visit):
    page = visit()
    page.context.add_init_script(VOICES)
    page.reload()
    page.get_by_role("link", name="Board").click()
    page.get_by_text("Voice: “Vera” of your browser, not the model's").wait_for()
    page.get_by_role("button", name="mum").click()
    page.get_by_role("button", name="Say it").click()
    until(page, "window.spoken.length === 2")
    assert page.evaluate("window.spoken") == ["mum, Vera", "Mum., Vera"]
    page.get_by_label("Language of the board").select_option("fr")
    page.get_by_text("Voice: none here for Français").wait_for()
    page.get_by_role("button", name="Say it").click()
    page.get_by_role("alert").get_by_text("no voice of this browser speaks Français").wait_for()
    assert page.evaluate("window.spoken.length") == 2, "the voice from the internet is not used"


@slow
def test_a_viewer_that_fails_leaves_a_download(visit):
    page = visit()
    broken = {"body": "export {", "content_type": "text/javascript"}
    page.route("**/viewers/pulse/pulse.js", lambda route: route.fulfill(**broken))
    page.reload()
    choose(page, "heart")
    page.get_by_role("button", name="Beat calmly.").or_(page.get_by_role("button", name="Add a file")).first.click()
    answers(page).get_by_role("link", name="Download (pulse)").wait_for()


@slow
def test_every_symbol_is_drawn_without_an_emoji_font(visit):
    page = visit()
    page.get_by_role("link", name="Board").click()
    page.locator(".symbol").first.wait_for()
    until(page, "[...document.querySelectorAll('.board-symbol use')].every((use) => use.getBBox().width > 5)")
    assert page.locator(".board-symbol").count() >= 20
    emoji = page.evaluate(r"/\p{Extended_Pictographic}/u.test(document.querySelector('#board').textContent)")
    assert not emoji


def several_books(body):
    """Two grids of 2 x 4 frames after one another, two codebooks each."""
    (part,) = body["messages"][0]["content"]
    span = {
        "codec": "clips", "modality": "pulse", "start": 0, "stop": 34, "bits": 144.0, "header": {},
        "grid": [None, 2, 4], "codebook_sizes": [16, 32], "frame_rate_hz": 2.0,
        "codes": list(range(32)), "reconstruction": part,
    }  # fmt: skip
    return {"ids": list(range(34)), "tokens": ["x"] * 34, "spans": [span]}


@slow
def test_tiles_show_every_codebook_and_grids_that_follow_one_another(visit, monkeypatch):
    monkeypatch.setattr("page_server.tokenized", several_books)
    page = visit()
    choose(page, "heart")
    page.get_by_role("link", name="What it sees").click()
    page.set_input_files("#see-file", beats_file())
    tiles = page.get_by_role("gridcell")
    tiles.first.wait_for()
    assert tiles.count() == 8 and page.get_by_role("row").count() == 2
    assert tiles.nth(1).get_attribute("aria-label") == "Row 1, column 2: number 2 · 3."
    assert tiles.nth(1).evaluate("tile => tile.style.background.match(/oklch/g).length") == 4  # two bands, from and to
    page.get_by_text("32 of them, 2 for each piece").wait_for()
    page.get_by_role("slider", name="Moment 1 of 2").press("ArrowRight")
    page.get_by_role("slider", name="Moment 2 of 2").wait_for()
    assert tiles.first.get_attribute("aria-label") == "Row 1, column 1: number 16 · 17."
