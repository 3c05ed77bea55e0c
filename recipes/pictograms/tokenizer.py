"""nano's own tokenizer: a small byte-level BPE, learned from the recipe's names and questions.

With about 3,500 entries most words of the recipe are one token, and the text rows stay a small part of a small
model. Any other text still works, byte by byte (byte-level BPE: Radford et al. 2019).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from recipes.pictograms import phrases, tasks
from recipes.pictograms.concepts import Concepts

from sensorium.files import atomic_folder

END = "<|end|>"
ROLES = ("user", "assistant", "system")
SPECIALS = (END, *(f"<|{role}|>" for role in ROLES))
TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
# Plain words that a user may type and the names do not hold.
EVERYDAY = (
    "I you he she it we they and or but not yes no please thank thanks good bad big small new old the a an of in on at "
    "with for from to is are was be have has do does can could would like want see show tell me my your what which who "
    "where when why how many much there here this that these those more less very picture image drawing word name"
)


def train_tokenizer(concepts: Concepts, size: int = 3500, texts: int = 30_000, seed: int = 0) -> Any:
    """A fast Hugging Face tokenizer with ``size`` entries, special tokens included, and a chat template.

    The same concepts, size and seed give the same tokenizer.
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
    bpe.train_from_iterator(corpus(concepts, texts, seed), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=END,
        pad_token=END,
        additional_special_tokens=list(SPECIALS[1:]),
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=4096,
    )


def corpus(concepts: Concepts, texts: int, seed: int, shares: Mapping[str, float] = tasks.SHARES) -> Iterator[str]:
    """Texts the tokenizer learns from: the tasks' own messages, every name and tag, everyday words."""
    for conversation in tasks.conversations(concepts, texts, seed, shares):
        for message in conversation.messages:
            yield from (part.data for part in message.parts if part.is_text)
    random = Random(seed)
    for concept in concepts:
        yield from _name_texts(concept.names.values(), random)
        yield from concept.tags
    yield from (f" {word}" for word in EVERYDAY.split() for _ in range(20))
    yield from (text for pair in phrases.SMALL_TALK for text in pair for _ in range(20))


def _name_texts(names: Iterable[str], random: Random) -> Iterator[str]:
    """A name at the start of a text and after a space, as both occur."""
    for name in names:
        yield from random.choices((name, f" {name}"), k=4)


def save_tokenizer(tokenizer: Any, folder: str | Path) -> None:
    with atomic_folder(folder) as temporary:
        tokenizer.save_pretrained(temporary)
