"""Training tokens a second of a nano-shaped and a smol-shaped model, against another checkout's source.

    python benchmarks/training_speed.py [nano smol] [--against OTHER/src] [--rounds 6] [--steps 4] [--threads 1]
        [--fp32] [--json FILE]

``nano`` trains in full as its recipe does (Muon, compiled body, twice a weight on text); ``smol`` is a Llama of
SmolLM2-135M's shape with random weights, frozen, of which new rows and an adapter train. Conversations are made up:
names of made-up media and media of made-up names, always the same ones. Each contestant is a process of its own that
trains ``--steps`` steps at a time through ``sensorium.training.fit``, one after the other in turn, on the same
conversations; the median round counts, and only tokens of conversations do, not empty places of rows. CPU time is
steadier than wall time on a shared machine; both are told, and the factor is of CPU time. The losses of every round are
printed; they should agree. ``other fp32`` is the other source without bfloat16.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parents[1] / "src"
NAMES, WORDS = 400, 240
"""Made-up media that have a name, and the words that names are made of."""


class Worker:
    """A contestant in its own process; lines of JSON go to and fro."""

    def __init__(self, name: str, source: Path, shape: str, options: argparse.Namespace, dtype: str):
        self.name = name
        self.rounds: list[dict[str, Any]] = []
        command = [sys.executable, str(Path(__file__).resolve()), "--work", shape, "--dtype", dtype]
        command += ["--steps", str(options.steps), "--threads", str(options.threads)]
        environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": str(options.threads)}
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def round(self) -> dict[str, Any]:
        """Have it train for a round, and what it says: seconds, tokens, losses."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} has stopped, see above")
        return json.loads(line)

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def conversations(codecs: dict[str, Any], media: int, count: int = 3000) -> Iterator[Any]:
    """Named and drawn media, number i always the same. Codes of a name are its own up to one in eight.

    Args:
        media: most media in a conversation.
    """
    from sensorium.types import Conversation, Message, Part

    generator = np.random.default_rng(0)
    words = [f"{a}{b}" for a in "bdfgklmnprst" for b in ("ell", "ook", "ant", "ish", "own")][:WORDS]
    names = [" ".join(generator.choice(words, int(generator.integers(1, 3)))) for _ in range(NAMES)]
    own = {name: [_codes(codec, generator) for _ in names] for name, codec in codecs.items()}
    writer = next((name for name, codec in codecs.items() if codec.facts.use != "read"), None)
    reader = next(name for name, codec in codecs.items() if codec.facts.use != "write")

    def part(codec: str, which: int) -> Any:
        noise = _codes(codecs[codec], generator)
        changed = generator.random(noise.shape) < 1 / 8
        codes = np.where(changed, noise, own[codec][which])
        return Part(codecs[codec].facts.modality, codes=codes, codec=codec)

    text = lambda words: Part("text", words)  # noqa: E731
    for _ in range(count):
        if writer is not None and generator.random() < 0.4:
            which = int(generator.integers(NAMES))
            asked = Message("user", (text(f"Draw a {names[which]}."),))
            yield Conversation((asked, Message("assistant", (part(writer, which),))))
            continue
        messages = []
        for _ in range(int(generator.integers(1, media + 1))):
            which = int(generator.integers(NAMES))
            messages.append(Message("user", (part(reader, which), text("What is this?"))))
            messages.append(Message("assistant", (text(f"a {names[which]}"),)))
        yield Conversation(tuple(messages))


def _codes(codec: Any, generator: np.random.Generator) -> np.ndarray:
    """Random codes of a medium, as the checkout at hand has them: flat, or (frames, codebooks) before version 2."""
    facts = codec.facts
    codes = np.stack([generator.integers(0, size, facts.fixed_frames) for size in facts.codebook_sizes], axis=1)
    return codes.ravel() if hasattr(codec, "layout") else codes


def nano() -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """The grown model, settings of the run, and rows a step, tokens a row, weight of text, media a conversation."""
    from sensorium.model import Model, grow

    settings = dict(
        optimizer="muon", lr={"rows": 3e-3, "body": 2e-3}, schedule="constant", warmup=50, compile=True
    )  # recipes/pictograms/nano.py
    return grow(Model.load("nano"), learn="full"), settings, dict(rows=12, tokens=256, text=4.0, media=8)


def smol() -> tuple[Any, dict[str, Any], dict[str, Any]]:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from sensorium.api import codec
    from sensorium.model import Base, Model, grow

    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=49152, hidden_size=576, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
        intermediate_size=1536, tie_word_embeddings=True, max_position_embeddings=8192,
    )  # fmt: skip
    tokenizer = Model.load("nano").tokenizer.__class__.from_pretrained(_plain_tokenizer())
    base = Base(LlamaForCausalLM(shape).eval(), tokenizer, "smol-shaped")
    settings = dict(lr={"rows": 2e-3, "adapter": 1e-3}, schedule="constant", warmup=30, betas=(0.9, 0.98))
    grown = grow(base, [codec("image-read")], "adapter", "codebook", 8)
    return grown, settings, dict(rows=2, tokens=512, text=1.0, media=8)  # recipes/smol/model.py


def _plain_tokenizer() -> str:
    """A byte-level tokenizer of text alone, with a system prompt in its template, in a folder."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    plain = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    plain.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    fast = PreTrainedTokenizerFast(tokenizer_object=plain, eos_token="<|im_end|>")
    fast.chat_template = (
        "<|im_start|>system\nYou help.<|im_end|>\n{% for message in messages %}<|im_start|>{{ message.role[0] }}\n"
        "{{ message.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>a\n{% endif %}"
    )
    folder = tempfile.mkdtemp()
    fast.save_pretrained(folder)
    return folder


class Counting:
    """A loader that hands over a round's batches at a time and counts the tokens of documents."""

    def __init__(self, loader: Any):
        self.loader, self.tokens = loader, 0
        self.world_size = 1

    def __iter__(self) -> Iterator[Any]:
        for batch in self.loader:
            self.tokens += int((batch.position_ids > 0).sum()) + batch.documents
            yield batch

    def state_dict(self) -> dict[str, Any]:
        return self.loader.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.loader.load_state_dict(state)


class Paced(Counting):
    """Waits for a word on standard input every ``steps`` batches, and then tells how the last ones went."""

    def __init__(self, loader: Any, steps: int, log: Path, out: Any):
        super().__init__(loader)
        self.steps, self.log, self.out = steps, log, out

    def __iter__(self) -> Iterator[Any]:
        start, before, cpu = 0.0, 0, 0.0
        for number, batch in enumerate(super().__iter__()):
            if number % self.steps == 0:
                if number:
                    self._tell(start, cpu, before)
                if not sys.stdin.readline():
                    return
                start, cpu, before = time.perf_counter(), time.process_time(), self.tokens
            yield batch

    def _tell(self, start: float, cpu: float, before: int) -> None:
        seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu
        lines = [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()][-self.steps :]
        kinds = sorted({kind for line in lines for kind in line["kinds"]})
        told_of = {kind: [line["kinds"][kind] for line in lines if kind in line["kinds"]] for kind in kinds}
        losses = {kind: _mean(found) for kind, found in told_of.items()}
        told: dict[str, Any] = {"seconds": seconds, "cpu_s": cpu_s, "tokens": self.tokens - before, "losses": losses}
        self.out.write(json.dumps(told) + "\n")
        self.out.flush()


def _mean(found: list[dict[str, float]]) -> float:
    """Nats a token over the lines of a round."""
    tokens = sum(item["tokens"] for item in found)
    return sum(item["nats"] * item["tokens"] for item in found) / tokens


def work(options: argparse.Namespace) -> None:
    """What a contestant does: train until nobody asks any more."""
    out, sys.stdout = sys.stdout, sys.stderr
    from sensorium.data import PackedLoader, Sample
    from sensorium.training import NextTokenLoss, TrainConfig, fit

    grown, settings, sizes = {"nano": nano, "smol": smol}[options.work]()
    rendered = [grown.stream.render(c) for c in conversations(grown.codecs, sizes["media"])]
    samples = [Sample(item.ids, item.mask) for item in rendered]
    loader = PackedLoader(samples, sizes["rows"], sizes["tokens"], seed=0)
    config = TrainConfig(
        **settings, dtype=options.dtype, threads=options.threads, log_every=1, device="cpu", save_minutes=1e6
    )
    with tempfile.TemporaryDirectory() as folder:
        paced = Paced(loader, options.steps, Path(folder) / "log.jsonl", out)
        fit(grown, paced, config, folder, NextTokenLoss({"text": sizes["text"]}))


def compare(shape: str, options: argparse.Namespace) -> dict[str, Any]:
    """Rounds of all contestants in turn, and what came of them."""
    workers = [Worker("here", HERE, shape, options, "auto")]
    if options.against:
        workers.append(Worker("other", options.against, shape, options, "auto"))
        if options.fp32:
            workers.append(Worker("other fp32", options.against, shape, options, "float32"))
    for number in range(options.rounds + options.warm):
        for worker in workers:
            told = worker.round()
            if number >= options.warm:
                worker.rounds.append(told)
    for worker in workers:
        worker.close()
    return {worker.name: summary(worker.rounds) for worker in workers}


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    speeds = [told["tokens"] / told["seconds"] for told in rounds]
    per_cpu = [told["tokens"] / told["cpu_s"] for told in rounds]
    kinds = rounds[0]["losses"]
    losses = {kind: [round(told["losses"].get(kind, float("nan")), 3) for told in rounds] for kind in kinds}
    return {"tokens_per_s": round(median(speeds), 1), "tokens_per_cpu_s": round(median(per_cpu), 1), "nats": losses}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="*", default=["nano", "smol"])
    parser.add_argument("--against", type=Path, help="the src folder of another checkout")
    parser.add_argument("--fp32", action="store_true", help="time the other one in float32 too")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--warm", type=int, default=2, help="rounds before those that count")
    parser.add_argument("--steps", type=int, default=4, help="of a round")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="file for the numbers")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--dtype", default="auto", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options)
        return
    found = {shape: compare(shape, options) for shape in options.shapes}
    for shape, rows in found.items():
        for name, row in rows.items():
            faster = rows["here"]["tokens_per_cpu_s"] / row["tokens_per_cpu_s"]
            speeds = f"{row['tokens_per_cpu_s']:6.0f} tokens/CPU s  {row['tokens_per_s']:6.0f} tokens/s"
            print(f"{shape:5} {name:11} {speeds}  here is {faster:.2f}x  {row['nats']}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
