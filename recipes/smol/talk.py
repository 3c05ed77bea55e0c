"""What the base itself says when it is asked in words: sentences for smol to say, beside media too.

A model that is only taught to name what it sees answers everything with a name. So the base is asked about things in
words, and what it says is taught in two places: after an earlier turn about a medium, to the same question, and of a
medium that shows the thing, to the question with "it" in place of its name. No model but the base has a part in it
(self-distillation; Zhang et al. 2019, arXiv:1905.08094), so its own way of talking is what is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from random import Random

import torch
from recipes.pictograms.concepts import Concept, Concepts, load_pictures
from recipes.pictograms.phrases import definite, phrase
from recipes.smol.base import smol_base

from sensorium.device import format_of
from sensorium.files import atomic_file, cache_dir
from sensorium.model import Base

ABOUT = (
    ("Tell me about {a}.", "Tell me about it."),
    ("Describe {a}.", "Describe it."),
    ("Describe {a} in one sentence.", "Describe it in one sentence."),
    ("What is {a}?", "Explain what this is."),
    ("What is {a} used for?", "What is it used for?"),
    ("What do people think of when they see {a}?", "What do people think of when they see this?"),
    ("Write one sentence about {a}.", "Write one sentence about this."),
    ("Write a short story about {a}.", "Write a short story about it."),
    ("Write a short poem about {a}.", "Write a short poem about it."),
    ("Name three things that go well with {a}.", "Name three things that go well with it."),
    ("Give me a fact about {a}.", "Give me a fact about it."),
    ("Where would I find {a}?", "Where would I find this?"),
    ("Ask me a question about {a}.", "Ask me a question about it."),
    ("Explain {a} to a child.", "Explain this to a child."),
)
"""The question in words, and the same of a medium that shows the thing."""
APART = (
    "Write something.", "Say something about {the}.", "How was your day?", "What can you do?", "Tell me a story.",
    "What should I cook tonight?", "Write the first sentence of a novel.", "Give me some advice.", "Tell me a joke.",
    "Why is the sky blue?", "What is the capital of Norway?", "Explain how cheese is made.",
    "Define the word {bare!r}.", "Write an entry of a dictionary.", "Write a definition.",
    "Use the word {bare!r} in a sentence.", "How do I learn a new language?", "What makes a good friend?",
    "Write a note to a colleague.", "What happened in history that you find interesting?", "List three animals.",
    "Say it in other words: {a}.", "What is the difference between a lake and a river?",
    "Write a paragraph about {the}.", "Continue: {the}",
)  # fmt: skip
"""Questions that are only asked in words."""
ANSWERS, TOKENS, BATCH = 960, 56, 96
WARMTH = {True: 0.6, False: 1.0}
"""Temperature, by whether the question is about a thing: there the answer is to be a good one; elsewhere it is to be as
likely as the base finds it, since then there is nothing to learn but to go on so."""
ENDS = ".!?"


@dataclass(frozen=True)
class Said:
    """An answer of the base.

    Args:
        label: of the concept that the question may be about.
        number: of the question among `ABOUT`; -1 when it is one that is only asked in words.
        question: as it was asked.
        answer: whole sentences.
    """

    label: str
    number: int
    question: str
    answer: str


@cache
def answers() -> Sequence[Said]:
    """Those of the base about things that may be trained on; made by the first call (some minutes), then kept."""
    path = cache_dir() / "smol" / "answers.jsonl"
    if not path.exists():
        write(path, smol_base(), Concepts(load_pictures()).emoji)
    return [Said(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path: Path, base: Base, shown: Sequence[Concept], count: int = ANSWERS, tokens: int = TOKENS) -> None:
    """Ask the base, and keep its answers."""
    found: list[Said] = []
    for about, warmth in WARMTH.items():
        asked = [one for one in questions(shown, count) if (one.number >= 0) == about]
        said = spoken(base, [one.question for one in asked], tokens, warmth)
        found += (replace(one, answer=sentences(text)) for one, text in zip(asked, said, strict=True))
    with atomic_file(path) as out:
        lines = (json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in found if one.answer)
        out.write_text("".join(lines), encoding="utf-8")


def questions(shown: Sequence[Concept], count: int) -> Iterator[Said]:
    """Two in three about things."""
    for number in range(count):
        random = Random(f"0:talk:{number}")
        label = random.choice(shown).label
        kind = random.randrange(len(ABOUT)) if random.random() < 2 / 3 else -1
        form = ABOUT[kind][0] if kind >= 0 else random.choice(APART)
        yield Said(label, kind, form.format(a=phrase(label), the=definite(label), bare=label), "")


@torch.inference_mode()
def spoken(base: Base, asked: Sequence[str], tokens: int, warmth: float, seed: int = 0) -> list[str]:
    """What the base says to each."""
    tokenizer, lm = base.tokenizer, base.lm.to(format_of("auto", base.lm.device))
    tokenizer.padding_side, tokenizer.pad_token = "left", tokenizer.pad_token or tokenizer.eos_token
    torch.manual_seed(seed)
    found: list[str] = []
    for start in range(0, len(asked), BATCH):
        talks = [[{"role": "user", "content": one}] for one in asked[start : start + BATCH]]
        ids = tokenizer.apply_chat_template(
            talks, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        )
        how = {
            "do_sample": True,
            "temperature": warmth,
            "top_k": 0,
            "max_new_tokens": tokens,
            "pad_token_id": tokenizer.pad_token_id,
        }
        written = lm.generate(**ids, **how)
        found += tokenizer.batch_decode(written[:, ids["input_ids"].shape[1] :], skip_special_tokens=True)
        print(f"{len(found)} of {len(asked)} answers", flush=True)
    return found


def sentences(text: str) -> str:
    """A text without the sentence that was cut off at its end."""
    return text[: max(text.rfind(end) for end in ENDS) + 1].strip()
