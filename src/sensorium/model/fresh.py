"""A model from nothing: a small Llama and a tokenizer of its own, for recipes that do not start from an LLM."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from sensorium.files import atomic_folder
from sensorium.model.base import Base, load_tokenizer

END = "<|end|>"
ROLES = ("user", "assistant", "system")
SPECIALS = (END, *(f"<|{role}|>" for role in ROLES))
TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def learn_tokenizer(texts: Iterable[str], size: int) -> Any:
    """A fast Hugging Face tokenizer with ``size`` entries, special tokens included, and a chat template.

    Byte-level BPE (Radford et al. 2019): any other text still works, byte by byte. With few entries the frequent words
    are one token each, and the text rows stay a small part of a small model. The same texts give the same tokenizer.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=2,
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=END,
        pad_token=END,
        additional_special_tokens=list(SPECIALS[1:]),
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=4096,
    )


def kept_tokenizer(place: Path, texts: Callable[[], Iterable[str]], size: int) -> Any:
    """The tokenizer in a folder; learned, see `learn_tokenizer`, and put there when there is none yet."""
    if not place.exists():
        with atomic_folder(place) as fresh:
            learn_tokenizer(texts(), size).save_pretrained(fresh)
    return load_tokenizer(str(place))


def fresh_base(
    tokenizer: Any, hidden: int, layers: int, heads: int, intermediate: int, context: int = 1024, seed: int = 0
) -> Base:
    """A Llama of this shape with random weights, untied, to be grown with ``learn="full"``."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        intermediate_size=intermediate,
        max_position_embeddings=context,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Base(LlamaForCausalLM(shape), tokenizer)
