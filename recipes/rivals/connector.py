"""A connector, as in LLaVA (Liu et al. 2023, arXiv:2304.08485): an encoder, a small MLP, and a language model.

Encoder (of the codec `image-read`, before its quantiser) and language model are frozen; the MLP, of two layers as in
LLaVA 1.5 (arXiv:2310.03744), turns what is seen into vectors that stand where the tokens of the codec's codes would
stand: the prompt and its length are those of a model that reads codes. As a grown model has, it has an adapter (LoRA),
which is off in words alone, unless it is asked for. `LlavaForConditionalGeneration` of transformers
is not used: its vision tower must be a model registered with `AutoModel` that tells the hidden states of a grid of
patches, which our encoder, eight codes without a place, is not; what would remain of it is the MLP and the line that
puts vectors in the place of tokens.

Before it learns through the language model it is brought near: a picture's vectors are to point to the rows of the
tokens of its answer, which costs no forward pass of the language model. Rows of codes start at words as well. Several
pictures share a conversation, since the system prompt costs as much as one of them.

Legend: B pictures, K conversations, T ids, V places of a picture or of all of a conversation, C channels of the
encoder, H width of the language model.
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
from recipes.rivals.rival import Rival, asked, pixels
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from sensorium.engines import Scored, TorchEngine
from sensorium.engines.output_head import OutputHead
from sensorium.families.semantic import SemanticCodec
from sensorium.model import Base
from sensorium.model.adapter import Adapter
from sensorium.model.fold import add_adapter
from sensorium.model.grow import ADAPTER
from sensorium.senses import Senses
from sensorium.types import TEXT, Conversation, InputError, Message, Part, Reply, as_message

MARKERS = 2
TURNS = 8
"""Pictures in a conversation that is learned from."""
SHARPNESS = 20.0
"""Of what a picture's vectors tell before the language model reads them."""


class Connector(Rival):
    """The MLP between a frozen encoder and a frozen language model.

    Args:
        codec: whose encoder sees.
        base: the language model with its tokenizer.
        hidden: width of the MLP.
        lora_rank: of the adapter.
    """

    batch = 4 * TURNS
    near = 0.1

    def __init__(self, lessons: Lessons, codec: SemanticCodec, base: Base, hidden: int = 1024, lora_rank: int = 8):
        super().__init__(lessons, [codec.net, base.lm])
        add_adapter(base.lm, ADAPTER, lora_rank)
        base.lm.requires_grad_(False)
        adapter = (one for name, one in base.lm.named_parameters() if "lora_" in name)
        self.adapter = nn.ParameterList(one.requires_grad_(True) for one in adapter)
        self.codec = codec
        text_size, width = base.lm.get_input_embeddings().weight.shape
        self._senses = Senses.of(base.tokenizer, text_size, [codec])
        places = codec.settings.codes + MARKERS
        self.tokens = {"image": places}
        self.mlp = nn.Sequential(
            nn.Linear(codec.net.deep.out_features, hidden), nn.GELU(),
            nn.Linear(hidden, places * width), nn.Unflatten(1, (places, -1)),
        )  # fmt: skip

    @property
    def language_model(self) -> Any:
        return self.frozen[1]

    def seen(self, x_B3SS: Tensor) -> Tensor:
        """(B, V, H) vectors that a picture is to the language model."""
        with torch.no_grad():
            values_BC = self.codec.net.values(x_B3SS)
        return self.mlp(values_BC)

    def terms(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        pairs = zip(batch["question"].tolist(), batch["answer"].tolist(), strict=True)
        told = [(self.questions[question], self.answers[answer]) for question, answer in pairs]
        turns = min(TURNS, len(told))
        rows = [self._lesson(told[at : at + turns]) for at in range(0, len(told), turns)]
        padded = (pad_sequence(list(part), batch_first=True) for part in zip(*rows, strict=True))
        ids_KT, learn_KT, there_KT = (part.to(self.device) for part in padded)
        inputs_KTH = self._placed(ids_KT, self.seen(batch["x"]).unflatten(0, (-1, turns)).flatten(1, 2))
        hidden_KTH = self.language_model.base_model(inputs_embeds=inputs_KTH, attention_mask=there_KT).last_hidden_state
        learn = learn_KT[:, 1:]
        logits = OutputHead(self.language_model).full(hidden_KTH[:, :-1][learn])
        return {"answer": F.cross_entropy(logits, ids_KT[:, 1:][learn])}

    def near_terms(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A picture's vectors tell the tokens of its answer, behind which stand spaces, among those of all answers, and
        are as long as their rows."""
        targets_BV = torch.stack([self._tokens_of(self.answers[number]) for number in batch["answer"].tolist()])
        ids_N = self._known_N.to(self.device)
        rows_NH = self.language_model.get_input_embeddings()(ids_N).float()
        mean_H, seen_BVH = rows_NH.mean(0), self.seen(batch["x"]).float()
        logits_BVN = SHARPNESS * F.normalize(seen_BVH - mean_H, dim=-1) @ F.normalize(rows_NH - mean_H, dim=-1).T
        places_BV = torch.searchsorted(ids_N, targets_BV.to(self.device))
        lengths = (seen_BVH - mean_H).norm(dim=-1) / (rows_NH - mean_H).norm(dim=-1)[places_BV]
        return {
            "tokens": F.cross_entropy(logits_BVN.flatten(0, 1), places_BV.flatten()),
            "length": (lengths - 1).square().mean(),
        }

    @cached_property
    def _known_N(self) -> Tensor:
        """Ids of the tokens of all answers, in order."""
        return torch.cat([self._tokens_of(answer) for answer in self.answers]).unique()

    @cached_property
    def _tokens_of(self) -> Any:
        """An answer to the ids (V,) of its tokens, cut or filled with spaces to the places of a picture."""

        @lru_cache(maxsize=2**16)
        def tokens(answer: str) -> Tensor:
            ids = self._senses.tokenizer(f" {answer}", add_special_tokens=False)["input_ids"]
            space = self._senses.tokenizer(" ", add_special_tokens=False)["input_ids"]
            places = self.tokens["image"]
            return torch.tensor((ids + space * places)[:places])

        return tokens

    def _lesson(self, told: Sequence[tuple[str, str]]) -> tuple[Tensor, Tensor, Tensor]:
        """Questions with answers, a picture each, to ids (T,), which are learned, and ones for those that are there."""
        turns = [
            (as_message("user", [Part("image"), question]), as_message("assistant", answer))
            for question, answer in told
        ]
        ids, learn = self._read(Conversation(tuple(chain.from_iterable(turns))))
        return torch.tensor(ids), torch.tensor(learn), torch.ones(len(ids), dtype=torch.long)

    def _read(self, conversation: Conversation, reply: bool = False) -> tuple[list[int], list[bool]]:
        """Ids as a model that reads codes has them, but -1, -2, ... for those of the picture; and what is learned."""
        facts = self.codec.facts
        codes = np.zeros(len(facts.codebook_sizes), np.int64)
        filled = Conversation(
            tuple(
                Message(
                    one.role, tuple(part if part.is_text else part.with_codes(codes, facts.name) for part in one.parts)
                )
                for one in conversation.messages
            )
        )
        rendered = self._senses.stream.render(filled, reply)
        ids = rendered.ids.astype(np.int64)
        new = ids >= self._senses.text_size
        ids[new] = -1 - np.arange(new.sum())
        return ids.tolist(), rendered.mask.tolist()

    def _placed(self, ids_BT: Tensor, seen_BVH: Tensor) -> Tensor:
        """(B, T, H) inputs: vectors of a picture for ids below zero, rows of the language model for the others.

        Args:
            seen_BVH: of the pictures of each row, or of one for all.
        """
        places_BTH = (-1 - ids_BT).clamp(min=0)[..., None].expand(-1, -1, seen_BVH.shape[-1])
        seen_BTH = seen_BVH.expand(len(ids_BT), -1, -1).gather(1, places_BTH)
        rows_BTH = self.language_model.get_input_embeddings()(ids_BT.clamp(min=0))
        return torch.where((ids_BT < 0)[..., None], seen_BTH.to(rows_BTH.dtype), rows_BTH)

    @contextmanager
    def _showing(self, part: Part | None) -> Iterator[Tensor]:
        """Within, the language model takes ids below zero for this picture; gives its vectors (1, V, H)."""
        none_1VH = torch.zeros(1, 1, self.language_model.get_input_embeddings().weight.shape[1], device=self.device)
        seen_1VH = none_1VH if part is None else self.seen(pixels(part, self.device))

        def place(module: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            inputs = self._placed(kwargs["input_ids"], seen_1VH)
            return args, kwargs | {"input_ids": None, "inputs_embeds": inputs}

        hook = self.language_model.base_model.register_forward_pre_hook(place, with_kwargs=True)
        try:
            yield seen_1VH
        finally:
            hook.remove()

    @torch.inference_mode()
    def rank(
        self, conversation: Conversation, answers: Sequence[str], wanted: int = 5, adapter: bool | None = None
    ) -> list[Scored]:
        """See `Rival.rank`; the score is the log-probability in nats."""
        _, part = asked(conversation)
        on = part is not None if adapter is None else adapter
        with self._showing(part):
            return TorchEngine(self.language_model).best(
                self._read(conversation, True)[0], list(map(self._spelled, answers)), wanted, on
            )

    @cached_property
    def _spelled(self) -> Any:
        """An answer to its ids and that of the end of its turn."""

        @lru_cache(maxsize=2**16)
        def ids_of(answer: str) -> list[int]:
            ids, learn, _ = self._lesson([("?", answer)])
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
        _, part = asked(conversation)
        ids_1T = torch.tensor([self._read(conversation, True)[0]], device=self.device)
        stops = list(self._senses.stream.stop_ids)
        with self._showing(part) as seen_1VH:
            inputs = self._placed(ids_1T, seen_1VH)
        with Adapter(self.language_model).switched(part is not None):
            ids = self.language_model.generate(
                inputs_embeds=inputs, attention_mask=torch.ones_like(ids_1T), do_sample=False,
                max_new_tokens=max_tokens, eos_token_id=stops, pad_token_id=stops[0],
            )[0].tolist()  # fmt: skip
        return Reply((Part(TEXT, self._senses.tokenizer.decode(ids, skip_special_tokens=True)),), tuple(ids))
