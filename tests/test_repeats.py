"""A text that comes to no end is stopped, and says once what it repeats; what people repeat stays."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import openai
import pytest
from recipes.speech.hearing import Transcribed, heard_task
from serving import running, tiny_assistant
from sounds import RATE_HZ, Steps, file_of, tones

import sensorium as sm
from sensorium.engines import Turn
from sensorium.engines.rows import Row
from sensorium.generate.spoken import Ending, hearing, recording
from sensorium.modalities.repeats import endless, once
from sensorium.types import Signal

CLAUSE = " to consider his own personal responsibility"
SHORT = " see the red boat"
"""For a tokenizer that knows no words."""
TALK = Signal(tones(0.2, 0.8, 0.8, 2.2, 0.2), float(RATE_HZ))


class Parrot:
    """An engine that says the same over and over, whatever it is asked, and then ends if it may still go on."""

    guides = False

    def __init__(self, ids: list[int], stop: int):
        self._ids, self._stop = ids, stop
        self.rows: list[Row] = []

    def batch(self) -> Parrot:
        return Parrot(self._ids, self._stop)

    def join(self, turns):
        self.rows += map(Row, turns)
        return []

    def step(self):
        for row in list(self.rows):
            at = len(row.known)
            yield row.write(self._ids[at] if at < len(self._ids) else self._stop)
            if row.finish:
                self.rows.remove(row)

    def drop(self, turns):
        self.rows = [row for row in self.rows if row.turn not in turns]

    def __len__(self) -> int:
        return len(self.rows)


def parrot(said: str):
    model = tiny_assistant(codecs=[Steps(most=1000)])
    model.engine = Parrot(model.stream.tokenizer.encode(said, add_special_tokens=False), model.stream.stop_ids[0])
    return model


@pytest.mark.parametrize("said", ["no no no", "ha " * 40, "one " * 30, "let it be " * 9, "why? " * 12, "", "a" * 99])
def test_a_short_phrase_may_be_said_as_often_as_one_likes(said):
    assert not any(endless(said[:end]) for end in range(len(said) + 1))


@pytest.mark.parametrize("ahead", ["", "and mr john's power"])
def test_a_long_phrase_said_many_times_is_without_end(ahead):
    ends = [times for times in range(1, 9) if endless(ahead + times * CLAUSE)]
    assert ends == [4, 5, 6, 7, 8]
    assert not endless(ahead + 4 * CLAUSE + " and so on")


def test_what_came_to_no_end_is_said_once_and_not_begun_again():
    assert once("and mr john's power" + 5 * CLAUSE + " to consider his") == "and mr john's power" + CLAUSE
    assert once("it is late and we are going home") == "it is late and we are going home"
    assert once("no no no no, it is late") == "no no no no, it is late"
    assert once("") == "" and once(16 * "a") == "aaaa"
    assert once("a b c a b c a b") == "a b c"


@pytest.mark.parametrize(
    "said",
    [
        "we went home and then we ate and",
        "the cat sat down, then the cat",
        "it was late and so it was la",
        "i like couscous",
        "happy to be silly to be sill",
    ],
)
def test_what_is_not_there_again_as_a_whole_is_no_repetition(said):
    assert once(said) == said


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("happy" + 5 * CLAUSE, "happy" + CLAUSE),
        ("then hen hen hen hen hen", "then hen"),
        ("so happy, see the cat, see the cat, see", "so happy, see the cat"),
        ("we went we went", "we went we went"),
        (" we went we went", " we went"),
        ("a" + 6 * "你好吗啊", "a你好吗啊"),
    ],
)
def test_what_is_said_again_is_cut_between_words(said, wanted):
    assert once(said) == wanted


def test_the_rules_of_a_text_that_repeats_itself_end_it():
    model = parrot(9 * CLAUSE)
    written = Row(Turn([1], Ending(model.stream, 1000), model.options("text", {"max_tokens": 1000})[0]))
    again = copy.copy(written.rules)
    ids = model.stream.tokenizer.encode(9 * CLAUSE, add_special_tokens=False)
    for one in ids:
        written.write(one)
        if written.finish:
            break
    assert written.finish == "length" and len(ids) / 3 < len(written.known) < len(ids) / 2
    assert written.rules.allowed() == () and again.allowed() != (), "rules that were copied are not changed"


def test_whoever_has_speech_written_down_gets_it_once():
    model = parrot("now" + 9 * SHORT)
    wanted = "now" + SHORT
    found = sm.transcribe(model, TALK).segments[1]
    assert found.text == wanted
    task = heard_task("one", [Signal(TALK.array, TALK.rate_hz)], [wanted])
    assert Transcribed().judge(model, task.conversations)[0].value == 0
    with running({"tiny": model}) as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0)
        asked = {"file": ("talk.wav", file_of(TALK.array)), "model": "tiny"}
        whole = client.audio.transcriptions.create(**asked, response_format="verbose_json")
        assert whole.segments[1].text == wanted
        told = client.audio.transcriptions.create(**asked, stream=True)
        said = "".join(event.delta for event in told if event.type == "transcript.text.delta")
        assert said.endswith(wanted + 3 * SHORT), "a stream that has told it ends there"


@pytest.mark.parametrize("said", ["no no no no no", "ha ha ha ha", "one one one two"])
def test_what_ended_by_itself_is_left_as_it_was_said(said):
    assert sm.transcribe(parrot(said), TALK).segments[1].text == said


def test_no_more_is_written_than_can_be_said_in_that_time():
    model = parrot("ha " * 900)
    cut = recording(model, TALK)
    turns = [hearing(model, cut.piece(span), span) for span in cut.spans]
    assert [turn.sampling.max_tokens for turn in turns] == [
        round(16 + 30 * (span.end_s - span.start_s)) for span in cut.spans
    ]
    assert [segment.text for segment in sm.transcribe(model, TALK).segments] == ["ha ha", "ha ha"]


def test_where_there_is_no_sound_another_limit_holds():
    asked = []
    model = SimpleNamespace(chat=lambda prompt, **options: asked.append(options) or SimpleNamespace(text=" x "))
    task = heard_task("one", [TALK], ["x"]).blind("no sound")
    assert Transcribed().judge(model, task.conversations)[0].said == ("x",)
    assert asked[0]["max_tokens"] == 64
