"""Where the codes of a codec lie: codes <-> ids <-> what may come next.

Codes are one flat integer array in the order written: the header's, then frame by frame, codebook by codebook. The
order is always flat: a delay pattern or parallel heads (as in MusicGen or Moshi) would need a model class of its own,
and the model is to stay a plain causal LM.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sensorium.codecs.facts import Facts
from sensorium.types import InputError

Ranges = tuple[tuple[int, int], ...]
"""Contiguous (start, stop) ranges of ids."""


@dataclass(frozen=True)
class Place:
    """Where in a medium a code lies.

    Args:
        header: name of the header's codebook, None for a code of a frame.
        frame: number of the frame in reading order.
        axes: the frame's place on every axis of the grid.
        codebook: which one of the frame's codebooks.
    """

    header: str | None = None
    frame: int = 0
    axes: tuple[int, ...] = ()
    codebook: int = 0


@dataclass(frozen=True)
class Layout:
    """The codes of one codec, and their ids in a vocabulary.

    Args:
        facts: the codec's.
        open_id: the opening marker; the closing marker, the header's codebooks and the frames' follow it.
    """

    facts: Facts
    open_id: int = 0

    @property
    def name(self) -> str:
        return self.facts.name

    @property
    def close_id(self) -> int:
        return self.open_id + 1

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of all codebooks in the order of their ids: the header's, then the frames'."""
        return (*(size for _, size in self.facts.header), *self.facts.codebook_sizes)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """First id of each codebook, in the order of `sizes`."""
        return tuple(int(start) for start in self.open_id + 2 + np.cumsum((0, *self.sizes[:-1])))

    @property
    def stop(self) -> int:
        """One past the last id."""
        return self.open_id + 2 + sum(self.sizes)

    @property
    def header_codes(self) -> int:
        return len(self.facts.header)

    @property
    def step_codes(self) -> int:
        """Codes between two places where a medium with a free axis may end."""
        return self.facts.frames_per_step * self.facts.codebooks

    @cached_property
    def min_codes(self) -> int:
        """Codes of the shortest medium."""
        facts = self.facts
        least = facts.fixed_frames if facts.fixed_frames is not None else facts.min_frames
        whole = -(-least // facts.frames_per_step) * facts.frames_per_step
        return self.header_codes + whole * facts.codebooks

    @cached_property
    def max_codes(self) -> int:
        """Codes of the longest medium."""
        return self.header_codes + (self.facts.fixed_frames or self.facts.max_frames) * self.facts.codebooks

    @property
    def min_tokens(self) -> int:
        """Tokens of the shortest medium, markers included."""
        return 2 + self.min_codes

    @property
    def max_tokens(self) -> int:
        """Tokens of the longest medium, markers included."""
        return 2 + self.max_codes

    def tokens(self) -> Iterable[str]:
        """Token strings in the order of their ids."""
        name, sizes = self.facts.name, self.facts.codebook_sizes
        yield f"<|{name}|>"
        yield f"<|/{name}|>"
        for part, size in self.facts.header:
            yield from (f"<|{name}:{part}:{code}|>" for code in range(size))
        for book, size in enumerate(sizes):
            prefix = name if len(sizes) == 1 else f"{name}:{book}"
            yield from (f"<|{prefix}:{code}|>" for code in range(size))

    def check(self, codes: np.ndarray | Sequence[int]) -> np.ndarray:
        """``codes`` as a flat int64 array.

        Raises:
            InputError: another shape, an impossible length, or a code out of range.
        """
        codes, facts = np.asarray(codes), self.facts
        if codes.ndim != 1 or (codes.size and not np.issubdtype(codes.dtype, np.integer)):
            raise InputError(
                f"codec {facts.name!r} takes a flat list of integer codes, not {codes.dtype} {codes.shape}"
            )
        self._check_length(len(codes))
        low, high = codes < 0, codes >= np.array(self.sizes)[self._books(len(codes))]
        if low.any() or high.any():
            at = int(np.flatnonzero(low | high)[0])
            size = self.sizes[self._books(len(codes))[at]]
            raise InputError(
                f"code {codes[at]} at place {at} is out of range for codec {facts.name!r} (0 to {size - 1})"
            )
        return codes.astype(np.int64)

    def _check_length(self, codes: int) -> None:
        facts = self.facts
        rest = (codes - self.header_codes) % self.step_codes
        if self.min_codes <= codes <= self.max_codes and not rest:
            return
        frames = (codes - self.header_codes) / facts.codebooks
        least = (self.min_codes - self.header_codes) // facts.codebooks
        most = (self.max_codes - self.header_codes) // facts.codebooks
        wanted = f"exactly {most}" if least == most else f"{least} to {most}"
        steps = f" in steps of {facts.frames_per_step}" if facts.frames_per_step > 1 and least != most else ""
        head = f" after {self.header_codes} of the header" if facts.header else ""
        raise InputError(
            f"codec {facts.name!r} takes {wanted} frames{steps} of {facts.codebooks} codes{head}, "
            f"not {codes} codes ({frames:g} frames)"
        )

    def _books(self, codes: int) -> np.ndarray:
        """(codes,) index into `sizes` of every place."""
        head, books = self.header_codes, self.facts.codebooks
        return np.concatenate([np.arange(head), head + np.arange(max(0, codes - head)) % books])[:codes]

    def split(self, codes: np.ndarray | Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Header codes (H,) and frames (F, codebooks) of flat codes; InputError when they do not fit."""
        checked = self.check(codes)
        return checked[: self.header_codes], checked[self.header_codes :].reshape(-1, self.facts.codebooks)

    def join(self, header: Sequence[int] | np.ndarray, frames: np.ndarray) -> np.ndarray:
        """Flat codes of a header and frames (F, codebooks); the inverse of `split`."""
        frames = np.asarray(frames).reshape(-1, self.facts.codebooks)
        return self.check(np.concatenate([np.asarray(header, dtype=np.int64), frames.ravel().astype(np.int64)]))

    def ids(self, codes: np.ndarray | Sequence[int]) -> list[int]:
        """Marker, codes, marker; InputError when the codes do not fit."""
        checked = self.check(codes)
        inner = checked + np.array(self.starts)[self._books(len(checked))]
        return [self.open_id, *inner.tolist(), self.close_id]

    def codes(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """Flat codes of the ids between the markers; the inverse of `ids`.

        Raises:
            InputError: the ids do not spell a medium of this codec.
        """
        inner = np.asarray(ids, dtype=np.int64)
        try:
            return self.check(inner - np.array(self.starts)[self._books(len(inner))])
        except InputError as error:
            raise InputError(f"{len(inner)} ids do not spell a medium of codec {self.name!r}") from error

    def code(self, token: int, index: int) -> int:
        """The code that an id stands for at ``index`` of the flat codes."""
        head = self.header_codes
        return token - self.starts[index if index < head else head + (index - head) % self.facts.codebooks]

    def range(self, book: int) -> tuple[int, int]:
        """First id and one past the last of a codebook, by its place in `sizes`."""
        return self.starts[book], self.starts[book] + self.sizes[book]

    def allowed(self, written: int) -> Ranges:
        """Ids that may come after ``written`` codes: those of the next codebook, the closing marker, or both."""
        head = self.header_codes
        if written < head:
            return (self.range(written),)
        close = (self.close_id, self.close_id + 1)
        if written >= self.max_codes:
            return (close,)
        following = self.range(head + (written - head) % self.facts.codebooks)
        return (close, following) if self.may_close(written) else (following,)

    def may_close(self, written: int) -> bool:
        """Whether a medium may end after so many codes: never inside a frame or a step."""
        at_step = written >= self.min_codes and (written - self.header_codes) % self.step_codes == 0
        return at_step or written >= self.max_codes

    def place(self, index: int) -> Place:
        """Where in the medium the code at ``index`` of the flat codes lies."""
        head = self.header_codes
        if index < head:
            return Place(header=self.facts.header[index][0])
        frame, book = divmod(index - head, self.facts.codebooks)
        axes, rest = [], frame
        for size in reversed(self.facts.grid[1:]):
            rest, at = divmod(rest, size or 1)
            axes.append(at)
        return Place(frame=frame, axes=(rest, *reversed(axes)), codebook=book)
