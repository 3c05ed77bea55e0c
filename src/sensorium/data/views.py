"""Codes in place of media numbers: media that are encoded once, seen in several views, and read with fresh noise.

Where a table holds the media, a conversation names them by number (``Part(modality, data=7)``), and here the numbers
become codes. What is written has one set of codes. What is read is seen in one of several views (as it is, or changed
as another source might show it), kept as the codec's values before they are quantised; a little noise on them, new
every time, makes up for a codec that is surer of the media it was trained on than it will be of others.

Legend: V views, N media, D values of a medium.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
from safetensors.numpy import load_file, save_file

from sensorium.files import atomic_file
from sensorium.types import Conversation, InputError, Message, Part

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Views:
    """How the media of a table are read.

    Args:
        codec: name of the reading codec.
        values_VND: its values of every medium before quantisation; the first view is of the medium as it is.
        quantise: (N, D) values to (N, codes) integers.
        noise: standard deviations, one of which is taken by chance whenever a medium is read.
    """

    codec: str
    values_VND: np.ndarray
    quantise: Callable[[np.ndarray], np.ndarray]
    noise: Sequence[float] = (0.0,)

    @property
    def plain(self) -> np.ndarray:
        """(N, codes) codes of the media as they are."""
        return self.quantise(self.values_VND[0].astype(np.float32))

    def read(self, number: int, random: Random) -> np.ndarray:
        """(codes,) codes of one look at a medium."""
        values = self.values_VND[random.randrange(len(self.values_VND)), number].astype(np.float32)
        generator = np.random.default_rng(random.getrandbits(64))
        values += random.choice(self.noise) * generator.standard_normal(values.shape, dtype=np.float32)
        return self.quantise(values[None])[0]


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """What the numbers of media stand for.

    Args:
        views: for media that are read.
        codec: name of the writing codec; "" where nothing is written.
        written: its codes, one array for each medium.
    """

    views: Views
    codec: str = ""
    written: Sequence[np.ndarray] | np.ndarray = ()

    def fill(self, conversation: Conversation, random: Random) -> Conversation:
        """The conversation with codes in place of numbers: written ones in answers, one look's everywhere else.

        The numbers are gone: nobody else knows what they stand for.
        """
        return Conversation(tuple(self._fill_message(message, random) for message in conversation.messages))

    def _fill_message(self, message: Message, random: Random) -> Message:
        return replace(message, parts=tuple(self._fill_part(part, message.role, random) for part in message.parts))

    def _fill_part(self, part: Part, role: str, random: Random) -> Part:
        if part.is_text:
            return part
        if role == "assistant":
            return Part(part.modality, None, np.asarray(self.written[part.data], np.int64).ravel(), self.codec)
        return Part(part.modality, None, self.views.read(part.data, random), self.views.codec)


@dataclass(frozen=True)
class Kept:
    """An array that was long in making: a file in the cache, read by whoever needs it.

    Args:
        path: of the file (safetensors).
        make: the command that makes it, for the message.
    """

    path: Path
    make: str

    def write(self, array: np.ndarray) -> None:
        with atomic_file(self.path) as out:
            save_file({"array": array}, out)

    def read(self) -> np.ndarray:
        """InputError when it has not been made."""
        if not self.path.exists():
            raise InputError(f"{self.path} is missing; make it with `{self.make}`")
        return load_file(self.path)["array"]


def remembered(path: Path, digest: str, make: Callable[[], np.ndarray]) -> np.ndarray:
    """The array in a file (npz), made again when ``digest``, which stands for all it depends on, is another."""
    if path.exists():
        with np.load(path) as kept:
            if "array" in kept and str(kept["digest"]) == digest:
                return kept["array"]
    array = make()
    with atomic_file(path) as out:
        np.savez_compressed(out, digest=digest, array=array)
    return array


def look(
    values: Callable[[Sequence[np.ndarray]], np.ndarray],
    media: Callable[[], Iterable[np.ndarray]],
    change: Change,
    views: int,
    seed: int,
) -> np.ndarray:
    """(views, media, values) float16: every medium as it is, then changed otherwise in every further view.

    Args:
        values: of a batch of media, (batch, values), before quantisation.
        media: called for every view: batches of media of one shape, in order.
        change: a batch, changed at random.
    """
    found = []
    for view in range(views):
        generator = np.random.default_rng((seed, view))
        seen = (batch if view == 0 else change(batch, generator) for batch in media())
        found.append(np.concatenate([values(list(batch)) for batch in seen]).astype(np.float16))
    return np.stack(found)
