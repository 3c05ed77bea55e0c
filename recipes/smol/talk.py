"""What the base itself says when it is asked in words: sentences for smol to say, beside media too.

A model that is only taught to name what it sees answers everything with a name. So the base is asked about things in
words, and what it says is taught in three places: by itself, after an earlier turn about a medium, to the same
question, and of a medium that shows the thing, to the question with "it" in place of its name. Other questions the base
asks itself: they are what it writes as a user's turn (Xu et al. 2024, arXiv:2406.08464). No model but the base has a
part in it (self-distillation; Zhang et al. 2019, arXiv:1905.08094), and all is drawn as likely as the base finds it, so
that whoever speaks as it does has nothing to learn.
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
from recipes.pictograms.phrases import phrase
from recipes.smol.base import smol_base

from sensorium.device import format_of
from sensorium.evaluate.instructions import instructions, plain_prompts
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
ANSWERS, TOKENS, BATCH = 1200, 56, 96
OWN, OPEN = -1, "..."
QUESTION_TOKENS = 40
"""Of a question that the base asks itself, at most; one that is longer is left out."""


@dataclass(frozen=True)
class Said:
    """An answer of the base.

    Args:
        label: of the concept that the question is about; empty when the base asked itself.
        number: of the question among `ABOUT`; -1 when the base asked itself.
        question: as it was asked.
        answer: what it said, up to a limit.
        finished: whether it came to its end before the limit.
    """

    label: str
    number: int
    question: str
    answer: str = ""
    finished: bool = True


@cache
def answers() -> Sequence[Said]:
    """Those of the base about things that may be trained on; made by the first call (half an hour), then kept."""
    path = cache_dir() / "smol" / "answers.jsonl"
    if not path.exists():
        write(path, smol_base(), Concepts(load_pictures()).emoji)
    return [Said(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path: Path, base: Base, shown: Sequence[Concept], count: int = ANSWERS, tokens: int = TOKENS) -> None:
    """Ask the base, a third about things, and keep its answers."""
    asked = [*about(shown, count // 3), *own_questions(base, count - count // 3)]
    said = written(base, [opening(base, one.question) for one in asked], tokens)
    found = [replace(one, answer=text, finished=ended) for one, (text, ended) in zip(asked, said, strict=True)]
    with atomic_file(path) as out:
        lines = (json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in found if one.answer)
        out.write_text("".join(lines), encoding="utf-8")


def about(shown: Sequence[Concept], count: int) -> Iterator[Said]:
    """Questions about things."""
    for number in range(count):
        random = Random(f"0:talk:{number}")
        label, kind = random.choice(shown).label, random.randrange(len(ABOUT))
        yield Said(label, kind, ABOUT[kind][0].format(a=phrase(label)))


def own_questions(base: Base, count: int) -> Sequence[Said]:
    """What the base itself writes as a user, whole turns only, none of which the evaluation asks."""
    evaluated = {*plain_prompts(), *(one.prompt for one in instructions())}
    found: list[Said] = []
    while len(found) < count:
        asked = written(base, [opening(base)] * BATCH, QUESTION_TOKENS, seed=1 + len(found))
        found += [Said("", OWN, text) for text, finished in asked if finished and text and text not in evaluated]
    return found[:count]


def opening(base: Base, question: str | None = None) -> str:
    """A prompt that the base goes on from: with its answer, or, without a question, with a user's turn."""
    turn = [{"role": "user", "content": question or OPEN}]
    text = base.tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
    return text if question else text[: text.index(OPEN)]


@torch.inference_mode()
def written(base: Base, prompts: Sequence[str], tokens: int, seed: int = 0) -> list[tuple[str, bool]]:
    """How the base goes on from each, and whether it came to an end."""
    tokenizer, lm = base.tokenizer, base.lm.to(format_of("auto", base.lm.device))
    tokenizer.padding_side, tokenizer.pad_token = "left", tokenizer.pad_token or tokenizer.eos_token
    how = {"do_sample": True, "temperature": 1.0, "top_k": 0, "max_new_tokens": tokens}
    torch.manual_seed(seed)
    found: list[tuple[str, bool]] = []
    for start in range(0, len(prompts), BATCH):
        given = tokenizer(prompts[start : start + BATCH], add_special_tokens=False, padding=True, return_tensors="pt")
        ids = lm.generate(**given, **how, pad_token_id=tokenizer.pad_token_id)[:, given["input_ids"].shape[1] :]
        texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
        ended = (ids == tokenizer.eos_token_id).any(dim=1).tolist()
        found += zip((text.strip() for text in texts), ended, strict=True)
        print(f"{len(found)} of {len(prompts)} written", flush=True)
    return found
