"""``/v1/completions`` tells how likely a given text is, as evaluations ask for it: the plain model's log-softmax."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading

import openai
import pytest
import torch
from serving import running, tiny_assistant

from sensorium.generate import Assistant
from sensorium.serve.http import completions, prompts

TEXTS = ["hello what is this", "héllo ☃ 日本", "  two  spaces\nand a line", "hello <|end|> what"]


@pytest.fixture(scope="module")
def model():
    return tiny_assistant()


@pytest.fixture(scope="module")
def server(model):
    with running({"tiny": model}) as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0)


@torch.inference_mode()
def plain(model, ids) -> torch.Tensor:
    """Log-softmax of plain transformers after each id."""
    return model.lm(torch.tensor([ids])).logits[0].log_softmax(-1)


@pytest.mark.parametrize("text", TEXTS)
def test_a_prompt_has_the_plain_models_log_probabilities(client, model, text):
    told = client.completions.create(model="tiny", prompt=text, echo=True, logprobs=3, max_tokens=0)
    ids = model.tokenizer(text)["input_ids"]
    logs = plain(model, ids)
    choice = told.choices[0]
    assert (choice.text, choice.finish_reason) == (text, "length")
    assert (told.usage.prompt_tokens, told.usage.completion_tokens) == (len(ids), 0)
    assert choice.logprobs.token_logprobs[0] is None and choice.logprobs.top_logprobs[0] is None
    own = [float(logs[place, id_]) for place, id_ in enumerate(ids[1:])]
    assert choice.logprobs.token_logprobs[1:] == pytest.approx(own, abs=1e-4)
    for place, top in enumerate(choice.logprobs.top_logprobs[1:]):
        assert max(top.values()) == pytest.approx(float(logs[place].max()), abs=1e-4)
        assert choice.logprobs.tokens[place + 1] in top, "the token itself is always there"
        assert choice.logprobs.token_logprobs[place + 1] <= max(top.values())


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("as_ids", [False, True])
def test_offsets_are_exact(client, model, text, as_ids):
    ids = model.tokenizer(text)["input_ids"]
    told = client.completions.create(
        model="tiny", prompt=ids if as_ids else text, echo=True, logprobs=0, max_tokens=6, temperature=1, seed=1
    )
    choice = told.choices[0]
    assert choice.text.startswith(text)
    found = choice.logprobs
    assert len(found.tokens) == len(found.text_offset) == len(ids) + told.usage.completion_tokens
    assert found.text_offset == sorted(found.text_offset)
    for token, at in zip(found.tokens, found.text_offset, strict=True):
        if "\ufffd" not in token and at < len(choice.text):
            assert choice.text[at : at + len(token)] == token


def test_batches_of_text_and_of_ids_are_as_one_by_one(client, model):
    ids = [model.tokenizer(text)["input_ids"] for text in TEXTS]
    options = dict(model="tiny", echo=True, logprobs=1, max_tokens=1, temperature=0)
    together = client.completions.create(prompt=ids, **options)
    for text, one, choice in zip(TEXTS, ids, together.choices, strict=True):
        alone = client.completions.create(prompt=text, **options).choices[0]
        assert choice.logprobs.token_logprobs == pytest.approx(alone.logprobs.token_logprobs, nan_ok=True)
        assert len(choice.logprobs.tokens) == len(one) + 1, "the last one is written"
        assert choice.text == alone.text


def test_streamed_it_is_the_same(client):
    options = dict(model="tiny", prompt=TEXTS[:2], echo=True, logprobs=2, max_tokens=5, temperature=1, seed=2)
    for most in (0, 5):
        whole = client.completions.create(**options | {"max_tokens": most})
        found = [{"text": "", "tokens": [], "token_logprobs": [], "text_offset": []} for _ in range(2)]
        for chunk in client.completions.create(**options | {"max_tokens": most}, stream=True):
            for choice in chunk.choices:
                found[choice.index]["text"] += choice.text
                for name in ("tokens", "token_logprobs", "text_offset"):
                    found[choice.index][name] += getattr(choice.logprobs, name) if choice.logprobs else []
        for one, choice in zip(found, whole.choices, strict=True):
            assert one.pop("text") == choice.text
            assert one == {name: getattr(choice.logprobs, name) for name in one}


def test_a_prompt_may_fill_the_context(client, model):
    most = model.lm.config.max_position_embeddings
    fine = client.completions.create(model="tiny", prompt=[5] * most, echo=True, logprobs=0, max_tokens=0)
    assert len(fine.choices[0].logprobs.tokens) == most
    for wrong in ({"prompt": [5] * most, "max_tokens": 1}, {"prompt": [5] * (most + 1), "max_tokens": 0}):
        with pytest.raises(openai.BadRequestError) as caught:
            client.completions.create(model="tiny", echo=True, logprobs=0, **wrong)
        assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "prompt")


def lone_bytes(model, text: str) -> list[int]:
    """An id for each byte of a text."""
    shown = [model.tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str(one)[0][0] for one in text]
    return [model.tokenizer.convert_tokens_to_ids(byte) for one in shown for byte in one]


@pytest.mark.parametrize("behind", ["☃", "a", "日本", "😀😀"])
@pytest.mark.parametrize("count", [1, 7, 8, 9, 2000])
def test_bytes_that_are_no_character_take_linear_time_to_spell(server, model, monkeypatch, behind, count):
    wrong = lone_bytes(model, "é")[1:] * count
    ids = [*lone_bytes(model, "a"), *wrong, *lone_bytes(model, behind), *wrong]
    lengths, decoded = [], prompts._decoded
    monkeypatch.setattr(prompts, "_decoded", lambda ids, served: lengths.append(len(ids)) or decoded(ids, served))
    pieces = prompts.spelled(ids, server.state.registry.get("tiny"))
    assert len(pieces) == len(ids) and "".join(pieces) == model.tokenizer.decode(ids)
    assert sum(lengths) < 30 * len(ids)


def test_ids_are_spelled_only_for_an_echo_and_never_before_their_number_is_known(client, model, monkeypatch):
    monkeypatch.setattr(prompts, "spelled", None)
    told = client.completions.create(model="tiny", prompt=[5, 6], logprobs=1, max_tokens=1)
    assert len(told.choices[0].logprobs.tokens) == 1
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model="tiny", prompt=[5] * 100_000, echo=True, logprobs=0, max_tokens=0)
    assert caught.value.code == "context_length_exceeded"


def test_what_was_written_is_told_at_the_desk(client, monkeypatch):
    threads, told = [], completions.logprobs_of
    monkeypatch.setattr(
        completions, "logprobs_of", lambda *rest: threads.append(threading.current_thread().name) or told(*rest)
    )
    client.completions.create(model="tiny", prompt=["a", "b"], echo=True, logprobs=1, max_tokens=2)
    assert len(threads) == 4, "of two prompts and two answers"
    assert all(name.startswith("sensorium-desk") for name in threads)


def test_codes_of_media_are_named(client, model):
    medium = model.vocabulary.layout("image").ids([1] * 16)
    told = client.completions.create(model="tiny", prompt=[5, *medium, 6], echo=True, logprobs=0, max_tokens=0)
    assert "<|image|><|image:1|><|image:1|>" in told.choices[0].text
    logs = plain(model, [5, *medium, 6])
    assert told.choices[0].logprobs.token_logprobs[1] == pytest.approx(float(logs[0, medium[0]]), abs=1e-4)


def test_without_echo_nothing_of_the_prompt_is_told(client):
    told = client.completions.create(model="tiny", prompt="hello", logprobs=1, max_tokens=2)
    assert len(told.choices[0].logprobs.tokens) == 2 and told.choices[0].logprobs.text_offset[0] == 0
    nothing = client.completions.create(model="tiny", prompt="hello", max_tokens=0)
    assert (nothing.choices[0].text, nothing.choices[0].logprobs) == ("", None)


TASK = """
task: tiny_choices
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
output_type: multiple_choice
doc_to_text: question
doc_to_choice: choices
doc_to_target: answer
target_delimiter: " "
metric_list: [{metric: acc}]
"""
QUESTIONS = [
    {"question": "A cat says", "choices": ["meow", "woof", "moo and eats grass"], "answer": 0},
    {"question": "The colour of grass is", "choices": ["red", "green"], "answer": 1},
    {"question": "Two and two are", "choices": ["four", "seven", "nothing", "a fish"], "answer": 0},
    {"question": "Draw me a", "choices": ["heart", "déjà vu ☃"], "answer": 0},
]


def harness(tmp_path, kind: str, arguments: str) -> dict[tuple[int, int], tuple[float, bool]]:
    """Log-likelihood, and whether it is the greedy answer, of every choice of the task, by lm-evaluation-harness."""
    out = tmp_path / kind
    command = [
        sys.executable, "-m", "lm_eval", "--model", kind, "--model_args", arguments, "--tasks", "tiny_choices",
        "--include_path", str(tmp_path), "--log_samples", "--output_path", str(out), "--batch_size", "4",
        "--device", "cpu",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    (samples,) = out.rglob("samples_*.jsonl")
    found = {}
    for line in map(json.loads, samples.read_text().splitlines()):
        for number, ((likelihood, greedy), *_) in enumerate(line["resps"]):
            found[line["doc_id"], number] = (float(likelihood), str(greedy) == "True")
    return found


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("lm_eval") is None, reason="lm-evaluation-harness is not installed")
def test_the_evaluation_harness_gets_what_it_gets_from_transformers(tmp_path):
    """`local-completions` over the server against `hf` on the folder that the same model exports."""
    model, folder = Assistant.load("nano"), tmp_path / "exported"
    model.save(folder)
    (tmp_path / "data.json").write_text("\n".join(map(json.dumps, QUESTIONS)))
    (tmp_path / "task.yaml").write_text(TASK.replace("DATA", str(tmp_path / "data.json")))
    with running({"nano": model}) as server:
        url = f"model=nano,base_url={server.url}/v1/completions,tokenizer_backend=huggingface,tokenizer={folder}"
        served = harness(tmp_path, "local-completions", f"{url},num_concurrent=1,max_length=512")
    own = harness(tmp_path, "hf", f"pretrained={folder},dtype=float32,max_length=512")
    assert served.keys() == own.keys() and len(own) == sum(len(one["choices"]) for one in QUESTIONS)
    for key, (likelihood, greedy) in own.items():
        assert served[key][0] == pytest.approx(likelihood, abs=1e-3)
        assert served[key][1] == greedy
