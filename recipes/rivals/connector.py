"""A connector, as in LLaVA (Liu et al. 2023, arXiv:2304.08485): encoders, a small MLP for each, and a language model.

Encoders and language model are frozen: of pictures that of the codec `image-read`, of series the scores and the course
that the reading codec of sensors has of them, of speech what the codec `audio` hears, each before it is quantised. An
MLP of two layers, as in LLaVA 1.5 (arXiv:2310.03744), turns what is seen into vectors that stand where the tokens of
codes would stand; of speech a window of frames is joined to one vector, as in SLAM-ASR (arXiv:2402.08846). As a grown
model has, it has an adapter (LoRA), which is off in words alone, unless it is asked for.
`LlavaForConditionalGeneration` of transformers is not used: its vision tower must be a model registered with
`AutoModel` that tells the hidden states of a grid of patches, which our encoder, eight codes without a place, is not;
what would remain of it is the MLP and the line that puts vectors in the place of tokens.

Before it learns through the language model it is brought near: vectors are to point to the rows of the tokens of the
answer, which costs no forward pass of the language model. Rows of codes start at words as well. Several media share a
conversation, since the system prompt costs as much as one of them.

Legend: B media, K conversations, T ids, or windows of a medium, P numbers of a window, V places of a medium or of all
of a conversation, N tokens of answers, H width of the language model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any

import numpy as np
import torch
from recipes.rivals.lessons import Lessons
from recipes.rivals.rival import Lesson, Seeing, asked, counts
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from sensorium.engines import Scored, TorchEngine
from sensorium.engines.output_head import OutputHead
from sensorium.families.semantic import SemanticCodec
from sensorium.families.uniform import UniformCodec
from sensorium.model import Base
from sensorium.model.adapter import Adapter
from sensorium.model.fold import add_adapter
from sensorium.model.grow import ADAPTER
from sensorium.senses import Senses
from sensorium.types import TEXT, Conversation, InputError, Message, Part, Reply, as_message

MARKERS, PLACES = 2, 8
"""Places before and behind what is seen; places of a medium of one window."""
TURNS = 8
"""Media in a conversation that is learned from."""
SHARPNESS = 20.0
"""Of what vectors tell before the language model reads them."""
OTHERS = 1024
"""Tokens that are drawn to tell those of the answers from."""


class Projector(nn.Module):
    """An MLP from windows (B, T, P) to vectors (B, V, H), and the two that stand around those of a medium.

    Args:
        each: vectors of a window.
        near: (H,) where the two start.
    """

    def __init__(self, numbers: int, hidden: int, each: int, near: Tensor):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(numbers, hidden), nn.GELU(), nn.Linear(hidden, each * len(near)), nn.Unflatten(2, (each, -1))
        )
        self.around_2H = nn.Parameter(near.float().repeat(MARKERS, 1))
        self.each = each

    def forward(self, windows_BTP: Tensor) -> Tensor:
        return self.mlp(windows_BTP).flatten(1, 2)


class Connector(Seeing):
    """MLPs between frozen encoders and a frozen language model.

    Args:
        codec: whose encoder sees pictures.
        base: the language model with its tokenizer.
        hidden: width of the MLPs.
        lora_rank: of the adapter.
    """

    batch = TURNS
    near = 0.25

    def __init__(self, lessons: Lessons, codec: SemanticCodec, base: Base, hidden: int = 1024, lora_rank: int = 8):
        super().__init__(lessons, codec, [base.lm])
        add_adapter(base.lm, ADAPTER, lora_rank)
        base.lm.requires_grad_(False)
        adapter = (one for name, one in base.lm.named_parameters() if "lora_" in name)
        self.adapter = nn.ParameterList(one.requires_grad_(True) for one in adapter)
        rows_NH = base.lm.get_input_embeddings().weight.detach()
        self._senses = Senses.of(base.tokenizer, len(rows_NH), [stand_in(name) for name in self.channels])
        each = {name: PLACES if self.places(name) == 1 else 1 for name in self.channels}
        self.projectors = nn.ModuleDict(
            {name: Projector(size, hidden, each[name], rows_NH.mean(0)) for name, size in self.channels.items()}
        )
        self.tokens = {name: self.places(name) * each[name] + MARKERS for name in self.channels}

    @property
    def language_model(self) -> Any:
        return self.frozen[1]

    def vectors(self, name: str, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, V, H) vectors of media between the two around them, and how many there are of each (B,)."""
        projector: Any = self.projectors[name]
        values_BTP = self.values(name, x)
        counts_B = counts(values_BTP)
        return projector(values_BTP[:, : int(counts_B.max())]), counts_B * projector.each

    def seen(self, name: str, x: Tensor) -> list[Tensor]:
        """(V, H) vectors that each medium is to the language model."""
        projector: Any = self.projectors[name]
        first_H, last_H = projector.around_2H
        vectors_BVH, counts_B = self.vectors(name, x)
        return [
            torch.cat([first_H[None], one_VH[:count], last_H[None]])
            for one_VH, count in zip(vectors_BVH, counts_B.tolist(), strict=True)
        ]

    def terms(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {one.modality: self._answered(one) for one in self.lessons(batch)}

    def _answered(self, lesson: Lesson) -> Tensor:
        seen = self.seen(lesson.modality, lesson.x)
        answers = [self.answers[number] for number in lesson.answers_B.tolist()]
        asked_of = zip(self._shown(lesson.modality, seen), lesson.questions, answers, strict=True)
        turns = [(as_message("user", [shown, ask]), as_message("assistant", told)) for shown, ask, told in asked_of]
        starts = range(0, len(turns), TURNS)
        rows = [self._lesson(Conversation(tuple(chain(*turns[at : at + TURNS])))) for at in starts]
        padded = (pad_sequence(list(part), batch_first=True) for part in zip(*rows, strict=True))
        ids_KT, learn_KT, there_KT = (part.to(self.device) for part in padded)
        seen_KVH = pad_sequence([torch.cat(seen[at : at + TURNS]) for at in starts], batch_first=True)
        inputs_KTH = self._placed(ids_KT, seen_KVH)
        hidden_KTH = self.language_model.base_model(inputs_embeds=inputs_KTH, attention_mask=there_KT).last_hidden_state
        learn = learn_KT[:, 1:]
        logits = OutputHead(self.language_model).full(hidden_KTH[:, :-1][learn])
        return F.cross_entropy(logits, ids_KT[:, 1:][learn])

    def _shown(self, name: str, seen: Sequence[Tensor]) -> list[Part]:
        """Parts of as many codes as there are vectors between the two."""
        return [Part(name, codes=np.zeros(len(one_VH) - MARKERS, np.int64), codec=name) for one_VH in seen]

    def near_terms(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Vectors tell the tokens of the answer among some of all answers, and are as long as their rows.

        A medium of one window tells them in their order, and then spaces; one of several (speech) in the order of its
        windows, with spaces between them wherever they may be (connectionist temporal classification).
        """
        found: dict[str, Tensor] = {}
        for one in self.lessons(batch):
            vectors_BVH, counts_B = self.vectors(one.modality, one.x)
            told = [self._ids_of(self.answers[number]) for number in one.answers_B.tolist()]
            among_N = self._among(told)
            rows_NH = self.language_model.get_input_embeddings()(among_N.to(self.device)).float() - self._mean_H
            away_BVH = vectors_BVH.float() - self._mean_H
            logits_BVN = SHARPNESS * F.normalize(away_BVH, dim=-1) @ F.normalize(rows_NH, dim=-1).T
            targets = [torch.searchsorted(among_N, torch.tensor(ids)) for ids in told]
            space = int(torch.searchsorted(among_N, self._space))
            tell = told_in_places if self.places(one.modality) == 1 else told_in_order
            found[one.modality], places_BV = tell(logits_BVN, counts_B, targets, space)
            there_BV = torch.arange(places_BV.shape[1], device=self.device) < counts_B[:, None]
            lengths = (away_BVH.norm(dim=-1) / rows_NH.norm(dim=-1)[places_BV])[there_BV]
            found[f"{one.modality} length"] = (lengths - 1).square().mean()
        return found

    def _among(self, told: Sequence[Sequence[int]]) -> Tensor:
        """Ids (N,) of tokens, in order: those told, the space, and `OTHERS` drawn from those of all answers."""
        drawn_N = self._known_N[torch.randint(len(self._known_N), (OTHERS,))]
        return torch.cat([torch.tensor([self._space, *chain(*told)]), drawn_N]).unique()

    @cached_property
    def _known_N(self) -> Tensor:
        """Ids of the tokens of all answers."""
        return torch.tensor(sorted(set(chain(*map(self._ids_of, self.answers)))))

    @cached_property
    def _mean_H(self) -> Tensor:
        """Mean of the rows of these."""
        return self.language_model.get_input_embeddings()(self._known_N.to(self.device)).float().mean(0)

    @cached_property
    def _space(self) -> int:
        return self._ids_of("")[0]

    @cached_property
    def _ids_of(self) -> Any:
        """An answer to the ids of its tokens, a space before it."""

        @lru_cache(maxsize=2**16)
        def ids_of(answer: str) -> list[int]:
            return self._senses.tokenizer(f" {answer}", add_special_tokens=False)["input_ids"]

        return ids_of

    def _lesson(self, conversation: Conversation) -> tuple[Tensor, Tensor, Tensor]:
        """Ids (T,), which of them are learned, and ones for those that are there."""
        ids, learn = self._read(conversation)
        return torch.tensor(ids), torch.tensor(learn), torch.ones(len(ids), dtype=torch.long)

    def _read(self, conversation: Conversation, reply: bool = False) -> tuple[list[int], list[bool]]:
        """Ids as a model that reads codes has them, but -1, -2, ... for those of media; and what is learned."""
        rendered = self._senses.stream.render(conversation, reply)
        ids = rendered.ids.astype(np.int64)
        new = ids >= self._senses.text_size
        ids[new] = -1 - np.arange(new.sum())
        return ids.tolist(), rendered.mask.tolist()

    def _placed(self, ids_BT: Tensor, seen_BVH: Tensor) -> Tensor:
        """(B, T, H) inputs: vectors of media for ids below zero, rows of the language model for the others.

        Args:
            seen_BVH: of the media of each row, or of one for all.
        """
        places_BTH = (-1 - ids_BT).clamp(min=0)[..., None].expand(-1, -1, seen_BVH.shape[-1])
        seen_BTH = seen_BVH.expand(len(ids_BT), -1, -1).gather(1, places_BTH)
        rows_BTH = self.language_model.get_input_embeddings()(ids_BT.clamp(min=0))
        return torch.where((ids_BT < 0)[..., None], seen_BTH.to(rows_BTH.dtype), rows_BTH)

    @contextmanager
    def _showing(self, conversation: Conversation) -> Iterator[tuple[list[int], Tensor]]:
        """Within, the language model takes ids below zero for the medium; gives the ids of the prompt and the medium's
        vectors (1, V, H)."""
        _, part = asked(conversation)
        seen_1VH = torch.zeros(1, 1, self.language_model.get_input_embeddings().weight.shape[1], device=self.device)
        if part is not None:
            seen = self.seen(part.modality, self.opened(part))
            conversation, seen_1VH = _with(conversation, *self._shown(part.modality, seen)), seen[0][None]

        def place(module: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            inputs = self._placed(kwargs["input_ids"], seen_1VH)
            return args, kwargs | {"input_ids": None, "inputs_embeds": inputs}

        hook = self.language_model.base_model.register_forward_pre_hook(place, with_kwargs=True)
        try:
            yield self._read(conversation, True)[0], seen_1VH
        finally:
            hook.remove()

    @torch.inference_mode()
    def rank(
        self, conversation: Conversation, answers: Sequence[str], wanted: int = 5, adapter: bool | None = None
    ) -> list[Scored]:
        """See `Rival.rank`; the score is the log-probability in nats."""
        on = asked(conversation)[1] is not None if adapter is None else adapter
        with self._showing(conversation) as (prompt, _):
            return TorchEngine(self.language_model).best(prompt, list(map(self._spelled, answers)), wanted, on)

    @cached_property
    def _spelled(self) -> Any:
        """An answer to its ids and that of the end of its turn."""

        @lru_cache(maxsize=2**16)
        def ids_of(answer: str) -> list[int]:
            ids, learn, _ = self._lesson(Conversation((as_message("user", "?"), as_message("assistant", answer))))
            return ids[learn].tolist()

        return ids_of

    @torch.inference_mode()
    def chat(self, conversation: Conversation, want: str = TEXT, temperature: float = 0, max_tokens: int = 24) -> Reply:
        """Answer in text, the likeliest token each time.

        Raises:
            InputError: something else than that is wanted.
        """
        if want != TEXT or temperature:
            raise InputError("a connector writes text alone, the likeliest; ask for text at temperature 0")
        stops = list(self._senses.stream.stop_ids)
        with self._showing(conversation) as (prompt, seen_1VH):
            ids_1T = torch.tensor([prompt], device=self.device)
            inputs = self._placed(ids_1T, seen_1VH)
        with Adapter(self.language_model).switched(asked(conversation)[1] is not None):
            ids = self.language_model.generate(
                inputs_embeds=inputs, attention_mask=torch.ones_like(ids_1T), do_sample=False,
                max_new_tokens=max_tokens, eos_token_id=stops, pad_token_id=stops[0],
            )[0].tolist()  # fmt: skip
        return Reply((Part(TEXT, self._senses.tokenizer.decode(ids, skip_special_tokens=True)),), tuple(ids))


def stand_in(name: str) -> UniformCodec:
    """A codec whose tokens vectors of a modality take the places of: one code for each."""
    return UniformCodec(1, bins=2, ranges=((0, 1),), min_frames=1, name=name, modality=name, use="read")


def _with(conversation: Conversation, shown: Part) -> Conversation:
    """With this part in place of the medium."""
    return Conversation(
        tuple(
            Message(one.role, tuple(part if part.is_text else shown for part in one.parts))
            for one in conversation.messages
        )
    )


def told_in_places(
    logits_BVN: Tensor, counts_B: Tensor, targets: Sequence[Tensor], space: int
) -> tuple[Tensor, Tensor]:
    """Nats a place, and which token each is to be (B, V): targets, cut or filled with spaces."""
    filled = [F.pad(one, (0, logits_BVN.shape[1]), value=space)[: logits_BVN.shape[1]] for one in targets]
    places_BV = torch.stack(filled).to(logits_BVN.device)
    return F.cross_entropy(logits_BVN.flatten(0, 1), places_BV.flatten()), places_BV


def told_in_order(logits_BVN: Tensor, counts_B: Tensor, targets: Sequence[Tensor], space: int) -> tuple[Tensor, Tensor]:
    """Nats a token by connectionist temporal classification, and which token each place tells (B, V)."""
    lengths_B = torch.tensor([len(one) for one in targets])
    nats_B = F.ctc_loss(
        logits_BVN.log_softmax(-1).transpose(0, 1), pad_sequence(list(targets), batch_first=True).to(logits_BVN.device),
        counts_B.cpu(), lengths_B, blank=space, reduction="none", zero_infinity=True,
    )  # fmt: skip
    return nats_B.sum() / lengths_B.sum(), logits_BVN.argmax(-1)
