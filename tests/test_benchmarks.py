"""The benchmark of engines runs, on a model too small to say anything, and tells of every contestant."""

from __future__ import annotations

import argparse
import asyncio
import json
from importlib.util import find_spec

import pytest
import torch

pytest.importorskip("onnxruntime")
from benchmarks import engine_speed


def test_every_engine_and_what_one_would_pick_instead_get_a_row(monkeypatch, tmp_path):
    shape = dict(hidden_size=64, num_hidden_layers=1, intermediate_size=64, num_attention_heads=4)
    monkeypatch.setattr(engine_speed, "SHAPES", {"tiny": (400, 100, shape)})
    monkeypatch.setattr(engine_speed, "bandwidth", lambda threads: 1e9)
    threads, told = torch.get_num_threads(), tmp_path / "told.json"
    options = ["--batch", "1", "2", "--tokens", "4", "--prompt", "5", "--runs", "1", "--threads", str(threads)]
    engine_speed.main(["tiny", *options, "--json", str(told)])
    rows = json.loads(told.read_text(encoding="utf-8"))["rows"]
    others = [engine_speed.TRANSFORMERS, *([engine_speed.LLAMA_CPP] if find_spec("xllamacpp") else [])]
    assert [row["engine"] for row in rows] == [*engine_speed.ENGINES, *others] * 4
    assert {(row["writes"], row["batch"]) for row in rows} == {(kind, n) for kind in ("codes", "text") for n in (1, 2)}
    assert all(row["tokens_per_s"] > 0 for row in rows)


def test_the_load_test_asks_what_the_model_can_answer_and_tells_of_its_speech():
    pytest.importorskip("soundfile")
    from benchmarks import load_test
    from serving import Greys, running, tiny_assistant
    from sounds import Steps

    options = argparse.Namespace(model="tiny", clients=2, minutes=0.03, out=None)
    with running({"tiny": tiny_assistant(codecs=[Greys(), Steps()])}) as server:
        told = asyncio.run(load_test.run(server.url, None, options))
    assert (told["lost"], told["lost_because"]) == (0, {})
    assert told["requests"] == told["right"] + told["drifted"] + told["mixed up"] > 0
    assert 0 < told["speech"]["first_sound_s"]["p50"] < 5
    assert told["speech"]["realtime_factor"]["p50"] > 0
    with running({"tiny": tiny_assistant(codecs=[])}) as server:
        assert "speech" not in asyncio.run(load_test.run(server.url, None, options))
