"""Tokens a second of writing one picture: our engine against `transformers.generate` masking the same ids.

    python benchmarks/generate_speed.py nano smol [FOLDER] [--runs 5] [--guidance 3]

``nano`` and ``smol`` are random models of those sizes; a folder is a Sensorium model. The two contestants alternate
in one process; the median counts. Wall time is what a user feels; CPU time is steadier on a shared machine. Peak
memory comes from a process of its own for each.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, LogitsProcessor, LogitsProcessorList
from transformers import logging as transformers_logging
from transformers.generation.logits_process import UnbatchedClassifierFreeGuidanceLogitsProcessor

from sensorium.codecs import Facts
from sensorium.engines import Sampling, TorchEngine, Turn, generate
from sensorium.stream import Grammar
from sensorium.vocabulary import Vocabulary

MODALITY = "image"
PROMPT_IDS = 32
SIZES = {
    "nano": (4096, 4375, {"hidden_size": 256, "num_hidden_layers": 8, "intermediate_size": 688}),
    "smol": (49152, 8192, {"hidden_size": 576, "num_hidden_layers": 30, "intermediate_size": 1536}),
}
HEADS = {"nano": (4, 4), "smol": (9, 3)}


def contestant_model(name: str) -> tuple[Any, Vocabulary, int, int]:
    """Model, vocabulary, one past the last text id, the id that ends a turn."""
    if name not in SIZES:
        import sensorium

        model = sensorium.load(name)
        return model.lm, model.vocabulary, model.stream.text_stop, model.stream.stop_ids[0]
    text, codes, shape = SIZES[name]
    facts = Facts(name=MODALITY, modality=MODALITY, codebook_sizes=(codes,), grid=(8, 8), max_frames=64)
    vocabulary = Vocabulary.build(text, [facts])
    torch.manual_seed(0)
    heads, key_heads = HEADS[name]
    config = LlamaConfig(
        **shape,
        vocab_size=vocabulary.size,
        num_attention_heads=heads,
        num_key_value_heads=key_heads,
        tie_word_embeddings=True,
        eos_token_id=2,
        bos_token_id=1,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config).eval(), vocabulary, text, 2


class GrammarMask(LogitsProcessor):
    """The grammar for `transformers.generate`: one slice is copied, the rest is -inf."""

    def __init__(self, grammar: Grammar, prompt: int):
        self.grammar, self.seen = grammar, prompt

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        for token in input_ids[0, self.seen :].tolist():
            self.grammar.advance(token)
        self.seen = input_ids.shape[1]
        out = torch.full_like(scores, -torch.inf)
        for start, stop in self.grammar.allowed():
            out[:, start:stop] = scores[:, start:stop]
        return out


def contestants(name: str, guidance: float, temperature: float) -> dict[str, Callable[[int], list[int]]]:
    """Functions from a seed to the ids of one picture, markers and end of turn included."""
    lm, vocabulary, text_stop, stop = contestant_model(name)
    prompt = torch.randint(3, min(text_stop, 4000), (PROMPT_IDS,), generator=torch.Generator().manual_seed(0))
    negative = prompt[: PROMPT_IDS // 2]
    engine, guided = TorchEngine(lm), guidance != 1

    def ours(seed: int) -> list[int]:
        sampling = Sampling(temperature=temperature, seed=seed, guidance=guidance)
        rules = Grammar(vocabulary, text_stop, (stop,), want=MODALITY, budget=512)
        return generate(engine, [Turn(prompt.tolist(), rules, sampling, negative.tolist())])[0].ids

    def theirs(seed: int) -> list[int]:
        torch.manual_seed(seed)
        mask = GrammarMask(Grammar(vocabulary, text_stop, (stop,), want=MODALITY, budget=512), PROMPT_IDS)
        processors = LogitsProcessorList([mask])
        if guided:
            unconditional = UnbatchedClassifierFreeGuidanceLogitsProcessor(guidance, lm, negative[None])
            processors.insert(0, unconditional)
        random = {"do_sample": True, "temperature": temperature, "top_k": 0}
        out = lm.generate(
            prompt[None],
            attention_mask=torch.ones(1, PROMPT_IDS, dtype=torch.long),
            logits_processor=processors,
            max_new_tokens=512,
            eos_token_id=stop,
            pad_token_id=0,
            **(random if temperature else {"do_sample": False}),
        )
        return out[0, PROMPT_IDS:].tolist()

    return {"sensorium": ours, "transformers": theirs}


def race(name: str, runs: int, guidance: float, temperature: float) -> dict[str, Any]:
    """Medians over alternating runs."""
    racers = contestants(name, guidance, temperature)
    written = {who: len(write(0)) for who, write in racers.items()}  # also warms up
    times: dict[str, list[tuple[float, float]]] = {who: [] for who in racers}
    for seed in range(runs):
        for who, write in racers.items():
            wall, cpu = time.perf_counter(), time.process_time()
            write(seed)
            times[who].append((time.perf_counter() - wall, time.process_time() - cpu))
    result: dict[str, Any] = {"model": name, "guidance": guidance, "temperature": temperature, "runs": runs}
    for who, pairs in times.items():
        wall, cpu = median(w for w, _ in pairs), median(c for _, c in pairs)
        result[who] = {
            "tokens_per_s": round(written[who] / wall, 1),
            "tokens_per_cpu_s": round(written[who] / cpu, 1),
            "peak_mb": peak_mb(name, who, guidance, temperature),
        }
    for key in ("tokens_per_s", "tokens_per_cpu_s"):
        result[f"times_{key}"] = round(result["sensorium"][key] / result["transformers"][key], 2)
    return result


def peak_mb(name: str, who: str, guidance: float, temperature: float) -> int:
    """Peak resident memory of a process that loads the model and writes one picture."""
    options = ["--guidance", str(guidance), "--temperature", str(temperature), "--memory-of", who]
    command = [sys.executable, __file__, name, *options]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="nano, smol, or the folder of a model")
    parser.add_argument("--runs", type=int, default=5, help="alternating runs; the median counts")
    parser.add_argument("--guidance", type=float, default=1.0, help="scale of classifier-free guidance, 1 for none")
    parser.add_argument("--temperature", type=float, default=1.0, help="0 for greedy")
    parser.add_argument("--memory-of", choices=["sensorium", "transformers"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    transformers_logging.set_verbosity_error()
    for name in args.models:
        if args.memory_of:
            contestants(name, args.guidance, args.temperature)[args.memory_of](0)
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        else:
            print(json.dumps(race(name, args.runs, args.guidance, args.temperature)), flush=True)


if __name__ == "__main__":
    main()
