"""Answers of a given form: whatever a model would like to say, its text has the form."""

from __future__ import annotations

import copy
import json
import re
import sys
import time
from enum import Enum
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
import torch
from pydantic import BaseModel, Field
from serving import tiny_assistant

from sensorium.engines import Failed, Sampling, Turn, generate, make_engine, stream
from sensorium.engines.remote import RemoteEngine
from sensorium.engines.rows import Row
from sensorium.engines.turn import exactly
from sensorium.generate.assistant import FORM_TOKENS
from sensorium.generate.tools import CLOSE, CallReader, Tool, call_text, calls_form
from sensorium.stream import CALL, Form
from sensorium.types import TEXT, Conversation, InputError, as_message

pytest.importorskip("llguidance")

NODE = {"type": "object", "properties": {"value": {"type": "integer"}, "next": {"$ref": "#/$defs/node"}}}
SCHEMAS: dict[str, dict[str, Any]] = {
    "nested": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 20},
            "place": {
                "type": "object",
                "properties": {"x": {"type": "number"}, "y": {"type": "number", "minimum": -1, "maximum": 1}},
                "required": ["x", "y"],
            },
            "note": {"type": "string"},
        },
        "required": ["name", "place"],
    },
    "array": {"type": "array", "items": {"enum": ["red", "green", 3, None]}, "minItems": 1, "maxItems": 5},
    "any of": {
        "anyOf": [
            {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]},
            {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 99}, "maxItems": 3},
            {"const": "none"},
        ]
    },
    "reference": {"$defs": {"node": NODE | {"required": ["value"]}}, "$ref": "#/$defs/node"},
    "pattern": {
        "type": "object",
        "properties": {"id": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"}},
        "required": ["id"],
    },
    "any object": {"type": "object"},
    "merged": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"type": "object", "properties": {"b": {"type": "string", "maxLength": 3}}, "required": ["b"]},
        ]
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def tiny():
    return tiny_assistant()


def turn(model, form: Form | dict, number: int = 0, want=None, **sampling: Any) -> Turn:
    asked = Conversation((as_message("user", "What is this?"),))
    sampling = {"temperature": 1.0, "max_tokens": 120} | sampling
    return model.turn(asked, want, form=form, **sampling).again(number)


def fits(schema: dict, text: str) -> bool:
    return jsonschema_rs.is_valid(schema, json.loads(text))


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_model_that_knows_nothing_writes_what_fits_the_schema(tiny, name):
    """Also when the number of tokens ends it: then the text is completed in time."""
    written = generate(tiny.engine, [turn(tiny, SCHEMAS[name], seed) for seed in range(12)])
    for one in written:
        assert fits(SCHEMAS[name], tiny.reply(one.ids, one.finish).text)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMAS)
def test_nano_fits_the_schema_with_every_seed(name):
    import sensorium as sm

    nano = sm.load("nano")
    for first in range(0, 50, 10):
        turns = [turn(nano, SCHEMAS[name], seed, max_tokens=160) for seed in range(first, first + 10)]
        for one in generate(nano.engine, turns):
            assert fits(SCHEMAS[name], nano.reply(one.ids, one.finish).text)


class Colour(Enum):
    RED, GREEN = "red", "green"


class Thing(BaseModel):
    name: str
    colours: list[Colour] = Field(max_length=3)
    parent: Thing | None = None


def test_a_pydantic_model_is_a_form(tiny):
    reply = tiny.chat("What is this?", form=Thing, temperature=1.0, max_tokens=150)
    Thing.model_validate_json(reply.text)


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        (Form.regex(r"[a-c]{2,4}/\d+\.\d"), r"[a-c]{2,4}/\d+\.\d"),
        (Form.choices(["yes", "no", "näherungsweise", 'a "b"\n']), 'yes|no|näherungsweise|a "b"\n'),
        (Form.json(), r"\{.*\}"),
        (Form('start: "<" /[à-ÿ]/ "𝄞" ">"'), "<[à-ÿ]𝄞>"),
    ],
    ids=["regex", "choices", "json", "grammar"],
)
def test_other_forms(tiny, form, pattern):
    for seed in range(4):
        text = tiny.chat("What is this?", form=form, temperature=1.0, seed=seed, max_tokens=60).text
        assert re.fullmatch(pattern, text, re.DOTALL), text


def test_text_of_split_characters_is_whole(tiny):
    """The tiny tokenizer has no token for them: every one is spelled byte by byte."""
    text = tiny.chat("?", form=Form.regex("[\u0400-\u04ff\U0001f600-\U0001f640]{12}"), temperature=1.0).text
    assert len(text) == 12 and "\ufffd" not in text
    for seed in range(4):
        text = tiny.chat("?", form={"type": "string"}, temperature=1.0, seed=seed, max_tokens=60).text
        json.loads(text).encode()  # half of a character has no UTF-8


def test_the_budget_completes_what_it_can(tiny):
    schema = SCHEMAS["nested"]
    whole = tiny.chat("?", form=schema, temperature=1.0, max_tokens=100, seed=1)
    assert fits(schema, whole.text)
    cut = tiny.chat("?", form=schema, temperature=1.0, max_tokens=9, seed=1)
    assert cut.finish == "length" and len(cut.ids) == 9
    endless = tiny.chat(
        "?", form={"type": "array", "items": {"type": "string"}, "minItems": 4}, max_tokens=80, temperature=3.0
    )
    assert endless.finish in ("stop", "length") and len(json.loads(endless.text)) >= 4


LOOSE = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a", "b"]}


def repeating(model: Any, turn_: Turn) -> list[Any]:
    """The tokens of a turn by a model that never ends a string."""
    row = Row(turn_)
    (a,) = model.tokenizer.encode("a", add_special_tokens=False)
    tokens: list[Any] = []
    while row.finish is None:
        may = [one for start, stop in exactly(row.rules) for one in range(start, stop)]
        tokens.append(row.write(a if a in may else may[0]))
    return tokens


def test_what_the_budget_completed_is_no_cut_text(tiny):
    form = tiny.stream.spelling(Form.of(LOOSE))
    for most in (40, 41, 60):
        tokens = repeating(tiny, tiny.turn(Conversation((as_message("user", "?"),)), form=form, max_tokens=most))
        assert fits(LOOSE, tiny.reply([one.id for one in tokens], "stop").text)
        assert tokens[-1].finish == "stop"
    tokens = repeating(tiny, tiny.turn(Conversation((as_message("user", "?"),)), form=form, max_tokens=4))
    assert tokens[-1].finish == "length", "what could not be completed"


def test_free_text_beside_calls_is_cut_where_the_budget_ends(tiny):
    form = tiny.stream.spelling(calls_form([WEATHER]))
    tokens = repeating(tiny, tiny.turn(Conversation((as_message("user", "?"),)), TEXT, form=form, max_tokens=20))
    assert tokens[-1].finish == "length"


def test_a_text_with_a_form_has_a_budget_of_its_own():
    tiny = tiny_assistant()
    tiny.lm.config.max_position_embeddings = 4096
    question = Conversation((as_message("user", "?"),))
    assert tiny.turn(question, form=LOOSE).sampling.max_tokens == FORM_TOKENS
    assert tiny.turn(question, form=LOOSE, max_tokens=300).sampling.max_tokens == 300
    assert tiny.turn(question, TEXT).sampling.max_tokens > FORM_TOKENS
    long = {"type": "string", "minLength": 90, "maxLength": 90}
    assert fits(long, tiny.chat("?", form=long).text)
    longer = {"type": "array", "items": long, "minItems": 3}
    assert tiny.turn(question, form=longer).sampling.max_tokens > FORM_TOKENS, "its shortest text needs more"


def test_each_of_a_batch_is_written_as_if_it_were_alone(tiny):
    turns = [turn(tiny, schema, seed) for seed, schema in enumerate(SCHEMAS.values())]
    free = [
        Turn(one.prompt, tiny.grammar(want, 60), one.sampling)
        for one, want in zip(turns, (TEXT, "image"), strict=False)
    ]
    together = generate(tiny.engine, [*free, *turns])
    alone = [generate(tiny.engine, [one])[0] for one in [*free, *turns]]
    assert together == alone


def test_rules_go_on_by_themselves(tiny):
    first = turn(tiny, SCHEMAS["array"]).rules
    second = copy.copy(first)
    before = exactly(first)
    while not second.done:
        second.advance(exactly(second)[0][0])
    assert exactly(first) == before and not first.done


def test_several_answers_and_the_best_of_them(tiny):
    replies = tiny.candidates("?", form=SCHEMAS["array"], count=3, best_of=5, temperature=1.0, max_tokens=60)
    assert len(replies) == 3 and all(fits(SCHEMAS["array"], one.text) for one in replies)


def test_log_probabilities_are_those_of_what_may_come(tiny):
    tokens = list(stream(tiny.engine, [turn(tiny, SCHEMAS["array"], logprobs=20)]))
    told = [pair for token in tokens for pair in token.top]
    assert told and all(np.isfinite(logprob) for _, logprob in told)
    assert all(token.id in dict(token.top) or len(token.top) == 20 for token in tokens)


def test_onnx_writes_the_same(tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from toys import tiny_configs
    from transformers import AutoModelForCausalLM

    model = tiny_assistant()
    config = tiny_configs()["llama"]
    config.vocab_size, config.head_dim = model.vocabulary.size, 16
    torch.manual_seed(0)
    model.lm = AutoModelForCausalLM.from_config(config).eval()
    turns = [turn(model, SCHEMAS["nested"], seed) for seed in range(3)]
    ours = generate(make_engine(model.lm, "torch"), turns)
    assert generate(make_engine(model.lm, "onnx"), turns) == ours
    rounded = generate(make_engine(model.lm, "onnx-int8"), turns)
    assert all(fits(SCHEMAS["nested"], model.reply(one.ids, one.finish).text) for one in rounded)


class Careless(RemoteEngine):
    """A server that writes the lowest of the ids it may, and asks for several at once."""

    def __init__(self, lm: Any):
        super().__init__(lm, "http://nowhere")
        self.asked: list[Any] = []

    def _continue(self, ids, run, sampling, adapter):
        self.asked.append(run)
        yield from [run.ids()[len(ids) % len(run.ids())]] * run.count

    def score(self, *_):
        raise NotImplementedError


def test_servers_are_asked_id_by_id_for_what_the_form_allows(tiny):
    engine = Careless(tiny.lm)
    (one,) = generate(engine, [turn(tiny, SCHEMAS["nested"])])
    assert fits(SCHEMAS["nested"], tiny.reply(one.ids, one.finish).text)
    assert all(run.count == 1 for run in engine.asked) and len(engine.asked) < len(one.ids), "forced ids cost nothing"


def test_media_beside_a_form_are_refused(tiny):
    with pytest.raises(InputError, match="text alone"):
        tiny.chat("?", want=[TEXT, "image"], form=Form.json())
    with pytest.raises(InputError, match="text alone"):
        tiny.chat("?", want="image", form=Form.json())


def test_without_the_library_one_sentence_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(InputError, match=r"pip install 'sensorium\[structured\]'"):
        tiny_assistant().chat("?", form=Form.json())


def chain(keyword: str, depth: int) -> dict[str, Any]:
    """Each level names the next one twice."""
    levels = {f"l{n}": {keyword: [{"$ref": f"#/$defs/l{n + 1}"}] * 2} for n in range(depth)}
    return {"$defs": levels | {f"l{depth}": {"type": "string"}}, "$ref": "#/$defs/l0"}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


def split(count: int) -> dict[str, Any]:
    """Of each of many alternatives, one key."""
    keys = [
        [{"properties": {f"p{i}_{j}": {"const": j}}, "required": [f"p{i}_{j}"]} for j in range(4)] for i in range(count)
    ]
    return {"allOf": [{"anyOf": some} for some in keys]}


HOSTILE: dict[str, Any] = {
    "bytes": {"enum": ["x" * 70_000]},
    "enum": {"enum": [f"x{n}" for n in range(6000)]},
    "depth": nested(200),
    "very deep": nested(5000),
    "all of all": chain("allOf", 40),
    "any of any": chain("anyOf", 40),
    "alternatives": split(12),
    "itself": {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
    "recursive": {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "string"}]}}, "$ref": "#/$defs/a"},
    "elsewhere": {"$ref": "http://127.0.0.1:1/schema"},
    "a file": {"$ref": "file:///etc/passwd"},
    "optional": {"type": "string", "pattern": "^(a?){2000}a{2000}$"},
    "repeated": {"type": "string", "pattern": "^(([a-z]{1,100}){1,100}){1,100}$"},
    "automaton": {"type": "string", "pattern": "^.*a.{200}$"},
    "keys": {"properties": {f"p{n}": {"type": "string", "pattern": f"^.*a.{{{n}}}$"} for n in range(900)}},
    "length": {"type": "string", "minLength": 10**6, "maxLength": 10**7},
    "items": {"type": "array", "items": {"type": "string"}, "minItems": 10**6, "maxItems": 10**9},
    "multiple": {"type": "integer", "multipleOf": 999_983},
    "multiples": {"allOf": [{"type": "integer", "multipleOf": n} for n in (997, 991)]},
    "fraction": {"type": "number", "multipleOf": 0.999983},
    "numbers": {"type": "integer", "minimum": -(10**300), "maximum": 10**300},
    "look-around": {"type": "string", "pattern": "^(?=a)b"},
    "backreference": {"type": "string", "pattern": "(a)\\1"},
    "no type": {"type": "strin"},
    "nothing": {"type": "string", "pattern": "^a$", "minLength": 5},
    "unique": {"type": "array", "uniqueItems": True},
    "negative multiple": {"type": "integer", "multipleOf": -1},
    "true": {"properties": True},
    "lists for types": {"type": [["a"]]},
    "an object for a type": {"type": [{}, "number"]},
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_schema_costs_little(tiny, name):
    """It is refused in one sentence, or is written like any other; in either case quickly."""
    assert tiny.stream.speller, "made once for a model"
    started = time.process_time()
    try:
        written, refused = generate(tiny.engine, [turn(tiny, HOSTILE[name], max_tokens=60)]), ""
    except InputError as error:
        written, refused = [], str(error)
    assert time.process_time() - started < 2
    assert written or (0 < len(refused) < 500 and "\n" not in refused)


REFUSED = (
    "bytes", "depth", "very deep", "itself", "elsewhere", "a file", "multiple", "multiples", "fraction", "no type",
    "nothing", "unique", "look-around", "backreference", "alternatives", "negative multiple",
    "lists for types", "an object for a type",
)  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_written_is_refused(tiny, name):
    with pytest.raises(InputError):
        turn(tiny, HOSTILE[name])


def test_lenient_leaves_out_what_cannot_be_enforced(tiny):
    schema = {"type": "array", "uniqueItems": True, "items": {"type": "integer"}, "maxItems": 3}
    assert isinstance(json.loads(tiny.chat("?", form=Form.schema(schema, lenient=True), max_tokens=60).text), list)


class Breaking:
    """Rules that fail after some ids."""

    def __init__(self, rules: Any, after: int):
        self.rules, self.after = rules, after

    done, inside, stop_ids = False, None, (1,)

    def allowed(self):
        return self.rules.allowed()

    def barred(self):
        if self.after == 0:
            raise InputError("too complex")
        return None

    def advance(self, token: int) -> None:
        self.after -= 1


def test_rules_that_cannot_go_on_fail_their_turn_alone(tiny):
    broken = Turn([5, 9], Breaking(tiny.grammar(TEXT), 4), Sampling(max_tokens=20))
    fine = [Turn([5, 9], tiny.grammar(TEXT, 20), Sampling(max_tokens=20, seed=3)), turn(tiny, SCHEMAS["array"])]
    batch = tiny.engine.batch()
    told = list(batch.join([broken, *fine]))
    while len(batch):
        told += batch.step()
    (failed,) = [item for item in told if isinstance(item, Failed)]
    assert failed.turn is broken and "complex" in str(failed.error)
    for one, alone in zip(fine, generate(tiny.engine, fine), strict=True):
        assert [item.id for item in told if item.turn is one] == alone.ids


WEATHER = Tool(
    "weather", "Tells it.", {"properties": {"city": {"type": "string", "maxLength": 9}}, "required": ["city"]}
)
CLOCK = Tool("clock")


@pytest.mark.parametrize("several", [False, True])
def test_a_call_that_must_come_comes(tiny, several):
    form = calls_form([WEATHER, CLOCK], text=None, several=several)
    for seed in range(6):
        reader = CallReader()
        pieces = reader.feed(tiny.chat("?", form=form, temperature=1.0, max_tokens=200, seed=seed).text)
        assert reader.calls and not any(piece.kind == "text" for piece in pieces)
        assert several or len(reader.calls) == 1
        for name, arguments in reader.calls:
            assert set(json.loads(arguments)) == ({"city"} if name == "weather" else set())


@pytest.mark.parametrize("budget", range(150, 200, 7))
def test_no_call_begins_that_could_not_end(tiny, budget):
    """Of a model that goes on to the next call wherever it may."""
    rules = turn(tiny, calls_form([WEATHER], text=None), max_tokens=budget).rules
    written: list[int] = []
    while not rules.done:
        may = [one for start, stop in exactly(rules) for one in range(start, stop)]
        written.append(next((one for one in may if one not in tiny.stream.stop_ids), may[0]))
        rules.advance(written[-1])
    reader = CallReader()
    reader.feed(tiny.reply(written, "length").text)
    assert reader.calls and all(json.loads(arguments) for _, arguments in reader.calls)


def test_whether_text_or_a_call_comes_is_the_models_choice(tiny):
    """Whatever it writes before, nothing but a call follows what opens one."""
    rules = turn(tiny, calls_form([WEATHER, CLOCK]), want=TEXT, max_tokens=200).rules
    for one in tiny.tokenizer.encode(f"Well, 2 < 3. {CALL}", add_special_tokens=False):
        assert any(start <= one < stop for start, stop in exactly(rules))
        rules.advance(one)
    written: list[int] = []
    while not rules.done:
        written.append(exactly(rules)[0][0])
        rules.advance(written[-1])
    text = tiny.tokenizer.decode([one for one in written if one not in tiny.stream.stop_ids])
    assert text.startswith('\n{"name": "') and text.endswith(CLOSE)


def test_media_may_stand_beside_calls(tiny):
    rules = turn(tiny, calls_form([CLOCK])).rules
    image = tiny.vocabulary.writer("image").open_id
    assert any(start <= image < stop for start, stop in exactly(rules))
    for one in tiny.tokenizer.encode(CALL, add_special_tokens=False):
        rules.advance(one)
    assert not any(start <= image < stop for start, stop in exactly(rules)), "not inside a call"


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_calls_are_read_piece_by_piece(size):
    arguments = ['{"a": "}\\n</tool_call> <tool_call>"}', "{}"]
    text = "Look: <tool" + "\n".join([call_text("one", arguments[0]), call_text("two", arguments[1])])
    reader = CallReader()
    pieces = [piece for start in range(0, len(text), size) for piece in reader.feed(text[start : start + size])]
    pieces += reader.end()
    assert reader.calls == [("one", arguments[0]), ("two", arguments[1])]
    assert "".join(piece.text for piece in pieces if piece.kind == "text") == "Look: <tool"


def test_the_template_tells_of_tools_where_it_can():
    model = tiny_assistant()
    model.lm.config.max_position_embeddings = 4096
    asked = Conversation((as_message("user", "hello"),))
    said = model.tokenizer.decode(model.turn(asked, tools=[WEATHER]).prompt)
    assert said.index('"weather"') < said.index("hello") and "<|start|>system" in said
    model.tokenizer.chat_template = (
        "{% for t in tools %}{{ t | tojson }} <tool_call>{% endfor %}" + model.tokenizer.chat_template
    )
    told = model.tokenizer.decode(model.turn(asked, tools=[WEATHER]).prompt)
    assert told.startswith('{"type": "function"') and "<|start|>system" not in told
    with pytest.raises(InputError, match="special token"):
        model.turn(asked, tools=[Tool("a", "<|end|>")])
