"""A model to chat with: conversation in, reply out, media decoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from sensorium.generate.best_of import best_of as choose_best
from sensorium.generate.engine import Engine
from sensorium.generate.sampling import Sampling
from sensorium.generate.torch_engine import TorchEngine
from sensorium.model import Model
from sensorium.stream import Grammar
from sensorium.types import TEXT, Conversation, InputError, Message, Part, Reply, as_message

Content = str | Part | Sequence[str | Part] | Conversation
Scorer = Callable[[Reply], float]


@dataclass(frozen=True)
class Task:
    """A turn to answer, ready for an engine.

    Args:
        prompt: its ids, up to where the answer begins.
        blank: the same without the request: the unconditional side of guidance, and what ``best_of`` compares with.
        want: see `Assistant.chat`.
        sampling: with ``max_tokens`` bounded by the room in the model's context.
        about_media: whether media are given or asked for; see `Model.media`.
    """

    prompt: list[int]
    blank: list[int]
    want: str | None
    sampling: Sampling
    about_media: bool

    @property
    def negative(self) -> list[int] | None:
        return self.blank if self.sampling.guidance != 1 else None


class Assistant(Model):
    """A `Model` that answers."""

    @cached_property
    def engine(self) -> Engine:
        """What writes: torch, unless another one is put here (`sensorium.generate.make_engine`)."""
        return TorchEngine(self.lm)

    def chat(
        self,
        content: Content,
        want: str | None = None,
        *,
        history: Sequence[Message] = (),
        best_of: int = 1,
        scorer: Scorer | None = None,
        **sampling: Any,
    ) -> Reply:
        """Answer one turn.

        Args:
            content: what the user says: a string, a part, a mix of both, or a whole conversation.
            want: ``"text"``, a modality to be written, or None to leave it to the model.
            history: earlier messages.
            best_of: write this many answers and return the best.
            scorer: judges an answer for ``best_of``; by default how much likelier the answer is with the
                request than without it (pointwise mutual information).
            sampling: fields of `Sampling`. Text is greedy by default, media are sampled at temperature 1.

        Raises:
            InputError: a medium cannot be read, or the model has no codec for what is asked.
        """
        return self.candidates(content, want, history=history, count=best_of, scorer=scorer, **sampling)[0]

    def candidates(
        self,
        content: Content,
        want: str | None = None,
        *,
        history: Sequence[Message] = (),
        count: int = 4,
        scorer: Scorer | None = None,
        **sampling: Any,
    ) -> list[Reply]:
        """Several answers to one turn, best first; see `chat`."""
        if count < 1:
            raise InputError(f"the number of answers must be at least 1, not {count}")
        task = self.task(_conversation(content, history), want, **sampling)
        with self.media(about=task.about_media):
            grammars = [self.grammar(want, task.sampling.max_tokens) for _ in range(count)]
            negatives = None if task.negative is None else [task.negative] * count
            made = self.engine.generate([task.prompt] * count, grammars, task.sampling, negatives=negatives)
            replies = [self.reply(generation.ids, generation.finish) for generation in made]
            return replies if count == 1 else choose_best(replies, scorer or (lambda one: self.information(task, one)))

    def task(self, conversation: Conversation, want: str | None = None, **sampling: Any) -> Task:
        """The ids of a conversation to be answered, and how to answer it.

        Raises:
            InputError: see `chat`.
        """
        options = self._options(want, sampling)
        conversation = self.senses.encode(conversation)
        prompt = self.stream.render(conversation, reply=True).ids.tolist()
        blank = self.stream.render(without_request(conversation), reply=True).ids.tolist()
        options = replace(options, max_tokens=self.budget(prompt, options.max_tokens))
        return Task(prompt, blank, want, options, self._about_media(conversation, want))

    def grammar(self, want: str | None = None, budget: int | None = None) -> Grammar:
        """What may be written in one answer."""
        return Grammar(self.vocabulary, self.stream.text_stop, self.stream.stop_ids, want=want, budget=budget)

    def score(self, content: Content, answers: Sequence[str], history: Sequence[Message] = ()) -> list[float]:
        """Log-probability (nats) of each text as the whole answer to ``content``, end of turn included."""
        conversation = self.senses.encode(_conversation(content, history))
        prompt = self.stream.render(conversation, reply=True).ids.tolist()
        endings = [self._answer_ids(answer) for answer in answers]
        with self.media(about=self._about_media(conversation, TEXT)):
            return self.engine.score(prompt, endings)

    def _answer_ids(self, answer: str) -> list[int]:
        return [*self.tokenizer(answer, add_special_tokens=False)["input_ids"], self.stream.stop_ids[0]]

    def reply(self, ids: Sequence[int], finish: Any) -> Reply:
        """What written ids say, its media decoded."""
        parts = self.senses.decode(self.stream.parse(ids))
        kinds = self.vocabulary.kind_of(np.array(ids, dtype=np.int64))
        names = [self.vocabulary.kinds[kind] for kind in kinds]
        usage = {name: names.count(name) for name in dict.fromkeys(names)}
        return Reply(tuple(parts), tuple(ids), finish, usage)

    def information(self, task: Task, reply: Reply) -> float:
        """How much likelier a reply is with the request than without it, in nats (pointwise mutual information)."""
        ids = list(reply.ids)
        return self.engine.score(task.prompt, [ids])[0] - self.engine.score(task.blank, [ids])[0]

    def _options(self, want: str | None, sampling: dict[str, Any]) -> Sampling:
        """What the caller says, else what the model says of the modality, else greedy text and sampled media."""
        media = want not in (None, TEXT)
        default: dict[str, Any] = {"temperature": 1.0 if media else 0.0}
        return Sampling(**(default | self.sampling.get(want or TEXT, {}) | sampling))

    def _about_media(self, conversation: Conversation, want: str | None) -> bool:
        return want not in (None, TEXT) or any(not part.is_text for part in conversation.parts())

    def budget(self, prompt: Sequence[int], max_tokens: int) -> int:
        """Tokens that may be written: the request's limit, bounded by the model's context.

        Raises:
            InputError: the context has no room after the prompt.
        """
        context = getattr(self.lm.config.get_text_config(), "max_position_embeddings", None)
        room = max_tokens if context is None else min(max_tokens, context - len(prompt))
        if room < 1:
            raise InputError(
                f"the conversation takes {len(prompt)} tokens, the model's context holds {context}; "
                "shorten the conversation"
            )
        return room


def without_request(conversation: Conversation) -> Conversation:
    """The conversation with its last user message emptied: the unconditional side of classifier-free guidance."""
    messages = list(conversation.messages)
    last = max((i for i, message in enumerate(messages) if message.role == "user"), default=None)
    if last is not None:
        messages[last] = Message("user", (Part(TEXT, ""),))
    return Conversation(tuple(messages))


def _conversation(content: Content, history: Sequence[Message]) -> Conversation:
    if isinstance(content, Conversation):
        return Conversation((*history, *content.messages))
    return Conversation((*history, as_message("user", content)))
