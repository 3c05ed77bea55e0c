"""What all rivals learn from: a picture, a question about it, and the answer.

The pictures are those of the recipe pictograms that may be trained on, sampled by name and then by style, and changed
as its reading codec saw them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Protocol

import numpy as np
import torch
from recipes.pictograms.concepts import Gallery
from recipes.pictograms.phrases import ASK_CATEGORY, ASK_NAME, category_words, phrase
from torch import Tensor

from sensorium.data.labelled import Labelled
from sensorium.families.net_codec import pixels_to_net
from sensorium.modalities.augment import augment

CATEGORIES = 0.1
"""Share of the questions that ask for the category; the others ask for the name."""
USUAL = 0.75
"""Share of the questions in their usual form."""


class Lessons(Protocol):
    """Batches of media, with the numbers of questions and answers whose texts are told here."""

    questions: tuple[str, ...]
    answers: tuple[str, ...]

    def sample(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]: ...


class Beside(Protocol):
    """Media of another modality, cut into windows, with what is told of each: its question and the answer."""

    texts: tuple[str, ...]
    places: int
    numbers: int
    """Windows of a medium, and how much there is in each."""

    def sample(self, rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor]:
        """(B, T, P) windows, and the numbers (B,) of what is told."""
        ...

    def windows(self, data: Any) -> Tensor:
        """(T, P) of one medium, whatever its modality opens."""
        ...


def numbered(told: Sequence[str]) -> tuple[tuple[str, ...], Tensor]:
    """What is told of media, each text once, and its number for every medium (N,)."""
    texts = tuple(dict.fromkeys(told))
    at = {text: number for number, text in enumerate(texts)}
    return texts, torch.tensor([at[text] for text in told])


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

    def sample(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        """``x`` (B, 3, 64, 64) in -1..1 and the numbers (B,) of ``question`` and ``answer``."""
        batch = self._sample(rng, size)
        name_B, kind_B = self._names[batch["name"]], self._kinds[batch["group"]]
        of_kind_B = torch.from_numpy(rng.random(size) < CATEGORIES) & (kind_B >= 0)
        forms = len(ASK_NAME["en"])
        ask_name_B, ask_kind_B = _form(rng, size, forms), forms + _form(rng, size, len(ASK_CATEGORY))
        question_B, answer_B = torch.where(of_kind_B, ask_kind_B, ask_name_B), torch.where(of_kind_B, kind_B, name_B)
        return {"x": batch["x"], "question": question_B, "answer": answer_B}


class Together:
    """Lessons on pictures with as many media of each other modality beside them.

    Args:
        pictures: whose questions and answers these are.
        others: by modality.

    Attributes:
        texts: what is told of the other media.
    """

    def __init__(self, pictures: Lessons, others: Mapping[str, Beside]):
        self.questions, self.answers, self.others = pictures.questions, pictures.answers, others
        self.texts = tuple(chain.from_iterable(one.texts for one in others.values()))
        self._pictures = pictures

    def sample(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        """As of pictures, with windows (B, T, P) under the name of each modality and the numbers of what is told."""
        batch = self._pictures.sample(rng, size)
        for name, media in self.others.items():
            batch[name], batch[f"{name} told"] = media.sample(rng, size)
        return batch


def _form(rng: np.random.Generator, size: int, forms: int) -> Tensor:
    """(B,) which form of a question, of which the first is the usual one."""
    return torch.from_numpy(np.where(rng.random(size) < USUAL, 0, rng.integers(1, forms, size)))
