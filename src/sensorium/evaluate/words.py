"""Whether a grown model kept its words: its base beside it, in talk about text alone and after a medium.

The base is asked by means of `transformers` alone. What the two say is compared id by id, what they expect of a text in
nats, and what they do of what they are told by instructions that are checked mechanically.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from sensorium.evaluate.bits import Bits
from sensorium.evaluate.compare import compare
from sensorium.evaluate.instructions import Instruction, instructions, plain_prompts
from sensorium.evaluate.marks import Mark, Run
from sensorium.evaluate.results import Results
from sensorium.evaluate.shown import Shown
from sensorium.evaluate.speakers import Answer, GrownSpeaker, PlainSpeaker, Speaker
from sensorium.evaluate.values import Share
from sensorium.model import Base, load_base
from sensorium.types import Conversation, InputError, Message, Part, as_message

ALONE = "text alone"
MEDIUM = "after a medium"
NAMED = "after words in the medium's place"
NOTHING = "after nothing in the medium's place"
KEEP, KEPT = "Please keep this in mind.", "All right."
"""The earlier turn: what is said beside the medium, and the answer."""
WRITE = "Write something."


class NatsOf(Bits):
    """As `Bits`, in nats, clustered by text."""

    @classmethod
    def each(cls, nats: Sequence[float], counts: Sequence[int]) -> Self:
        """Of the nats and the number of tokens or characters of every text."""
        return cls.of(nats, counts, range(len(counts)))

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f}, n = {self.count}, {self.clusters} texts)"


@dataclass(frozen=True)
class _Pair:
    """A model and its base, with what they are shown and where results go."""

    model: GrownSpeaker
    base: PlainSpeaker
    shown: Sequence[Shown]
    results: Results

    def by_condition(self) -> list[tuple[str, str, Speaker]]:
        """Who is asked under which condition; with an earlier turn only where there are media."""
        alone: list[tuple[str, str, Speaker]] = [("base", ALONE, self.base), ("model", ALONE, self.model)]
        later: list[tuple[str, str, Speaker]] = [
            ("base", NOTHING, self.base), ("base", NAMED, self.base), ("model", MEDIUM, self.model)
        ]  # fmt: skip
        return [*alone, *later] if self.shown else alone

    def conversation(self, condition: str, number: int, prompt: str) -> Conversation:
        """A prompt, but for text alone after an earlier turn; media take turns by number."""
        asked = as_message("user", prompt)
        return Conversation((asked,) if condition == ALONE else (*self._earlier(condition, number), asked))

    def _earlier(self, condition: str, number: int) -> tuple[Message, Message]:
        shown = self.shown[number % len(self.shown)]
        first: dict[str, list[str | Part]] = {MEDIUM: [shown.part, "\n"], NAMED: [f"{shown.words}\n"], NOTHING: []}
        return as_message("user", [*first[condition], KEEP]), as_message("assistant", KEPT)


def base_of(model: Any, name: str | Path | None = None) -> Base:
    """The LLM that a model (an `Assistant`) was grown from.

    Args:
        name: of the base, as `load_base` takes it; by default the one that the model names.

    Raises:
        InputError: the model names none, or it cannot be loaded.
    """
    if name is None and not model.base_name:
        raise InputError(
            "this model is stored whole and names no base to compare its words with, and one that was trained in full "
            '(learn="full") has kept none; name the LLM that it was grown from (--base)'
        )
    return load_base(name if name is not None else model.base_name)


def read_texts(path: Path) -> list[str]:
    """Texts of a file: paragraphs where there are empty lines between some, else lines.

    Raises:
        InputError: it cannot be read as UTF-8, or holds no text.
    """
    try:
        content = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"no texts can be read from {path} ({error}); give a UTF-8 file, one text a line") from error
    lines = [line.strip() for line in content.splitlines()]
    texts = [" ".join(one.split()) for one in "\n".join(lines).split("\n\n")] if "" in lines else lines
    if not content:
        raise InputError(f"{path} holds no text; give one a line, or paragraphs with empty lines between them")
    return [text for text in texts if text]


def measure_words(
    model: Any,
    base: Base,
    texts: Sequence[str] = (),
    shown: Sequence[Shown] = (),
    *,
    answer_tokens: int = 128,
    text_tokens: int = 256,
    limit: int | None = None,
    say: Callable[[str], None] = print,
) -> Results:
    """A model (an `Assistant`) beside its base: weights, answers, instructions followed, and held-out texts.

    Args:
        texts: to tell how well both expect them; none: not measured.
        shown: media for an earlier turn (`media_of`, `drawn_media`); none: text alone is measured.
        answer_tokens, text_tokens: of each answer and of each text at most.
        limit: only the first so many prompts without a constraint, instructions, and texts.

    Raises:
        InputError: the base spells texts otherwise than the model, or a conversation is too long.
    """
    pair = _Pair(GrownSpeaker(model), PlainSpeaker(base, model.stream.stop_ids), shown, Results(say=say))
    plain, asked, texts = plain_prompts()[:limit], instructions()[:limit], texts[:limit]
    prompts = [*plain, *(one.prompt for one in asked)]
    _check_spelling(pair, [*prompts, *texts], model.vocabulary.text_size)
    pair.results.notes |= {
        "base": base.name, "stored whole": not model.base_fingerprint, "adapter": model.has_adapter,
        "answer tokens": answer_tokens, "text tokens": text_tokens, "media": [one.words for one in shown],
    }  # fmt: skip
    _weights(pair)
    said = {who: _answers(pair, who, ALONE, prompts, answer_tokens) for who in ("base", "model")}
    _identity(pair, prompts, said["base"], said["model"])
    _instructions(pair, asked, {who: answers[len(plain) :] for who, answers in said.items()}, answer_tokens)
    if texts:
        _language(pair, [_Text.of(base.tokenizer, text, text_tokens) for text in texts], texts)
    return pair.results


def _check_spelling(pair: _Pair, texts: Sequence[str], text_size: int) -> None:
    for text in texts:
        one, other = (who.tokenizer(text, add_special_tokens=False)["input_ids"] for who in (pair.base, pair.model))
        if one != other or pair.base.text_size > text_size:
            raise InputError(
                "this LLM spells texts in other tokens than the model; name the one that it was grown from (--base)"
            )


def _weights(pair: _Pair) -> None:
    """How many tensors of the base are in the model bit by bit; new rows come after a table's own."""
    grown = {name.replace(".base_layer.", "."): value for name, value in pair.model.lm.state_dict().items()}
    kept = [_is_kept(value, grown.get(name)) for name, value in pair.base.lm.state_dict().items()]
    pair.results.add("tensors of the base, bit-identical", "model", Share(sum(kept), len(kept)))
    if not all(kept):
        pair.results.say(
            f"{len(kept) - sum(kept)} of the base's {len(kept)} tensors are not in the model: it was trained in full "
            '(learn="full") or stored in another format, and there is no base in it that could answer as before'
        )


def _is_kept(value: Tensor, grown: Tensor | None) -> bool:
    return grown is not None and torch.equal(value, grown[: len(value)] if value.ndim else grown)


def _answers(pair: _Pair, who: str, condition: str, prompts: Sequence[str], most: int) -> list[Answer]:
    speaker = pair.base if who == "base" else pair.model
    pair.results.say(f"asking the {who} {len(prompts)} prompts, {condition}")
    return [speaker.answer(pair.conversation(condition, number, prompt), most) for number, prompt in enumerate(prompts)]


def _identity(pair: _Pair, prompts: Sequence[str], base: Sequence[Answer], model: Sequence[Answer]) -> None:
    same = [one.ids == other.ids for one, other in zip(base, model, strict=True)]
    pair.results.add("answers identical token for token", f"model, {ALONE}", _share(same), prompts)
    triples = zip(prompts, base, model, strict=True)
    pair.results.notes["answers that differ"] = [_apart(pair, *one) for one in triples if one[1].ids != one[2].ids]


def _apart(pair: _Pair, prompt: str, base: Answer, model: Answer) -> dict[str, Any]:
    """Where two answers part, and how much likelier the base finds its own id there: near 0 it was rounding."""
    both = min(len(base.ids), len(model.ids))
    place = next((n for n in range(both) if base.ids[n] != model.ids[n]), both)
    found: dict[str, Any] = {"prompt": prompt, "base": base.text, "model": model.text, "place": place}
    if place < both:
        asked, size = pair.conversation(ALONE, 0, prompt), pair.base.text_size
        own, other = (
            pair.base.nats(asked, [*base.ids[:place], one.ids[place]], size).among_text for one in (base, model)
        )
        found["gap in nats"] = round(other - own, 5)
    return found


def _instructions(pair: _Pair, asked: Sequence[Instruction], alone: Mapping[str, list[Answer]], most: int) -> None:
    """Shares of instructions followed, and exact tests of the model against its base."""
    prompts, runs, told = [one.prompt for one in asked], [], {}
    for who, condition, _ in pair.by_condition():
        if condition == NOTHING:
            continue
        said = alone[who] if condition == ALONE else _answers(pair, who, condition, prompts, most)
        done = [one.followed(answer.text) for one, answer in zip(asked, said, strict=True)]
        pair.results.add("instructions followed", f"{who}, {condition}", _share(done), prompts)
        marks = [Mark(question=one, medium=one, score=float(did)) for one, did in zip(prompts, done, strict=True)]
        task = f"instructions, {ALONE if condition == ALONE else MEDIUM}"
        runs.append(
            Run(model=who if condition in (ALONE, MEDIUM) else f"{who} {condition}", task=task, marks=tuple(marks))
        )
        told[f"{who}, {condition}"] = [
            {"prompt": one, "answer": answer.text, "followed": did, "cut": answer.cut}
            for one, answer, did in zip(prompts, said, done, strict=True)
        ]
    found = [one.to_json() | {"sentence": f"{one.task}: {one.sentence}"} for one in compare(runs)]
    pair.results.notes |= {"comparisons": found, "answers to instructions": told}


def _share(hits: Sequence[bool]) -> Share:
    return Share(sum(hits), len(hits), "".join("01"[hit] for hit in hits))


@dataclass(frozen=True)
class _Text:
    """The beginning of a text, and how many characters it stands for."""

    ids: list[int]
    characters: int

    @classmethod
    def of(cls, tokenizer: Any, text: str, most: int) -> _Text:
        read = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return cls(read["input_ids"][:most], read["offset_mapping"][:most][-1][1])


def _language(pair: _Pair, read: Sequence[_Text], texts: Sequence[str]) -> None:
    """Nats a token and a character under every condition, and how many more the model needs than its base."""
    tokens, characters = [len(one.ids) for one in read], [one.characters for one in read]
    told: dict[tuple[str, str], list[float]] = {}
    for who, condition, speaker in pair.by_condition():
        conversations = [pair.conversation(condition, number, WRITE) for number in range(len(read))]
        found = [
            speaker.nats(talk, one.ids, pair.base.text_size) for talk, one in zip(conversations, read, strict=True)
        ]
        told[who, condition], name = [one.among_text for one in found], f"{who}, {condition}"
        pair.results.add("nats a token", name, NatsOf.each(told[who, condition], tokens), texts)
        pair.results.add("nats a character", name, NatsOf.each(told[who, condition], characters), texts)
        if who == "model":
            pair.results.add(
                "nats a token lost to codes", name, NatsOf.each([one.lost for one in found], tokens), texts
            )
    for condition, other in ((ALONE, ALONE), (MEDIUM, NAMED), (MEDIUM, NOTHING)):
        if ("model", condition) in told:
            more = np.subtract(told["model", condition], told["base", other]).tolist()
            name = f"model, {condition}; base, {other}"
            pair.results.add("nats a token more than the base", name, NatsOf.each(more, tokens), texts)
