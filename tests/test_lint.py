"""`lint` says in plain words what is wrong with a file, line by line, and goes on."""

from __future__ import annotations

import json
import re

import dots
import pytest

from sensorium.data import lint
from sensorium.types import InputError


@pytest.fixture(autouse=True)
def modality(monkeypatch):
    dots.install(monkeypatch)


@pytest.fixture
def check(tmp_path):
    """Lint lines given as strings, bytes or records."""
    (tmp_path / "good.dots").write_text("1 2 3 4")
    (tmp_path / "bad.dots").write_text("not dots")

    def run(*lines, **options):
        raw = [
            line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
            for line in lines
        ]
        (tmp_path / "talks.jsonl").write_bytes(b"\n".join(raw) + b"\n")
        return lint(tmp_path / "talks.jsonl", **options)

    return run


def talk(question="hi", answer="hello", role="user"):
    return {"messages": [{"role": role, "content": question}, {"role": "assistant", "content": answer}]}


def medium(path):
    return talk([{"type": "dots_url", "dots_url": {"url": path}}, {"type": "text", "text": "what?"}])


def test_a_good_file_has_no_problems(check):
    report = check(talk("one"), medium("good.dots"), "", talk("two"))
    assert report.problems == []
    assert (report.good, report.lines) == (3, 3)
    assert report.summary() == "all 3 conversations are good"


PROBLEMS = {
    "broken JSON": ('{"messages": [', "this is not JSON (Expecting value at character"),
    "a cut line": ('{"messages": [{"role": "us', "this is not JSON (Unterminated string"),
    "not an object": ("17", 'a line must hold a JSON object with "messages", not a number'),
    "not UTF-8": (b'{"messages": "\xff"}', "byte 15 is not UTF-8 text; save the file as UTF-8"),
    "deep nesting": ("[" * 100_000, "deeply nested"),
    "no messages": ({"text": "hi"}, '"messages" is missing'),
    "empty messages": ({"messages": []}, '"messages" is an empty list'),
    "ShareGPT": ({"conversations": []}, "this is the ShareGPT form"),
    "wrong role": (talk(role="human"), "message 1 has role 'human'; the roles are system, user, assistant"),
    "no role": ({"messages": [{"content": "x"}]}, "message 1 has no role"),
    "message is text": ({"messages": ["hi"]}, "message 1 is a string; it must be an object"),
    "no assistant": (
        {"messages": [{"role": "user", "content": "x"}]},
        'no message of role "assistant", so there is nothing',
    ),
    "late system": (
        {"messages": [*talk()["messages"], {"role": "system", "content": "x"}]},
        'message 3 has role "system", which must come first',
    ),
    "two in a row": (
        {"messages": talk()["messages"] * 1 + [{"role": "assistant", "content": "x"}]},
        "messages 2 and 3 are both",
    ),
    "empty answer": (talk(answer="  "), "message 2 is empty; write something or leave it out"),
    "no parts": (talk(answer=[]), "message 2 is empty"),
    "no content": (talk(answer=None), "message 2 has no content"),
    "content is a number": (talk(answer=3), "message 2 has content that is a number"),
    "unknown part": (
        talk([{"type": "smell", "smell": "x"}]),
        "part 1 has the unknown type 'smell'; known types: text, ",
    ),
    "part without type": (talk([{"text": "x"}]), 'message 1, part 1 has no "type"'),
    "text is no string": (talk([{"type": "text", "text": 5}]), 'a text part whose "text" is a number'),
    "half a character": ('{"messages": [{"role": "user", "content": "\\ud83d"}]}', "half of a character"),
    "missing file": (medium("gone.dots"), "gone.dots does not exist"),
    "a folder": (medium("."), "is a folder"),
    "unreadable medium": (medium("bad.dots"), "bad.dots holds no dots"),
    "broken data URI": (medium("data:text/x-dots;base64,Zm9v"), "holds no dots"),
    "web address": (medium("https://example.org/a.dots"), "is a web address (https://example.org/a.dots); download it"),
    "base64 as a path": (medium("QUJD" * 500), "is neither a path nor a data URI"),
    "no path": (talk([{"type": "dots"}]), 'needs a path or a data URI in "dots"'),
    "bad codes": (talk([{"type": "dots", "codes": [[1], [2, 3]]}]), '"codes" that are not a list of integers'),
    "bad base64": (
        talk([{"type": "input_dots", "input_dots": {"data": "!"}}]),
        "base64 of the medium in the data URI is damaged",
    ),
    "very long": (talk("x" * 50_000), "the conversation is very long (50005 characters)"),
    "duplicate": (talk("good"), "this is the same conversation as line 1"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_bad_line_is_told_and_the_rest_still_counts(check, name):
    line, sentence = PROBLEMS[name]
    report = check(talk("good"), line, talk("also good"))
    assert {finding.line for finding in report.problems} == {2}
    assert any(sentence in finding.sentence for finding in report.problems), report.problems
    assert (report.good, report.lines) == (2, 3)
    assert report.summary().startswith("2 of 3 lines are good; 1 with problems")
    assert all(str(finding).startswith("line 2: ") and "\n" not in str(finding) for finding in report.problems)


def test_every_problem_of_a_file_is_told_at_once(check):
    lines = [line for name, (line, _) in PROBLEMS.items() if name != "duplicate"]
    report = check(*lines)
    assert {finding.line for finding in report.problems} == set(range(1, len(lines) + 1))
    assert report.good == 0


def test_several_problems_of_one_line_are_told(check):
    both = talk([{"type": "smell"}, {"type": "dots", "dots": "gone.dots"}], answer=None)
    sentences = [finding.sentence for finding in check(both).problems]
    assert len(sentences) == 2
    assert "part 1" in sentences[0]
    assert "message 2" in sentences[1]


def test_media_may_be_left_closed(check):
    assert check(medium("bad.dots"), media=False).problems == []
    assert "does not exist" in check(medium("gone.dots"), media=False).problems[0].sentence


def test_a_json_list_over_several_lines_gets_a_hint(check):
    report = check(*json.dumps([talk()], indent=1).splitlines())
    assert "one JSON list over several lines" in report.problems[0].sentence


def test_a_byte_order_mark_is_no_problem(check):
    assert check(b"\xef\xbb\xbf" + json.dumps(talk()).encode()).problems == []


def test_an_empty_file_and_no_file_are_told(check, tmp_path):
    report = check("", "")
    assert re.search("holds no conversations", str(report.problems[0]))
    with pytest.raises(InputError, match="does not exist; give a JSONL file"):
        lint(tmp_path / "nowhere.jsonl")
    with pytest.raises(InputError, match="is a folder; give a JSONL file"):
        lint(tmp_path)


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ({"type": "dots", "dots": "a\ud800.dots"}, "neither a path nor a data URI"),
        ({"type": "dots", "codes": [1, 2], "codec": ["x"]}, "not the name of one"),
    ],
)
def test_half_characters_in_paths_and_odd_codecs_are_told(check, part, sentence):
    (problem,) = check({"messages": [{"role": "user", "content": [part]}]}).problems
    assert sentence in str(problem)
