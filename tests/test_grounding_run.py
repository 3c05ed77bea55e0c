"""Whole evaluations: scripts are told apart, a killed run goes on, endpoints that fail are told and lose nothing."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sensorium.generate.corruption import redrawn
from sensorium.grounding.evaluation import Evaluation
from sensorium.grounding.page import page
from sensorium.grounding.question import Question, identified, write_questions
from sensorium.grounding.specs import distinct, read_specs, spec_of
from sensorium.grounding.tables import markdown
from sensorium.grounding.views import View, patched
from sensorium.types import InputError

pytest.importorskip("inspect_ai")
COLOURS = ("red", "green", "blue")


def questions(folder: Path, media: int = 12) -> Path:
    """Plain pictures of one colour, asked in all ways."""
    found = []
    for n in range(media):
        name, colour = f"{n}.png", COLOURS[n % 3]
        picture = Image.new("RGB", (16, 16), colour)
        picture.putpixel((n % 16, n // 16), (255, 255, 255))  # no two are the same
        picture.save(folder / name)
        known: dict[str, Any] = {"id": "?", "medium": name, "modality": "image", "aspect": "colour", "tier": "random"}
        order = (*COLOURS[n % 2 :], *COLOURS[: n % 2])
        found += [
            Question(
                **known, task="choice", text="What colour is it?", options=order, answer=colour, group=f"c{n // 3}"
            ),
            Question(**known, task="open", text="Which colour is it?", answer=colour),
            Question(**known, task="caption", text="Describe it.", answer=colour, also=(colour,)),
            Question(
                **known,
                task="locate",
                text="Where is it?",
                answer="it",
                also=("it",),
                places=((2, 2, 9, 9),),
                frame=(16, 16),
            ),
        ]
        pair = (COLOURS[(n - n % 2) % 3], COLOURS[(n - n % 2 + 1) % 3])
        for task, asked in (("groups", pair), ("pope", (colour, COLOURS[(n + 1) % 3]))):
            for said in asked:
                answer = "yes" if said == colour else "no"
                found.append(
                    Question(**known, task=task, text=f"Is it {said}?", answer=answer, group=f"{task}{n // 2}")
                )
    write_questions([identified(one) for one in found], folder / "questions.jsonl")
    return folder / "questions.jsonl"


def evaluate(file: Path, out: Path, *models: str, **more) -> dict[str, Any]:
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    Evaluation(questions=file, out=out, models=models, **more).run("command", lambda line: None)
    assert (root.level, root.handlers) == before, "what others log here must still be heard"
    return json.loads((out / "report.json").read_text())


# --- the scripts


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("scripts")
    file = questions(folder, 18)
    return evaluate(
        file, folder / "out", *(f"script:{one}" for one in ("oracle", "liar", "yes-sayer", "guesser"))
    ), folder


def rows(report) -> dict[str, Any]:
    return {row["model"]: row["tasks"] for row in report[0]["rows"]}


def test_the_oracle_is_right_everywhere_and_the_liar_nowhere(report):
    found = rows(report)
    for task in ("choice", "open", "groups", "pope", "locate", "caption"):
        assert found["oracle"][task]["score"]["value"] == 1, task
        assert found["liar"][task]["score"]["value"] == 0, task
    assert found["oracle"]["choice"]["circular"]["value"] == found["oracle"]["groups"]["whole"]["value"] == 1
    assert found["oracle"]["caption"]["instances"] == 0 and found["liar"]["caption"]["instances"] == 1
    assert found["oracle"]["locate"]["average_precision"] == 1


def test_the_yes_sayer_is_half_right_and_says_yes_always(report):
    found = rows(report)["yes-sayer"]
    assert found["pope"]["accuracy"]["value"] == pytest.approx(0.5)
    assert found["groups"]["score"]["value"] == pytest.approx(0.5)
    assert found["pope"]["yes_share"] == 1
    assert found["groups"]["whole"]["value"] == 0
    outcomes = next(row["outcomes"] for row in report[0]["rows"] if row["model"] == "yes-sayer")
    assert outcomes["unparsable"] >= 18, "yes is no option"


def test_who_sees_nothing_is_at_chance_and_the_report_says_so(report):
    choice = rows(report)["guesser"]["choice"]
    assert choice["score"]["low"] <= choice["chance"] <= choice["score"]["high"]
    verdicts = {said.split()[0]: said for said in report[0]["verdicts"]}
    assert "guesser is at chance" in verdicts["guesser"] and "could be missed" in verdicts["guesser"]
    assert "oracle is above chance: 100.0 %" in verdicts["oracle"] and "liar is below chance" in verdicts["liar"]


def test_models_are_told_apart_with_exact_tests(report):
    found = {(one["task"], one["one"], one["other"]): one for one in report[0]["comparisons"]}
    assert found["choice", "oracle", "liar"]["differ"]
    assert found["choice", "oracle", "liar"]["only_one"] == 18
    assert "oracle is better than guesser" in found["choice", "oracle", "guesser"]["sentence"]


def test_the_page_stands_alone_and_shows_the_misses(report):
    said, folder = report
    text = (folder / "out" / "report.html").read_text()
    assert not re.search(r"(src|href)=['\"](?!data:)", text) and "<script" not in text
    for model in ("oracle", "liar", "yes-sayer", "guesser"):
        assert model in text
    assert text.count("class='miss'") >= 12 and "data:image/png;base64," in text
    assert "| oracle | model | 100.0 (82.4 to 100.0) |" in (folder / "out" / "report.md").read_text()
    hostile = json.loads(json.dumps(said).replace("guesser", "<b>guesser"))
    assert "<b>guesser" not in page(hostile) and "<b>guesser" in markdown(hostile)


@pytest.mark.slow
def test_a_second_run_asks_nothing_and_says_the_same(report):
    _, folder = report
    first = (folder / "out" / "report.json").read_text()
    heard: list[str] = []
    scripts = [f"script:{one}" for one in ("oracle", "liar", "yes-sayer", "guesser")]
    Evaluation(questions=folder / "questions.jsonl", out=folder / "out", models=scripts).run("command", heard.append)
    assert heard == [] and (folder / "out" / "report.json").read_text() == first


def test_media_that_are_missing_are_named(tmp_path):
    file = questions(tmp_path, 3)
    (tmp_path / "1.png").unlink()
    with pytest.raises(InputError, match=r"1\.png of the question .* is missing"):
        evaluate(file, tmp_path / "out", "script:oracle")


# --- controls


def test_patches_and_tokens_are_replaced_by_their_share():
    array = np.arange(48 * 48 * 3, dtype=np.uint8).reshape(48, 48, 3)
    for share in (0.0, 0.25, 1.0):
        changed = (patched(array, share, 0) != array).any(-1).mean()
        assert changed == pytest.approx(share, abs=0.02)
    assert patched(array, 0.5, 1).dtype == np.uint8
    codes = np.zeros(100, np.int64)
    changed = redrawn(codes, 0.5, (1000, 2) * 50, 0)
    assert 0.3 < (changed > 0).mean() < 0.5 and changed[1::2].max() == 1 and not codes.any()


def test_another_medium_has_another_right_answer(tmp_path):
    from sensorium.grounding.question import read_questions

    own = read_questions(questions(tmp_path, 6))
    other = View("wrong").questions(own)
    colour = {one.medium: one.answer for one in own if one.task == "choice"}
    asked = {one.id: one for one in own}
    assert len([one for one in other if one.task == "choice"]) == 6
    assert all(colour[one.medium] != one.answer for one in other if one.task == "choice")
    assert all(replace(one, medium=asked[one.id].medium) == asked[one.id] for one in other)


# --- endpoints


class Endpoint:
    """OpenAI's chat completions, as far as they are needed: it sees the colour, unless it is told to fail."""

    def __init__(self, fails: Callable[[int], Any] = lambda number: None):
        self.fails, self.asked, self.seen = fails, Counter[str](), 0
        self.lock = threading.Lock()

    def reply(self, body: dict[str, Any]) -> tuple[int, bytes]:
        content = body["messages"][-1]["content"]
        with self.lock:
            self.seen += 1
            failed = self.fails(self.seen)
        if failed is not None:
            return failed
        parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
        text = next(part["text"] for part in parts if part["type"] == "text")
        with self.lock:
            self.asked[json.dumps(content)] += 1
        letters = re.findall(r"^([A-Z])\. ", text, re.MULTILINE)
        message = {"role": "assistant", "content": letters[-1] if letters else "yes"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
        said = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        return 200, json.dumps(said).encode()


@contextmanager
def served(endpoint: Endpoint) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(200, json.dumps({"object": "list", "data": [{"id": "m"}]}).encode())

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(*endpoint.reply(body))

        def answer(self, status: int, data: bytes):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *said):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()


def test_an_endpoint_is_asked_with_the_medium_and_without(tmp_path):
    endpoint = Endpoint()
    with served(endpoint) as url:
        found = evaluate(questions(tmp_path, 6), tmp_path / "out", url, tasks=["choice"])
    assert [row["condition"] for row in found["rows"]] == ["model", "no medium", "another's medium"]
    assert found["rows"][0]["cost"]["requests"] == 18, "every order of three options"
    assert found["rows"][0]["cost"]["input_tokens"] == 54
    assert found["rows"][0]["tasks"]["choice"]["circular"]["value"] == 0, "always the last letter"
    shown = [key for key in endpoint.asked if "data:image/png;base64," in key]
    assert len(shown) == 18, "every picture with every order; another's are among them"
    assert len(endpoint.asked) - len(shown) == 3, "blindfolded, every order once"


def test_one_that_takes_text_alone_is_asked_without_media(tmp_path):
    endpoint, file = Endpoint(), questions(tmp_path, 3)
    with served(endpoint) as url:
        (tmp_path / "models.yaml").write_text(f"- name: words\n  url: {url}\n  blind: true\n")
        options: dict[str, Any] = {"file": tmp_path / "models.yaml", "tasks": ["open"]}
        Evaluation(questions=file, out=tmp_path / "out", **options).run("command", lambda line: None)
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [row["condition"] for row in found["rows"]] == ["model"]
    assert endpoint.asked and not any("data:" in key for key in endpoint.asked)


@pytest.mark.slow
def test_what_was_answered_is_not_asked_again_after_a_crash(tmp_path):
    """The endpoint breaks in the middle; the second run asks only what is missing, and reports as if nothing was."""
    file = questions(tmp_path, 12)
    whole, broken = (
        Endpoint(),
        Endpoint(lambda number: (400, b'{"error": {"message": "broken"}}') if number > 9 else None),
    )
    options: dict[str, Any] = {"tasks": ["choice"], "controls": False}
    with served(whole) as url:
        expected = evaluate(file, tmp_path / "whole", f"{url}#m", **options)
    with served(broken) as url:
        half = evaluate(file, tmp_path / "half", f"{url}#m", **options)
        assert half["rows"][0]["outcomes"]["failed"] > 0
        assert half["rows"][0]["tasks"]["choice"]["score"]["count"] < 12
        broken.fails = lambda number: None
        found = evaluate(file, tmp_path / "half", f"{url}#m", **options)
    assert max(broken.asked.values()) == 1 and broken.asked == whole.asked
    assert found["rows"][0]["tasks"] == expected["rows"][0]["tasks"]
    assert found["rows"][0]["outcomes"]["failed"] == 0


def test_limits_and_faults_that_pass_are_waited_for(tmp_path):
    fails = {1: (429, b'{"error": {"message": "slow down"}}'), 2: (503, b"busy"), 4: (500, b"{}")}
    endpoint = Endpoint(lambda number: fails.get(number))
    with served(endpoint) as url:
        found = evaluate(questions(tmp_path, 3), tmp_path / "out", url, tasks=["open"], controls=False)
    assert found["rows"][0]["outcomes"]["failed"] == 0 and endpoint.seen == 6


@pytest.mark.slow
def test_garbage_is_told(tmp_path):
    with (
        served(Endpoint(lambda number: (200, b"<html>"))) as url,
        pytest.raises(InputError, match="answered none of 3"),
    ):
        evaluate(questions(tmp_path, 3), tmp_path / "out", url, tasks=["open"], controls=False)


def test_an_endpoint_that_is_down_is_told_before_anything_is_asked(tmp_path):
    file = questions(tmp_path, 3)
    with pytest.raises(InputError, match=r"nothing answers at http://127\.0\.0\.1:9/v1/models .*start the server"):
        evaluate(file, tmp_path / "out", "script:oracle", "http://127.0.0.1:9/v1")
    assert not (tmp_path / "out").exists()
    with served(Endpoint()) as url, pytest.raises(InputError, match="has no model 'other'; it has m"):
        evaluate(file, tmp_path / "out", f"{url}#other")


# --- which models


def test_models_are_named_or_listed(tmp_path):
    assert spec_of("http://h:1/v1#qwen").model == "qwen" and spec_of("script:n-gram:x.jsonl").questions == "x.jsonl"
    with pytest.raises(InputError, match="there is no script 'x'; there are oracle"):
        spec_of("script:x")
    path = tmp_path / "models.yaml"
    path.write_text(
        "- name: llava\n  url: http://h:1/v1\n  model: llava-1.5\n  key_variable: KEY\n- name: nano\n  model: nano\n"
    )
    assert [one.name for one in read_specs(path)] == ["llava", "nano"]
    path.write_text("- name: llava\n  address: x\n")
    with pytest.raises(InputError, match="'address', which is not known there"):
        read_specs(path)
    with pytest.raises(InputError, match="two models are called 'nano'"):
        distinct([spec_of("nano"), spec_of("nano")])
    with pytest.raises(InputError, match="no model is named"):
        distinct([])


@pytest.mark.slow
def test_a_model_in_the_box_ranks_options_in_process(tmp_path):
    found = evaluate(questions(tmp_path, 6), tmp_path / "out", "nano", tasks=["choice", "open"], curve=True)
    assert len(found["rows"]) == 7
    choice = found["rows"][0]["tasks"]["choice"]
    assert choice["ranked"] and found["rows"][0]["cost"]["requests"] == 12
    assert found["rows"][0]["cost"]["energy"]["wh"] > 0
    blind = found["rows"][1]
    assert (
        blind["condition"] == "no medium" and blind["cost"]["input_tokens"] < found["rows"][0]["cost"]["input_tokens"]
    )
    assert {one["condition"] for one in found["gains"]} >= {"100 % of the medium replaced", "another's medium"}


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_without_asking_twice(tmp_path):
    """SIGKILL in the middle: only what was under way may be asked once more."""
    file, endpoint = questions(tmp_path, 12), Endpoint(lambda number: time.sleep(0.2))
    with served(endpoint) as url:
        command = [sys.executable, "-m", "sensorium", "eval", "grounding", str(file), "--out", str(tmp_path / "out")]
        command += ["--model", f"{url}#m", "--task", "choice", "--no-controls"]
        run = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while endpoint.seen < 12:
            time.sleep(0.05)
        run.kill()
        run.wait()
        time.sleep(1)
        before = Counter(endpoint.asked)
        assert not (tmp_path / "out" / "report.html").exists() and before.total() < 36
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        again = {key for key, count in endpoint.asked.items() if count > 1}
        assert len(again) <= 4, "no more than the four requests that were under way"
        found = json.loads((tmp_path / "out" / "report.json").read_text())
        whole = evaluate(file, tmp_path / "whole", f"{url}#m", tasks=["choice"], controls=False)
    assert found["rows"][0]["tasks"] == whole["rows"][0]["tasks"]
    assert found["rows"][0]["cost"]["requests"] == 36
