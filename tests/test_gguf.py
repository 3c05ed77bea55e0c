"""The GGUF export in a real llama.cpp: the same ids from strings, the same answers, the adapter on and off."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from toys import ToyCodec, random_codes, tiny_base

import sensorium as sm
from sensorium.engines import Sampling, TorchEngine, Turn, generate, make_engine
from sensorium.engines.llamacpp_engine import LlamaCppEngine, start_server
from sensorium.model import grow, load_base
from sensorium.model.gguf import VOCABULARY_KEY, export_gguf, export_gguf_adapter
from sensorium.stream import Form, Grammar
from sensorium.types import Conversation, InputError, Part, as_message
from sensorium.vocabulary import Vocabulary

gguf = pytest.importorskip("gguf")
KINDS = ("llama", "llama-tied", "qwen2", "qwen3")
GREEDY = Sampling(temperature=0, max_tokens=24)
TEXTS = (
    "What is this?",
    "It's  2024: 1,000 cats - don't we'll\n\n  tabs\tand   spaces",
    "naïve façade 你好 мир",
    "<|toy|><|toy:0:3|><|/toy|> and <|end|>",
)


@cache
def grown(kind: str = "llama", learn: str = "full"):
    """A tiny random model that writes more than one id over and over."""
    torch.manual_seed(3)
    model = grow(tiny_base(kind, seed=1), [ToyCodec()], learn=learn, seed=3).fold()
    with torch.no_grad():
        for name, parameter in model.lm.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.3)
            elif parameter.ndim > 1 and "embed" not in name and "lora_" not in name:
                parameter.mul_(12)
            elif name.endswith("bias"):
                parameter.add_(torch.rand_like(parameter) * 0.5)
    return model


def prompt_of(model) -> list[int]:
    """A question about a toy."""
    toy = Part("toy", codes=random_codes(model.codecs["toy"]), codec="toy")
    return model.stream.render(Conversation((as_message("user", [toy, "what is this?"]),)), reply=True).ids.tolist()


@pytest.fixture
def serve():
    """Starts llama.cpp's own server in this process; gives an engine on it for a model."""
    pytest.importorskip("xllamacpp")
    servers = []

    def start(model, file: Path, adapter: Path | None = None) -> LlamaCppEngine:
        servers.append(start_server(file, context=256, parallel=2, threads=1, adapter=adapter))
        return LlamaCppEngine(model.lm, servers[-1].listening_address)

    return start


def rules(model, want=None, budget: int = 24) -> Grammar:
    return Grammar(model.vocabulary, model.stream.text_stop, model.stream.stop_ids, want=want, budget=budget)


def write(engine, model, want=None, adapter=True) -> list[int]:
    return generate(engine, [Turn(prompt_of(model), rules(model, want), GREEDY, adapter=adapter)])[0].ids


@pytest.mark.parametrize("kind", KINDS)
def test_llama_cpp_writes_the_same_ids(tmp_path, serve, kind):
    model = grown(kind)
    engine = serve(model, export_gguf(model, tmp_path / "model.gguf"))
    for want in (None, "toy"):
        assert write(engine, model, want) == write(TorchEngine(model.lm), model, want)


def test_llama_cpp_writes_what_has_the_form(tmp_path, serve):
    pytest.importorskip("llguidance")
    model = grown()
    engine = serve(model, export_gguf(model, tmp_path / "model.gguf"))
    form = Form.schema({"type": "array", "items": {"enum": ["red", "blue"]}, "minItems": 1, "maxItems": 2})
    budget = Grammar(
        model.vocabulary, model.stream.text_stop, model.stream.stop_ids, "text", 40, model.stream.spelling(form)
    )
    turn = Turn(prompt_of(model), budget, Sampling(temperature=0, max_tokens=40))
    (ours,), (theirs,) = generate(engine, [turn]), generate(TorchEngine(model.lm), [turn])
    assert ours == theirs and ours.finish == "stop"
    assert set(json.loads(model.stream.parse(ours.ids)[0].data)) <= {"red", "blue"}


def test_llama_cpp_reads_the_same_ids_from_strings(tmp_path, serve):
    model = grown()
    engine = serve(model, export_gguf(model, tmp_path / "model.gguf"))
    for text in TEXTS:
        for special in (True, False):  # a user's text that spells a token stays text
            told = engine._post("/tokenize", {"content": text, "parse_special": special})["tokens"]
            plain = model.stream._tokenize(text, as_plain_text=not special)
            assert told == plain, text
    messages = [{"role": "user", "content": "hello"}]
    told = engine._post("/apply-template", {"messages": messages})["prompt"]
    assert told == model.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def test_llama_cpp_scores_as_torch_does(tmp_path, serve):
    model, continuations = grown(), [[5, 6], [7], []]
    engine = serve(model, export_gguf(model, tmp_path / "model.gguf"))
    exact = TorchEngine(model.lm).score(prompt_of(model), continuations)
    assert engine.score(prompt_of(model), continuations) == pytest.approx(exact, abs=0.02)  # its cache holds 16 bits
    assert engine.best(prompt_of(model), continuations, 1)[0].index == int(np.argmax(exact))


def test_llama_cpp_knows_a_given_text_as_torch_does(tmp_path, serve):
    model = grown()
    engine, ids = serve(model, export_gguf(model, tmp_path / "model.gguf")), prompt_of(model)[:12]
    for own, torchs in zip(engine.known(ids, 2), TorchEngine(model.lm).known(ids, 2), strict=True):
        assert own.id == torchs.id and own.logprob == pytest.approx(torchs.logprob, abs=0.02)  # as above
        assert [likely for _, likely in own.top] == pytest.approx([likely for _, likely in torchs.top], abs=0.02)


def test_samples_of_llama_cpp_follow_the_distribution(tmp_path, serve):
    model, draws = grown(), 150
    engine = serve(model, export_gguf(model, tmp_path / "model.gguf"))
    prompt, sampling = prompt_of(model), Sampling(temperature=2, top_k=3, max_tokens=1)

    def shares(other) -> np.ndarray:
        turn = Turn(prompt, rules(model, "text", 1), sampling)
        made = generate(other, [turn.again(number) for number in range(draws)])
        return np.bincount([one.ids[0] for one in made], minlength=model.vocabulary.size) / draws

    ours, theirs = shares(engine), shares(TorchEngine(model.lm))
    assert set(np.flatnonzero(ours)) == set(np.flatnonzero(theirs))
    assert len(np.flatnonzero(ours)) == 3
    assert np.abs(ours - theirs).max() < 0.15


def test_the_adapter_is_a_file_of_its_own(tmp_path, serve):
    model = grown(learn="adapter")
    files = export_gguf(model, tmp_path / "model.gguf"), export_gguf_adapter(model, tmp_path / "adapter.gguf")
    engine = serve(model, *files)
    with_adapter = write(TorchEngine(model.lm), model)
    assert write(engine, model) == with_adapter
    without = write(TorchEngine(model.lm), model, adapter=False)
    assert write(engine, model, adapter=False) == without != with_adapter


def _read(file: Path):
    return gguf.GGUFReader(file)


def test_the_file_tells_its_vocabulary(tmp_path):
    model = grown()
    told = _read(export_gguf(model, tmp_path / "model.gguf")).get_field(VOCABULARY_KEY)
    assert told is not None
    assert Vocabulary.from_json(json.loads(told.contents())) == model.vocabulary


@pytest.mark.parametrize(("precision", "most"), [("fp32", 0.0), ("fp16", 1e-3), ("int8", 1e-2)])
def test_rounded_weights_stay_near(tmp_path, precision, most):
    model = grown()
    tensors = {one.name: one for one in _read(export_gguf(model, tmp_path / "model.gguf", precision)).tensors}
    exact = model.lm.get_output_embeddings().weight.numpy()
    stored = tensors["output.weight"]
    rounded = gguf.quants.dequantize(stored.data, stored.tensor_type)
    assert np.abs(rounded - exact).max() / np.abs(exact).max() <= most
    assert (rounded == exact).all() == (precision == "fp32")
    assert tensors["output_norm.weight"].tensor_type == gguf.GGMLQuantizationType.F32


def test_what_llama_cpp_cannot_hold_is_refused(tmp_path):
    from tokenizers import pre_tokenizers

    with pytest.raises(InputError, match="int4"):
        export_gguf(grown(), tmp_path / "model.gguf", "int4")
    with pytest.raises(InputError, match="no adapter"):
        export_gguf_adapter(grown(), tmp_path / "adapter.gguf")
    base = tiny_base()
    base.tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(InputError, match="no tokenizer that cuts text"):
        export_gguf(grow(base, [ToyCodec()], learn="full").fold(), tmp_path / "model.gguf")
    with pytest.raises(InputError, match="gpt2 models"):
        export_gguf(grow(tiny_base("gpt2"), [ToyCodec()], learn="full").fold(), tmp_path / "model.gguf")
    assert not list(tmp_path.iterdir())


def test_digits_one_by_one_are_told_apart(tmp_path):
    from tokenizers import pre_tokenizers

    digits, bytes_ = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    base = tiny_base()
    base.tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, bytes_])
    model = grow(base, [ToyCodec()], learn="full").fold()
    file = export_gguf(model, tmp_path / "model.gguf")
    assert _read(file).get_field("tokenizer.ggml.pre").contents() == "smollm"
    assert _read(export_gguf(grown(), file)).get_field("tokenizer.ggml.pre").contents() == "gpt-2"


def test_an_unreachable_server_is_told_plainly():
    engine = make_engine(grown().lm, "llamacpp=http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"the engine at http://127\.0\.0\.1:9 is not reachable"):
        write(engine, grown())


@pytest.mark.slow
def test_nano_answers_about_a_picture_in_llama_cpp_as_in_torch(tmp_path, serve):
    model = sm.load("nano")
    y, x = np.mgrid[:64, :64]
    disc = np.full((64, 64, 3), 255, dtype=np.uint8)
    disc[(x - 32) ** 2 + (y - 32) ** 2 < 500] = (220, 30, 30)
    conversation = model.senses.encode(Conversation((as_message("user", [sm.Image(disc), "What is this?"]),)))
    prompt = model.stream.render(conversation, reply=True).ids.tolist()
    engine = serve(model, export_gguf(model, tmp_path / "nano.gguf"))
    turn = Turn(prompt, rules(model, "text"), GREEDY)
    ours, theirs = (generate(one, [turn])[0].ids for one in (engine, TorchEngine(model.lm)))
    assert ours == theirs


@pytest.mark.parametrize("name", ["missing.gguf", "package:sensorium/missing.gguf"])
def test_a_gguf_base_that_is_not_there_is_told(name):
    with pytest.raises(InputError, match=r"there is no GGUF file '.*missing\.gguf'"):
        load_base(name)
