"""The web page in a real browser (headless Chromium), against a stand-in for the server with canned answers.

Every test also checks that nothing was asked outside the page's own origin and that the browser reported no error.
tests/test_page_nano.py does the same with the model in the box.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator

import page_server
import pytest
from in_browser import PHONE, answers, attach, file, say, until, visiting
from page_server import COLOURS, PAGE, FakeServer, asked, made_by, running, tokenized
from PIL import Image

from sensorium.data import read_conversations

BOARD_LANGUAGES = {"en", "fr", "es", "de", "it"}


def words_of(language: str) -> dict[str, str]:
    return json.loads((PAGE / "i18n" / f"{language}.json").read_text(encoding="utf-8"))


def test_both_languages_have_the_same_texts():
    english, french = words_of("en"), words_of("fr")
    assert list(english) == list(french)
    for key in english:
        assert set(re.findall(r"\{\w+\}", english[key])) == set(re.findall(r"\{\w+\}", french[key])), key


def test_the_page_asks_only_for_texts_that_exist():
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in [*PAGE.rglob("*.js"), PAGE / "index.html"])
    asked = set(re.findall(r"""(?:\bt\(|data-t(?:-label)?=)"([a-z0-9.]+)["]""", scripts))
    assert asked <= set(words_of("en"))
    assert len(asked) > 80


def test_every_symbol_of_the_board_has_a_name_in_every_language():
    groups = json.loads((PAGE / "board" / "concepts.json").read_text(encoding="utf-8"))["groups"]
    assert {"people", "feelings", "food", "actions", "places"} <= {group["id"] for group in groups}
    concepts = [concept for group in groups for concept in group["concepts"]]
    assert len({concept["id"] for concept in concepts}) == len(concepts)
    for entry in [*groups, *concepts]:
        assert set(entry["names"]) == BOARD_LANGUAGES
        assert all(entry["names"].values()) and entry["symbol"]
    assert all(concept["prompt"] for concept in concepts)
    drawn = re.findall(r'<symbol id="([\w-]+)"', (PAGE / "board" / "symbols.svg").read_text(encoding="utf-8"))
    assert drawn == [id_ for one in groups for id_ in (f"group-{one['id']}", *(c["id"] for c in one["concepts"]))]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(scheme):
    css = (PAGE / "css" / "base.css").read_text(encoding="utf-8").split("prefers-color-scheme: dark")
    colour = dict(re.findall(r"--([\w-]+): (#\w{6});", css[scheme == "dark"]))
    pairs = [("ink", "ground"), ("ink", "mine"), ("soft", "ground"), ("soft", "surface"), ("soft", "sunken"),
             ("accent-ink", "accent"), ("accent", "surface"), ("danger", "danger-wash")]  # fmt: skip
    for text, ground in pairs:
        assert contrast(colour[text], colour[ground]) >= 4.5, (text, ground)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, WCAG 2.2."""

    def luminance(code: str) -> float:
        channels = [int(code[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with running() as made:
        yield made


@pytest.fixture
def visit(browser, server):
    with visiting(browser, server.url) as made:
        yield made


def png(colour: str, side_px: int = 40) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side_px, side_px), COLOURS[colour]).save(buffer, "PNG")
    return buffer.getvalue()


slow = pytest.mark.slow


@slow
def test_a_picture_is_uploaded_and_named(visit, server):
    page = visit()
    attach(page, file("leaf.png", png("green")))
    page.get_by_role("img", name="leaf.png").wait_for()
    say(page, "What is this?")
    answers(page).get_by_text("a green square").wait_for()
    (request,) = asked(server, "/v1/chat/completions")
    kinds = [part["type"] for part in request["messages"][0]["content"]]
    assert kinds == ["image_url", "text"]
    assert request["modalities"] == ["text", "image"]
    answers(page).get_by_text("2.1 mWh").wait_for()


@slow
def test_a_model_that_thinks_is_asked_to_and_its_thought_is_folded_above_the_answer(visit, server):
    page = visit()
    toggle = page.get_by_role("button", name="Think first")
    assert toggle.count() == 0, "the first model does not think"
    page.locator("#model").select_option("both")
    attach(page, file("leaf.png", png("green")))
    say(page, "What is this?")
    answers(page).get_by_text("a green square").wait_for()
    assert toggle.get_attribute("aria-pressed") == "false" and page.locator(".thought").count() == 0
    toggle.press("Enter")
    assert toggle.get_attribute("aria-pressed") == "true"
    server.pace_s = 0.3
    say(page, "Sure?")
    growing = answers(page).nth(1)
    growing.get_by_text("What it thought").click()
    growing.get_by_text("All corners are alike.", exact=True).wait_for()
    assert growing.locator("details").evaluate("one => one.nextElementSibling.className") == "parts"
    growing.get_by_text("You said: Sure? (3 messages)").wait_for()
    until(page, "!document.querySelector('[aria-busy=true]')")
    assert growing.locator(".words").inner_text() == "You said: Sure? (3 messages)"
    assert growing.locator("details").get_attribute("open") is not None, "it stays open once the answer is there"
    server.pace_s = 0
    say(page, "never mind")
    answers(page).get_by_text("You said: never mind (5 messages)").wait_for()
    until(page, "!document.querySelector('[aria-busy=true]')")
    assert page.locator(".thought").count() == 1, "what is said once more was none"
    first, second, third = asked(server, "/v1/chat/completions")
    assert "reasoning_effort" not in first and second["reasoning_effort"] == third["reasoning_effort"] == "medium"
    assert set(third["messages"][3]) == {"role", "content"} and "corners" not in json.dumps(third)
    page.reload()
    page.get_by_text("What it thought").wait_for()
    assert toggle.get_attribute("aria-pressed") == "true" and not page.get_by_text("All corners").is_visible()


@slow
def test_the_conversation_goes_on_and_the_kind_of_answer_can_be_chosen(visit, server):
    page = visit()
    attach(page, file("sea.png", png("blue")))
    say(page, "What is this?")
    answers(page).get_by_text("a blue square").wait_for()
    say(page, "And then?")
    answers(page).get_by_text("You said: And then? (3 messages)").wait_for()
    page.get_by_label("Answer with").select_option("image")
    say(page, "something green")
    answers(page).get_by_role("img").wait_for()
    last = asked(server, "/v1/chat/completions")[-1]
    assert last["modalities"] == ["image"]
    assert [message["role"] for message in last["messages"]] == ["user", "assistant"] * 2 + ["user"]


@slow
def test_a_photo_is_made_smaller_before_it_is_sent(visit, server):
    noise = Image.effect_noise((1500, 900), 80).convert("RGB")
    buffer = io.BytesIO()
    noise.save(buffer, "JPEG", quality=95)
    page = visit()
    attach(page, file("photo.jpg", buffer.getvalue(), "image/jpeg"))
    say(page, "What is this?")
    answers(page).get_by_text("square").wait_for()
    url = asked(server, "/v1/chat/completions")[0]["messages"][0]["content"][0]["image_url"]["url"]
    assert len(url) < len(buffer.getvalue())


@slow
def test_an_answer_appears_while_it_is_written_and_can_be_stopped(visit, server):
    page = visit()
    say(page, "long story")
    answer = answers(page)
    answer.get_by_text("word 3 ").wait_for()
    assert answer.get_attribute("aria-busy") == "true"
    first = len(answer.inner_text())
    page.wait_for_timeout(200)
    assert len(answer.inner_text()) > first
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Send").wait_for()
    assert "word 2999" not in answer.inner_text()
    say(page, "Go on")
    answers(page).get_by_text("You said: Go on (3 messages)").wait_for()


@slow
def test_progress_of_a_drawing_is_shown(visit, server):
    server.pace_s = 0.1
    page = visit()
    page.get_by_role("button", name="Draw a red heart.").click()
    page.locator(".image-mosaic .full").nth(7).wait_for()
    picture = answers(page).get_by_role("img", name="Answer to “Draw a red heart.”")
    picture.wait_for()
    assert page.locator(".image-mosaic").count() == 0
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64


@slow
def test_several_pictures_are_drawn_enlarged_and_downloaded(visit, server):
    page = visit()
    page.get_by_role("link", name="Make").click()
    page.get_by_label("What shall I draw?").fill("a yellow sun")
    page.get_by_label("How many attempts").fill("3")
    page.get_by_role("button", name="Draw", exact=True).click()
    page.get_by_role("img", name="a yellow sun, attempt 3").wait_for()
    assert page.locator(".attempts img").count() == 3
    (request,) = made_by(server)
    assert request["messages"] == [{"role": "user", "content": "Draw a yellow sun."}]
    assert (request["modalities"], request["n"], request["attempt"]) == (["image"], 3, 0)
    page.get_by_role("button", name="a yellow sun, attempt 2").click()
    dialog = page.get_by_role("dialog")
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "a-yellow-sun-attempt-2.png"
    assert Image.open(download.value.path()).size == (64, 64)
    page.keyboard.press("Escape")
    assert dialog.count() == 0
    assert page.evaluate("document.activeElement.querySelector('img').alt") == "a yellow sun, attempt 2"
    page.reload()
    page.get_by_role("img", name="a yellow sun, attempt 3").wait_for()


@slow
def test_a_sentence_is_built_on_the_board_in_two_languages(visit, server):
    page = visit()
    page.get_by_role("link", name="Board").click()
    page.get_by_role("button", name="I", exact=True).click()
    page.get_by_role("button", name="Actions").click()
    page.get_by_role("button", name="want", exact=True).click()
    page.get_by_role("button", name="Food").click()
    page.get_by_role("button", name="apple").first.click()
    assert page.locator(".said").inner_text() == "I want apple."
    page.get_by_label("Language of the board").select_option("fr")
    assert page.locator(".said").inner_text() == "Je veux pomme."
    page.get_by_role("button", name="Take “veux” out").click()
    assert page.locator(".said").inner_text() == "Je pomme."
    page.get_by_role("button", name="Send").click()
    answers(page).get_by_text("You said: Je pomme. (1 messages)").wait_for()


@slow
def test_symbols_are_drawn_by_the_model_once_and_on_demand_again(visit, server):
    page = visit()
    page.get_by_role("link", name="Board").click()
    assert made_by(server) == []
    page.get_by_role("button", name="Feelings").click()
    page.get_by_label("Symbols by the model").check()
    until(page, "document.querySelectorAll('.symbol img').length == 12")
    assert "face" in made_by(server)[0]["messages"][0]["content"]
    assert page.get_by_role("button", name="happy").inner_text() == "happy"
    count = len(made_by(server))
    page.reload()
    page.get_by_role("button", name="Feelings").click()
    until(page, "document.querySelectorAll('.symbol img').length == 12")
    happy = [body for body in made_by(server)[count:] if "grinning" in body["messages"][0]["content"]]
    assert happy == []
    page.get_by_role("button", name="Make again").click()
    with page.expect_response("**/v1/chat/completions"):
        page.get_by_role("button", name="happy").click()
    assert page.locator(".piece").count() == 0


@slow
def test_what_the_model_sees(visit, server):
    page = visit()
    page.get_by_role("link", name="What it sees").click()
    half = Image.new("RGB", (64, 64), COLOURS["blue"])
    half.paste(COLOURS["red"], (0, 0, 32, 64))
    buffer = io.BytesIO()
    half.save(buffer, "PNG")
    page.set_input_files("#see-file", file("flag.png", buffer.getvalue()))
    page.get_by_role("img", name="Made from the numbers").wait_for()
    understood, drawn = page.get_by_role("grid").all()
    assert understood.get_by_role("gridcell").count() == 3
    tiles = drawn.get_by_role("gridcell")
    assert tiles.count() == 64
    assert drawn.get_by_role("row").count() == 8
    assert page.locator(".facts").last.inner_text().split("\n")[::2][:3] == ["64", "2", "576"]
    assert "72 bytes" in page.locator(".facts").last.inner_text()
    colours = tiles.evaluate_all("tiles => tiles.map(tile => getComputedStyle(tile).backgroundColor)")
    assert len(set(colours)) == 2
    tiles.nth(27).hover()
    detail = page.locator(".detail").last
    assert detail.inner_text().startswith("Row 4, column 4: number ")
    assert "32 places" in detail.inner_text()
    assert page.locator(".marker:visible").count() == 2
    tiles.first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert detail.inner_text().startswith("Row 2, column 2")
    page.get_by_text("For the curious").last.click()
    page.get_by_role("cell", name="<|image|>", exact=True).wait_for()


@slow
def test_tiles_lie_as_the_codec_lays_its_frames_out(visit, monkeypatch):
    def wide(body):
        told = tokenized(body)
        told["spans"][-1]["grid"] = [4, 16]
        return told

    monkeypatch.setattr("page_server.tokenized", wide)
    page = visit()
    page.get_by_role("link", name="What it sees").click()
    page.set_input_files("#see-file", file("ball.png", png("red")))
    page.get_by_role("img", name="Made from the numbers").wait_for()
    drawn = page.get_by_role("grid").last
    assert drawn.get_by_role("row").count() == 4
    drawn.get_by_role("gridcell").nth(17).hover()
    assert page.locator(".detail").last.inner_text().startswith("Row 2, column 2")


@slow
def test_a_picture_of_the_chat_can_be_looked_at_as_the_model_does(visit, server):
    page = visit()
    say(page, "Draw a red ball")
    answers(page).get_by_role("button").first.click()
    page.get_by_role("button", name="See it as the model does").click()
    page.get_by_role("img", name="Made from the numbers").wait_for()
    assert page.url.endswith("#see")


@slow
def test_a_broken_file_gives_one_clear_sentence(visit, server):
    page = visit(expected="400")
    attach(page, file("noise.png", b"no picture at all"))
    page.get_by_role("alert").get_by_text("“noise.png” cannot be opened as a picture").wait_for()
    assert page.locator(".shelf li").count() == 0
    attach(page, file("notes.pdf", b"%PDF", "application/pdf"))
    page.get_by_role("alert").get_by_text("This model does not take “notes.pdf”: it reads pictures.").wait_for()
    attach(page, file("torn.png", png("red")[:60]))  # a browser shows what there is of it
    say(page, "What is this?")
    page.locator(".problem").get_by_text(
        "message 1, part 1 (image_url) is a damaged picture; give another one"
    ).wait_for()
    say(page, "Are you there?")
    answers(page).get_by_text("You said: Are you there? (1 messages)").wait_for()


@slow
def test_what_failed_can_be_tried_again(visit, server):
    page = visit(expected="503")
    say(page, "be busy")
    page.locator(".problem").get_by_text("The server is busy").wait_for()
    server.asked.clear()
    page.get_by_role("button", name="Try again").click()
    until(page, "!document.querySelector('[aria-busy=true]')")
    assert len(asked(server, "/v1/chat/completions")) == 1


@slow
def test_a_server_that_does_not_answer_is_told_and_tried_again(visit):
    page = visit(expected="ERR_FAILED")
    page.route("**/v1/**", lambda route: route.abort())
    say(page, "hello")
    page.locator(".problem").get_by_text("The program behind this page does not answer").wait_for()
    page.reload()
    page.get_by_role("alert").get_by_text("does not answer").wait_for()
    page.unroute("**/v1/**")
    page.locator("#retry").click()
    page.locator("#offline").wait_for(state="hidden")


@slow
def test_a_key_is_asked_for_where_one_is_needed(visit, server):
    server.key = "open sesame"
    page = visit(expected="401")
    page.get_by_role("dialog").get_by_label("Access key").fill("open sesame")
    page.keyboard.press("Enter")
    page.locator("#offline").wait_for(state="hidden")
    say(page, "hello")
    answers(page).get_by_text("You said: hello").wait_for()


@slow
def test_everything_works_by_keyboard(visit, server):
    page = visit()

    def tab_to(name: str, most: int = 40) -> None:
        for _ in range(most):
            page.keyboard.press("Tab")
            here = page.evaluate(FOCUSED)
            assert here["outline"] or here["tag"] in ("TEXTAREA", "BODY"), here  # the composer itself lights up
            if here["name"] == name:
                return
        raise AssertionError(f"{name} cannot be reached with Tab")

    tab_to("Skip to the content", most=1)
    tab_to("Your message")
    page.keyboard.type("hello")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("there")
    page.keyboard.press("Enter")
    answers(page).get_by_text("You said: hello\nthere").wait_for()
    assert page.evaluate("announce.textContent").startswith("Model: You said")
    tab_to("Make")
    page.keyboard.press("Enter")
    tab_to("What shall I draw?")
    page.keyboard.type("a cat")
    tab_to("How many attempts")
    page.keyboard.press("End")
    tab_to("Draw")
    page.keyboard.press("Enter")
    page.get_by_role("img", name="a cat, attempt 8").wait_for()
    assert page.evaluate(FOCUSED)["name"] == "a cat, attempt 1"
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    assert page.evaluate(FOCUSED)["name"] == "a cat, attempt 1"
    page.evaluate("location.hash = 'board'")
    tab_to("Feelings")
    page.keyboard.press("Enter")
    tab_to("happy")
    page.keyboard.press("Space")
    tab_to("Send", most=60)
    page.keyboard.press("Enter")
    answers(page).get_by_text("You said: Happy.").wait_for()


FOCUSED = """() => {
  const element = document.activeElement;
  const style = getComputedStyle(element);
  const name = element.getAttribute("aria-label") || element.labels?.[0]?.firstElementChild?.textContent
    || element.querySelector("img")?.alt || element.querySelector(".label, span:not(.sign)")?.textContent
    || element.textContent;
  return { tag: element.tagName, name: name.trim(), outline: style.outlineStyle !== "none" };
}"""


@slow
def test_a_picture_that_is_still_being_opened_goes_with_the_message(visit):
    page = visit()
    page.get_by_label("Your message").fill("What is this?")
    page.evaluate("""() => {
      const read = FileReader.prototype.readAsDataURL;
      FileReader.prototype.readAsDataURL = function (file) { setTimeout(() => read.call(this, file), 700); };
    }""")
    attach(page, file("sea.png", png("blue")))
    page.keyboard.press("Enter")
    answers(page).get_by_text("a blue square").wait_for()


@slow
@pytest.mark.parametrize("panel", ["chat", "make", "board", "see"])
def test_it_fits_a_phone_and_everything_has_a_name(visit, panel):
    page = visit(locale="fr-FR", **PHONE)
    page.get_by_label("Votre message").fill("une très longue phrase " * 8)
    attach(page, file("mer.png", png("blue")))
    page.keyboard.press("Enter")
    answers(page).get_by_text("a blue square").wait_for()
    page.locator(f".tabs a[href='#{panel}']").tap()
    if panel == "make":
        page.get_by_label("Que dois-je dessiner").fill("x" * 90)
        page.keyboard.press("Enter")
        page.locator(".attempts img").first.wait_for()
    if panel == "board":
        for symbol in page.locator(".symbol").all()[:9]:
            symbol.tap()
    if panel == "see":
        page.locator(".recent button").tap()
        page.locator(".tile").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.locator(f"#{panel}").evaluate("panel => panel.scrollWidth - panel.clientWidth") == 0
    assert page.evaluate(NAMELESS) == []


NAMELESS = """() => [...document.querySelectorAll("button, a, input, select, textarea, summary, img, [role=region]")]
  .filter((element) => element.checkVisibility() && !element.closest("[aria-hidden=true]"))
  .filter((element) => element.tagName === "IMG" ? !element.hasAttribute("alt")
    : !(element.getAttribute("aria-label") || element.labels?.length || element.textContent.trim()
        || element.querySelector("img")?.alt))
  .map((element) => element.outerHTML)"""


@slow
def test_the_drawer_of_conversations_on_a_phone(visit):
    page = visit(**PHONE)
    assert not page.get_by_role("button", name="New conversation").is_visible()
    page.get_by_role("button", name="Conversations and settings").tap()
    page.get_by_role("button", name="New conversation").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="New conversation").wait_for(state="hidden")


@slow
def test_french_comes_with_a_french_browser_and_can_be_switched(visit):
    page = visit(locale="fr-CA")
    page.get_by_role("heading", name="Montrez-moi une image, ou demandez-en une.").wait_for()
    assert page.evaluate("document.documentElement.lang") == "fr"
    page.get_by_role("link", name="Tableau").click()
    page.get_by_role("button", name="maman").wait_for()
    page.get_by_label("Langue", exact=True).select_option("en")
    page.get_by_role("heading", name="Symbol board").wait_for()
    page.reload()
    page.get_by_role("heading", name="Symbol board").wait_for()


@slow
def test_conversations_are_kept_copied_downloaded_and_deleted(visit, server, tmp_path):
    page = visit()
    attach(page, file("sun.png", png("yellow")))
    say(page, "What is this?")
    answers(page).get_by_text("a yellow square").wait_for()
    page.get_by_role("button", name="New conversation").click()
    say(page, "Another one")
    answers(page).get_by_text("You said: Another one").wait_for()
    page.reload()
    answers(page).get_by_text("You said: Another one").wait_for()
    page.get_by_role("button", name="What is this?", exact=True).click()
    answers(page).get_by_text("a yellow square").wait_for()

    def menu(entry: str):
        page.get_by_label("More: What is this?").click()
        page.get_by_role("button", name=entry).click()

    menu("Copy as text")
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "You: [image] What is this?\nModel: a yellow square"
    with page.expect_download() as saved:
        menu("Download the conversation")
    path = tmp_path / saved.value.suggested_filename
    saved.value.save_as(path)
    (conversation,) = read_conversations(path)
    assert [message.text for message in conversation.messages] == ["What is this?", "a yellow square"]
    with page.expect_download() as saved:
        menu("Download the media")
    with zipfile.ZipFile(saved.value.path()) as archive:
        assert archive.testzip() is None
        assert archive.read("01-image.png") == png("yellow")
    menu("Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    answers(page).get_by_text("You said: Another one").wait_for()
    page.reload()
    answers(page).get_by_text("You said: Another one").wait_for()
    assert page.get_by_role("button", name="What is this?", exact=True).count() == 0


@slow
def test_what_the_model_drew_trains_with_the_codes_it_wrote(visit, tmp_path):
    page = visit()
    say(page, "Draw a red ball")
    answers(page).get_by_role("img").wait_for()
    until(page, "!document.querySelector('[aria-busy=true]')")
    page.get_by_label("More: Draw a red ball").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download the conversation").click()
    saved.value.save_as(tmp_path / "drawn.jsonl")
    (conversation,) = read_conversations(tmp_path / "drawn.jsonl")
    (part,) = conversation.messages[1].parts
    drawn = page_server.picture_of("Draw a red ball")
    assert part.codec == "squares" and part.codes.tolist() == page_server.square_codes(page_server.boxed(drawn))


@slow
def test_pictures_come_by_paste_drop_and_camera(visit, server):
    page = visit()
    for event, name, carrier in (("paste", "a.png", "clipboardData"), ("drop", "b.png", "dataTransfer")):
        page.evaluate(GIVE, [event, carrier, name, list(png("red"))])
        page.get_by_role("img", name=name).wait_for()
    page.get_by_role("button", name="Take a photo").click()
    until(page, "document.querySelector('video')?.videoWidth > 0")
    page.get_by_role("button", name="Take the photo").click()
    page.get_by_role("img", name="camera.jpg").wait_for()
    page.get_by_role("button", name="Take a.png out").click()
    say(page, "What are these?")
    answers(page).get_by_text("square").wait_for()
    (request,) = asked(server, "/v1/chat/completions")
    assert [part["type"] for part in request["messages"][0]["content"]] == ["image_url", "image_url", "text"]


GIVE = """([event, carrier, name, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
  document.body.dispatchEvent(new (event === "drop" ? DragEvent : ClipboardEvent)(event,
    { [carrier]: data, bubbles: true, cancelable: true }));
}"""


@slow
def test_a_modality_without_a_viewer_is_offered_as_a_download(visit):
    page = visit()
    page.get_by_label("Model", exact=True).select_option("nose")
    say(page, "smell")
    link = answers(page).get_by_role("link", name="Download (smell)")
    with page.expect_download() as saved:
        link.click()
    assert saved.value.suggested_filename == "smell.smell"
    assert saved.value.path().read_bytes() == b"Rose"


@slow
def test_what_a_model_writes_never_becomes_markup(visit):
    page = visit()
    say(page, "<img src=x onerror=alert(1)><b>bold</b>")
    answers(page).get_by_text("You said: <img src=x onerror=alert(1)><b>bold</b>").wait_for()


@slow
def test_a_model_without_pictures_offers_none(visit):
    page = visit()
    page.get_by_label("Model", exact=True).select_option("blind")
    assert page.get_by_role("button", name="Add pictures").count() == 0
    page.get_by_role("link", name="Make").click()
    page.get_by_text("This model writes words only.").wait_for()
    page.get_by_role("link", name="What it sees").click()
    page.get_by_text("This model reads words only.").wait_for()


@slow
def test_dark_and_still_where_the_person_prefers_it(visit):
    page = visit(color_scheme="dark", reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(23, 22, 20)"
    page.get_by_role("link", name="Make").click()
    page.evaluate("document.querySelector('.hints i').className = 'blank'")
    assert page.evaluate("getComputedStyle(document.querySelector('.blank')).animationName") == "none"
