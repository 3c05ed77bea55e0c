"""The vLLM engine against a small server that speaks vLLM's completions: what it asks for, and what it makes of it."""

from __future__ import annotations

import copy
import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
import torch
from serving import ask, running, tiny_assistant
from toys import ToyCodec, tiny_configs
from transformers import AutoModelForCausalLM

from sensorium import plugins
from sensorium.engines import Sampling, TorchEngine, Turn, Unreachable, generate, make_engine, stream
from sensorium.engines.remote import RemoteEngine, Run
from sensorium.engines.vllm_engine import VllmEngine
from sensorium.stream import Grammar
from sensorium.types import Conversation, InputError, as_message
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
            return self._json(
                {"choices": [{"prompt_logprobs": self._prompt_logprobs(body["prompt"], body["prompt_logprobs"])}]}
            )
        self.send_response(200)
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):  # who has what was wanted does not wait for the end
            self._stream(body)

    def _stream(self, body: dict[str, Any]) -> None:
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
    def _prompt_logprobs(self, ids: list[int], top: int) -> list[dict[str, Any] | None]:
        logs = self.server.lm(torch.tensor([ids])).logits[0].log_softmax(-1)
        likeliest = [{one, *place.topk(top).indices.tolist()} for one, place in zip(ids[1:], logs[:-1], strict=True)]
        return [
            None,
            *(
                {str(one): {"logprob": float(place[one])} for one in some}
                for some, place in zip(likeliest, logs, strict=False)
            ),
        ]

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


def turns(want: str | None, sampling: Sampling = GREEDY, **options) -> list[Turn]:
    return [Turn(prompt, rules(want, sampling.max_tokens), sampling, **options) for prompt in PROMPTS]


def write(engine, want: str | None, **options) -> list[tuple[list[int], str]]:
    return [(one.ids, one.finish) for one in generate(engine, turns(want, **options))]


@pytest.mark.parametrize("want", ["grid", "wave", "dots", "text", None])
def test_ids_equal_those_of_torch(lm, server, want):
    assert write(VllmEngine(lm, server.url, "tiny"), want) == write(TorchEngine(lm), want)


def test_a_medium_of_one_codebook_is_one_request(lm, server):
    write(VllmEngine(lm, server.url, "tiny"), "dots")
    layout = VOCABULARY.layout("dots")
    assert len(server.asked) == len(PROMPTS)
    for asked in server.asked:
        assert asked["allowed_token_ids"] == list(range(*layout.range(0)))
        assert asked["max_tokens"] == 8
        assert asked["prompt"][-1] == layout.open_id
        assert asked["authorization"] is None


@pytest.fixture
def knowing(lm):
    """A model that knows which codebook is next, and nothing else for sure."""
    layout, made = VOCABULARY.layout("grid"), copy.deepcopy(lm)
    first, second = (slice(*layout.range(book)) for book in (0, 1))
    with torch.no_grad():
        for layer in made.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        read, write = made.get_input_embeddings().weight, made.get_output_embeddings().weight
        for here, there in ((first, second), (second, first), (slice(layout.open_id, layout.open_id + 1), first)):
            side = 0 if there is first else 1
            read[here, side], write[there, side] = 9.0, 9.0
    return made


def test_a_medium_of_several_codebooks_is_one_request_where_the_model_knows_them(knowing, server):
    server.lm = knowing
    assert write(VllmEngine(knowing, server.url, "tiny"), "grid") == write(TorchEngine(knowing), "grid")
    assert len(server.asked) == len(PROMPTS)
    layout = VOCABULARY.layout("grid")
    for asked in server.asked:
        assert asked["allowed_token_ids"] == list(range(layout.starts[0], layout.stop))
        assert asked["max_tokens"] == 24


def test_samples_cut_to_the_likeliest_ids_are_asked_for_codebook_by_codebook(lm, server):
    engine = VllmEngine(lm, server.url, "tiny")
    asked = []
    engine._continue = lambda ids, run, sampling, adapter: (asked.append(run), (one for one in run.ids()[:1]))[1]
    generate(engine, [Turn(PROMPTS[0], rules("grid"), Sampling(top_k=3, max_tokens=40))])
    assert [run.count for run in asked] == [1] * 24


class Dice(RemoteEngine):
    """A server that draws every id from one distribution, among those it is told."""

    def __init__(self, weights: torch.Tensor):
        super().__init__(torch.nn.Identity(), "nowhere")
        self.weights, self.generator = weights, torch.Generator().manual_seed(0)

    def _continue(self, ids, run, sampling, adapter):
        allowed = torch.tensor(run.ids())
        for _ in range(run.count):
            yield int(allowed[torch.multinomial(self.weights[allowed], 1, generator=self.generator)])

    def score(self, *_):
        raise NotImplementedError


def test_ids_that_are_dropped_leave_the_distribution_as_it_is():
    weights = torch.rand(VOCABULARY.size, generator=torch.Generator().manual_seed(1)) ** 3
    turn, layout = Turn(PROMPTS[0], rules("grid"), Sampling(max_tokens=40)), VOCABULARY.layout("grid")
    made = generate(Dice(weights), [turn] + [turn.again(number) for number in range(1, 300)])
    codes = np.concatenate([layout.codes(one.ids[1:25]).reshape(-1, 2) for one in made])
    for book, size in enumerate((24, 12)):
        ours = np.bincount(codes[:, book], minlength=size) / len(codes)
        theirs = weights[slice(*layout.range(book))]
        np.testing.assert_allclose(ours, theirs / theirs.sum(), atol=0.02)


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
        layout = VOCABULARY.layout(want)
        for kind in written:
            grammar.advance(layout.open_id if kind == "open" else layout.range(0)[0])
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


def test_a_given_text_is_known_as_torch_knows_it(lm, server):
    for own, torchs in zip(
        VllmEngine(lm, server.url).known(PROMPTS[2], 3), TorchEngine(lm).known(PROMPTS[2], 3), strict=True
    ):
        assert own.id == torchs.id and own.logprob == pytest.approx(torchs.logprob, abs=1e-4)
        assert [one for one, _ in own.top] == [one for one, _ in torchs.top]


def test_answers_come_and_go_in_a_batch(lm, server):
    engine = VllmEngine(lm, server.url)
    batch, asked = engine.batch(), turns("dots")
    written = {turn: [] for turn in asked}
    batch.join(asked[:1])
    for token in batch.step():
        written[token.turn].append(token.id)
    batch.join(asked[1:])
    batch.drop([asked[1]])
    while len(batch):
        for token in batch.step():
            written[token.turn].append(token.id)
    alone = [ids for ids, _ in write(TorchEngine(lm), "dots")]
    assert [written[turn] for turn in asked] == [alone[0], [], alone[2]]


def test_closing_the_stream_ends_the_requests(lm, server):
    tokens = stream(VllmEngine(lm, server.url), turns("grid"))
    next(tokens)
    tokens.close()
    threading.Event().wait(0.5)
    asked = len(server.asked)
    threading.Event().wait(0.5)
    assert len(server.asked) == asked < 10  # three whole grids would take 72


def test_the_adapter_is_asked_by_its_name(lm, server, monkeypatch):
    monkeypatch.setattr("sensorium.engines.remote.Adapter.__bool__", lambda _: True)
    engine = VllmEngine(lm, server.url, "tiny", api_key="secret")
    write(engine, "dots", adapter=True)
    assert {asked["model"] for asked in server.asked} == {"media"}
    assert {asked["authorization"] for asked in server.asked} == {"Bearer secret"}
    server.asked.clear()
    write(engine, "dots", adapter=False)
    assert {asked["model"] for asked in server.asked} == {"tiny"}


def test_a_refusal_is_told_plainly(lm, server):
    with pytest.raises(InputError, match=r"refuses \(404\): The model `other` does not exist"):
        write(VllmEngine(lm, server.url, "other"), "dots")


def served(engine) -> Any:
    """A tiny model behind our server, written for by another engine."""
    model = tiny_assistant()
    model.engine = engine(model.lm)
    return running({"tiny": model})


def test_an_engine_that_is_not_there_is_the_servers_fault():
    with served(lambda lm: VllmEngine(lm, "http://127.0.0.1:9")) as ours:
        whole, streamed = (ours.post("/v1/chat/completions", ask("hello", stream=one)) for one in (False, True))
    last = streamed.text.strip().splitlines()[-1].removeprefix("data: ")
    assert whole.status_code == json.loads(last)["error"].pop("status") == 503
    for error in (whole.json()["error"], json.loads(last)["error"]):
        assert (error["type"], error["code"]) == ("server_error", "engine_unreachable")
        assert "is not reachable" in error["message"]
        assert "127.0.0.1" not in error["message"]  # that is for the log


def test_guidance_that_only_the_model_asks_for_is_left_out():
    model = tiny_assistant()
    model.senses.sampling["image"] = {"guidance": 3.0, "temperature": 0.5}
    question = Conversation((as_message("user", "Draw."),))
    assert model.turn(question, "image").sampling.guidance == 3.0
    model.engine = VllmEngine(model.lm, "http://127.0.0.1:9")
    assert model.turn(question, "image").sampling.guidance == 1.0
    assert model.turn(question, "image").sampling.temperature == 0.5
    assert model.turn(question, "image", guidance=2.0).guided  # said by the user: refused when it is written


class DyingVllm(FakeVllm):
    """Breaks off in the middle of what it writes, or says that its engine is dead."""

    def do_POST(self) -> None:
        if self.server.dying != "at once":
            return super().do_POST()
        self.rfile.read(int(self.headers["Content-Length"]))
        self._json({"error": {"message": "EngineCore encountered an issue", "code": 500}}, 500)

    def _stream(self, body: dict[str, Any]) -> None:
        if self.server.dying == "in a stream":
            return self._event({"error": {"message": "EngineCore encountered an issue", "code": 500}})
        self.wfile.write(b'data: {"choices": [{"ind')


@pytest.mark.parametrize("dying", ["at once", "in a stream", "in the middle of a line"])
def test_an_engine_that_dies_is_not_the_fault_of_the_request(lm, server, dying):
    server.RequestHandlerClass, server.dying = DyingVllm, dying
    with pytest.raises(Unreachable, match=r"the engine at .* (is not reachable|fails)"):
        write(VllmEngine(lm, server.url, "tiny"), "dots")


@pytest.mark.parametrize("wrong", [{"logprobs": 2}, {"guidance": 2.0}, {"contrast": 1.0}])
def test_what_servers_do_not_offer_is_refused(lm, server, wrong):
    sampling = Sampling(temperature=0, max_tokens=40, **wrong)
    with pytest.raises(InputError, match=r"needs? the torch or the onnx engine"):
        write(VllmEngine(lm, server.url), "dots", sampling=sampling, negative=[1], corrupted=[1])


def test_an_engine_can_come_from_outside(lm, monkeypatch):
    class Mine(TorchEngine):
        pass

    names, load = plugins.names, plugins.load
    monkeypatch.setattr(plugins, "names", lambda group: (*names(group), "mine"))
    monkeypatch.setattr(plugins, "load", lambda group, name: Mine if name == "mine" else load(group, name))
    assert type(make_engine(lm, "mine")) is Mine
    with pytest.raises(InputError, match="no engine named 'mine=here'"):
        make_engine(lm, "mine=here")


def test_engines_go_by_name(lm, server):
    assert isinstance(make_engine(lm, f"vllm={server.url}"), VllmEngine)
    assert type(make_engine(lm)) is TorchEngine
    with pytest.raises(
        InputError, match="no engine named 'vllm'; there are: fast, llamacpp=URL, onnx, onnx-int8, torch, vllm=URL"
    ):
        make_engine(lm, "vllm")
    with pytest.warns(UserWarning, match="writing with torch, which is slower"):  # its heads have an odd size
        assert type(make_engine(lm, "fast")) is TorchEngine
