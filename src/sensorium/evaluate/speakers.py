"""Who is asked for words: an LLM as `transformers` loads it, and the model that was grown from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from sensorium.model import Base, context_of
from sensorium.model.adapter import Adapter
from sensorium.stream.render import DEFAULT_TEMPLATE
from sensorium.types import TEXT, Conversation, TooLong


@dataclass(frozen=True)
class Answer:
    """What was said, greedily.

    Args:
        ids: the id that ends the turn included.
        cut: whether the limit came before the end.
    """

    ids: tuple[int, ...]
    text: str
    cut: bool


@dataclass(frozen=True)
class Nats:
    """How surprising a text is, in nats, summed over its ids.

    Args:
        among_text: each id among those of text alone, as in an answer that is to be text.
        lost: what it costs beyond that if codes of media are not ruled out.
    """

    among_text: float
    lost: float


class Speaker(ABC):
    """Answers conversations, and tells how surprising an answer is."""

    lm: Any
    tokenizer: Any

    @abstractmethod
    def prompt(self, conversation: Conversation) -> list[int]:
        """Ids of the conversation, ready for an answer."""

    @abstractmethod
    def answer(self, conversation: Conversation, most: int) -> Answer:
        """The greedy answer in words, of at most so many ids."""

    def has_adapter(self, conversation: Conversation) -> bool:
        """Whether the model's adapter is on in this conversation."""
        return False

    @torch.inference_mode()
    def nats(self, conversation: Conversation, ids: Sequence[int], text_size: int) -> Nats:
        """Of these ids as the answer.

        Args:
            text_size: one past the last id of text.

        Raises:
            TooLong: the model's context has no room for them.
        """
        prompt, context = self.prompt(conversation), context_of(self.lm)
        if context is not None and len(prompt) + len(ids) > context:
            raise TooLong(
                f"the model reads {context} tokens at most, and a conversation with a text after it takes "
                f"{len(prompt) + len(ids)}; take fewer tokens of each text, or a shorter medium"
            )
        read = torch.tensor([[*prompt, *ids]], device=self.lm.device)
        with Adapter(self.lm).switched(self.has_adapter(conversation)):
            logits_NV = self.lm(input_ids=read, use_cache=False).logits[0, len(prompt) - 1 : -1].float()
        among_N = logits_NV[:, :text_size].logsumexp(-1)
        own_N = logits_NV.gather(-1, read[0, len(prompt) :, None])[:, 0]
        return Nats(float((among_N - own_N).sum()), float((logits_NV.logsumexp(-1) - among_N).sum()))


class PlainSpeaker(Speaker):
    """A causal LM asked by means of `transformers` alone: its chat template, its ``generate``.

    Args:
        stop_ids: that end an answer.
    """

    def __init__(self, base: Base, stop_ids: Iterable[int]):
        self.lm, self.tokenizer, self._stop_ids = base.lm, base.tokenizer, list(stop_ids)

    @property
    def text_size(self) -> int:
        """Ids that it can say, all of them text."""
        return len(self.lm.get_output_embeddings().weight)

    def prompt(self, conversation: Conversation) -> list[int]:
        return self._read(conversation)["input_ids"][0].tolist()

    def _read(self, conversation: Conversation) -> Any:
        messages = [{"role": message.role, "content": message.text} for message in conversation.messages]
        read = self.tokenizer.apply_chat_template(
            messages, chat_template=self.tokenizer.chat_template or DEFAULT_TEMPLATE, add_generation_prompt=True,
            return_tensors="pt", return_dict=True,
        )  # fmt: skip
        return read.to(self.lm.device)

    def answer(self, conversation: Conversation, most: int) -> Answer:
        from transformers import GenerationConfig

        read = self._read(conversation)
        greedy = GenerationConfig(
            do_sample=False, num_beams=1, repetition_penalty=1.0, no_repeat_ngram_size=0, max_new_tokens=most,
            eos_token_id=self._stop_ids, pad_token_id=self._stop_ids[0],
        )  # fmt: skip
        asked = {"input_ids": read["input_ids"], "attention_mask": read["attention_mask"]}
        ids = self.lm.generate(**asked, generation_config=greedy)[0, asked["input_ids"].shape[1] :].tolist()
        text = self.tokenizer.decode(ids, skip_special_tokens=True)
        return Answer(tuple(ids), text, ids[-1] not in self._stop_ids)


class GrownSpeaker(Speaker):
    """A grown model (an `Assistant`) as everybody asks it."""

    def __init__(self, model: Any):
        self.lm, self.tokenizer, self._model = model.lm, model.tokenizer, model

    def prompt(self, conversation: Conversation) -> list[int]:
        return self._model.stream.render(self._model.senses.encode(conversation), reply=True).ids.tolist()

    def answer(self, conversation: Conversation, most: int) -> Answer:
        reply = self._model.chat(conversation, want=TEXT, temperature=0, max_tokens=most)
        return Answer(reply.ids, reply.text, reply.finish == "length")

    def has_adapter(self, conversation: Conversation) -> bool:
        return self._model.has_adapter and any(not part.is_text for part in conversation.parts())
