"""One transformer for patches of pictures, windows of other media and tokens of texts, each with its own entrance.

As in VATT (Akbari et al. 2021, arXiv:2104.11178) one encoder reads every modality: pictures as patches of pixels (ViT,
arXiv:2010.11929), series as windows of samples, speech as windows of its spectra. A medium is drawn to what is said of
it and pushed from what is said of the others in the batch, as in CLIP (arXiv:2103.00020), and named by the nearest
text. What is said is the question with its answer, so that one space holds names, categories and whatever else is
asked.

Legend: B media, T places, P numbers of a patch, H width, N texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from recipes.rivals.lessons import Lessons
from recipes.rivals.rival import SIDE_PX, Rival, asked, best, spelled
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.engines import Scored
from sensorium.types import Conversation, Part

PATCH_PX, WORDS = 16, 32
SHARPEST = 100.0


class Entrance(nn.Module):
    """How one modality comes in: an embedding of its patches, where each lies, and of which modality it is."""

    def __init__(self, embed: nn.Module, places: int, width: int):
        super().__init__()
        self.embed = embed
        self.places_TH = nn.Parameter(0.02 * torch.randn(places, width))
        self.kind_H = nn.Parameter(0.02 * torch.randn(width))

    def forward(self, patches: Tensor) -> Tensor:
        """(B, T, H) of patches (B, T, P), or of ids (B, T)."""
        return self.embed(patches) + self.places_TH[: patches.shape[1]] + self.kind_H


class Shared(Rival):
    """The encoder, trained on pictures, and on the media beside them where the lessons bring some.

    Args:
        tokenizer: a fast Hugging Face tokenizer.
        width, layers, heads: of the transformer.
    """

    batch = 64
    lr = 5e-4

    def __init__(self, lessons: Lessons, tokenizer: Any, width: int = 256, layers: int = 4, heads: int = 8):
        super().__init__(lessons)
        self.tokenizer = tokenizer
        self.tokens = {"image": (SIDE_PX // PATCH_PX) ** 2} | {name: one.places for name, one in self.others.items()}
        sizes = {"image": 3 * PATCH_PX**2} | {name: one.numbers for name, one in self.others.items()}
        entrances = {one: Entrance(nn.Linear(sizes[one], width), count, width) for one, count in self.tokens.items()}
        words = Entrance(nn.Embedding(len(tokenizer), width), WORDS, width)
        self.entrances = nn.ModuleDict(entrances | {"text": words})
        self.first_H = nn.Parameter(0.02 * torch.randn(width))
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.body = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.sharpness = nn.Parameter(torch.tensor(1 / 0.07).log())
        self._known: tuple[list[str], Tensor] = ([], self.first_H)

    def train(self, mode: bool = True) -> Shared:
        """As of any module; texts are encoded anew afterwards."""
        self._known = ([], self.first_H)
        return super().train(mode)

    def forward(self, of: str, patches: Tensor, there_BT: Tensor | None = None) -> Tensor:
        """(B, H) of length 1: the state of a first place that stands for the whole."""
        x_BTH = torch.cat([self.first_H.expand(len(patches), 1, -1), self.entrances[of](patches)], dim=1)
        absent_BT = None if there_BT is None else F.pad(~there_BT, (1, 0))
        return F.normalize(self.body(x_BTH, src_key_padding_mask=absent_BT)[:, 0], dim=-1)

    def said(self, texts: Sequence[str]) -> Tensor:
        """(N, H) of texts; of long ones the end counts, where the answer is."""
        ids_NT, lengths_N = spelled(self.tokenizer, texts, self.device, WORDS)
        return self("text", ids_NT, torch.arange(ids_NT.shape[1], device=self.device) < lengths_N[:, None])

    def terms(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found = {}
        for one in self.lessons(batch):
            answers = [self.answers[number] for number in one.answers_B.tolist()]
            texts = [f"{question} {answer}" for question, answer in zip(one.questions, answers, strict=True)]
            media_BH = self(one.modality, self._patches(one.modality, one.x))
            found[one.modality] = self._contrast(media_BH, texts, one.answers_B)
        return found

    def _contrast(self, media_BH: Tensor, texts: Sequence[str], same_B: Tensor) -> Tensor:
        """InfoNCE both ways; media of one answer are each other's."""
        said_BH = self.said(texts)
        with torch.autocast(media_BH.device.type, enabled=False):  # sharpened, what bfloat16 rounds off would count
            logits_BB = self.sharpness.exp().clamp(max=SHARPEST) * media_BH.float() @ said_BH.float().T
        right_BB = (same_B[:, None] == same_B).float()
        right_BB /= right_BB.sum(1, keepdim=True)
        return (F.cross_entropy(logits_BB, right_BB) + F.cross_entropy(logits_BB.T, right_BB)) / 2

    @torch.inference_mode()
    def rank(
        self, conversation: Conversation, answers: Sequence[str], wanted: int = 5, adapter: bool | None = None
    ) -> list[Scored]:
        """See `Rival.rank`; the score is the cosine. Without a medium the first place is alone."""
        question, part = asked(conversation)
        texts = [f"{question} {answer}" for answer in answers]
        if self._known[0] != texts:
            self._known = (texts, torch.cat([self.said(texts[at : at + 256]) for at in range(0, len(texts), 256)]))
        return best((self._seen(part) @ self._known[1].T)[0], wanted)

    def _seen(self, part: Part | None) -> Tensor:
        if part is None:
            return self("text", torch.zeros(1, 0, dtype=torch.long, device=self.device))
        return self(part.modality, self._patches(part.modality, self.opened(part)))

    def _patches(self, name: str, x: Tensor) -> Tensor:
        return patches_of(x) if name == "image" else x


def patches_of(x_B3SS: Tensor) -> Tensor:
    """(B, 16, 768): squares of 16 x 16 px, row by row."""
    return F.unfold(x_B3SS, PATCH_PX, stride=PATCH_PX).transpose(1, 2)
