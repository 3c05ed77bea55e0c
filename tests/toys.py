"""Tiny things for tests: a tokenizer, a codec of a made-up modality, models of several classes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np
import torch

from sensorium.codecs import Codec, Facts
from sensorium.modalities import Modality, Wish
from sensorium.model import Base
from sensorium.types import InputError, Signal

CHATML = (
    "{% for message in messages %}<|start|>{{ message.role }}\n{{ message.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)


class Toy(Modality):
    """Small integer arrays (rows, numbers); a file holds them as text."""

    name = "toy"
    extensions = (".toy",)
    media_types = ("application/x-toy",)

    def read(self, data: bytes, where: str, wish: Wish) -> Signal:
        try:
            rows = [[int(number) for number in line.split()] for line in data.decode().splitlines()]
            return self.check(Signal(np.array(rows)))
        except ValueError as error:
            raise InputError(f"{where} holds no small numbers; give rows of them") from error

    def check(self, signal: Signal) -> Signal:
        array = np.asarray(signal.array)
        if array.ndim != 2 or array.dtype.kind not in "iu" or not array.size:
            raise InputError(f"the toy must be a table of small numbers, not {array.dtype} {array.shape}")
        return Signal(array.astype(np.int64))

    def write(self, signal: Signal, media_type: str) -> bytes:
        return "\n".join(" ".join(map(str, row)) for row in signal.array.tolist()).encode()

    def preview(self, signal: Signal, size_px: int = 256) -> np.ndarray:
        grey = (signal.array * 30 % 256).astype(np.uint8)[:size_px, :size_px]
        return np.repeat(grey[..., None], 3, axis=2)

    def measures(self, original: Signal, other: Signal) -> dict[str, float]:
        same = original.array.shape == other.array.shape
        return {"equal": float(np.mean(original.array == other.array)) if same else 0.0}


class ToyCodec(Codec):
    """Small integer arrays (frames, codebooks) as they are, one number per code; the features are one-hot.

    With a ``header`` its codes stand in the first row of the array.
    """

    family: ClassVar[str] = "toy"

    def __init__(
        self,
        name: str = "toy",
        use: str = "both",
        sizes: Sequence[int] = (8, 4),
        grid: Sequence[int | None] | None = (2, 2),
        max_frames: int = 4,
        modality: str = "toy",
        header: Sequence[tuple[str, int]] = (),
        min_frames: int = 1,
    ):
        self.facts = Facts(
            name=name,
            modality=modality,
            codebook_sizes=tuple(sizes),
            grid=tuple(grid) if grid else (None,),
            max_frames=max_frames,
            min_frames=min_frames,
            header=tuple((name, size) for name, size in header),
            use=use,  # type: ignore[arg-type]
        )

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        return [self._encode(np.asarray(signal.array)) for signal in signals]

    def _encode(self, rows: np.ndarray) -> np.ndarray:
        header = rows[0, : self.layout.header_codes] if self.facts.header else []
        return self.layout.join(header, rows[1:] if self.facts.header else rows)

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        return [self._decode(one) for one in codes]

    def _decode(self, codes: np.ndarray) -> Signal:
        header, frames = self.layout.split(codes)
        if not self.facts.header:
            return Signal(frames)
        first = np.zeros((1, frames.shape[1]), np.int64)
        first[0, : len(header)] = header
        return Signal(np.concatenate([first, frames]))

    def features(self, codebook: int) -> np.ndarray:
        return np.eye(self.facts.codebook_sizes[codebook], dtype=np.float32)

    def config(self) -> dict[str, Any]:
        facts = self.facts
        return {
            "name": facts.name,
            "use": facts.use,
            "sizes": list(facts.codebook_sizes),
            "grid": list(facts.grid),
            "max_frames": facts.max_frames,
            "modality": facts.modality,
            "header": [list(one) for one in facts.header],
            "min_frames": facts.min_frames,
        }

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> ToyCodec:
        return cls(**config)


def random_codes(codec: Codec, seed: int = 0, frames: int | None = None) -> np.ndarray:
    """Flat codes of a codec, evenly distributed."""
    facts, generator = codec.facts, np.random.default_rng(seed)
    count = frames or facts.fixed_frames or facts.max_frames
    header = [int(generator.integers(0, size)) for _, size in facts.header]
    return codec.layout.join(header, np.stack([generator.integers(0, size, count) for size in facts.codebook_sizes], 1))


def random_toy(codec: Codec, seed: int = 0, frames: int | None = None) -> np.ndarray:
    """(frames, codebooks) numbers that a `ToyCodec` encodes."""
    return codec.decode([random_codes(codec, seed, frames)])[0].array


@cache
def _trained_tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|start|>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["hello world, what is this? a red heart"] * 10, trainer)
    return tokenizer


def tiny_tokenizer(template: str | None = CHATML) -> Any:
    """A fast byte-level tokenizer of under 300 entries; any text can be written with it."""
    from copy import deepcopy

    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=deepcopy(_trained_tokenizer()), eos_token="<|end|>")
    tokenizer.chat_template = template
    return tokenizer


def tiny_configs() -> dict[str, Any]:
    """Tiny configs of the model classes that are tested, tied and untied."""
    from transformers import Gemma2Config, Gemma3TextConfig, GPT2Config, LlamaConfig, Qwen2Config, Qwen3Config

    size = dict(
        vocab_size=300,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        head_dim=8,
        max_position_embeddings=256,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=None,
    )
    return {
        "llama": LlamaConfig(**size, tie_word_embeddings=False),
        "llama-tied": LlamaConfig(**size, tie_word_embeddings=True),
        "smollm": LlamaConfig(
            **{**size, "num_attention_heads": 3, "num_key_value_heads": 1, "hidden_size": 24}, tie_word_embeddings=True
        ),
        "qwen2": Qwen2Config(**size, tie_word_embeddings=True),
        "qwen3": Qwen3Config(**size, tie_word_embeddings=False),
        "gemma2": Gemma2Config(**size),
        "gemma3": Gemma3TextConfig(**size),
        "gpt2": GPT2Config(
            vocab_size=300, n_embd=32, n_layer=2, n_head=4, n_positions=256, bos_token_id=None, eos_token_id=1
        ),
    }


def tiny_base(kind: str = "llama", seed: int = 0, template: str | None = CHATML) -> Base:
    """A random tiny causal LM with the tiny tokenizer."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    lm = AutoModelForCausalLM.from_config(tiny_configs()[kind])
    return Base(lm.eval(), tiny_tokenizer(template), f"tiny-{kind}")


def fresh_base() -> Base:
    """A small Llama with a chat template that has learned nothing, and can in seconds."""
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(
        vocab_size=300, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=256, bos_token_id=None, eos_token_id=1, tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(0)
    return Base(AutoModelForCausalLM.from_config(config).eval(), tiny_tokenizer(CHATML), "fresh")
