"""A model to chat with: conversation in, reply out, media decoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from sensorium.generate.best_of import best_of as choose_best
from sensorium.generate.sampling import Sampling
from sensorium.generate.torch_engine import TorchEngine
from sensorium.model import Model
from sensorium.stream import Grammar
from sensorium.types import TEXT, Conversation, InputError, Message, Part, Reply, as_message

Content = str | Part | Sequence[str | Part] | Conversation
Scorer = Callable[[Reply], float]


class Assistant(Model):
    """A `Model` that answers."""

    @cached_property
    def engine(self) -> TorchEngine:
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
        conversation = self.encode(_conversation(content, history))
        options = self._options(want, sampling)
        prompt = self.stream.render(conversation, reply=True).ids.tolist()
        blank = self.stream.render(without_request(conversation), reply=True).ids.tolist()
        with self.media(about=self._about_media(conversation, want)):
            budget = self._budget(prompt, options)
            options = replace(options, max_tokens=budget)
            grammars = [self.grammar(want, budget) for _ in range(count)]
            negatives = [blank] * count if options.guidance != 1 else None
            made = self.engine.generate([prompt] * count, grammars, options, negatives=negatives)
            replies = [self._reply(generation.ids, generation.finish) for generation in made]
            if count == 1:
                return replies
            return choose_best(replies, scorer or (lambda reply: self._information(prompt, blank, reply)))

    def grammar(self, want: str | None = None, budget: int | None = None) -> Grammar:
        """What may be written in one answer."""
        return Grammar(self.vocabulary, self.stream.text_stop, self.stream.stop_ids, want=want, budget=budget)

    def score(self, content: Content, answers: Sequence[str], history: Sequence[Message] = ()) -> list[float]:
        """Log-probability (nats) of each text as the whole answer to ``content``, end of turn included."""
        conversation = self.encode(_conversation(content, history))
        prompt = self.stream.render(conversation, reply=True).ids.tolist()
        endings = [self._answer_ids(answer) for answer in answers]
        with self.media(about=self._about_media(conversation, TEXT)):
            return self.engine.score(prompt, endings)

    def _answer_ids(self, answer: str) -> list[int]:
        return [*self.tokenizer(answer, add_special_tokens=False)["input_ids"], self.stream.stop_ids[0]]

    def _reply(self, ids: Sequence[int], finish: Any) -> Reply:
        parts = self.decode(self.stream.parse(ids))
        kinds = self.vocabulary.kind_of(np.array(ids, dtype=np.int64))
        names = [self.vocabulary.kinds[kind] for kind in kinds]
        usage = {name: names.count(name) for name in dict.fromkeys(names)}
        return Reply(tuple(parts), tuple(ids), finish, usage)

    def _information(self, prompt: list[int], blank: list[int], reply: Reply) -> float:
        ids = list(reply.ids)
        return self.engine.score(prompt, [ids])[0] - self.engine.score(blank, [ids])[0]

    def _options(self, want: str | None, sampling: dict[str, Any]) -> Sampling:
        """What the caller says, else what the model says of the modality, else greedy text and sampled media."""
        media = want not in (None, TEXT)
        default: dict[str, Any] = {"temperature": 1.0 if media else 0.0}
        return Sampling(**(default | self.sampling.get(want or TEXT, {}) | sampling))

    def _about_media(self, conversation: Conversation, want: str | None) -> bool:
        return want not in (None, TEXT) or any(not part.is_text for part in conversation.parts())

    def _budget(self, prompt: list[int], options: Sampling) -> int:
        """Tokens that may be written: the request's limit, bounded by the model's context."""
        context = getattr(self.lm.config.get_text_config(), "max_position_embeddings", None)
        room = options.max_tokens if context is None else min(options.max_tokens, context - len(prompt))
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
