"""Late fusion: a picture and a question are read apart, and one classifier looks at both.

The picture by the frozen encoder of the codec `image-read`, the question by an LSTM (Hochreiter and Schmidhuber 1997)
over its tokens, as the baseline of VQA did (Antol et al. 2015, arXiv:1505.00468). It knows the answers that it has
learned and no other.

Legend: B examples, C channels of the encoder, T tokens, A answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from recipes.rivals.lessons import Lessons
from recipes.rivals.rival import Rival, asked, best, pixels, spelled
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence

from sensorium.engines import Scored
from sensorium.families.semantic import SemanticCodec
from sensorium.types import Conversation


class Late(Rival):
    """Frozen features of a picture and the last state of an LSTM to the logits of all answers.

    Args:
        codec: whose encoder sees.
        tokenizer: a fast Hugging Face tokenizer.
        width: of tokens; the LSTM is twice as wide, the hidden layer eight times.
    """

    def __init__(self, lessons: Lessons, codec: SemanticCodec, tokenizer: Any, width: int = 64):
        super().__init__(lessons, [codec.net])
        self.sight, self.tokenizer, self.tokens = codec, tokenizer, {"image": 0}
        self.rows = nn.Embedding(len(tokenizer), width)
        self.lstm = nn.LSTM(width, 2 * width, batch_first=True)
        self.channels = codec.net.deep.out_features
        self.head = nn.Sequential(
            nn.Linear(self.channels + 2 * width, 8 * width), nn.ReLU(), nn.Dropout(0.3),
            nn.Linear(8 * width, len(self.answers)),
        )  # fmt: skip
        self._at = {answer: number for number, answer in enumerate(self.answers)}

    def forward(self, values_BC: Tensor, questions: Sequence[str]) -> Tensor:
        """(B, A) logits."""
        ids_BT, lengths_B = spelled(self.tokenizer, questions, self.device)
        rows = pack_padded_sequence(self.rows(ids_BT), lengths_B.cpu(), batch_first=True, enforce_sorted=False)
        state = self.lstm(rows)[1][0][-1]
        return self.head(torch.cat([values_BC, state], dim=1))

    def terms(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        with torch.no_grad():
            values_BC = self.sight.net.values(batch["x"])
        logits_BA = self(values_BC, [self.questions[number] for number in batch["question"].tolist()])
        return {"answer": F.cross_entropy(logits_BA, batch["answer"])}

    @torch.inference_mode()
    def rank(
        self, conversation: Conversation, answers: Sequence[str], wanted: int = 5, adapter: bool | None = None
    ) -> list[Scored]:
        """See `Rival.rank`; without a picture its features are zero, their mean. Answers never learned come last."""
        question, part = asked(conversation)
        none_1C = torch.zeros(1, self.channels, device=self.device)
        values_1C = none_1C if part is None else self.sight.net.values(pixels(part, self.device))
        logs_A = self(values_1C, [question]).log_softmax(-1)[0]
        known = F.pad(logs_A, (0, 1), value=-torch.inf)
        return best(known[[self._at.get(answer, len(logs_A)) for answer in answers]], wanted)
