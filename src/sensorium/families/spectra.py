"""Spectra of sound: short-time Fourier transform, log-mel spectra, and back to samples by Griffin and Lim.

Every hop has exactly one frame, centred on it; samples beyond the ends are zero. Legend: B sounds, S samples, N frames,
F frequencies, M mel bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional as F

from sensorium.checked import RATE_HZ, Range
from sensorium.modalities.spectra import mel_matrix

FLOOR = 0.1
"""Added to the size of a band: what is 60 dB below speech is silence."""
MIDDLE, SPREAD = 1.0, 2.0
"""About the mean and the deviation of the logarithm over speech of unit loudness."""
SHRINK = 1e-6


@dataclass(frozen=True, kw_only=True)
class Spectra:
    """Settings of the transform.

    Args:
        rate_hz: samples a second.
        hop: samples from frame to frame.
        window: samples that a frame sees, a multiple of ``hop``.
        bands: mel bands, from 0 Hz to half the rate; HTK's mel scale (O'Shaughnessy 1987).
    """

    rate_hz: RATE_HZ = 16000.0
    hop: Annotated[int, Range(1, 2**16)] = 160
    window: Annotated[int, Range(2, 2**18)] = 640
    bands: Annotated[int, Range(1, 2**12)] = 80

    @property
    def bins(self) -> int:
        return self.window // 2 + 1

    @property
    def margin(self) -> int:
        """Samples that a frame sees on either side of its hop."""
        return (self.window - self.hop) // 2

    @cached_property
    def shape_W(self) -> Tensor:
        return torch.hann_window(self.window)

    @cached_property
    def bank_MF(self) -> Tensor:
        """Triangles of height 1 between neighbouring bands' middles."""
        return torch.from_numpy(mel_matrix(self.rate_hz, self.window, self.bands))

    @cached_property
    def back_FM(self) -> Tensor:
        """From bands to sizes."""
        return torch.linalg.pinv(self.bank_MF)

    def transform(self, sound_BS: Tensor) -> Tensor:
        """(B, F, N) complex, of whole hops."""
        padded = F.pad(sound_BS, (self.margin, self.window - self.hop - self.margin))
        frames_BNW = padded.unfold(-1, self.window, self.hop) * self.shape_W.to(padded)
        return torch.fft.rfft(frames_BNW, dim=-1).mT

    def inverse(self, spectra_BFN: Tensor) -> Tensor:
        """(B, S) samples whose transform is nearest to these (Griffin and Lim 1984)."""
        shape_W, count = self.shape_W.to(spectra_BFN.device), spectra_BFN.shape[-1]
        pieces_BWN = torch.fft.irfft(spectra_BFN, self.window, dim=1) * shape_W[:, None]
        weight_1WN = shape_W.square()[None, :, None].expand(1, -1, count)
        summed, weight = self._overlapped(pieces_BWN), self._overlapped(weight_1WN)
        return summed / weight.clamp(min=SHRINK)

    def _overlapped(self, pieces_BWN: Tensor) -> Tensor:
        """Pieces added up where they overlap, cut to whole hops."""
        length = pieces_BWN.shape[-1] * self.hop
        full = length + self.window - self.hop
        joined = F.fold(pieces_BWN, (1, full), (1, self.window), stride=(1, self.hop))
        return joined[:, 0, 0, self.margin : self.margin + length]

    def log_mel(self, sound_BS: Tensor) -> Tensor:
        """(B, M, N), about normal for speech of unit loudness."""
        return self.log_of(self.transform(sound_BS).abs())

    def log_of(self, size_BFN: Tensor) -> Tensor:
        """Of sizes, not squared."""
        return ((self.bank_MF.to(size_BFN) @ size_BFN + FLOOR).log() - MIDDLE) / SPREAD

    def griffin_lim(self, mel_BMN: Tensor, rounds: int = 32, known_S: Tensor | None = None) -> Tensor:
        """(B, S) samples with these log-mel spectra, the same each time: phases found by going there and back.

        With momentum (Perraudin, Balazs and Søndergaard 2013), which needs fewer rounds.

        Args:
            known_S: samples with which all of them begin.
        """
        size_BFN = (self.back_FM.to(mel_BMN) @ ((mel_BMN * SPREAD + MIDDLE).exp() - FLOOR)).clamp(min=0)
        chance = torch.Generator().manual_seed(0)
        phase_FN = torch.rand(size_BFN.shape[1:], generator=chance).to(mel_BMN) * 2 * torch.pi
        guess = torch.polar(size_BFN, phase_FN.expand_as(size_BFN))
        before = torch.zeros_like(guess)
        for _ in range(rounds):
            now = self.transform(_begun(self.inverse(guess), known_S))
            ahead = now + 0.99 * (now - before)
            guess, before = torch.polar(size_BFN, ahead.angle()), now
        return _begun(self.inverse(guess), known_S)


def _begun(sound_BS: Tensor, known_S: Tensor | None) -> Tensor:
    """Sounds with these samples at their beginning."""
    if known_S is None:
        return sound_BS
    return torch.cat([known_S.to(sound_BS).expand(len(sound_BS), -1), sound_BS[:, len(known_S) :]], dim=1)
