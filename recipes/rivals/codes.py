"""Discrete codes, as smol reads them, taught the lessons of the other ways and nothing else.

The codec says four names of a picture; rows of its codes start at the embeddings of those names in the
language model, and are trained with an adapter (LoRA), on conversations of several pictures as the connector's.

Legend: B pictures, T ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

import torch
from recipes.rivals.connector import TURNS
from recipes.rivals.lessons import Lessons
from recipes.rivals.rival import Rival
from recipes.smol.curve import speaking
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from sensorium.engines import Scored
from sensorium.families.lexical import LexicalCodec
from sensorium.generate import Assistant
from sensorium.model import Base, Grown, grow
from sensorium.types import TEXT, Conversation, Part, Reply, as_message

MARKERS = 2


class Codes(Rival):
    """Rows of codes and an adapter beside a frozen language model.

    Args:
        codec: what reads pictures.
        base: the language model with its tokenizer.
        lora_rank: of the adapter.
    """

    batch = 4 * TURNS

    def __init__(self, lessons: Lessons, codec: LexicalCodec, base: Base, lora_rank: int = 8):
        grown = grow(base, [codec], "adapter", lora_rank=lora_rank)
        learned = [one for group in grown.parameters_to_train().values() for one in group]
        super().__init__(lessons, [codec.sight.net, grown])
        self.learned = nn.ParameterList(one.requires_grad_(True) for one in learned)
        self.codec, self.tokens = codec, {"image": codec.facts.max_frames + MARKERS}

    @property
    def grown(self) -> Grown:
        grown: Any = self.frozen[1]
        return grown

    @property
    def language_model(self) -> Any:
        return self.grown.lm

    def terms(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        (pictures,) = self.lessons(batch)
        with torch.no_grad():
            codes = self.codec.quantise(self.codec.sight.net.values(pictures.x).float().cpu().numpy())
        asked = zip(codes, pictures.questions, pictures.answers_B.tolist(), strict=True)
        turns = [self._turn(*one) for one in asked]
        talks = [Conversation(tuple(chain(*turns[at : at + TURNS]))) for at in range(0, len(turns), TURNS)]
        rendered = [self.grown.stream.render(talk) for talk in talks]
        ids_BT, learn_BT = (
            pad_sequence([torch.from_numpy(part) for part in parts], batch_first=True).to(self.device)
            for parts in zip(*((one.ids.astype("int64"), one.mask) for one in rendered), strict=True)
        )
        hidden_BTH, learn = self.grown.hidden(ids_BT)[:, :-1], learn_BT[:, 1:]
        return {"answer": F.cross_entropy(self.grown.logits(hidden_BTH[learn]).float(), ids_BT[:, 1:][learn])}

    def _turn(self, codes: Any, question: str, answer: int) -> tuple[Any, Any]:
        shown = Part("image", codes=codes, codec=self.codec.facts.name)
        return as_message("user", [shown, question]), as_message("assistant", self.answers[answer])

    @cached_property
    def assistant(self) -> Assistant:
        """What has been learned so far, as a plain language model."""
        return speaking(self.grown)

    def rank(
        self, conversation: Conversation, answers: Sequence[str], wanted: int = 5, adapter: bool | None = None
    ) -> list[Scored]:
        """See `Rival.rank`; the score is the log-probability in nats."""
        return self.assistant.rank(conversation, answers, wanted, adapter=adapter)

    def chat(self, conversation: Conversation, want: str = TEXT, temperature: float = 0, max_tokens: int = 24) -> Reply:
        return self.assistant.chat(conversation, want, temperature=temperature, max_tokens=max_tokens)
