"""A recogniser: a whole Whisper model (Radford et al. 2022, arXiv:2212.04356) that writes down what is said.

It writes the likeliest token after the other, in the likeliest of the languages that are asked for, and only tokens
that can be spelled in given signs or part sentences: numbers are then written as words.

The model was trained on half minutes, and repeats itself where one ends early. A short sound is therefore followed by
silence that was heard once and is remembered, which costs the encoder nothing; a long one is heard in windows that are
cut where it is quiet.

A Whisper model writes something of silence and noise, too. What is too quiet is therefore not heard, and what the model
itself holds for no speech is not written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from sensorium.checked import Range
from sensorium.families.ears import pretrained_whole
from sensorium.families.loudness import unit_loud
from sensorium.families.pieces import in_signs, said_in
from sensorium.families.recogniser_net import Writing, nets_of
from sensorium.families.whisper import HALF, HOP, LOUD, RATE_HZ, log_mel
from sensorium.modalities.repeats import once
from sensorium.types import InputError

START, TASK, PLAIN, END = "<|startoftranscript|>", "<|transcribe|>", "<|notimestamps|>", "<|endoftext|>"
NOTHING = ("<|nospeech|>", "<|nocaptions|>")
"""How models call the token for no speech."""
PARTS = frozenset(".,?!;:-…¿¡")
"""Signs that part sentences, which are written but not said."""
WINDOW_S, EARLIEST_S = 28.0, 14.0
"""Longest window, and where at the earliest it is cut."""
QUIET_S = 0.2
"""How long a place is whose loudness is looked at."""
TAIL_S, STILL = 1.0, 750
"""Silence behind a sound, and frames of the encoder that are remembered of the silence behind that."""
STILLNESS = -0.65
"""Of spectra, beside sounds of `LOUD`."""
SILENT = 1e-3
"""Root mean square of the loudest place of what is not heard."""
NO_SPEECH = 0.6
"""Chance of no speech from which nothing is written."""
LIKELY = 0.05
"""Chance of a language beside the likeliest, from which the sound is heard in it, too."""
FASTEST = 12.0
"""Tokens a second that are written at most."""
Source = Annotated[str, Range(1, 1024)]
Language = Annotated[str, Range(1, 16)]


@dataclass(frozen=True, kw_only=True)
class Recogniser:
    """Writes down what is said.

    Args:
        source: of a Whisper model, see `pretrained_whole`; it is looked for when something is heard.
        languages: codes of those that are listened for, such as "en".
    """

    source: Source
    languages: Annotated[list[Language], Range(1, 128)]

    def written(self, samples_S: np.ndarray, signs: str) -> Iterator[str]:
        """What is said, window by window.

        Args:
            samples_S: (S,) at 16 kHz.
            signs: in which it can be spelled.

        Raises:
            InputError: there is no Whisper model, or it does not know a language.
        """
        for window_S in windows(samples_S):
            if _loudest(window_S) > SILENT:
                yield _hands(self.source, signs).write(window_S, self.languages)


def windows(samples_S: np.ndarray) -> Iterator[np.ndarray]:
    """Pieces of at most `WINDOW_S`, cut in the middle of the quietest place."""
    while len(samples_S) > WINDOW_S * RATE_HZ:
        first, last = int(EARLIEST_S * RATE_HZ), int(WINDOW_S * RATE_HZ)
        cut = first + int((_loudness(samples_S[first:last]).argmin() + 0.5) * QUIET_S * RATE_HZ)
        yield samples_S[:cut]
        samples_S = samples_S[cut:]
    yield samples_S


def _loudness(samples_S: np.ndarray) -> np.ndarray:
    """Root mean square of place after place; the last may be shorter."""
    step = int(QUIET_S * RATE_HZ)
    starts = np.arange(0, max(len(samples_S), 1), step)
    counts = np.diff(starts, append=max(len(samples_S), 1))
    squares = np.square(samples_S, dtype=np.float64) if len(samples_S) else np.zeros(1)
    return np.sqrt(np.add.reduceat(squares, starts) / counts)


def _loudest(samples_S: np.ndarray) -> float:
    return float(_loudness(samples_S).max())


class Hand:
    """A Whisper model that writes in some signs.

    Args:
        source, signs: see `Recogniser`.
        quick: see `nets_of`.
    """

    def __init__(self, source: str, signs: str, quick: bool = True) -> None:
        whole = pretrained_whole(source)
        numbers = {token: number for number, token in enumerate(whole.vocabulary)}
        if missing := [token for token in (START, TASK, PLAIN, END) if token not in numbers]:
            raise InputError(f"the Whisper model {source} knows no {missing[0]}; take one of several languages")
        special = [token for token in numbers if _is_special(token) and token != END]
        texts = {token: text for token in numbers if (text := _text(token, signs))}
        self.source, self.texts = source, list(texts.values())
        self.end = len(special)
        """Place of the token that ends a text; those of text are behind it, all others before."""
        self.places = {token: place for place, token in enumerate(special)}
        self.hearer, self.writer = nets_of(whole, [numbers[token] for token in (*special, END, *texts)], quick)
        self.bands, self.most_frames = self.hearer.conv1.in_channels, len(self.hearer.positions_TW)

    @torch.inference_mode()
    def write(self, samples_S: np.ndarray, languages: Sequence[str]) -> str:
        """What is said in one window; where it may be one language or another, in the one that fits better."""
        most = min(int(8 + FASTEST * len(samples_S) / RATE_HZ), len(self.writer.positions_TW) - 4)
        places = self._languages(languages)
        with torch.autocast("cpu", enabled=False):
            held = self._held(samples_S)
            begun_L = Writing(self.writer, held).after([self.places[START]])[: self.end].softmax(0)
            if begun_L[[self.places[one] for one in NOTHING if one in self.places]].sum() > NO_SPEECH:
                return ""
            likely = [one for one in places if begun_L[one] >= LIKELY * begun_L[places].max()]
            return max(self._write(Writing(self.writer, held), one, most) for one in likely)[1]

    def _held(self, samples_S: np.ndarray) -> list[Tensor]:
        """What the decoder holds of a window, and of silence behind it."""
        _, loud_S = unit_loud(samples_S)
        tail, step = int(TAIL_S * RATE_HZ), HOP * HALF
        padded = np.pad(LOUD * loud_S, (0, tail + -(len(loud_S) + tail) % step))
        heard = self.writer.held(self.hearer(log_mel(torch.from_numpy(padded), self.bands)))
        frames = len(padded) // step
        pairs = zip(heard, self._still, strict=True)
        return [torch.cat([one, still[:, frames : frames + STILL]], 1) for one, still in pairs]

    @cached_property
    def _still(self) -> list[Tensor]:
        """What the decoder holds of half a minute of silence."""
        return self.writer.held(self.hearer(torch.full((self.bands, HALF * self.most_frames), STILLNESS)))

    def _write(self, writing: Writing, language: int, most: int) -> tuple[float, str]:
        """Mean logarithm of the chances of what is written in a language, and that."""
        tokens = [self.places[START], language, self.places[TASK], self.places[PLAIN]]
        text, sure = "", list[float]()
        for _ in range(most):
            chances_L = writing.after(tokens)[self.end :].log_softmax(0)
            best = int(chances_L.argmax())
            sure.append(float(chances_L[best]))
            if best == 0:
                return float(np.mean(sure)), text
            tokens = [self.end + best]
            text += self.texts[best - 1]
        return float(np.mean(sure)), once(text)

    def _languages(self, languages: Sequence[str]) -> list[int]:
        for one in languages:
            if f"<|{one}|>" not in self.places:
                raise InputError(f"the Whisper model {self.source} knows no language {one!r}; give codes such as 'en'")
        return [self.places[f"<|{one}|>"] for one in languages]


_hands = lru_cache(1)(Hand)
"""The one that was used last, since it is large."""


def _is_special(token: str) -> bool:
    return token.startswith("<|") and token.endswith("|>") and not token[2:3].isdigit()


def _text(token: str, signs: str) -> str:
    """What a token says; "" where it cannot be spelled in the signs."""
    text = "" if _is_special(token) else said_in(token)
    plain = "".join(sign for sign in text if sign not in PARTS and not sign.isspace())
    spelled = in_signs(plain, signs)
    return text if text.strip() and " " not in spelled else ""
