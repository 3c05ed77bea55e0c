"""Bits an id under a model and its baselines, worked by hand."""

from __future__ import annotations

import json
from contextlib import chdir
from math import log, log2
from pathlib import Path

import numpy as np
import pytest
import torch
from toys import ToyCodec, random_toy, tiny_base
from typer.testing import CliRunner

import sensorium as sm
from sensorium.cli import app
from sensorium.data import read_conversations
from sensorium.evaluate.bits import Bits, compare_bits, measure_bits
from sensorium.evaluate.foretellers import Halves, OfModel, OfNGram, Uniform
from sensorium.evaluate.lstm import OfLSTM
from sensorium.evaluate.ngram import NGram
from sensorium.evaluate.results import Results
from sensorium.evaluate.spans import Books, Span, Spans, halves, spans_of
from sensorium.families.uniform import UniformCodec
from sensorium.generate import Assistant
from sensorium.types import Conversation, InputError, Part, Signal, as_message

BOOKS = Books((8, 4), (0, 10), 14)  # ids 8 and 9 are markers


def stream(ids, start=1, kind="text", cluster=0, characters=0, learned=True) -> Spans:
    ids = np.array(ids)
    return Spans(ids, (Span(kind, learned, start, len(ids), characters),), cluster, False)


# --- the n-gram


def test_a_bigram_worked_by_hand():
    model = NGram(order=2, size=4)
    for context, symbol in (("a", "b"), ("a", "b"), ("a", "c"), ("b", "c")):
        model.add([context], symbol)
    # below: b stood after 1 different symbol, c after 2, of 3 in all; 2 kinds
    b = (1 - 0.75) / 3 + 0.75 * 2 / 3 / 4
    c = (2 - 0.75) / 3 + 0.75 * 2 / 3 / 4
    other = 0.75 * 2 / 3 / 4
    assert model.prob([], "b") == pytest.approx(b)
    assert model.prob(["a"], "b") == pytest.approx((2 - 0.75) / 3 + 0.75 * 2 / 3 * b)
    assert model.prob(["a"], "c") == pytest.approx((1 - 0.75) / 3 + 0.75 * 2 / 3 * c)
    assert model.prob(["a"], "d") == pytest.approx(0.75 * 2 / 3 * other)
    assert model.prob(["never"], "c") == pytest.approx(c)
    for context in ([], ["a"], ["b"], ["never"]):
        assert sum(model.prob(context, one) for one in "abcd") == pytest.approx(1)


def test_whole_sequences_end():
    model = NGram.of([["red", "heart"], ["red", "car"]], order=2)
    assert model.continued(["red"]) == ["heart"]
    assert model.continued(["blue"]) == []  # two different words were last, so the end is likeliest
    assert model.log_prob(["red"], ["car"]) == pytest.approx(
        log(model.prob(["red"], "car")) + log(model.prob(["car"], "</s>"))
    )


def test_what_no_count_tells_is_shared_evenly():
    assert NGram(order=3, size=8).prob([1, 2], 3) == 1 / 8


# --- bits of streams


def test_ids_are_foretold_by_the_book_that_they_are_in():
    taught = [stream([0, 3, 11, 9, 12]), stream([0, 3, 11])]
    taught = [Spans(one.ids, (Span("text", True, 1, 2), Span("m", True, 2, 3)), 0, False) for one in taught]
    model = OfNGram(taught, BOOKS, 2)
    found = model.bits(taught[0])
    sure = 1.25 / 2 + 0.75 / 2 * (0.25 + 0.75 / 8)  # seen twice here, in one context; evenly 1 in 8
    among_codes = 1.25 / 2 + 0.75 / 2 * (0.25 + 0.75 / 4)
    assert np.isnan(found[[0, 3, 4]]).all()
    assert found[1] == pytest.approx(-log2(sure)) and found[2] == pytest.approx(-log2(among_codes))
    assert model.learned == {("text", True): 2, ("m", True): 2}


def test_guessing_evenly_takes_the_logarithm_of_the_number():
    found = Uniform(BOOKS).bits(stream([7, 8, 10, 13]))
    assert found[[0, 2, 3]].tolist() == [3.0, 2.0, 2.0] and np.isnan(found[1])


def test_each_half_is_foretold_by_the_other():
    streams = [stream([0, 1], cluster="p"), stream([0, 2], cluster="q"), stream([0, 1], cluster="p")]
    assert halves(streams) == ([0, 2], [1])
    found = Halves(streams, lambda own: OfNGram(own, BOOKS, 1))
    assert found.bits(streams[1])[1] == pytest.approx(-log2(0.75 / 2 / 8))  # two of id 1 seen, none of 2
    assert found.bits(streams[0])[1] == pytest.approx(-log2(0.75 / 8))
    with pytest.raises(InputError, match="one medium"):
        Halves(streams[:1], lambda own: OfNGram(own, BOOKS, 1))


def test_quotients_and_intervals_are_by_medium():
    same = Bits.of([4.0, 8.0], [2, 4], ["p", "q"])
    assert (same.value, same.low, same.high, same.count, same.clusters) == (2.0, 2.0, 2.0, 6, 2)
    one = Bits.of([4.0, 8.0, 30.0], [2, 4, 10], ["p", "q", "q"])
    assert one.value == 42 / 16 and one.clusters == 2
    assert (one.low, one.high) == (2.0, 38 / 14)  # twice the one medium, twice the other


def test_what_is_saved_is_on_the_same_ids():
    class Knows(Uniform):
        name = "model"

        def bits(self, stream):
            return super().bits(stream) - 1

    streams = [stream([0, 5, 6], characters=4, cluster=0), stream([0, 12], kind="m", cluster=1)]
    results = compare_bits(streams, [Knows(BOOKS), Uniform(BOOKS)], Results(say=lambda line: None))
    assert results.value("text: bits a token").value == 2.0
    assert results.value("text: bits a token", "uniform").value == 3.0
    assert results.value("text: bits a character").value == 1.0
    assert results.value("m: bits a code").value == 1.0
    assert results.value("m: bits saved by the model", "against uniform").value == 1.0


def following(learned: bool = True) -> list[Spans]:
    """Streams whose second half is told by the first."""
    rng, streams = np.random.default_rng(0), []
    for number in range(60):
        first = int(rng.integers(8))
        ids = [0, first, (first + 3) % 8, 10 + first % 4]
        streams.append(stream(ids, start=2, cluster=number, learned=learned))
    return streams


def test_an_lstm_learns_what_always_follows():
    streams = following()
    net = OfLSTM(streams, BOOKS, minutes=1, steps=60, width=32)
    unigram = OfNGram(streams, BOOKS, 1)
    assert net.bits(streams[1])[2:].mean() < 0.5 < 2 < unigram.bits(streams[1])[2:].mean()
    assert np.isnan(net.bits(streams[1])[0])


def test_an_lstm_learns_what_is_asked_only_where_that_is_counted():
    streams = following(learned=False)
    net = OfLSTM(streams, BOOKS, minutes=1, steps=60, width=32, asked=True)
    assert net.learned == {("text", False): 108}
    assert net.bits(streams[1])[2:].mean() < 0.5
    with pytest.raises(InputError, match="at least 2 conversations with something to foretell, not 0"):
        OfLSTM(streams, BOOKS, minutes=1)


def test_an_lstm_that_is_stopped_while_it_learns_is_told_apart():
    heard: list[str] = []
    streams = following()
    net = OfLSTM(streams, BOOKS, minutes=1, steps=40, width=32, say=heard.append)
    assert net.unfinished and len(heard) == 6
    results = compare_bits(streams, [Uniform(BOOKS), net], Results(say=lambda line: None))
    told = "LSTM, learned from 108 ids, still learning when its time was over"
    assert results.value("text: bits a token", told).count == 120


def test_an_lstm_that_learns_by_heart_is_stopped_by_what_is_held_out():
    rng = np.random.default_rng(0)
    noise = [stream([0, *rng.integers(8, size=4).tolist()], cluster=number) for number in range(60)]
    heard: list[str] = []
    net = OfLSTM(noise, BOOKS, minutes=1, steps=60, width=32, say=heard.append)
    assert not net.unfinished and len(heard) < 6


# --- of a model


@pytest.fixture
def model(tmp_path) -> Assistant:
    grown = sm.grow(tiny_base("llama"), [ToyCodec()], learn="rows")
    grown.export(tmp_path / "model")
    return sm.load(tmp_path / "model")


def talks(count: int = 4) -> list[Conversation]:
    drawn = [Part("toy", data=random_toy(ToyCodec(), seed)) for seed in range(count)]
    return [Conversation((as_message("user", "draw"), as_message("assistant", ["ok", part]))) for part in drawn]


def test_stretches_leave_out_markers_and_the_template(model):
    told = spans_of(model.senses, talks(1))[0]
    asked, said, drawn = told.parts
    layout = model.vocabulary.layouts[0]
    assert (asked.learned, said.learned, drawn.learned) == (False, True, True)
    assert model.tokenizer.decode(told.ids[asked.start : asked.stop]) == "draw"
    assert model.tokenizer.decode(told.ids[said.start : said.stop]) == "ok"
    assert drawn.kind == "toy" and drawn.stop - drawn.start == layout.max_codes
    assert told.ids[drawn.start - 1] == layout.open_id and told.ids[drawn.stop] == layout.close_id
    cut = spans_of(model.senses, talks(1), context=drawn.stop - 1)[0]
    assert [one.kind for one in cut.parts] == ["text", "text"], "a medium that is cut is not counted"


def test_the_end_of_a_text_is_counted(model):
    told = spans_of(model.senses, [Conversation((as_message("user", "?"), as_message("assistant", "ok")))])[0]
    assert model.tokenizer.decode(told.ids[told.parts[1].start : told.parts[1].stop]) == "ok<|end|>"
    assert told.parts[1].characters == 2


def test_a_model_that_knows_nothing_takes_the_logarithm_of_all_ids(model):
    with torch.no_grad():
        model.lm.get_output_embeddings().weight.zero_()
    results = measure_bits(model, talks(), say=lambda line: None)
    assert results.value("toy: bits a code").value == pytest.approx(log2(model.vocabulary.size), abs=1e-5)
    assert results.value("toy: bits a code", "uniform").value == pytest.approx((3 + 2) / 2)
    assert results.value("text: bits a token", "uniform").value == pytest.approx(log2(model.vocabulary.text_size))


def test_a_model_is_as_likely_as_its_score_says(model):
    told = spans_of(model.senses, talks(1))[0]
    drawn = told.parts[2]
    bits = OfModel(model).bits(told)
    prompt, codes = told.ids[: drawn.start].tolist(), told.ids[drawn.start : drawn.stop].tolist()
    assert bits[drawn.start : drawn.stop].sum() == pytest.approx(
        -model.engine.score(prompt, [codes])[0] / log(2), rel=1e-4
    )


@pytest.fixture
def adapted(tmp_path) -> Path:
    """The folder of rows and an adapter on a frozen base that lies elsewhere; the adapter says something."""
    base = tiny_base("llama-tied")
    for part in (base.lm, base.tokenizer):
        part.save_pretrained(tmp_path / "base")
    grown = sm.grow(tmp_path / "base", [ToyCodec(use="read")], learn="adapter", lora_rank=2)
    torch.manual_seed(0)
    for name, parameter in grown.lm.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    return grown.fold().save_rows(tmp_path / "adapted")


def test_the_command_measures_a_pretrained_model_with_its_adapter_where_media_are(adapted, tmp_path):
    seen = [
        {"role": "user", "content": [{"type": "toy", "toy": "seen.toy"}, "what is this?"]},
        {"role": "assistant", "content": "a red heart"},
    ]
    said = [{"role": "user", "content": "say hello"}, {"role": "assistant", "content": "hello world"}]
    (tmp_path / "seen.toy").write_text("0 1\n2 3\n4 0\n5 1")
    for name, messages in (("seen", seen), ("said", said)):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"messages": messages}))
        words = ["eval", "bits", "adapted", f"{name}.jsonl", "--train", f"{name}.jsonl", "--out", name]
        with chdir(tmp_path):
            done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
    model = sm.load(adapted)
    for name, adapter in (("seen", True), ("said", False)):
        told = spans_of(model.senses, read_conversations(tmp_path / f"{name}.jsonl"))[0]
        answer = next(one for one in told.parts if one.learned)
        prompt, ids = told.ids[: answer.start].tolist(), told.ids[answer.start : answer.stop].tolist()
        with_, without = (-model.engine.score(prompt, [ids], on)[0] / log(2) / len(ids) for on in (True, False))
        assert abs(with_ - without) > 0.01
        saved = json.loads((tmp_path / name / "bits.json").read_text())
        assert saved["rows"][0]["measure"] == "text: bits a token" and saved["rows"][0]["condition"] == "model"
        assert saved["rows"][0]["value"] == pytest.approx(with_ if adapter else without, abs=1e-4)
        assert (saved["notes"]["model"], Path(saved["notes"]["base"]).name) == ("adapted", "base")


def test_the_same_answers_have_the_same_digest_whatever_ids_they_are_written_with():
    def digests(texts, ids):
        parts = [Spans(np.array(ids), (Span("text", True, 1, len(ids), 4, text),), text, False) for text in texts]
        results = compare_bits(parts, [Uniform(BOOKS)], Results(say=lambda line: None))
        return {row.measure: row.items for row in results.rows}

    one, other = digests(["red", "cat"], [0, 1, 2]), digests(["red", "cat"], [0, 1, 2, 3])
    assert one == other and all(one.values())
    assert one != digests(["red", "dog"], [0, 1, 2])


def test_written_series_of_any_length_are_counted_code_by_code(tmp_path):
    writer = UniformCodec(1, bins=8, ranges=((-1.0, 1.0),), max_frames=40, use="write")
    sm.grow(tiny_base("llama"), [writer], learn="rows").export(tmp_path / "model")
    lengths = range(8, 40, 2)
    waves = [np.sin(np.arange(n) / 2 + n)[:, None].astype(np.float32) for n in lengths]
    wished = [
        Conversation((as_message("user", "a wave"), as_message("assistant", Part("series", data=Signal(one)))))
        for one in waves
    ]
    results = measure_bits(sm.load(tmp_path / "model"), wished, say=lambda line: None)
    uniform = results.value("series: bits a code", "uniform")
    assert (uniform.value, uniform.count, uniform.clusters) == (3.0, sum(lengths), len(lengths))
    taught = results.notes["ids learned from"]["Kneser-Ney 4-gram"]["series"]
    found = results.value("series: bits a code", f"Kneser-Ney 4-gram, learned from {taught} ids")
    assert found.value < 2 < results.value("series: bits a code").value


def test_the_command_prints_a_table_and_writes_it(model, tmp_path, monkeypatch):
    lines = [
        {"messages": [{"role": "user", "content": f"say {word}"}, {"role": "assistant", "content": word}]}
        for word in ("heart", "red", "hello", "world")
    ]
    (tmp_path / "held-out.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, lines * 3)))
    monkeypatch.chdir(tmp_path)
    words = [
        "eval",
        "bits",
        "model",
        "held-out.jsonl",
        "--train",
        "train.jsonl",
        "--out",
        "told",
        "--limit",
        "3",
        "--asked",
    ]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert (
        "| text: bits a character | model |" in done.stdout and "| text, asked: bits a token | uniform |" in done.stdout
    )
    said = json.loads((tmp_path / "told" / "bits.json").read_text())
    rows = {(row["measure"], row["condition"].split(",")[0]): row for row in said["rows"]}
    assert rows["text: bits a token", "Kneser-Ney 4-gram"]["value"] < rows["text: bits a token", "uniform"]["value"]
    told = said["notes"]["ids learned from"]
    assert told["unigram"]["text"] > 0 and told["unigram"]["text, asked"] > told["unigram"]["text"]
    assert told["model"] == told["uniform"] == {}
    assert f"unigram, learned from {told['unigram']['text']} ids" in done.stdout
    assert rows["text: bits a token", "model"]["clusters"] == 3
