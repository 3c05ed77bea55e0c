"""Late fusion: a medium and a question are read apart, and one classifier looks at both.

The medium by a frozen encoder (a picture by that of the codec `image-read`), the question by an LSTM (Hochreiter and
Schmidhuber 1997) over its tokens, as the baseline of VQA did (Antol et al. 2015, arXiv:1505.00468). Of a medium of
several windows a few heads choose by attention what counts. It knows the answers that it has learned, one list for all
modalities, and no other.

Legend: B examples, T windows of a medium or tokens, P numbers of a window, H heads, D width, A answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from recipes.rivals.lessons import Lessons
from recipes.rivals.rival import Seeing, asked, best, counts, spelled
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence

from sensorium.engines import Scored
from sensorium.families.semantic import SemanticCodec
from sensorium.types import Conversation

HEADS = 8


class Pooled(nn.Module):
    """Windows (B, T, P) to (B, D): of as many as there are, means that each head weighs."""

    def __init__(self, places: int, numbers: int, width: int):
        super().__init__()
        heads = min(places, HEADS)
        self.weigh = nn.Linear(numbers, heads)
        self.places_TH = nn.Parameter(0.02 * torch.randn(places, heads))
        self.turn = nn.Linear(heads * numbers, width)

    def forward(self, windows_BTP: Tensor) -> Tensor:
        absent_BT = torch.arange(windows_BTP.shape[1], device=windows_BTP.device) >= counts(windows_BTP)[:, None]
        scores_BTH = (self.weigh(windows_BTP) + self.places_TH).masked_fill(absent_BT[..., None], -torch.inf)
        return self.turn((scores_BTH.softmax(1).mT @ windows_BTP).flatten(1))


class Late(Seeing):
    """Frozen features of a medium and the last state of an LSTM to the logits of all answers.

    Args:
        codec: whose encoder sees.
        tokenizer: a fast Hugging Face tokenizer.
        width: of tokens; the LSTM is twice as wide, the hidden layer eight times.
    """

    def __init__(self, lessons: Lessons, codec: SemanticCodec, tokenizer: Any, width: int = 64):
        super().__init__(lessons, codec)
        self.tokenizer, self.tokens = tokenizer, dict.fromkeys(self.channels, 0)
        self.rows = nn.Embedding(len(tokenizer), width)
        self.lstm = nn.LSTM(width, 2 * width, batch_first=True)
        self.entrances = nn.ModuleDict(
            {name: Pooled(self.places(name), numbers, 8 * width) for name, numbers in self.channels.items()}
        )
        self.question = nn.Linear(2 * width, 8 * width)
        self.head = nn.Sequential(nn.ReLU(), nn.Dropout(0.3), nn.Linear(8 * width, len(self.answers)))
        self._at = {answer: number for number, answer in enumerate(self.answers)}

    def forward(self, name: str, windows_BTP: Tensor, questions: Sequence[str]) -> Tensor:
        """(B, A) logits."""
        ids_BT, lengths_B = spelled(self.tokenizer, questions, self.device)
        rows = pack_padded_sequence(self.rows(ids_BT), lengths_B.cpu(), batch_first=True, enforce_sorted=False)
        state_BH = self.lstm(rows)[1][0][-1]
        return self.head(self.entrances[name](windows_BTP) + self.question(state_BH))

    def terms(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {
            one.modality: F.cross_entropy(
                self(one.modality, self.values(one.modality, one.x), one.questions), one.answers_B
            )
            for one in self.lessons(batch)
        }

    @torch.inference_mode()
    def rank(
        self, conversation: Conversation, answers: Sequence[str], wanted: int = 5, adapter: bool | None = None
    ) -> list[Scored]:
        """See `Rival.rank`; without a medium it looks at a picture of noughts. Answers never learned come last."""
        question, part = asked(conversation)
        name = "image" if part is None else part.modality
        none_11P = torch.zeros(1, 1, self.channels["image"], device=self.device)
        windows_1TP = none_11P if part is None else self.values(name, self.opened(part))
        logs_A = self(name, windows_1TP, [question]).log_softmax(-1)[0]
        known = F.pad(logs_A, (0, 1), value=-torch.inf)
        return best(known[[self._at.get(answer, len(logs_A)) for answer in answers]], wanted)
