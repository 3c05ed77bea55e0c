"""A model to chat with: conversation in, reply out, media decoded."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch

from sensorium.engines import Attempts, Engine, Sampling, Scored, TorchEngine, Turn, generate
from sensorium.engines.engine import ranked
from sensorium.engines.sampling import contrasted
from sensorium.generate.attempts import Plan, different, plan
from sensorium.generate.best_of import best_of as choose_best
from sensorium.generate.corruption import corrupted
from sensorium.generate.tools import Tool, told_of
from sensorium.modalities import named_by
from sensorium.model import Model, context_of
from sensorium.stream import Form, Grammar, Spelling, Thinking, Want, wanted_kinds
from sensorium.types import TEXT, Conversation, InputError, Message, Part, Reply, TooLong, as_message

FORM_TOKENS = 256
"""Most ids of a text with a form, where the caller says no number: a small model repeats a word up to any limit. A form
whose shortest text takes more than a quarter of them gets four times as many as that."""

Content = str | Part | Sequence[str | Part] | Conversation
FormLike = Form | Mapping[str, Any] | type | str
Scorer = Callable[[Reply], float]


@dataclass(frozen=True)
class _Asked:
    """A prompt by which answers are scored; for contrast with corrupted media, too, if it has any."""

    prompt: list[int]
    adapter: bool
    corrupted: list[int] | None


class Assistant(Model):
    """A `Model` that answers."""

    @cached_property
    def engine(self) -> Engine:
        """What writes: torch, unless another one is put here (`sensorium.engines.make_engine`)."""
        return TorchEngine(self.lm)

    def chat(
        self,
        content: Content,
        want: Want = None,
        *,
        history: Sequence[Message] = (),
        form: FormLike | None = None,
        best_of: int = 1,
        attempt: int = 0,
        scorer: Scorer | None = None,
        think: bool = False,
        **sampling: Any,
    ) -> Reply:
        """Answer one turn.

        Args:
            content: what the user says: a string, a part, a mix of both, or a whole conversation.
            want: ``"text"``, a modality to be written, ``"text"`` and some modalities to choose from, or None to leave
                it to the model.
            history: earlier messages.
            form: that the answer's text has: a JSON schema, a pydantic model or a `Form`; needs the extra
                ``structured``. A text that would not be complete within ``max_tokens`` is completed shortly before, if
                they are enough for it at all.
            best_of: write this many answers and return the best.
            attempt: 0, or the number of further attempts at the same before this one: it has another seed and, where
                the model says so (see `Senses`) and the caller says no other, the temperature of further attempts.
            scorer: judges an answer for ``best_of``; by default how much likelier the answer is with the
                request than without it (pointwise mutual information).
            think: let the model think before it answers, where words may be said of media; of words alone, and for
                media, it answers at once. What it thought is `Reply.thought`.
            sampling: fields of `Sampling`. Text is greedy by default, media are sampled at temperature 1. Text with a
                form gets `FORM_TOKENS` by default.

        Raises:
            InputError: a medium cannot be read, the model has no codec for what is asked, the form is no good, or the
                model does not think.
        """
        options: dict[str, Any] = dict(form=form, count=1, best_of=best_of, attempt=attempt, scorer=scorer)
        return self.candidates(content, want, history=history, think=think, **options, **sampling)[0]

    def candidates(
        self,
        content: Content,
        want: Want = None,
        *,
        history: Sequence[Message] = (),
        form: FormLike | None = None,
        count: int = 4,
        best_of: int | None = None,
        attempt: int = 0,
        scorer: Scorer | None = None,
        think: bool = False,
        **sampling: Any,
    ) -> list[Reply]:
        """Several answers to one turn, best first, copies last.

        Where the model says how further attempts are made (see `Senses`), the first is what `chat` would answer.

        Args:
            count: how many are returned.
            best_of: how many are written; by default as many as the model says.
            content, want, history, form, attempt, scorer, think, sampling: see `chat`.
        """
        if count < 1 or (best_of is not None and best_of < count):
            raise InputError(f"at least 1 answer must be asked for and written, not {count} of {best_of or count}")
        turn = self.turn(_conversation(content, history), want, form=form, think=think, **sampling)
        planned = plan(turn, count, best_of=best_of, attempt=attempt)
        made = generate(self.engine, planned.turns)
        replies = [self.reply(one.ids, one.finish, turn.thinks) for one in made]
        if len(replies) == 1:
            return replies
        varied, copies = different(replies, lambda one: one.ids)
        first = varied[: planned.first_stays]
        judge = self.judge(planned)
        rest = choose_best(varied[len(first) :], scorer or (lambda one: judge(turn, one.ids)))
        return [*first, *rest, *copies][:count]

    def turn(
        self,
        conversation: Conversation,
        want: Want = None,
        most: int | None = None,
        form: FormLike | Spelling | None = None,
        tools: Sequence[Tool] = (),
        think: bool = False,
        **sampling: Any,
    ) -> Turn:
        """The next turn of a conversation, ready for an engine.

        Args:
            most: tokens that it may have at most, whatever ``sampling`` says.
            tools: that the model is told of; see `sensorium.generate.tools` for the form of their calls.
            want, form, think, sampling: see `chat`; a form may be compiled already.

        Raises:
            InputError: see `chat`.
        """
        if form is not None and not isinstance(form, Spelling):
            form = self.stream.spelling(Form.of(form))
        want = TEXT if want is None and form is not None and not form.media else want
        if form is not None and not form.media and "max_tokens" not in {**self._own(TEXT), **sampling}:
            sampling["max_tokens"] = max(FORM_TOKENS, 4 * form.least)
        thinking = self.thinks_with(conversation, want, form) if think else None
        if thinking is not None:
            conversation = thinking.asked(conversation)
        options, attempts = self.options(want, sampling)
        by_template = [tool.to_json() for tool in tools] if self.stream.tells_tools else []
        conversation = self.senses.encode(conversation if by_template else told_of(tools, conversation))
        prompt = self.stream.render(conversation, True, by_template).ids.tolist()
        blank = self.stream.render(without_request(conversation), True, by_template).ids.tolist()
        worse = self._corrupted(conversation, by_template) if options.contrast else None
        options = replace(options, max_tokens=self.budget(prompt, min(options.max_tokens, most or options.max_tokens)))
        rules = self.grammar(want, options.max_tokens, form)
        about = self._about_media(conversation, want)
        return Turn(prompt, rules, options, blank, about, attempts, worse, thinking is not None)

    def thinks_with(
        self, conversation: Conversation, want: Want = None, form: Spelling | None = None
    ) -> Thinking | None:
        """How the model is asked to think about this; None where it answers at once.

        Raises:
            InputError: the model does not think, or the answer's first word is of a form already.
        """
        if self.thinking is None:
            raise InputError("this model does not think before it answers; ask it without that")
        if TEXT not in (wanted_kinds(want) or {TEXT}) or not self._about_media(conversation, want):
            return None
        if form is not None and not form.media:
            raise InputError("a text that has a form has it from its first word: leave out the form, or do not think")
        return self.thinking

    def grammar(self, want: Want = None, budget: int | None = None, form: Spelling | None = None) -> Grammar:
        """What may be written in one answer."""
        return Grammar(self.vocabulary, self.stream.text_stop, self.stream.stop_ids, want, budget, form)

    def score(
        self,
        content: Content,
        answers: Sequence[str],
        history: Sequence[Message] = (),
        adapter: bool | None = None,
        contrast: float = 0.0,
    ) -> list[float]:
        """Log-probability (nats) of each text as the whole answer to ``content``, end of turn included.

        Args:
            adapter: with the model's adapter; by default, if there are media in the conversation.
            contrast: scale of contrastive decoding (see `sensorium.engines.Sampling`) over whole answers: of each,
                its log-probability plus ``contrast`` times what it loses when the media are corrupted; -inf for one
                that is not plausible beside the likeliest. No log-probabilities any more, but ranks. Needs media.
        """
        asked = self._asked(content, history, adapter, contrast)
        ids = list(map(self._spelled, answers))
        scores = self.engine.score(asked.prompt, ids, asked.adapter)
        if asked.corrupted is None or not ids:
            return scores
        worse = self.engine.score(asked.corrupted, ids, asked.adapter)
        return contrasted(torch.tensor(scores), torch.tensor(worse), contrast).tolist()

    def rank(
        self,
        content: Content,
        answers: Sequence[str],
        wanted: int = 5,
        history: Sequence[Message] = (),
        adapter: bool | None = None,
        contrast: float = 0.0,
    ) -> list[Scored]:
        """The ``wanted`` likeliest of given answers, best first: as ranking all of `score`, for much less work.

        Returns:
            positions in ``answers``, each with its log-probability in nats, or with its score where there is contrast.
        """
        if contrast:
            return ranked(self.score(content, answers, history, adapter, contrast), wanted)
        asked = self._asked(content, history, adapter)
        return self.engine.best(asked.prompt, list(map(self._spelled, answers)), wanted, asked.adapter)

    def _asked(
        self, content: Content, history: Sequence[Message], adapter: bool | None, contrast: float = 0.0
    ) -> _Asked:
        conversation = self.senses.encode(_conversation(content, history))
        about = self._about_media(conversation, TEXT) if adapter is None else adapter
        worse = self._corrupted(conversation) if contrast else None
        return _Asked(self.stream.render(conversation, reply=True).ids.tolist(), about, worse)

    def _corrupted(self, conversation: Conversation, by_template: Sequence[Any] = ()) -> list[int] | None:
        """The prompt of an encoded conversation with its media corrupted; None where it has none."""
        if all(part.is_text for part in conversation.parts()):
            return None
        return self.stream.render(corrupted(conversation, self.senses), True, by_template).ids.tolist()

    @cached_property
    def _spelled(self) -> Callable[[str], list[int]]:
        """Ids of an answer and of the end of its turn, as `Stream.render` writes them."""

        @lru_cache(maxsize=2**16)  # many prompts are ranked by the same answers
        def ids_of(answer: str) -> list[int]:
            question = as_message("user", "?")
            before = self.stream.render(Conversation((question,)), reply=True)
            whole = self.stream.render(Conversation((question, as_message("assistant", answer))))
            end = int(np.flatnonzero(whole.mask)[-1]) + 1
            return whole.ids[len(before.ids) : end].tolist()

        return ids_of

    def reply(self, ids: Sequence[int], finish: Any, thought_first: bool = False) -> Reply:
        """What written ids say, its media decoded; what was thought first apart from it."""
        thought, parts = None, tuple(self.senses.decode(self.stream.parse(ids)))
        if thought_first and self.thinking is not None:
            told, parts = self.thinking.told_apart(parts)
            thought = told or None
        kinds = self.vocabulary.kind_of(np.array(ids, dtype=np.int64))
        names = [self.vocabulary.kinds[kind] for kind in kinds]
        usage = {name: names.count(name) for name in dict.fromkeys(names)}
        return Reply(parts, tuple(ids), finish, usage, thought)

    def judge(self, planned: Plan) -> Callable[[Turn, Sequence[int]], float]:
        """What the best of the written answers are told by.

        Of a pool of varied ones it is the likelihood: one that went astray is unlikely with the request, but even
        more so without it, so that `information` takes it for a good one.
        """
        return self.likelihood if planned.pooled else self.information

    def likelihood(self, turn: Turn, ids: Sequence[int]) -> float:
        """How likely an answer is, in nats an id."""
        return self.engine.score(turn.prompt, [ids], turn.adapter)[0] / len(ids)

    def information(self, turn: Turn, ids: Sequence[int]) -> float:
        """How much likelier an answer is with the request than without it, in nats (pointwise mutual information)."""
        assert turn.negative is not None
        with_, without = (self.engine.score(one, [ids], turn.adapter)[0] for one in (turn.prompt, turn.negative))
        return with_ - without

    def options(self, want: Want, sampling: dict[str, Any]) -> tuple[Sampling, Attempts]:
        """What the caller says, else what the model says of the modality, else greedy text and sampled media.

        Whoever says a temperature means it for every attempt.
        """
        kinds = wanted_kinds(want) or frozenset()
        only = next(iter(kinds)) if len(kinds) == 1 else TEXT
        own: dict[str, Any] = {"temperature": 0.0 if only == TEXT else 1.0} | self._own(only)
        further = {name: value for name, value in own.pop("attempts", {}).items() if name not in sampling}
        return Sampling(**(own | sampling)), Attempts(**({} if "temperature" in sampling else further))

    def _own(self, modality: str) -> dict[str, Any]:
        """What the model says of a modality, but for guidance and contrast where the engine does not offer them."""
        own = dict(self.sampling.get(modality, {}))
        if not getattr(self.engine, "guides", True):
            own.pop("guidance", None)
            own.pop("contrast", None)
        return own

    def _about_media(self, conversation: Conversation, want: Want) -> bool:
        """Whether media are given or asked for by name: then the adapter helps, else answers are the base's own.

        Where text is among what is wanted, nothing else is asked for, only allowed.
        """
        asked = wanted_kinds(want) or {TEXT}
        return TEXT not in asked or any(not part.is_text for part in conversation.parts())

    def budget(self, prompt: Sequence[int], max_tokens: int) -> int:
        """Tokens that may be written: the request's limit, bounded by the model's context.

        Raises:
            TooLong: the context has no room after the prompt.
        """
        context = context_of(self.lm)
        room = max_tokens if context is None else min(max_tokens, context - len(prompt))
        if room < 1:
            raise TooLong(
                f"this model's maximum context length is {context} tokens, the conversation takes {len(prompt)} and "
                "leaves no room for an answer; shorten the conversation"
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
    for said in content if isinstance(content, (list, tuple)) else [content]:
        if isinstance(said, str) and (kind := named_by(said)) is not None:
            warnings.warn(
                f"{said!r} is said to the model as words; to show it the file, say sm.{kind.capitalize()}({said!r})",
                stacklevel=2,
            )
    return Conversation((*history, as_message("user", content)))
