"""Tokens a second of every engine that runs here, against `transformers.generate` masking the same ids and llama.cpp.

    python benchmarks/engine_speed.py nano smol [FOLDER] [--batch 1 8] [--tokens 64] [--runs 5] [--threads 2]

``nano`` and ``smol`` are random models of those shapes; a folder is a Sensorium model. The contestants write the same
number of ids, codes of one medium (``codes``) or text, alternate in one process, and the median run counts. ``ceiling``
is the share of what the memory allows: a step reads all weights that it needs once, and the bandwidth is measured on
the same machine with the same threads. ``first`` is the time to the first id after the prompt.

llama.cpp is what one would pick instead: its own server, a process of its own (extra ``llamacpp``), on the same weights
in Q8_0, which writes whatever ids it likes, without any mask, sampled among the 40 likeliest.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import Request, urlopen

import torch
from transformers import LlamaConfig, LlamaForCausalLM, LogitsProcessor
from transformers import logging as transformers_logging

from sensorium.engines import Engine, Sampling, Turn, make_engine, stream
from sensorium.engines.llamacpp_engine import start_server
from sensorium.engines.onnx_engine import WHOLE_FROM
from sensorium.model import Model
from sensorium.model.gguf import export_gguf
from sensorium.model.onnx_export import BLOCK
from sensorium.senses import Senses
from sensorium.stream import Ranges

SHAPES = {
    "nano": (3500, 13804, dict(hidden_size=256, num_hidden_layers=7, intermediate_size=704, num_attention_heads=8)),
    "smol": (
        49152,
        8192,
        dict(
            hidden_size=576,
            num_hidden_layers=30,
            intermediate_size=1536,
            num_attention_heads=9,
            num_key_value_heads=3,
        ),
    ),
}
"""Text rows, codes of one codec, and the shape of the body."""
ENGINES = ("torch", "onnx", "onnx-int8")
TRANSFORMERS, LLAMA_CPP = "transformers.generate", "llama.cpp Q8_0"
BYTES_PER_WEIGHT = {"onnx-int8": 1 + 4 / BLOCK, LLAMA_CPP: 1 + 2 / 32}
"""8 bits and a scale for each block; float32 otherwise."""


Write = Callable[[int], float | None]
"""From a seed to the seconds to the first id, where they can be told."""


@dataclass
class Among:
    """Rules that allow the same ids for ever; the number of tokens ends an answer."""

    ranges: Ranges
    inside: Any = None
    done: bool = False
    complete: bool = False
    stop_ids: tuple[int, ...] = ()

    def allowed(self) -> Ranges:
        return self.ranges

    def barred(self) -> None:
        return None

    def advance(self, token: int) -> None:
        pass


class OnlyAmong(LogitsProcessor):
    """The same for `transformers.generate`."""

    def __init__(self, ranges: Ranges):
        self.ranges = ranges

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        out = torch.full_like(scores, -torch.inf)
        for start, stop in self.ranges:
            out[:, start:stop] = scores[:, start:stop]
        return out


@dataclass(frozen=True)
class Subject:
    """A model and the ids of each kind that it may write."""

    name: str
    model: Model
    kinds: dict[str, Ranges]

    @property
    def lm(self) -> Any:
        return self.model.lm

    @classmethod
    def of(cls, name: str) -> Subject:
        if name not in SHAPES:
            import sensorium

            model = sensorium.load(name)
            widest = max(model.vocabulary.writers(), key=lambda layout: layout.stop - layout.open_id)
            text = ((0, model.stream.text_stop),)
            return cls(Path(name).name, model, {"codes": (widest.range(widest.header_codes),), "text": text})
        text, codes, shape = SHAPES[name]
        torch.manual_seed(0)
        lm = LlamaForCausalLM(LlamaConfig(**shape, vocab_size=text + codes, tie_word_embeddings=False)).eval()
        model = Model(lm, Senses(byte_tokenizer(), text + codes, {}))
        return cls(name, model, {"codes": ((text, text + codes),), "text": ((0, text),)})

    def step_bytes(self, engine: str, kind: str) -> float:
        """Weights that one step must read."""
        each = BYTES_PER_WEIGHT.get(engine, 4)
        body = sum(one.numel() for name, one in self.lm.base_model.named_parameters() if "embed" not in name)
        rows, width = self.lm.get_output_embeddings().weight.shape
        wanted = sum(stop - start for start, stop in self.kinds[kind])
        if engine in (TRANSFORMERS, LLAMA_CPP):
            return each * (body + rows * width)
        precision = {"onnx": "fp32", "onnx-int8": "int8"}.get(engine)
        if precision and wanted > rows * WHOLE_FROM[precision]:
            return each * (body + rows * width)
        return each * body + 4 * wanted * width


def byte_tokenizer() -> Any:
    """The least that a GGUF file must have: bytes, a merge of two, and an end."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    bare = Tokenizer(models.BPE(vocab=letters | {"aa": len(letters)}, merges=[("a", "a")]))
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=bare, eos_token="<|end|>")


@contextmanager
def llama_cpp(subject: Subject, options: argparse.Namespace) -> Iterator[str | None]:
    """Where llama.cpp's server for a subject listens; None if it is not installed."""
    if find_spec("xllamacpp") is None or find_spec("gguf") is None:
        yield None
        return
    with TemporaryDirectory() as folder:
        file = export_gguf(subject.model, Path(folder) / "model.gguf", "int8")
        room = options.prompt + options.tokens + 8
        here, there = get_context("spawn").Pipe()
        job = {"context": room, "parallel": max(options.batch), "threads": options.threads}
        process = get_context("spawn").Process(target=serve_until_told, args=(there, str(file), job), daemon=True)
        process.start()
        yield here.recv()
        here.send("stop")
        process.join(10)


def serve_until_told(pipe: Any, file: str, job: dict[str, Any]) -> None:
    """llama.cpp's server in a process of its own: its waiting threads slow torch's down where they share one."""
    server = start_server(file, **job)
    pipe.send(server.listening_address)
    pipe.recv()


def asks(url: str, prompts: Sequence[Sequence[int]], tokens: int) -> Write:
    """Has llama.cpp write answers side by side."""

    def ask(prompt: Sequence[int], seed: int) -> None:
        body = {"prompt": prompt, "n_predict": tokens, "ignore_eos": True, "cache_prompt": False, "seed": seed}
        sampling = {"samplers": ["top_k", "temperature"], "top_k": 40, "temperature": 1, "return_tokens": True}
        request = Request(
            f"{url}/completion", json.dumps(body | sampling).encode(), {"Content-Type": "application/json"}
        )
        with urlopen(request) as reply:
            written = len(json.load(reply)["tokens"])
        assert written == tokens, f"llama.cpp wrote {written} ids"

    def write(seed: int) -> None:
        with ThreadPoolExecutor(len(prompts)) as pool:
            list(pool.map(lambda one: ask(one[1], seed + one[0]), enumerate(prompts)))

    return write


def bandwidth(threads: int) -> float:
    """Bytes a second that this many threads read from memory: the best of several sums over 512 MiB."""
    torch.set_num_threads(threads)
    values = torch.ones(2**27)
    times = []
    for _ in range(8):
        start = time.perf_counter()
        values.sum()
        times.append(time.perf_counter() - start)
    return values.nbytes / min(times)


def contestant(subject: Subject, engine: Engine | None, kind: str, prompts: torch.Tensor, tokens: int) -> Write:
    """Writes an answer to each prompt from a seed; gives the seconds to the first id, where they can be told."""
    ranges, sampling = subject.kinds[kind], Sampling(temperature=1, max_tokens=tokens)

    def ours(seed: int) -> float | None:
        assert engine is not None
        start, first = time.perf_counter(), None
        turns = [Turn(prompt, Among(ranges), sampling).again(row) for row, prompt in enumerate(prompts.tolist())]
        for _ in stream(engine, turns):
            first = first or time.perf_counter() - start
        return first

    def theirs(seed: int) -> None:
        torch.manual_seed(seed)
        subject.lm.generate(
            prompts,
            attention_mask=torch.ones_like(prompts),
            logits_processor=[OnlyAmong(ranges)],
            do_sample=True,
            top_k=0,
            max_new_tokens=tokens,
            eos_token_id=None,
            pad_token_id=0,
        )

    return theirs if engine is None else ours


def race(
    subject: Subject, options: argparse.Namespace, memory_bytes_per_s: float, url: str | None
) -> list[dict[str, Any]]:
    """One row per contestant, kind of ids and batch."""
    engines: dict[str, Engine | None] = {name: make_engine(subject.lm, name) for name in options.engines}
    engines[TRANSFORMERS] = None
    generator = torch.Generator().manual_seed(0)
    found = []
    for kind, rows in product(subject.kinds, options.batch):
        prompts = torch.randint(3, subject.kinds["text"][0][1], (rows, options.prompt), generator=generator)
        racers = {name: contestant(subject, engine, kind, prompts, options.tokens) for name, engine in engines.items()}
        if url is not None:
            racers[LLAMA_CPP] = asks(url, prompts.tolist(), options.tokens)
        wall: dict[str, list[float]] = {name: [] for name in racers}
        firsts: dict[str, list[float]] = {name: [] for name in racers}
        for turn in range(options.runs + 1):
            for name, write in racers.items():
                start = time.perf_counter()
                first = write(turn)
                if turn:  # the first warms up
                    wall[name].append(time.perf_counter() - start)
                    firsts[name] += [] if first is None else [first]
        slowest = median(wall[TRANSFORMERS])
        for name in racers:
            rate = rows * options.tokens / median(wall[name])
            row = {"model": subject.name, "writes": kind, "batch": rows, "engine": name, "tokens_per_s": round(rate, 1)}
            row["times_transformers"] = round(slowest / median(wall[name]), 2)
            ceiling = memory_bytes_per_s / subject.step_bytes(name, kind) * rows
            row["ceiling"] = round(rate / ceiling, 2)
            row["first_ms"] = round(1000 * median(firsts[name]), 1) if firsts[name] else None
            row["s_per_answer"] = round(median(wall[name]), 3)
            found.append(row)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="nano, smol, or the folder of a model")
    parser.add_argument("--engines", nargs="+", default=ENGINES, help="names of engines; see `make_engine`")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8], help="answers written at once")
    parser.add_argument("--tokens", type=int, default=64, help="ids per answer; 64 codes are one picture of nano")
    parser.add_argument("--prompt", type=int, default=32, help="ids of the prompt")
    parser.add_argument("--runs", type=int, default=5, help="alternating runs; the median counts")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path, help="write the rows here too")
    options = parser.parse_args(arguments)
    transformers_logging.set_verbosity_error()
    memory = bandwidth(options.threads)
    print(f"{options.threads} threads, {memory / 1e9:.1f} GB/s from memory\n")
    rows = []
    for name in options.models:
        subject = Subject.of(name)
        with llama_cpp(subject, options) as url:
            rows += race(subject, options, memory, url)
    print("| " + " | ".join(rows[0]) + " |\n" + "|---" * len(rows[0]) + "|")
    for row in rows:
        print("| " + " | ".join("" if value is None else str(value) for value in row.values()) + " |")
    if options.json:
        told = {"threads": options.threads, "memory_gb_per_s": round(memory / 1e9, 1), "rows": rows}
        options.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
