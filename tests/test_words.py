"""Whether a grown model kept its words: what is measured tells models that did from models that did not."""

from __future__ import annotations

import json
from math import log

import numpy as np
import pytest
import torch
from toys import ToyCodec, random_toy, tiny_tokenizer
from typer.testing import CliRunner

import sensorium as sm
from sensorium.cli import app
from sensorium.evaluate.instructions import CHECKS, instructions, plain_prompts
from sensorium.evaluate.shown import drawn_media, media_of
from sensorium.evaluate.speakers import GrownSpeaker, PlainSpeaker
from sensorium.evaluate.words import base_of, measure_words, read_texts
from sensorium.model import Base, grow
from sensorium.model.fresh import fresh_base
from sensorium.types import Conversation, InputError, TooLong, as_message

TEXTS = ["hello world, what is this?", "a red heart", "this is a red world, hello heart"]


def tiny(seed: int = 0) -> Base:
    """A random Llama that reads conversations of some length and is sure of what it says."""
    made = fresh_base(tiny_tokenizer(), hidden=32, layers=2, heads=4, intermediate=48, context=2048, seed=seed)
    with torch.no_grad():
        for weight in made.lm.parameters():
            weight.mul_(8 if weight.ndim > 1 else 1)
    return Base(made.lm.eval(), made.tokenizer, "tiny")


def grown_model(folder, learn="rows", disturb: str = ""):
    """A model in a folder; of a group of its parameters the values are changed as if by training."""
    grown = grow(tiny(), [ToyCodec()], learn=learn)
    for name, parameter in grown.named_parameters():
        if disturb and disturb in name:
            with torch.no_grad():
                parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    grown.export(folder)
    return sm.load(folder)


def measured(model, base, texts=TEXTS, **options):
    given = dict(shown=drawn_media(model.senses, 2), answer_tokens=4, limit=3, say=lambda line: None) | options
    return measure_words(model, base, texts, **given)


# --- instructions


def test_every_instruction_can_be_followed_and_is_not_by_saying_nothing():
    assert len(instructions()) == 50 and len({one.prompt for one in instructions()}) == 50
    assert len(set(plain_prompts())) == 20
    for one in instructions():
        assert one.followed(f"\n{one.example} "), one.prompt
        assert not one.followed(" \n"), one.prompt
    assert {name for one in instructions() for name in one.wanted} == set(CHECKS)


@pytest.mark.parametrize(
    ("name", "wanted", "follows", "does_not"),
    [
        ("words", [2, 3], "Don't go", "one two-three four five"),
        ("sentences", [2, 2], 'He said "no." Then he left!', "Only one sentence."),
        ("lines", [2, 2], "one\n\ntwo", "one two"),
        ("paragraphs", 2, "one\nmore\n \ntwo", "one\ntwo"),
        ("bullets", 2, "See:\n- one\n* two", "- one\n-- two"),
        ("numbered", 2, "1. one\n2) two", "1 one\n2 two"),
        ("items", 2, "one, two", "one,"),
        ("case", "upper", "HELLO 7!", "HELLo"),
        ("case", "lower", "hello 7!", "Hello"),
        ("starts", "Well", "Well, yes", "Oh well"),
        ("ends", "done.", "It is done.", "It is done. Bye."),
        ("contains", ["red"], "A Red thing", "A reddish thing"),
        ("lacks", ["hot"], "A shot", "So hot!"),
        ("without", "e", "a dog", "An Egg"),
        ("repeats", {"sand": 2}, "Sand, sand", "sand, sandy"),
        ("one_of", ["yes", "no"], "Yes.", "Yes, it is."),
        ("number", [1, 9], "7.", "12"),
        ("json_keys", ["a", "b"], '```json\n{"b": 1, "a": 2}\n```', '{"a": 1}'),
        ("json_keys", ["a"], '{"a": 1}', 'Here: {"a": 1}'),
        ("quoted", True, '"one"', 'He said "one"'),
        ("title", True, "<<A>>\none", "<A>\none"),
        ("placeholders", 2, "[a] and [b]", "[a] and []"),
        ("highlighted", 2, "*one* and *two words*", "one * two * three"),
        ("postscript", True, "Bye.\nP.S. More", "Bye P.S. More"),
    ],
)
def test_a_check_tells_answers_apart(name, wanted, follows, does_not):
    assert CHECKS[name](follows, wanted) and not CHECKS[name](does_not, wanted)


# --- a model beside its base


@pytest.mark.parametrize(("learn", "disturb"), [("rows", ".rows."), ("adapter", "lora_")])
def test_a_model_with_its_base_inside_says_the_bases_own(learn, disturb, tmp_path):
    results = measured(grown_model(tmp_path / "model", learn, disturb), tiny())
    kept = results.value("tensors of the base, bit-identical")
    assert kept.hits == kept.count == len(tiny().lm.state_dict())
    assert results.value("answers identical token for token", "model, text alone").hits == 6
    assert results.notes["answers that differ"] == []
    same = results.value("nats a token more than the base", "model, text alone; base, text alone")
    assert same.value == pytest.approx(0, abs=1e-5)
    after = results.value(
        "nats a token more than the base", "model, after a medium; base, after words in the medium's place"
    )
    assert abs(after.value) > 1e-3, "after a medium it is another"


def test_the_adapter_is_on_after_a_medium_and_only_there(tmp_path):
    plain, tuned = (grown_model(tmp_path / f"{n}", "adapter", (n and "lora_") or "") for n in ("", "tuned"))
    one, other = (measured(model, tiny(), shown=drawn_media(plain.senses)) for model in (plain, tuned))
    for condition, same in (("model, text alone", True), ("model, after a medium", False)):
        first, second = (found.value("nats a token", condition).value for found in (one, other))
        assert (first == pytest.approx(second, abs=1e-5)) is same, condition


def test_a_model_trained_in_full_is_told(tmp_path):
    heard: list[str] = []
    results = measured(grown_model(tmp_path / "model", "full", "layers.0"), tiny(), say=heard.append)
    kept = results.value("tensors of the base, bit-identical")
    assert 0 < kept.hits < kept.count
    assert any('learn="full"' in line for line in heard)
    same = results.value("answers identical token for token", "model, text alone")
    differ = results.notes["answers that differ"]
    assert same.hits + len(differ) == 6 and len(differ) > 0
    assert all(one["gap in nats"] >= 0 for one in differ), "the base finds its own answer likelier"
    more = results.value("nats a token more than the base", "model, text alone; base, text alone")
    assert abs(more.value) > 1e-3


def test_codes_do_not_count_among_text(tmp_path):
    model, base = grown_model(tmp_path / "model"), tiny()
    with torch.no_grad():
        for lm in (model.lm, base.lm):
            lm.get_output_embeddings().weight.zero_()
    results = measured(model, base)
    text_size, size = model.vocabulary.text_size, model.vocabulary.size
    for condition in ("base, text alone", "model, text alone", "model, after a medium"):
        assert results.value("nats a token", condition).value == pytest.approx(log(text_size), abs=1e-5)
    lost = results.value("nats a token lost to codes", "model, text alone")
    assert lost.value == pytest.approx(log(size / text_size), abs=1e-5)


def test_nats_are_those_of_the_engine_and_counted_by_text(tmp_path):
    model = grown_model(tmp_path / "model", "adapter", "lora_")
    (shown,) = drawn_media(model.senses, 1)
    asked = Conversation((as_message("user", [shown.part, "and?"]),))
    speaker = GrownSpeaker(model)
    ids = model.tokenizer("a red heart", add_special_tokens=False)["input_ids"]
    told = speaker.nats(asked, ids, model.vocabulary.text_size)
    scored = model.engine.score(speaker.prompt(asked), [ids], adapter=True)[0]
    assert told.among_text + told.lost == pytest.approx(-scored, rel=1e-4)
    results = measured(model, tiny(), text_tokens=5)
    tokens, characters = (results.value(f"nats a {unit}", "base, text alone") for unit in ("token", "character"))
    first = [model.tokenizer(text)["input_ids"][:5] for text in TEXTS]
    assert (tokens.count, tokens.clusters) == (sum(map(len, first)), 3)
    assert characters.count == sum(len(model.tokenizer.decode(ids)) for ids in first)
    assert str(tokens).endswith("3 texts)")


def test_instructions_are_compared_on_the_same_prompts(tmp_path, monkeypatch):
    """A model that answers only where it sees something is told apart from its base."""
    model = grown_model(tmp_path / "model")
    by_prompt = {one.prompt: one.example for one in instructions()}

    def answers(self, conversation, most):
        seen = any(not part.is_text for part in conversation.parts())
        text = by_prompt.get(conversation.messages[-1].text, "") if seen else ""
        return type(old)((0,), text, False)

    old = PlainSpeaker(tiny(), [1]).answer(Conversation((as_message("user", "hello"),)), 1)
    for kind in (PlainSpeaker, GrownSpeaker):
        monkeypatch.setattr(kind, "answer", answers)
    results = measured(model, tiny(), (), limit=8)
    assert results.value("instructions followed", "model, after a medium").hits == 8
    assert results.value("instructions followed", "base, after words in the medium's place").hits == 0
    alone, after = results.notes["comparisons"]
    assert not alone["differ"] and after["differ"] and after["only_other"] == 8
    assert "model is better than base" in after["sentence"]


# --- what is given


def test_media_are_files_or_drawn_codes(tmp_path):
    model = grown_model(tmp_path / "model")
    rows = random_toy(ToyCodec(), 3)
    (tmp_path / "a-red_heart.toy").write_text("\n".join(" ".join(map(str, row)) for row in rows.tolist()))
    (shown,) = media_of(model.senses, [tmp_path / "a-red_heart.toy"])
    assert shown.words == "[toy: a red heart]"
    assert shown.part.codes.tolist() == ToyCodec().layout.join([], rows).tolist()
    one, again = drawn_media(model.senses), drawn_media(model.senses)
    assert len({two.part.codes.tobytes() for two in one}) == 4
    assert all(np.array_equal(a.part.codes, b.part.codes) for a, b in zip(one, again, strict=True))
    for codec in (ToyCodec(grid=None, max_frames=300, header=(("scale", 3),)), ToyCodec(min_frames=3, grid=None)):
        for drawn in drawn_media(grow(tiny(), [codec]).senses):
            assert 1 <= len(codec.layout.split(drawn.part.codes)[1]) <= 16
    assert drawn_media(grow(tiny(), [ToyCodec(use="write")]).senses) == []


def test_a_model_that_reads_no_media_is_measured_in_text_alone(tmp_path):
    grow(tiny(), [ToyCodec(use="write")]).export(tmp_path / "model")
    model = sm.load(tmp_path / "model")
    results = measured(model, tiny(), shown=drawn_media(model.senses), limit=1)
    assert len(results.rows) == 10 and all("after" not in row.condition for row in results.rows)
    assert [one["task"] for one in results.notes["comparisons"]] == ["instructions, text alone"]


def test_texts_are_lines_or_paragraphs(tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("one\ntwo\n")
    assert read_texts(file) == ["one", "two"]
    file.write_text("one\n two\n  \n\n\nthree\n")
    assert read_texts(file) == ["one two", "three"]
    for content in (b" \n", b"\xff\xfe\xfa"):
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"texts\.txt"):
            read_texts(file)


def test_without_a_base_it_says_so(tmp_path):
    with pytest.raises(InputError, match=r'learn="full".*--base'):
        base_of(grown_model(tmp_path / "model"))


def test_another_llm_is_no_base(tmp_path):
    other = tiny()
    other.tokenizer.add_tokens(["capital"])
    with pytest.raises(InputError, match="other tokens"):
        measured(grown_model(tmp_path / "model"), other)


def test_a_text_beyond_the_context_is_told(tmp_path):
    with pytest.raises(TooLong, match="2048 tokens at most"):
        measured(grown_model(tmp_path / "model"), tiny(), ["red " * 3000], text_tokens=3000)


def test_the_command_prints_a_table_and_writes_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = tiny()
    base.lm.save_pretrained("base")
    base.tokenizer.save_pretrained("base")
    grow("base", [ToyCodec()], learn="adapter").fold().save_rows("model")
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    words = ["eval", "words", "model", "--texts", "texts.txt", "--limit", "2", "--answer-tokens", "4", "--out", "told"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "| answers identical token for token | model, text alone | 100.0 %" in done.stdout
    assert "- instructions, after a medium: " in done.stdout
    said = json.loads((tmp_path / "told" / "words.json").read_text())
    rows = {(row["measure"], row["condition"]): row for row in said["rows"]}
    assert rows["nats a token", "base, after nothing in the medium's place"]["clusters"] == 2
    assert said["notes"]["base"] == "base" and said["notes"]["adapter"] and not said["notes"]["stored whole"]
    sm.load("model").save("whole")
    refused = CliRunner().invoke(app, ["eval", "words", "whole"])
    assert refused.exit_code == 2 and "--base" in refused.output
    whole = CliRunner().invoke(app, [*words[:2], "whole", "--base", "base", "--limit", "1", "--answer-tokens", "2"])
    assert whole.exit_code == 0 and "| tensors of the base, bit-identical | model | 100.0 %" in whole.stdout
