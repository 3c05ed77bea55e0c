"""The ONNX engine writes what the torch engine writes; its graphs compute what the model computes."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from toys import ToyCodec, tiny_configs
from transformers import AutoModelForCausalLM

import sensorium as sm
from sensorium.engines import Sampling, TorchEngine, Turn, generate, make_engine, stream
from sensorium.engines.decoder import PlainDecoder
from sensorium.model.onnx_export import BLOCK, PRECISIONS, cached_onnx, export_onnx, quantised, weights_digest
from sensorium.stream import Grammar, Rendered
from sensorium.types import Conversation, InputError, as_message
from sensorium.vocabulary import Vocabulary

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
from sensorium.engines import fast
from sensorium.engines.onnx_engine import OnnxDecoder, OnnxEngine
from sensorium.evaluate import Share
from sensorium.evaluate.precision import check_precision, drift

TEXT_SIZE, TEXT_STOP, STOP = 300, 290, 1
GRID = ToyCodec("grid", sizes=(24, 12), grid=(4, 3), max_frames=12, modality="grid")
WAVE = ToyCodec("wave", sizes=(20,), grid=None, max_frames=9, modality="wave")
VOCABULARY = Vocabulary.build(TEXT_SIZE, [GRID.facts, WAVE.facts])
KINDS = ("llama", "smollm", "qwen2", "qwen3")
PROMPTS = [[5, 9, 17, 4], [8, 33], [2, 7, 80, 91, 14, 60, 3], [44]]
NEGATIVES = [[3, 4], [9], [9, 9, 2], [7]]


@cache
def tiny(kind: str):
    """A random model whose heads have a size that ONNX Runtime takes."""
    config = tiny_configs()[kind]
    config.vocab_size, config.head_dim = VOCABULARY.size, 16
    torch.manual_seed(1)
    lm = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for name, parameter in lm.named_parameters():  # small random weights would repeat one id for ever
            if parameter.ndim > 1 and "embed" not in name:
                parameter.mul_(12)
            elif name.endswith("bias") or "norm" in name:
                parameter.add_(torch.rand_like(parameter) * 0.5)  # as after training: neither zero nor one
    return lm


def adapted():
    """A model with a LoRA adapter that says something."""
    from peft import LoraConfig

    torch.manual_seed(2)
    lm = AutoModelForCausalLM.from_config(tiny("llama").config).eval()
    lm.load_state_dict(tiny("llama").state_dict())
    lm.add_adapter(LoraConfig(r=2, lora_alpha=8, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM"), "a")
    for name, parameter in lm.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    return lm.eval()


def turns(want, negatives=None, adapter=True, **options) -> list[Turn]:
    sampling = Sampling(**{"temperature": 0, "max_tokens": 60} | options)
    rules = Grammar(VOCABULARY, TEXT_STOP, (STOP,), want=want, budget=60)
    pairs = zip(PROMPTS, negatives or [None] * len(PROMPTS), strict=True)
    return [
        Turn(prompt, rules, sampling, negative, adapter).again(number)
        for number, (prompt, negative) in enumerate(pairs)
    ]


def write(engine, want, negatives=None, adapter=True, **options) -> list[list[int]]:
    return [made.ids for made in generate(engine, turns(want, negatives, adapter, **options))]


@pytest.mark.parametrize(
    ("kind", "want"), [*((kind, "grid") for kind in KINDS), ("llama", "wave"), ("llama", "text"), ("llama", None)]
)
def test_greedy_ids_equal_those_of_torch(kind, want):
    assert write(OnnxEngine(tiny(kind)), want) == write(TorchEngine(tiny(kind)), want)


def test_guided_and_sampled_ids_equal_those_of_torch():
    options = dict(temperature=0.8, top_k=9, guidance=3.0, seed=5)
    ours = write(OnnxEngine(tiny("llama")), "grid", NEGATIVES, **options)
    assert ours == write(TorchEngine(tiny("llama")), "grid", NEGATIVES, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [PROMPTS[2:3], PROMPTS])
def test_the_decoder_equals_the_models_own_forward(kind, rows):
    generator = torch.Generator().manual_seed(0)
    ours, theirs = OnnxEngine(tiny(kind)).decoder(rows, False), PlainDecoder(tiny(kind), rows)
    with torch.inference_mode():
        torch.testing.assert_close(ours.hidden, theirs.hidden, atol=1e-4, rtol=1e-4)
        for new in (1, 1, 5, *[1] * 70, 3):  # past the room the cache starts with
            ids = torch.randint(VOCABULARY.size, (len(rows), new), generator=generator)
            torch.testing.assert_close(ours.read(ids), theirs.read(ids), atol=1e-4, rtol=1e-4)
            if new == 5 and len(rows) > 1:
                rows = [rows[0], rows[2]]
                ours.keep([0, 2])
                theirs.keep([0, 2])


def test_answers_that_join_and_leave_are_written_as_if_alone():
    engine = OnnxEngine(tiny("llama"))
    alone, asked = write(engine, "wave"), turns("wave")
    batch, written = engine.batch(), {turn: [] for turn in asked}
    for turn in asked:  # one joins at every step
        for token in [*batch.join([turn]), *batch.step()]:
            written[token.turn].append(token.id)
    while len(batch):
        for token in batch.step():
            written[token.turn].append(token.id)
    assert list(written.values()) == alone


def test_closing_the_stream_stops_the_work(monkeypatch):
    read, reads = OnnxDecoder.read, []
    monkeypatch.setattr(OnnxDecoder, "read", lambda *args: (reads.append(1), read(*args))[1])
    tokens = stream(OnnxEngine(tiny("llama")), turns("text")[:1])
    for _ in range(3):
        next(tokens)
    tokens.close()
    assert len(reads) == 2, "the prompt gives the first id"


def test_an_adapter_is_heard_by_the_turns_that_want_it_and_by_no_other():
    lm = adapted()
    engine, bare = OnnxEngine(lm), write(TorchEngine(tiny("llama")), "text")
    with_adapter = write(TorchEngine(lm), "text")
    assert write(engine, "text") == with_adapter != bare
    assert write(engine, "text", adapter=False) == bare
    mixed = [*turns("text")[:2], *turns("text", adapter=False)[2:]]
    assert [made.ids for made in generate(engine, mixed)] == [*with_adapter[:2], *bare[2:]]


def test_scores_are_those_of_torch_whatever_the_precision():
    engine, torch_engine = OnnxEngine(tiny("llama"), "int8"), TorchEngine(tiny("llama"))
    continuations = [[5, 6], [5, 7, 8], [40]]
    assert engine.score(PROMPTS[0], continuations) == torch_engine.score(PROMPTS[0], continuations)
    assert engine.best(PROMPTS[0], continuations) == torch_engine.best(PROMPTS[0], continuations)


@pytest.mark.parametrize("want", ["grid", "text"])  # few candidates: a slice of the head; many: the head's graph
def test_eight_bits_write_nearly_the_same(want):
    ours, theirs = write(OnnxEngine(tiny("llama"), "int8"), want), write(TorchEngine(tiny("llama")), want)
    assert [ids[:3] for ids in ours] == [ids[:3] for ids in theirs]


def test_weights_are_rounded_to_the_nearest_of_255_steps():
    weight_NK = np.random.default_rng(0).normal(size=(5, 70)).astype(np.float32)
    weight_NK[2] = 0
    steps_NGB, scale_NG = quantised(weight_NK)
    back = ((steps_NGB.astype(np.float32) - 128) * scale_NG[..., None]).reshape(5, -1)
    assert steps_NGB.shape == (5, 2, BLOCK)
    assert (np.abs(back[:, :70] - weight_NK) <= np.repeat(scale_NG, BLOCK, axis=1)[:, :70] / 2 + 1e-6).all()
    assert not back[:, 70:].any()


def test_the_cache_knows_weights_adapters_and_precisions_apart():
    lm = adapted()
    first, other = cached_onnx(lm), cached_onnx(lm, "int8")
    written = (first / "body.onnx").stat().st_mtime_ns
    assert cached_onnx(lm) == first != other
    assert (first / "body.onnx").stat().st_mtime_ns == written
    digest = weights_digest(lm)
    with torch.no_grad():
        lm.get_output_embeddings().weight[-1, -1] += 1
    assert weights_digest(lm) != digest
    assert weights_digest(lm, adapter=False) != weights_digest(lm)
    bare = weights_digest(lm, adapter=False)
    with torch.no_grad():
        next(one for name, one in lm.named_parameters() if "lora_B" in name)[0, 0] += 1
    assert weights_digest(lm, adapter=False) == bare, "what is left out does not count"


def samples() -> list[Rendered]:
    generator = np.random.default_rng(0)
    ids = [generator.integers(0, TEXT_SIZE, 30).astype(np.int32) for _ in range(3)]
    return [Rendered(one, np.arange(30) >= 10, ()) for one in ids]


def test_drift_is_nothing_in_float32_and_little_in_eight_bits():
    exact, rounded = (drift(tiny("llama"), precision, samples()) for precision in PRECISIONS)
    assert exact.kl_nats < 1e-6
    assert exact.agreement.value == 1
    assert exact.accuracy.count == rounded.accuracy.count == 60
    assert 1e-6 < rounded.kl_nats < 0.05


def test_accuracy_is_the_share_of_answers_that_are_likeliest():
    lm = tiny("llama")
    (one, *_) = samples()
    said = np.concatenate([one.ids[:10], np.zeros(20, np.int32)])
    for place in range(10, 30):
        said[place] = int(lm(torch.from_numpy(said[None, :place].astype(np.int64))).logits[0, -1].argmax())
    said[20:] = (said[20:] + 1) % TEXT_SIZE
    found = drift(lm, "fp32", [Rendered(said, np.isin(np.arange(30), range(10, 21)), ())])
    assert found.accuracy == found.rounded_accuracy == Share(10, 11)
    assert found.lost == 0


def test_a_precision_that_changes_too_much_is_refused():
    with pytest.raises(InputError, match="int8 changes this model too much"):
        check_precision(tiny("llama"), "int8", samples(), most_kl_nats=1e-7)
    with pytest.raises(InputError, match="int8 makes this model worse"):
        check_precision(tiny("llama"), "int8", samples(), most_lost=-1)
    with pytest.raises(InputError, match="no answer to compare"):
        check_precision(tiny("llama"), "int8", [])


@pytest.mark.parametrize(
    ("kind", "precision", "match"),
    [
        ("llama", "int4", "fp32 and int8"),
        ("gpt2", "fp32", "no ONNX graph here is made for gpt2 models .*; use the torch engine"),
    ],
)
def test_what_has_no_graph_is_refused(tmp_path, kind, precision, match):
    lm = AutoModelForCausalLM.from_config(tiny_configs()[kind]) if kind == "gpt2" else tiny(kind)
    with pytest.raises(InputError, match=match):
        export_onnx(lm, tmp_path / "out", precision)
    assert not (tmp_path / "out").exists()


def test_a_sliding_window_and_half_precision_are_refused(tmp_path):
    config = tiny_configs()["qwen2"]
    config.head_dim, config.sliding_window, config.layer_types = 16, 6, ["sliding_attention"] * 2
    with pytest.raises(InputError, match="sliding window"):
        export_onnx(AutoModelForCausalLM.from_config(config), tmp_path / "out")
    with pytest.raises(InputError, match="float32 models on the CPU"):
        OnnxEngine(AutoModelForCausalLM.from_config(tiny("llama").config).to(torch.bfloat16))


def test_the_folder_runs_in_onnx_runtime_genai(tmp_path):
    genai = pytest.importorskip("onnxruntime_genai")
    from toys import tiny_tokenizer

    tiny_tokenizer().save_pretrained(export_onnx(tiny("llama"), tmp_path / "out"))
    model = genai.Model(str(tmp_path / "out"))
    options = genai.GeneratorParams(model)
    options.set_search_options(max_length=30, do_sample=False)
    generator = genai.Generator(model, options)
    generator.append_tokens(np.array([PROMPTS[2]], dtype=np.int32))
    while not generator.is_done():
        generator.generate_next_token()
    theirs = tiny("llama").generate(torch.tensor([PROMPTS[2]]), max_length=30, do_sample=False)
    assert generator.get_sequence(0).tolist() == theirs[0].tolist()


@pytest.mark.parametrize("quicker", ["onnx", "torch"])
def test_fast_is_what_was_quicker_here_and_remembers_it(monkeypatch, tmp_path, quicker):
    timed = []

    def seconds(engine, rows):
        timed.append((type(engine), rows))
        slow = isinstance(engine, OnnxEngine) == (quicker == "torch")
        return (3.0 if slow else 1.0) if rows == 1 else 2.0

    monkeypatch.setattr(fast, "_seconds", seconds)
    monkeypatch.setattr(fast, "cache_dir", lambda: tmp_path)
    kinds = [type(make_engine(tiny("llama"), "fast")) for _ in range(2)]
    assert kinds == [OnnxEngine if quicker == "onnx" else TorchEngine] * 2
    assert sorted(timed, key=str) == sorted([(kind, n) for kind in (OnnxEngine, TorchEngine) for n in (1, 8)], key=str)


def test_a_step_takes_time_in_both_engines():
    for engine in (OnnxEngine(tiny("llama"), "int8"), TorchEngine(tiny("llama"))):
        assert 0 < fast._seconds(engine, 2) < 1


@pytest.mark.slow
@pytest.mark.parametrize("want", [None, "text", "image"])
def test_nano_writes_the_same_ids(want):
    model = sm.load("nano")
    conversation = Conversation((as_message("user", "Draw a red heart"),))
    prompt = model.stream.render(model.senses.encode(conversation), reply=True).ids.tolist()
    turn = Turn(prompt, model.grammar(want, 80), Sampling(temperature=0, max_tokens=80))
    ours, theirs = (generate(engine, [turn])[0].ids for engine in (OnnxEngine(model.lm), TorchEngine(model.lm)))
    assert ours == theirs
