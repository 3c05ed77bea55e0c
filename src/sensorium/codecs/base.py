"""The codec contract: a codec states facts, encodes arrays to codes and decodes codes to arrays.

Everything else (ids, grammar, rows, shards) is computed from the facts. A new codec is one file with one
subclass of `Codec` and one entry-point line; `sensorium.codecs.contract.check_codec` checks it.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from sensorium import plugins
from sensorium.files import atomic_folder
from sensorium.types import InputError

Use = Literal["both", "read", "write"]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a codec says of itself.

    Args:
        name: unique among the codecs of a model; names the markers, ``<|name|>`` and ``<|/name|>``.
        modality: name of the modality it encodes.
        codebook_sizes: number of codes of each codebook; codes are written frame by frame, codebook by codebook.
        grid: frames of a fixed-length medium in reading order, e.g. (8, 8); None when the length varies.
        max_frames: most frames of one medium (for a fixed length, the product of ``grid``).
        frame_rate_hz: frames a second for media in time, else None.
        use: ``"read"`` for media in what the user says, ``"write"`` for media the model writes, or ``"both"``.
    """

    name: str
    modality: str
    codebook_sizes: tuple[int, ...]
    grid: tuple[int, ...] | None = None
    max_frames: int
    frame_rate_hz: float | None = None
    use: Use = "both"

    @property
    def codebooks(self) -> int:
        return len(self.codebook_sizes)

    @property
    def fixed_frames(self) -> int | None:
        return None if self.grid is None else prod(self.grid)

    @property
    def bits_per_frame(self) -> float:
        return float(np.log2(np.array(self.codebook_sizes, dtype=float)).sum())

    def __post_init__(self) -> None:
        check_name(self.name)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Facts:
        grid = data.get("grid")
        known: dict[str, Any] = data | {
            "codebook_sizes": tuple(data["codebook_sizes"]),
            "grid": tuple(grid) if grid else None,
        }
        return cls(**known)


def check_name(name: str) -> None:
    """InputError for a name of which no tokens can be made."""
    if not name or set(name) & set("<>|/: \n"):
        raise InputError(f"a codec cannot be named {name!r}; give it a name without spaces and <>|/:")


class Codec(ABC):
    """Signal to codes and back.

    Attributes:
        family: name of the entry point of the class, written into ``codec.json``.
        facts: see `Facts`.
        effort: names in `config` that tell how hard to look for codes but leave what codes mean as it is. They may be
            changed in a codec's folder; the fingerprint does not count them.
    """

    family: ClassVar[str]
    effort: ClassVar[frozenset[str]] = frozenset()
    facts: Facts

    @abstractmethod
    def encode(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Canonical arrays of the modality to codes, each (frames, codebooks) int64."""

    @abstractmethod
    def decode(self, codes: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Codes, each (frames, codebooks), to canonical arrays of the modality.

        Raises:
            InputError: wrong shape or codes out of range.
        """

    def features(self, codebook: int) -> np.ndarray | None:
        """(codebook size, F) float32 features whose linear projection starts and ties the model's rows.

        Neighbouring codes should have similar features, so that they learn from each other. None: no structure.
        """
        return None

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """JSON-able keyword arguments of the constructor."""

    def tensors(self) -> dict[str, np.ndarray]:
        """Arrays that make up the trained state; empty for a codec without training."""
        return {}

    @classmethod
    @abstractmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Codec:
        """The inverse of `config` and `tensors`."""

    def check_codes(self, codes: np.ndarray) -> np.ndarray:
        """``codes`` as (frames, codebooks) int64, or InputError saying what does not fit the facts."""
        facts, codes = self.facts, np.asarray(codes)
        if codes.ndim != 2 or codes.shape[1] != facts.codebooks or not np.issubdtype(codes.dtype, np.integer):
            raise InputError(
                f"codec {facts.name!r} takes integer codes of shape (frames, {facts.codebooks}), "
                f"not {codes.dtype} {codes.shape}"
            )
        frames, fixed = len(codes), facts.fixed_frames
        if frames == 0 or frames > facts.max_frames or (fixed is not None and frames != fixed):
            wanted = f"exactly {fixed}" if fixed is not None else f"1 to {facts.max_frames}"
            raise InputError(f"codec {facts.name!r} takes {wanted} frames, not {frames}")
        for book, size in enumerate(facts.codebook_sizes):
            low, high = int(codes[:, book].min()), int(codes[:, book].max())
            if low < 0 or high >= size:
                bad = low if low < 0 else high
                raise InputError(
                    f"code {bad} is out of range for codec {facts.name!r}, codebook {book} (0 to {size - 1})"
                )
        return codes.astype(np.int64)

    def fingerprint(self) -> str:
        """16 hex digits that change whenever the codec's config (but for `effort`) or weights change."""
        config = {key: value for key, value in self.config().items() if key not in self.effort}
        digest = hashlib.sha256(json.dumps([self.family, config], sort_keys=True).encode())
        for key, tensor in sorted(self.tensors().items()):
            digest.update(key.encode())
            digest.update(np.ascontiguousarray(tensor).tobytes())
        return digest.hexdigest()[:16]

    def save(self, folder: str | PathLike[str]) -> None:
        """Write ``codec.json`` and ``codec.safetensors``, whole or not at all."""
        from safetensors.numpy import save_file

        with atomic_folder(folder) as out:
            head = {"family": self.family, "facts": self.facts.to_json(), "config": self.config()}
            (out / "codec.json").write_text(json.dumps(head, indent=2) + "\n", encoding="utf-8")
            arrays = {key: np.ascontiguousarray(value) for key, value in self.tensors().items()}
            save_file(arrays, str(out / "codec.safetensors"))


def load_codec(folder: str | PathLike[str]) -> Codec:
    """A codec from the folder that `Codec.save` wrote.

    Raises:
        InputError: the folder is not a codec, is damaged, or its facts do not match its family's.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    folder = Path(folder)
    for name in ("codec.json", "codec.safetensors"):
        if not (folder / name).is_file():
            raise InputError(f"{folder} is not a codec folder: {name} is missing; give one that Codec.save wrote")
    try:
        head = json.loads((folder / "codec.json").read_text(encoding="utf-8"))
        family, config, facts = head["family"], head["config"], Facts.from_json(head["facts"])
        tensors = load_file(str(folder / "codec.safetensors"))
    except (UnicodeDecodeError, json.JSONDecodeError, AttributeError, KeyError, TypeError, SafetensorError) as error:
        raise InputError(f"the codec in {folder} is damaged ({error}); copy or train it again") from error
    try:
        kind = plugins.load(plugins.CODECS, family)
    except ValueError as error:
        raise InputError(f"the codec in {folder} needs a package that is not installed: {error}") from error
    try:
        codec = kind.build(config, tensors)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"the codec in {folder} does not fit its own weights ({error}); copy it again") from error
    if codec.facts != facts:
        raise InputError(f"the codec in {folder} states facts that its family does not confirm; copy or train it again")
    return codec
