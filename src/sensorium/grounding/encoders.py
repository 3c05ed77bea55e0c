"""What may confuse things: codecs, by the codes that differ, and encoders of texts, by the cosine of their vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sensorium.checked import told
from sensorium.codecs import Codec
from sensorium.grounding.generate import DESCRIBE
from sensorium.grounding.material import Pair, Sample
from sensorium.modalities import modality
from sensorium.types import TEXT, Conversation, Message, Part

NEAR_CODES = 16
"""Of so many codes one may differ between media that are taken for near; one of fewer."""
NEAR_COSINE = 0.88
"""As in MultiMon (Tong et al. 2023, arXiv:2306.12105)."""
BATCH = 32
ABSENT = -1


class Encoder(ABC):
    """Something that gives every sample a row of numbers.

    Attributes:
        name: as the report calls it.
        unit: of distances, as the report says it.
        near: distance at most which two are taken for confused.
        reads: media, or texts.
    """

    name: str
    unit: str
    near: float
    reads: Literal["media", "texts"]

    @abstractmethod
    def rows(self, samples: Sequence[Sample]) -> np.ndarray:
        """(N, D) of samples, of any dtype.

        Raises:
            InputError: one cannot be encoded.
        """

    @abstractmethod
    def distances(self, one_D: np.ndarray, others_ND: np.ndarray) -> np.ndarray:
        """(N,) from 0, which are the same, upwards."""

    def confused(self, pairs: Sequence[Pair], near: float) -> list[bool]:
        """Of each pair whether it is taken for the same."""
        return [pair.distance <= near for pair in pairs]


class OfCodec(Encoder):
    """The share of codes in which media differ, place by place; what only the longer one has differs, too."""

    unit, reads = "share of codes that differ", "media"

    def __init__(self, codec: Codec):
        self.codec, self.name = codec, codec.facts.name
        self.near = max(1 / NEAR_CODES, 1 / codec.layout.min_codes)

    def rows(self, samples: Sequence[Sample]) -> np.ndarray:
        kind, found = modality(self.codec.facts.modality), []
        for at in range(0, len(samples), BATCH):
            opened = [kind.open(one.medium, self.codec.facts.wish) for one in samples[at : at + BATCH]]
            found += [np.asarray(codes) for codes in self.codec.encode(self.codec.fitted(opened))]
        rows = np.full((len(found), max(map(len, found), default=0)), ABSENT, np.int32)
        for row, codes in zip(rows, found, strict=True):
            row[: len(codes)] = codes
        return rows

    def distances(self, one_D: np.ndarray, others_ND: np.ndarray) -> np.ndarray:
        there = np.maximum((one_D != ABSENT).sum(), (others_ND != ABSENT).sum(1))
        return (one_D != others_ND).sum(1) / np.maximum(there, 1)


class OfTexts(Encoder):
    """1 - cosine of the vectors that a model of ``transformers`` gives texts: its own of texts, else the mean state.

    Args:
        source: a folder or a Hub id.

    Raises:
        InputError: there is no such model, or it cannot be loaded.
    """

    unit, reads, near = "1 - cosine", "texts", 1 - NEAR_COSINE

    def __init__(self, source: str):
        from transformers import AutoModel, AutoTokenizer

        self.name = Path(source).name
        with told(f"{source} is neither a codec nor an encoder of texts that transformers can load"):
            self._tokenizer: Any = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
            self._model: Any = AutoModel.from_pretrained(source, trust_remote_code=False, use_safetensors=True).eval()
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token

    def rows(self, samples: Sequence[Sample]) -> np.ndarray:
        found = [self._vectors([one.words for one in samples[at : at + BATCH]]) for at in range(0, len(samples), BATCH)]
        rows_ND = np.concatenate(found) if found else np.zeros((0, 1), np.float32)
        return rows_ND / np.maximum(np.linalg.norm(rows_ND, axis=1, keepdims=True), 1e-12)

    def _vectors(self, texts: Sequence[str]) -> np.ndarray:
        import torch

        given = self._tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            if hasattr(self._model, "get_text_features"):
                known = {name: given[name] for name in ("input_ids", "attention_mask")}
                found = self._model.get_text_features(**known)
                return getattr(found, "pooler_output", found).float().numpy()
            states_BTD = self._model(**given).last_hidden_state
        mask_BT1 = given["attention_mask"][..., None]
        return ((states_BTD * mask_BT1).sum(1) / mask_BT1.sum(1)).float().numpy()

    def distances(self, one_D: np.ndarray, others_ND: np.ndarray) -> np.ndarray:
        return np.maximum(0.0, 1 - others_ND @ one_D)


class OfModel(OfCodec):
    """A model of ours: pairs are sought by the codes that it reads, and judged by asking it.

    It confuses two media if it does not hold the right one of their two descriptions likelier for each of them.

    Args:
        assistant: as `sensorium.load` gives it.
        kind: name of the media's modality.
    """

    def __init__(self, assistant: Any, name: str, kind: str):
        layout = assistant.senses.layout_for(kind, "user")
        super().__init__(assistant.senses.codec(layout.name))
        self.assistant, self.name, self.kind = assistant, name, kind
        self.unit = f"share of codes of {layout.name} that differ"

    def confused(self, pairs: Sequence[Pair], near: float) -> list[bool]:
        return [
            not (self._first_is_right(one, two) and self._first_is_right(two, one)) for one, two in map(both, pairs)
        ]

    def _first_is_right(self, seen: Sample, other: Sample) -> bool:
        asked = Message("user", (Part(self.kind, seen.medium), Part(TEXT, DESCRIBE)))
        best, *_ = self.assistant.rank(Conversation((asked,)), sorted((seen.words, other.words)), 1, adapter=True)
        return sorted((seen.words, other.words))[best.index] == seen.words


def both(pair: Pair) -> tuple[Sample, Sample]:
    return pair.one, pair.other
