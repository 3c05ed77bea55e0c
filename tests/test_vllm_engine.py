"""The vLLM engine against a small server that speaks vLLM's completions: what it asks for, and what it makes of it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import torch
from toys import ToyCodec, tiny_configs
from transformers import AutoModelForCausalLM

from sensorium.generate.continuous import Answer
from sensorium.generate.engines import make_engine
from sensorium.generate.remote import Run
from sensorium.generate.sampling import Sampling
from sensorium.generate.torch_engine import TorchEngine
from sensorium.generate.vllm_engine import VllmEngine
from sensorium.stream import Grammar
from sensorium.types import InputError
from sensorium.vocabulary import Vocabulary

TEXT_SIZE, TEXT_STOP, STOP = 300, 290, 1
GRID = ToyCodec("grid", sizes=(24, 12), grid=(4, 3), max_frames=12, modality="grid")
WAVE = ToyCodec("wave", sizes=(20,), grid=None, max_frames=9, modality="wave")
DOTS = ToyCodec("dots", sizes=(20,), grid=(2, 4), max_frames=8, modality="dots")
VOCABULARY = Vocabulary.build(TEXT_SIZE, [GRID.facts, WAVE.facts, DOTS.facts])
PROMPTS = [[5, 9, 17, 4], [8, 33], [2, 7, 80, 91, 14, 60, 3]]
GREEDY = Sampling(temperature=0, max_tokens=40)
FIELDS = {
    "model", "prompt", "max_tokens", "allowed_token_ids", "stop_token_ids", "ignore_eos", "temperature", "top_k",
    "top_p", "seed", "stream", "return_token_ids", "prompt_logprobs",
}  # fmt: skip


class FakeVllm(BaseHTTPRequestHandler):
    """``/v1/completions`` and ``/v1/models`` as vLLM answers them, greedy, with a model of transformers."""

    server: Any

    def do_GET(self) -> None:
        self._json({"object": "list", "data": [{"id": "tiny", "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body | {"authorization": self.headers["Authorization"]})
        if unknown := body.keys() - FIELDS:
            return self._json({"error": {"message": f"unknown field {unknown}", "code": 400}}, 400)
        if body["model"] not in ("tiny", "media"):
            return self._json({"error": {"message": f"The model `{body['model']}` does not exist."}}, 404)
        if "prompt_logprobs" in body:
            return self._json({"choices": [{"prompt_logprobs": self._prompt_logprobs(body["prompt"])}]})
        self.send_response(200)
        self.end_headers()
        for number, one in enumerate(self._write(body)):
            prompt = body["prompt"] if number == 0 else None
            self._event({"choices": [{"index": 0, "text": "", "token_ids": [one], "prompt_token_ids": prompt}]})
        self._event({"choices": [], "usage": {"prompt_tokens": len(body["prompt"])}})
        self.wfile.write(b"data: [DONE]\n\n")

    @torch.inference_mode()
    def _write(self, body: dict[str, Any]):
        ids = list(body["prompt"])
        assert body["ignore_eos"] and body["stream"] and body["return_token_ids"] and body["temperature"] == 0
        for _ in range(body["max_tokens"]):
            logits = self.server.lm(torch.tensor([ids])).logits[0, -1]
            ids.append(max(body["allowed_token_ids"], key=lambda one: float(logits[one])))
            yield ids[-1]
            if ids[-1] in body["stop_token_ids"]:
                return

    @torch.inference_mode()
    def _prompt_logprobs(self, ids: list[int]) -> list[dict[str, Any] | None]:
        logs = self.server.lm(torch.tensor([ids])).logits[0].log_softmax(-1)
        told = [{str(one): {"logprob": float(logs[place, one]), "rank": 1}} for place, one in enumerate(ids[1:])]
        return [None, *told]

    def _event(self, event: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())

    def _json(self, body: dict[str, Any], status: int = 200) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def lm():
    config = tiny_configs()["llama"]
    config.vocab_size = VOCABULARY.size
    torch.manual_seed(1)
    lm = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for name, parameter in lm.named_parameters():
            if parameter.ndim > 1 and "embed" not in name:
                parameter.mul_(12)
    return lm


@pytest.fixture
def server(lm):
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), FakeVllm)
    server.lm, server.asked = lm, []
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def rules(want: str | None, budget: int = 40) -> Grammar:
    return Grammar(VOCABULARY, TEXT_STOP, (STOP,), want=want, budget=budget)


def write(engine, want: str | None, sampling: Sampling = GREEDY) -> list[tuple[list[int], str]]:
    made = engine.generate(PROMPTS, [rules(want, sampling.max_tokens) for _ in PROMPTS], sampling)
    return [(one.ids, one.finish) for one in made]


@pytest.mark.parametrize("want", ["grid", "wave", "dots", "text", None])
def test_ids_equal_those_of_torch(lm, server, want):
    assert write(VllmEngine(lm, server.url, "tiny"), want) == write(TorchEngine(lm), want)


def test_a_medium_of_one_codebook_is_one_request(lm, server):
    write(VllmEngine(lm, server.url, "tiny"), "dots")
    span = VOCABULARY.layout("dots")
    assert len(server.asked) == len(PROMPTS)
    for asked in server.asked:
        assert asked["allowed_token_ids"] == list(range(*span.range(0)))
        assert asked["max_tokens"] == 8
        assert asked["prompt"][-1] == span.open_id
        assert asked["authorization"] is None


@pytest.mark.parametrize(
    ("want", "written", "count", "last"),
    [
        ("text", [], 40, {STOP}),
        (None, [], 5, {STOP, *(VOCABULARY.layout(name).open_id for name in ("grid", "wave", "dots"))}),
        ("grid", ["open"], 1, set()),
        ("wave", ["open", "code"], 8, {VOCABULARY.layout("wave").close_id}),
    ],
)
def test_a_run_ends_where_the_rules_change(want, written, count, last):
    grammar = rules(want, 30 if want is None else 40)  # from 26 ids left on, no grid fits any more
    if want in ("grid", "wave"):
        span = VOCABULARY.layout(want)
        for kind in written:
            grammar.advance(span.open_id if kind == "open" else span.range(0)[0])
    before = vars(grammar).copy()
    run = Run.of(grammar, 40)
    assert (run.count, run.last) == (count, last)
    assert vars(grammar) == before


def test_scores_equal_those_of_torch(lm, server):
    engine, continuations = VllmEngine(lm, server.url), [[5, 6, 320], [7], []]
    exact = TorchEngine(lm).score(PROMPTS[0], continuations)
    assert engine.score(PROMPTS[0], continuations) == pytest.approx(exact, abs=1e-4)
    assert [one.index for one in engine.best(PROMPTS[0], continuations[:2], 2)] == (
        [0, 1] if exact[0] > exact[1] else [1, 0]
    )


def test_answers_come_and_go_in_a_batch(lm, server):
    engine = VllmEngine(lm, server.url)
    batch, written = engine.batch(), {row: [] for row in range(len(PROMPTS))}
    for row, prompt in enumerate(PROMPTS):
        batch.join([Answer(row, prompt, rules("dots"), GREEDY)])
        for token in batch.step():
            written[token.row].append(token.id)
    batch.drop([1])
    while len(batch):
        for token in batch.step():
            written[token.row].append(token.id)
    alone = [ids for ids, _ in write(TorchEngine(lm), "dots")]
    assert (written[0], written[2]) == (alone[0], alone[2])
    assert written[1] == alone[1][: len(written[1])] != alone[1]


def test_closing_the_stream_ends_the_requests(lm, server):
    stream = VllmEngine(lm, server.url).stream(PROMPTS, [rules("grid") for _ in PROMPTS], GREEDY)
    next(stream)
    stream.close()
    threading.Event().wait(0.5)
    asked = len(server.asked)
    threading.Event().wait(0.5)
    assert len(server.asked) == asked < 10  # three whole grids would take 72


def test_the_adapter_is_asked_by_its_name(lm, server, monkeypatch):
    monkeypatch.setattr("sensorium.generate.remote.adapter_is_on", lambda lm: True)
    write(VllmEngine(lm, server.url, "tiny", api_key="secret"), "dots")
    assert {asked["model"] for asked in server.asked} == {"media"}
    assert {asked["authorization"] for asked in server.asked} == {"Bearer secret"}


def test_a_refusal_is_told_plainly(lm, server):
    with pytest.raises(InputError, match=r"refuses \(404\): The model `other` does not exist"):
        write(VllmEngine(lm, server.url, "other"), "dots")


@pytest.mark.parametrize("wrong", [{"logprobs": 2}, {"guidance": 2.0}])
def test_what_servers_do_not_offer_is_refused(lm, server, wrong):
    sampling = Sampling(temperature=0, max_tokens=40, **wrong)
    with pytest.raises(InputError, match=r"needs? the torch or the onnx engine"):
        VllmEngine(lm, server.url).generate(PROMPTS, [rules("dots") for _ in PROMPTS], sampling, PROMPTS)


def test_engines_go_by_name(lm, server):
    assert isinstance(make_engine(lm, f"vllm={server.url}"), VllmEngine)
    assert type(make_engine(lm)) is TorchEngine
    with pytest.raises(InputError, match="no engine named 'vllm'; there are: torch, onnx"):
        make_engine(lm, "vllm")
    with pytest.warns(UserWarning, match="writing with torch, which is slower"):  # its heads have an odd size
        assert type(make_engine(lm, "fast")) is TorchEngine
