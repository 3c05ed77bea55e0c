"""What all rivals learn from: a medium, a question about it, and the answer.

The pictures are those of the recipe pictograms that may be trained on, sampled by name and then by style, and changed
as its reading codec saw them. Other media come beside them, as `recipes.rivals.series` and `.speech` have them.

Legend: B media, T windows, P numbers of a window, G frames, W channels of a frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Protocol

import numpy as np
import torch
from recipes.pictograms.concepts import Gallery
from recipes.pictograms.phrases import ASK_CATEGORY, ASK_NAME, category_words, phrase
from torch import Tensor, nn

from sensorium.data.labelled import Labelled
from sensorium.families.net_codec import pixels_to_net
from sensorium.modalities.augment import augment

CATEGORIES = 0.1
"""Share of the questions that ask for the category; the others ask for the name."""
USUAL = 0.75
"""Share of the questions in their usual form."""

Turn = tuple[str, str]
"""A question and its answer."""


class Media(Protocol):
    """Media of one modality, with the numbers of questions and answers whose texts are told here."""

    questions: tuple[str, ...]
    answers: tuple[str, ...]

    def sample(self, rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Media (B, ...) in changed views, and the numbers (B,) of questions and answers."""
        ...


class Reading(Protocol):
    """How media of a modality come in: as windows, of which those of noughts at the end are not there."""

    @property
    def places(self) -> int:
        """Most windows of a medium."""
        ...

    @property
    def numbers(self) -> int:
        """How much there is in a window."""
        ...

    @property
    def frozen(self) -> tuple[nn.Module, ...]:
        """Networks that make them, which never train."""
        ...

    def view(self, number: int, rng: np.random.Generator) -> Tensor:
        """(T, P) of a medium that is learned from, changed."""
        ...

    def read(self, data: Any) -> Tensor:
        """(T, P) of any medium, whatever its modality opens."""
        ...


class PictureLessons:
    """Names and categories of pictures.

    Raises:
        InputError: the gallery has no picture that may be trained on.
    """

    def __init__(self, gallery: Gallery):
        rows = [one for one in gallery.pictures if one.label and one.trainable]
        group = {"group": lambda one: one.category}
        shown = Labelled(gallery.pixels, rows, pixels_to_net, lambda one: one.style, group)
        self._sample = shown.changed(augment)
        names = [phrase(name) for name in shown.classes["name"]]
        kinds = [category_words(name) for name in shown.classes["group"]]
        self.questions: tuple[str, ...] = (*ASK_NAME["en"], *ASK_CATEGORY)
        self.answers: tuple[str, ...] = tuple(dict.fromkeys(filter(None, [*names, *kinds])))
        at = {answer: number for number, answer in enumerate(self.answers)}
        self._names, self._kinds = (torch.tensor([at.get(one, -1) for one in said]) for said in (names, kinds))

    def sample(self, rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Pixels (B, 3, 64, 64) in -1..1; see `Media`."""
        batch = self._sample(rng, size)
        name_B, kind_B = self._names[batch["name"]], self._kinds[batch["group"]]
        of_kind_B = torch.from_numpy(rng.random(size) < CATEGORIES) & (kind_B >= 0)
        forms = len(ASK_NAME["en"])
        ask_name_B, ask_kind_B = _form(rng, size, forms), forms + _form(rng, size, len(ASK_CATEGORY))
        question_B, answer_B = torch.where(of_kind_B, ask_kind_B, ask_name_B), torch.where(of_kind_B, kind_B, name_B)
        return batch["x"], question_B, answer_B


class WindowLessons:
    """Media of another modality; see `Media`.

    Args:
        reading: how they come in.
        turns: what is asked and answered of each medium; the first in its usual form.
        odds: how often each is drawn; all alike where None.
    """

    def __init__(self, reading: Reading, turns: Sequence[Sequence[Turn]], odds: np.ndarray | None = None):
        self.reading, self._odds = reading, odds
        pairs = list(chain.from_iterable(turns))
        self.questions, self.answers = (tuple(dict.fromkeys(texts)) for texts in zip(*pairs, strict=True))
        questions, answers = _places(self.questions), _places(self.answers)
        self._turns = [[(questions[question], answers[answer]) for question, answer in one] for one in turns]

    def sample(self, rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor, Tensor]:
        chosen = rng.choice(len(self._turns), size, p=self._odds)
        forms = [int(_form(rng, 1, len(self._turns[number]))) for number in chosen]
        told = [self._turns[number][form] for number, form in zip(chosen, forms, strict=True)]
        question_B, answer_B = torch.tensor(told).T
        return torch.stack([self.reading.view(number, rng) for number in chosen]), question_B, answer_B


class Lessons:
    """What a rival learns from: pictures, and as many media of each other modality beside them.

    Attributes:
        questions, answers: of all modalities, each text once.
        others: how each other modality comes in.
    """

    def __init__(self, pictures: Media, others: Mapping[str, WindowLessons] | None = None):
        self._media: dict[str, Media] = {"image": pictures, **(others or {})}
        self.others: dict[str, Reading] = {name: one.reading for name, one in (others or {}).items()}
        self.questions = tuple(dict.fromkeys(chain.from_iterable(one.questions for one in self._media.values())))
        self.answers = tuple(dict.fromkeys(chain.from_iterable(one.answers for one in self._media.values())))
        questions, answers = _places(self.questions), _places(self.answers)
        self._numbers = {
            name: (torch.tensor([questions[text] for text in one.questions]),
                   torch.tensor([answers[text] for text in one.answers]))
            for name, one in self._media.items()
        }  # fmt: skip

    def sample(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        """Media under the name of each modality, with the numbers (B,) of ``NAME question`` and ``NAME answer``."""
        batch = {}
        for name, media in self._media.items():
            batch[name], question_B, answer_B = media.sample(rng, size)
            questions, answers = self._numbers[name]
            batch[f"{name} question"], batch[f"{name} answer"] = questions[question_B], answers[answer_B]
        return batch


def windowed(frames_GW: Tensor, window: int, places: int) -> Tensor:
    """(T, window * W): so many frames each, noughts behind a short medium."""
    filled_GW = frames_GW.new_zeros(places * window, frames_GW.shape[1])
    filled_GW[: len(frames_GW)] = frames_GW[: len(filled_GW)]
    return filled_GW.unflatten(0, (places, window)).flatten(1)


def _places(texts: Sequence[str]) -> dict[str, int]:
    return {text: number for number, text in enumerate(texts)}


def _form(rng: np.random.Generator, size: int, forms: int) -> Tensor:
    """(B,) which form of a question, of which the first is the usual one."""
    return torch.from_numpy(np.where(rng.random(size) < USUAL, 0, rng.integers(min(1, forms - 1), forms, size)))
