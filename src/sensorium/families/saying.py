"""A text said aloud while it is being written: a few words at a time, each once what follows it stands.

What is said does not depend on how the text comes, so the whole is said just so. Phases are found as by Griffin and
Lim, with the samples that were given before held fast (Beauregard, Zhu and Wyse 2005).

Legend: B texts, here one, N frames of spectra, M mel bands, F frequencies, S samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from sensorium.families.aloud import Aloud, AloudConfig
from sensorium.families.spectra import Spectra

FIRST, TOGETHER = 1, 3
"""Words that are said together: the first one alone, so that it is heard soon."""
AHEAD, BEHIND = 1, 3
"""Words about them by which it is known how they sound."""
CONTEXT = 8
"""Frames before a piece whose samples are known."""
ROUNDS = 32


class Saying:
    """One text in one voice.

    Args:
        config, voice: see `Aloud`.
    """

    def __init__(self, config: AloudConfig, voice: Aloud) -> None:
        self.config, self.voice, self.sound = config, voice, Sounding(config.spectra)
        self.text, self.said = "", 0

    def add(self, text: str) -> np.ndarray:
        """(S,) samples that are settled now; words are parted by spaces, the last one may go on."""
        self.text += text
        return self._say(self.text.split()[:-1], ended=False)

    def rest(self) -> np.ndarray:
        """The text has ended; what is left of it."""
        return self._say(self.text.split(), ended=True)

    @torch.inference_mode()
    def _say(self, words: Sequence[str], ended: bool) -> np.ndarray:
        found = [self.sound.add(mel_MN, last) for mel_MN, last in self._spectra(words, ended)]
        return np.concatenate([np.zeros(0, np.float32), *found])

    def _spectra(self, words: Sequence[str], ended: bool) -> Iterator[tuple[Tensor, bool]]:
        """(M, N) of every few words that are settled, and whether they are the last."""
        while True:
            stop = self.said + (TOGETHER if self.said else FIRST)
            if stop + AHEAD > len(words):
                if not ended:
                    return
                stop = len(words)
            start = max(self.said - BEHIND, 0)
            about = words[start : stop + AHEAD]
            mel_BMN, ends_BL = self.voice.timed(self.config.numbers(" ".join(about))[None])
            ends = [0, *ends_BL[0].tolist()]
            before, own = len(" ".join(words[start : self.said])), len(" ".join(words[start:stop]))
            last = stop >= len(words)
            first = ends[before + 2] if self.said else 0
            yield mel_BMN[0, :, first : ends[-1] if last else ends[own + 2]], last
            self.said = stop
            if last:
                return


class Sounding:
    """Log-mel spectra to samples, piece by piece."""

    def __init__(self, spectra: Spectra) -> None:
        self.spectra = spectra
        self.mel_MN = torch.zeros(spectra.bands, 0)
        self.known_S = torch.zeros(0)
        """Of the frames that are kept, as far as they were given."""

    def add(self, mel_MN: Tensor, last: bool) -> np.ndarray:
        """(S,) samples that no further frame changes much; all that are left, if these are the last frames."""
        self.mel_MN = torch.cat([self.mel_MN, mel_MN], dim=1)
        hop, given = self.spectra.hop, len(self.known_S)
        frames = self.mel_MN.shape[1] - (0 if last else self.spectra.window // hop)
        if frames * hop <= given:
            return np.zeros(0, np.float32)
        sound_S = self.spectra.griffin_lim(self.mel_MN[None], ROUNDS, self.known_S)[0][: frames * hop]
        gone = max(frames - CONTEXT, 0)
        self.mel_MN, self.known_S = self.mel_MN[:, gone:], sound_S[gone * hop :]
        return sound_S[given:].numpy()
