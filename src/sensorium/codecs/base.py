"""The codec contract: a codec states facts, encodes signals to codes and decodes codes to signals.

Everything else (ids, grammar, rows, shards) is computed from the facts. A new codec is one file with one
subclass of `Codec` and one entry-point line; `sensorium.codecs.contract.check_codec` checks it.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from sensorium import plugins
from sensorium.checked import NAME, checked, read_json, told
from sensorium.codecs.facts import Facts, Measured
from sensorium.codecs.layout import Layout
from sensorium.codecs.learning import Learning, Media
from sensorium.files import atomic_folder, is_file
from sensorium.modalities import modality
from sensorium.types import InputError, Signal


class CodecStream(ABC):
    """One medium piece by piece; what comes out is what the whole would give.

    A stream may go one way only; the other raises InputError.
    """

    @abstractmethod
    def push(self, signal: Signal) -> np.ndarray:
        """Take more of the medium; the flat codes that are settled now, perhaps none."""

    @abstractmethod
    def finish(self) -> np.ndarray:
        """The medium has ended; the rest of its codes."""

    @abstractmethod
    def pull(self, codes: np.ndarray) -> Signal | None:
        """Take more codes; the piece of the medium that is settled now, or None."""

    def rest(self) -> Signal | None:
        """No more codes come; the end of the medium that `pull` has held back, or None."""
        return None


class Codec(ABC):
    """Signals to codes and back.

    Attributes:
        family: name of the entry point of the class, written into ``codec.json``.
        facts: see `Facts`.
        suits: modalities whose media the family takes; none where it does not say.
        uses: what codecs of the family can do, ``"read"``, ``"write"`` or both.
        effort: names in `config` that tell how hard to look for codes but leave what codes mean as it is. They may be
            changed in a codec's folder; the fingerprint does not count them.
        measured: how good it was found, kept with it, e.g. by ``sensorium codec report --keep``; None where nobody did.
    """

    family: ClassVar[str]
    suits: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[tuple[str, ...]] = ("read", "write")
    effort: ClassVar[frozenset[str]] = frozenset()
    facts: Facts
    measured: Measured | None = None

    @abstractmethod
    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        """Signals of the modality to codes, each one flat int64 array in the order that `layout` tells.

        The signals are canonical (`Modality.open` made them) but need not be as the codec wishes; `fitted` helps.

        Raises:
            InputError: a signal that it cannot encode, e.g. too long.
        """

    @abstractmethod
    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Flat codes to canonical signals of the modality.

        Raises:
            InputError: wrong length, codes out of range, or a codec that only reads.
        """

    def only_reads(self, codes: Sequence[np.ndarray] = ()) -> InputError:
        """What `decode` of a codec that only reads raises, once the codes are known to be some of its own.

        Raises:
            InputError: they are none.
        """
        for one in codes:
            self.layout.check(one)
        noun = modality(self.facts.modality).called
        return InputError(f"codec {self.facts.name!r} only reads: no {noun} can be made of its codes again")

    def stream(self) -> CodecStream | None:
        """The codec piece by piece, for a medium that is still coming or still being written; None if it cannot."""
        return None

    def features(self, codebook: int) -> np.ndarray | None:
        """(codebook size, F) float32 features whose linear projection starts and ties the model's rows.

        Neighbouring codes should have similar features, so that they learn from each other. None: no structure.

        Args:
            codebook: of a frame.
        """
        return None

    def header_features(self, codebook: int) -> np.ndarray | None:
        """As `features`, for a codebook of the header."""
        return None

    def words(self, codebook: int) -> Sequence[str] | None:
        """(codebook size) what each code means, at whose words' embeddings a model's rows start; None: codes of this
        codebook mean nothing that words say. Where some begin with a space, those that do not are pieces within words.

        Args:
            codebook: of a frame.
        """
        return None

    def header_words(self, codebook: int) -> Sequence[str] | None:
        """As `words`, for a codebook of the header."""
        return None

    @cached_property
    def layout(self) -> Layout:
        """Where codes lie; `Layout.split` and `Layout.join` turn flat codes into header and frames and back."""
        return Layout(self.facts)

    def fitted(self, signals: Sequence[Signal]) -> list[Signal]:
        """The signals brought to what the codec wishes, by its modality.

        Raises:
            InputError: one lasts longer than the codec can say; told before any work goes into it.
        """
        kind = modality(self.facts.modality)
        for signal in signals:
            self._check_lasting(signal)
        return [kind.fit(signal, self.facts.wish) for signal in signals]

    def _check_lasting(self, signal: Signal) -> None:
        facts = self.facts
        if facts.frame_rate_hz is None or not signal.rate_hz:
            return
        lasting_s = len(signal.array) / signal.rate_hz
        steps = facts.max_frames // facts.frames_per_step
        if lasting_s * facts.frame_rate_hz > steps + 1:  # how the last is rounded is the codec's own
            raise InputError(
                f"the {modality(facts.modality).called} lasts {lasting_s:g} s, codec {facts.name!r} takes at most "
                f"{steps / facts.frame_rate_hz:g} s ({facts.max_frames} frames); cut it into pieces, or take a codec "
                "with a lower rate or more frames"
            )

    @classmethod
    def learn(cls, media: Media, learning: Learning, **names: Any) -> Codec:
        """A codec trained on media.

        Args:
            media: go through them as often as needed; see `Media`.
            names: ``name``, ``modality`` and ``use`` of the codec, and settings of the family.

        Raises:
            InputError: the family has nothing to train, or the media do not suit it.
        """
        raise InputError(f"codecs of the family {cls.family!r} are not trained; choose a family that learns, e.g. fsq")

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
            head["fingerprint"] = self.fingerprint()
            if self.measured is not None:
                head["measured"] = asdict(self.measured)
            (out / "codec.json").write_text(json.dumps(head, indent=2) + "\n", encoding="utf-8")
            arrays = {key: np.ascontiguousarray(value) for key, value in self.tensors().items()}
            save_file(arrays, str(out / "codec.safetensors"))


def in_text(words: Sequence[str]) -> Sequence[str]:
    """What `Codec.words` says, as it stands in text: with a space before each, where none of them has one."""
    return words if any(word.startswith(" ") for word in words) else [f" {word}" for word in words]


def load_codec(folder: str | PathLike[str]) -> Codec:
    """A codec from the folder that `Codec.save` wrote.

    Raises:
        InputError: the folder is not a codec, is damaged, or its facts do not match its family's.
    """
    from safetensors.numpy import load_file

    folder = Path(folder)
    for name in ("codec.json", "codec.safetensors"):
        if not is_file(folder / name):
            raise InputError(f"{folder} is not a codec folder: {name} is missing; give one that Codec.save wrote")
    head = read_json(folder / "codec.json")
    with told(f"the codec in {folder} is damaged", "; copy or train it again"):
        for name, hint in (("family", NAME), ("facts", dict[str, Any])):
            checked(head.get(name), hint, name)
        facts = Facts.from_json(head["facts"])
        measured = checked(head.get("measured"), Measured | None, "measured")
        tensors = load_file(str(folder / "codec.safetensors"))
    try:
        kind = plugins.load(plugins.CODECS, head["family"])
    except ValueError as error:
        raise InputError(f"the codec in {folder} needs a package that is not installed: {error}") from error
    with told(f"the codec in {folder} does not fit its own weights", "; copy it again"):
        codec: Codec = kind.build(head.get("config"), tensors)
    if codec.facts.identity() != facts.identity():
        raise InputError(f"the codec in {folder} states facts that its family does not confirm; copy or train it again")
    if head.get("fingerprint", codec.fingerprint()) != codec.fingerprint():
        raise InputError(f"the codec in {folder} is not what was written, its fingerprint is another; copy it again")
    codec.measured = measured
    return codec
