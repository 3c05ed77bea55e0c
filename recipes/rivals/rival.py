"""What the rivals share: all train on one loop and answer as an `Assistant` does, so that one evaluation fits all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, Self

import numpy as np
import torch
from recipes.rivals.lessons import Lessons
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from sensorium.engines import Scored
from sensorium.families.net_codec import pixels_to_net
from sensorium.families.semantic import SemanticCodec
from sensorium.modalities import Wish, modality
from sensorium.types import Conversation, InputError, Part

SIDE_PX = 64


@dataclass(frozen=True)
class Lesson:
    """Media of one modality: pixels or windows ``x`` (B, ...), questions, and numbers (B,) of answers."""

    modality: str
    x: Tensor
    questions: Sequence[str]
    answers_B: Tensor


class Rival(nn.Module, ABC):
    """A model of media and words, made on these lessons alone.

    Args:
        lessons: what it will learn from; their texts are kept.
        frozen: networks that never train; they are changed in place, to take no gradient.

    Attributes:
        near: share of its time in which it first learns by `near_terms`.
        frozen: beside the module's own state, so that no checkpoint holds them and no mode changes them.
        tokens: places that a medium takes beside words, by modality; 0 where it is one vector apart from them.
    """

    batch: ClassVar[int] = 128
    near: ClassVar[float] = 0.0
    lr: ClassVar[float] = 1e-3
    tokens: Mapping[str, int]

    def __init__(self, lessons: Lessons, frozen: Sequence[nn.Module] = ()):
        super().__init__()
        self.questions, self.answers, self.others = lessons.questions, lessons.answers, lessons.others
        parts = [*frozen, *chain.from_iterable(one.frozen for one in lessons.others.values())]
        self.frozen = tuple(part.requires_grad_(False).eval() for part in parts)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """As of any module; frozen parts, which are no part of the state, go along."""
        for part in self.frozen:
            part.to(*args, **kwargs)
        return super().to(*args, **kwargs)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def language_model(self) -> Any:
        """The causal LM inside; None where there is none, and so no text is written."""
        return None

    def lessons(self, batch: Mapping[str, Tensor]) -> Iterator[Lesson]:
        """Those of each modality in a batch."""
        for name in ("image", *self.others):
            yield Lesson(
                name,
                batch[name],
                [self.questions[number] for number in batch[f"{name} question"].tolist()],
                batch[f"{name} answer"],
            )

    def opened(self, part: Part) -> Tensor:
        """One medium as the lessons have it: pixels of a picture, windows of the others.

        Raises:
            InputError: nothing of its modality was learned.
        """
        if part.modality == "image":
            return pixels(part, self.device)
        if part.modality not in self.others:
            known = " and ".join(["image", *self.others])
            raise InputError(f"this way learned {known} beside words, not {part.modality}; ask about these")
        return self.others[part.modality].read(part.data)[None].to(self.device)

    @abstractmethod
    def terms(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Named means over a batch of lessons, whose sum is minimised."""

    def near_terms(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """As `terms`, of what is learned first and costs less."""
        return self.terms(batch)

    @abstractmethod
    def rank(
        self, conversation: Conversation, answers: Sequence[str], wanted: int = 5, adapter: bool | None = None
    ) -> list[Scored]:
        """The ``wanted`` best of given answers to a question about one medium or none, best first.

        Args:
            adapter: whether that of a language model is on; None: where a medium is shown. Those without ignore it.
        """


class Seeing(Rival):
    """A way that looks through frozen encoders: of a codec for pictures; of other media the lessons hold what theirs
    have made.

    Args:
        sight: the codec for pictures.
    """

    def __init__(self, lessons: Lessons, sight: SemanticCodec, frozen: Sequence[nn.Module] = ()):
        super().__init__(lessons, [sight.net, *frozen])
        self.sight = sight
        self.channels = {"image": sight.net.deep.out_features} | {
            name: one.numbers for name, one in self.others.items()
        }

    def places(self, name: str) -> int:
        """Most windows of a medium."""
        return 1 if name == "image" else self.others[name].places

    def values(self, name: str, x: Tensor) -> Tensor:
        """(B, T, P) of media; a picture is one window."""
        if name != "image":
            return x
        with torch.no_grad():
            return self.sight.net.values(x)[:, None]


def counts(windows_BTP: Tensor) -> Tensor:
    """(B,) how many windows there are of each, at least one: those behind the last that is not nought are none."""
    there_BT = windows_BTP.abs().amax(2) > 0
    return (there_BT * torch.arange(1, there_BT.shape[1] + 1, device=there_BT.device)).amax(1).clamp(min=1)


def asked(conversation: Conversation) -> tuple[str, Part | None]:
    """The question and its medium, None where there is none.

    Raises:
        InputError: there are several media.
    """
    media = [part for part in conversation.parts() if not part.is_text]
    if len(media) > 1:
        raise InputError(f"the rivals look at one medium at a time, not at {len(media)}; ask about each alone")
    return conversation.messages[-1].text, media[0] if media else None


def pixels(part: Part, device: torch.device) -> Tensor:
    """(1, 3, 64, 64) in -1..1 of a picture of any size."""
    signal = modality("image").open(part.data, Wish(size=(SIDE_PX, SIDE_PX)))
    return pixels_to_net(torch.from_numpy(np.array(signal.array))[None]).to(device)


def spelled(tokenizer: Any, texts: Sequence[str], device: torch.device, most: int = 512) -> tuple[Tensor, Tensor]:
    """Ids (B, T) of the last ``most`` tokens of texts, zeros behind them, and how many there are of each (B,)."""
    rows = [torch.tensor(ids[-most:]) for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]]
    return pad_sequence(rows, batch_first=True).to(device), torch.tensor([len(row) for row in rows], device=device)


def best(scores: Tensor, wanted: int) -> list[Scored]:
    """The highest of scores (N,), best first; of equal ones the earlier first."""
    order = torch.sort(scores, descending=True, stable=True).indices[:wanted].tolist()
    return [Scored(index, float(scores[index])) for index in order]
