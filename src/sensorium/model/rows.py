"""The new rows of a grown model, for input and for output.

The rows of a codebook are a sum of shared parts and a free table: ``features @ shared + free``. With FSQ's
features (one-hot levels per channel) that is one vector per channel and level, so codes that share a level
learn from each other; other quantisers project their codebook vectors. Codes that words are said for share how they
differ from these words (`about_words`). All fold into plain rows.

Legend: V text rows, N new rows, H hidden size, F features, B batch, T time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Literal

import torch
from torch import Tensor, nn

from sensorium.codecs import Codec, in_text
from sensorium.vocabulary import Vocabulary

Init = Literal["box", "mean", "codebook"]


class CodebookRows(nn.Module):
    """Rows of one codebook: ``features_NF @ shared_FH + free_NH``, or without a free table the product alone.

    Args:
        features_NF: None where there are none.
        free_NH: where the free table begins, None for none.
        scale: spread of the shared parts, drawn at random.
    """

    free: nn.Parameter | None

    def __init__(self, features_NF: Tensor | None, free_NH: Tensor | None, hidden: int, scale: float = 0.0):
        super().__init__()
        table = free_NH if features_NF is None else features_NF
        assert table is not None, "rows have features, a free table, or both"
        self.size = len(table)
        self.register_parameter("free", None if free_NH is None else nn.Parameter(free_NH))
        self.register_buffer("fixed", None, persistent=False)
        if features_NF is None:
            self.register_buffer("features", None)
            self.register_parameter("shared", None)
            return
        self.register_buffer("features", features_NF)
        self.shared = nn.Parameter(torch.randn(features_NF.shape[1], hidden) * scale)

    @classmethod
    def of(cls, features_NF: Tensor | None, size: int, text_VH: Tensor, init: Init) -> CodebookRows:
        """Rows near the mean of the text rows."""
        scale = 0.0 if init == "mean" or features_NF is None else _spread(text_VH) / _row_norm(features_NF)
        return cls(features_NF, _near_mean(text_VH, size), text_VH.shape[1], scale)

    @classmethod
    def about_words(cls, words_NH: Tensor, output: bool) -> CodebookRows:
        """Rows that begin at those of words. What is learned of one code is learned of all, also of those that come
        seldom: how codes differ from their words is one vector, and on the output side a matrix.

        There, more codes than a row has numbers have no free table: a softmax pushes down every row that is not meant,
        and an optimiser that scales its steps, as Adam does, takes seldom codes far from their words.
        """
        count, hidden = words_NH.shape
        features_NF = torch.ones_like(words_NH[:, :1])
        if output:
            features_NF = torch.cat([words_NH * hidden**-0.5, features_NF], dim=1)
        free_NH = None if output and count > hidden else torch.zeros_like(words_NH)
        made = cls(features_NF, free_NH, hidden)
        if output:
            with torch.no_grad():
                made.shared[:hidden] = torch.eye(hidden) * hidden**0.5
        else:
            made.start_at(words_NH)
        return made

    def forward(self) -> Tensor:
        if self.shared is None:
            return self.free
        rows_NH, apart = self.features @ self.shared, self.fixed if self.free is None else self.free
        return rows_NH if apart is None else rows_NH + apart

    @torch.no_grad()
    def start_at(self, rows_NH: Tensor) -> None:
        """Begin at these rows: the shared parts explain what they can, the free table holds the rest; without one it
        stays as it is."""
        if self.shared is not None:
            self.shared.copy_(torch.linalg.pinv(self.features) @ rows_NH)
            rows_NH = rows_NH - self.features @ self.shared
        if self.free is not None:
            self.free.copy_(rows_NH)
        else:
            self.fixed = rows_NH.clone()


class LaterRows(CodebookRows):
    """Rows of a codebook of which the first stay as they are."""

    held_NH: Tensor

    def __init__(self, rows_NH: Tensor, held: int):
        super().__init__(None, rows_NH[held:].clone(), rows_NH.shape[1])
        self.size = len(rows_NH)
        self.register_buffer("held_NH", rows_NH[:held].clone())

    def forward(self) -> Tensor:
        assert self.free is not None
        return torch.cat([self.held_NH, self.free])

    @torch.no_grad()
    def start_at(self, rows_NH: Tensor) -> None:
        assert self.free is not None
        held_NH, later_NH = rows_NH.split([len(self.held_NH), len(self.free)])
        self.held_NH.copy_(held_NH)
        self.free.copy_(later_NH)


class SideRows(nn.Module):
    """All new rows of one side of the model, input or output, (N, H) in the order of their ids.

    A codec that only reads is never written: on the output side all its ids share one row, which learns to stay
    silent at no cost.
    """

    def __init__(self, vocabulary: Vocabulary, codecs: Mapping[str, Codec], text_VH: Tensor, init: Init, output: bool):
        super().__init__()
        self.output = output
        self.parts = nn.ModuleList()
        self.counts: list[int] = []
        self._first: dict[str, int] = {}
        for layout in vocabulary.layouts:
            self._first[layout.name] = len(self.parts)
            if output and layout.facts.use == "read":
                self._add(CodebookRows.of(None, 1, text_VH, init), layout.stop - layout.open_id)
                continue
            self._add(CodebookRows.of(None, 2, text_VH, init), 2)
            for features, size in zip(_features(codecs[layout.name]), layout.sizes, strict=True):
                self._add(CodebookRows.of(features, size, text_VH, init), size)

    def _add(self, rows: CodebookRows, count: int) -> None:
        self.parts.append(rows)
        self.counts.append(count)

    def start_at(self, rows_NH: Tensor) -> None:
        """Begin at rows of an earlier training; codecs that came later keep their own start."""
        for part, rows in zip(self.parts, rows_NH.float().split(self._known(len(rows_NH))), strict=False):
            assert isinstance(part, CodebookRows)
            part.start_at(rows[: part.size])

    def start_at_words(self, codec: str, number: int, words_NH: Tensor) -> None:
        """Begin a codebook whose codes have no features at the rows of words, and keep what differs in common."""
        place = self._first[codec] + 1 + number
        self.parts[place] = CodebookRows.about_words(words_NH, self.output)

    @torch.no_grad()
    def hold(self, codec: str, held: int) -> None:
        """Let the first so many rows of the only codebook of a codec stay as they are."""
        place = self._first[codec] + 1
        self.parts[place] = LaterRows(self.parts[place]().clone(), held)

    def is_silent(self, codec: str) -> bool:
        """Whether all ids of a codec share one row, because it is never written."""
        return len(self.of(codec)) == 1

    def of(self, codec: str) -> list[CodebookRows]:
        """The parts of a codec: its markers, then its codebooks; of one that is never written, the shared row alone."""
        first = self._first[codec]
        after = [number for number in self._first.values() if number > first]
        return list(self.parts)[first : min(after, default=len(self.parts))]  # ty: ignore[invalid-return-type]

    def start_codec_at(self, codec: str, rows_NH: Tensor) -> None:
        """Begin a codec at rows of all its ids, in their order."""
        parts, first = self.of(codec), self._first[codec]
        counts = self.counts[first : first + len(parts)]
        for part, rows in zip(parts, rows_NH.float().split(counts), strict=True):
            part.start_at(rows[: part.size])

    def _known(self, rows: int) -> list[int]:
        """How many ids each part has, up to this many in all; of the last perhaps only the first ones."""
        ends = list(accumulate(self.counts))
        whole = bisect_right(ends, rows)
        left = rows - (ends[whole - 1] if whole else 0)
        return [*self.counts[:whole], *([left] if left else [])]

    def forward(self) -> Tensor:
        return torch.cat([part().expand(count, -1) for part, count in zip(self.parts, self.counts, strict=True)])


class SplitEmbedding(nn.Module):
    """The base model's input embedding, untouched, beside the new rows."""

    def __init__(self, base: nn.Embedding, rows: SideRows):
        super().__init__()
        self.base = base
        self.rows = rows

    @property
    def weight(self) -> Tensor:
        """(V, H) text rows; some models look at the dtype or device of this."""
        return self.base.weight

    def forward(self, ids_BT: Tensor) -> Tensor:
        text_size = self.base.weight.shape[0]
        is_new_BT = ids_BT >= text_size
        text_BTH = self.base(ids_BT.masked_fill(is_new_BT, 0))
        new_NH = self.rows().to(text_BTH.dtype) * getattr(self.base, "embed_scale", 1.0)
        new_BTH = nn.functional.embedding((ids_BT - text_size).clamp(min=0), new_NH)
        return torch.where(is_new_BT[..., None], new_BTH, text_BTH)


class SplitHead(nn.Module):
    """The base model's output head, untouched, beside the new rows: (..., H) -> (..., V + N) raw logits."""

    def __init__(self, base: nn.Linear, rows: SideRows):
        super().__init__()
        self.base = base
        self.rows = rows

    @property
    def weight(self) -> Tensor:
        return self.base.weight

    def forward(self, hidden: Tensor) -> Tensor:
        return torch.cat([self.base(hidden), hidden @ self.rows().to(hidden.dtype).T], dim=-1)


def _features(codec: Codec) -> list[Tensor | None]:
    """Of every codebook in the order of ids: the header's, then the frames'."""
    tables = [codec.header_features(book) for book in range(len(codec.facts.header))]
    tables += [codec.features(book) for book in range(codec.facts.codebooks)]
    return [None if table is None else torch.as_tensor(table, dtype=torch.float32) for table in tables]


def meanings(codec: Codec) -> list[Sequence[str] | None]:
    """What the codes of every codebook mean, as it stands in text; None where nothing is said; in the order of ids."""
    tables = [codec.header_words(book) for book in range(len(codec.facts.header))]
    tables += [codec.words(book) for book in range(codec.facts.codebooks)]
    return [None if words is None else in_text(words) for words in tables]


def _near_mean(text_VH: Tensor, size: int) -> Tensor:
    """(size, H) copies of the mean text row, told apart by a little noise."""
    mean_H = text_VH.float().mean(0)
    return mean_H + 0.02 * _spread(text_VH) * torch.randn(size, len(mean_H))


def _spread(text_VH: Tensor) -> float:
    return float(text_VH.float().std(0).mean())


def _row_norm(features_NF: Tensor) -> float:
    return float(features_NF.norm(dim=1).mean().clamp(min=1e-6))
