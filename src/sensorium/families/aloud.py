"""Letters to the sound of one voice, at once, not letter after letter (FastSpeech, Ren et al. 2019, arXiv:1905.09263).

How long a letter sounds is learned from sounds whose text is known, by the likeliest path of connectionist temporal
classification through what a network of the `ctc` family hears. How a letter sounds depends on those about it, and on
the language; texts alone, with how they are pronounced, teach that as well.

Legend: B texts, L letters, W their width, N frames of spectra, T steps of `FINE` frames, M mel bands, P signs of
pronunciation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from sensorium.checked import RATE_HZ, Range
from sensorium.codecs import Learning
from sensorium.families.ctc import BLANK, SLOTS
from sensorium.families.fsq_net import Block, Side, mark_ends, unfold
from sensorium.families.pool import Pool
from sensorium.families.spectra import Spectra

FINE = 2
NOWHERE = 0
"""In place of letters behind the end of a text."""
PAUSE = " "
PRONOUNCED = 0.2
"""How much a nat of pronunciation counts."""
LONGEST = 100
"""Frames of a letter, at most."""
LEAD = 4
"""Frames before the middle of the first letter, and after that of the last, that are no silence."""


@dataclass(frozen=True, kw_only=True)
class AloudConfig:
    """Everything that shapes the network.

    Args:
        letters: that it reads, each of one character; the pause among them.
        width, blocks: channels of a letter; residual blocks over letters.
        sound_width, sound_blocks: the same over steps in time.
        rate_hz, hop, window, bands: of the spectra, see `Spectra`.
    """

    letters: Annotated[str, Range(1, 2**12)]
    width: Side = 192
    blocks: Side = 6
    sound_width: Side = 256
    sound_blocks: Side = 10
    rate_hz: RATE_HZ = 16000.0
    hop: Side = 160
    window: Annotated[int, Range(2, 2**16)] = 640
    bands: Side = 80

    @property
    def spectra(self) -> Spectra:
        return Spectra(rate_hz=self.rate_hz, hop=self.hop, window=self.window, bands=self.bands)

    def numbers(self, text: str) -> Tensor:
        """(L,) of a text, with a pause before it and after it."""
        return torch.tensor([self.letters.index(letter) + 1 for letter in f"{PAUSE}{text}{PAUSE}"])


class Aloud(nn.Module):
    """Texts to log-mel spectra."""

    def __init__(self, config: AloudConfig) -> None:
        super().__init__()
        width, wide = config.width, config.sound_width
        self.table = nn.Embedding(len(config.letters) + 1, width, padding_idx=NOWHERE)
        self.near = nn.ModuleList(Block(width, 1) for _ in range(config.blocks))
        self.far = nn.GRU(width, width // 2, batch_first=True, bidirectional=True)
        self.lasting = nn.Sequential(
            nn.Conv1d(width, width, 3, padding=1), Block(width, 1), nn.SiLU(), nn.Conv1d(width, 1, 1)
        )
        self.body = nn.Sequential(
            nn.Conv1d(width + 3, wide, 3, padding=1),
            *(Block(wide, 1) for _ in range(config.sound_blocks)),
            nn.SiLU(),
            nn.Conv1d(wide, FINE * config.bands, 1),
        )
        self.table.adam = self.far.adam = True  # type: ignore[assignment]
        mark_ends(self.lasting)
        mark_ends(self.body)

    def read(self, letters_BL: Tensor) -> Tensor:
        """(B, W, L) every letter among the others."""
        there_B1L = (letters_BL != NOWHERE)[:, None]
        x_BWL = self.table(letters_BL).mT
        for block in self.near:
            x_BWL = block(x_BWL) * there_B1L
        lengths = there_B1L[:, 0].sum(1).cpu()
        packed = pack_padded_sequence(x_BWL.mT, lengths, batch_first=True, enforce_sorted=False)
        far_BLW, _ = pad_packed_sequence(self.far(packed)[0], batch_first=True)
        return x_BWL + far_BLW.mT

    def logs(self, read_BWL: Tensor) -> Tensor:
        """(B, L) logarithms of one more than the frames of every letter."""
        return self.lasting(read_BWL)[:, 0].float()

    def sound(self, read_BWL: Tensor, frames_BL: Tensor) -> Tensor:
        """(B, M, N) spectra of letters that last so many frames, whole numbers; N is the longest text's."""
        return unfold(self.body(spread(read_BWL, frames_BL)).float(), (FINE,))

    def forward(self, letters_BL: Tensor) -> Tensor:
        """(B, M, N) spectra of texts of one length."""
        return self.timed(letters_BL)[0]

    def timed(self, letters_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Spectra (B, M, N) of texts of one length, and the frame (B, L) with which every letter ends."""
        read_BWL = self.read(letters_BL)
        lasting_BL = (self.logs(read_BWL).exp() - 1).clamp(0, LONGEST)
        ends_BL = lasting_BL.cumsum(1).round().long()  # what is rounded off goes to the next
        ends_BL[:, -1] = ends_BL[:, -1].clamp(min=FINE)
        return self.sound(read_BWL, ends_BL.diff(dim=1, prepend=torch.zeros_like(ends_BL[:, :1]))), ends_BL


def spread(read_BWL: Tensor, frames_BL: Tensor) -> Tensor:
    """(B, W + 3, T) the letter of every step, how far into it that is, how far it goes on, and how long it lasts."""
    ends_BL = frames_BL.cumsum(1)
    steps = -(-int(ends_BL[:, -1].max()) // FINE)
    at_BT = (FINE * torch.arange(steps, device=ends_BL.device) + FINE / 2).expand(len(ends_BL), -1).contiguous()
    which_BT = torch.searchsorted(ends_BL.to(at_BT.dtype), at_BT, right=True).clamp(max=ends_BL.shape[1] - 1)
    into_BT = at_BT - (ends_BL - frames_BL).gather(1, which_BT)
    left_BT, lasts_BT = ends_BL.gather(1, which_BT) - at_BT, frames_BL.gather(1, which_BT)
    told_B3T = torch.stack([into_BT, left_BT, lasts_BT.to(at_BT.dtype)], dim=1) / 10
    read_BWT = read_BWL.gather(2, which_BT[:, None].expand(-1, read_BWL.shape[1], -1))
    return torch.cat([read_BWT, told_B3T.to(read_BWT.dtype)], dim=1)


def aligned(chances_TS: np.ndarray, signs_L: np.ndarray) -> np.ndarray:
    """(L,) slot in which every sign is heard: the middle of its stay on the likeliest path.

    Args:
        chances_TS: logarithms, of the blank first; at least as many slots as signs, and one more where a sign follows
            its like.
        signs_L: numbers of the signs that are said.
    """
    states = np.full(2 * len(signs_L) + 1, BLANK)
    states[1::2] = signs_L
    skips = np.zeros(len(states), bool)
    skips[3::2] = states[3::2] != states[1:-2:2]
    score, came = np.full(len(states), -np.inf), np.zeros((len(chances_TS), len(states)), np.int64)
    score[:2] = chances_TS[0, states[:2]]
    for slot in range(1, len(chances_TS)):
        ways = np.stack(
            [score, np.r_[-np.inf, score[:-1]], np.where(skips, np.r_[-np.inf, -np.inf, score[:-2]], -np.inf)]
        )
        came[slot] = ways.argmax(0)
        score = ways.max(0) + chances_TS[slot, states]
    state, path = len(states) - (2 if score[-2] > score[-1] else 1), []
    for slot in reversed(range(len(chances_TS))):
        path.append(state)
        state -= came[slot, state]
    path = np.array(path[::-1])
    return np.array([np.flatnonzero(path == 2 * place + 1).mean() for place in range(len(signs_L))])


def durations(slots_L: np.ndarray, slot_frames: float, frames: int) -> np.ndarray:
    """(L + 2,) whole frames of the silence before, of every letter, and of the silence behind; they add up to all.

    A letter ends halfway to the next.

    Args:
        slots_L: in which letters are heard, see `aligned`.
        slot_frames: frames of a slot.
        frames: of the sound.
    """
    middles_L = (slots_L + 0.5) * slot_frames
    between = (middles_L[1:] + middles_L[:-1]) / 2
    edges = [0, max(middles_L[0] - LEAD, 0), *between, min(middles_L[-1] + LEAD, frames), frames]
    return np.diff(np.round(edges)).astype(np.int64)


class Pupil(nn.Module):
    """A network that learns to read aloud, and what tells of pronunciation meanwhile."""

    def __init__(self, config: AloudConfig, signs: int) -> None:
        super().__init__()
        self.aloud, self.drop = Aloud(config), nn.Dropout(0.1)
        self.pronounced = nn.Conv1d(config.width, SLOTS * (signs + 1), 1)
        self.pronounced.adam = True  # type: ignore[assignment]

    def chances(self, letters_BL: Tensor) -> Tensor:
        """(B, SLOTS * L, P) logarithms of the chances of signs of pronunciation, the blank first."""
        logits_BXL = self.pronounced(self.drop(self.aloud.read(letters_BL))).float()
        batch, wide, length = logits_BXL.shape
        return logits_BXL.mT.reshape(batch, length * SLOTS, wide // SLOTS).log_softmax(2)


@dataclass(frozen=True)
class Lesson:
    """A text, how many frames each of its letters lasts, pauses about it included, and its spectra (N, M)."""

    text: str
    frames_L: np.ndarray
    mel_NM: np.ndarray


def learned_aloud(
    config: AloudConfig, lessons: Iterable[Lesson], pronounced: Sequence[tuple[str, str]], learning: Learning
) -> Aloud:
    """A network that has learned to read aloud.

    Args:
        pronounced: texts with the signs of their pronunciation, each of one character; perhaps none.

    Raises:
        InputError: there is no lesson.
    """
    said: list[Lesson] = []

    def spectra() -> Iterator[np.ndarray]:
        for lesson in lessons:
            said.append(replace(lesson, mel_NM=np.zeros(0)))
            yield lesson.mel_NM.astype(np.float16)

    pool = Pool(spectra())
    by_length = np.argsort(pool.lengths, kind="stable")
    number = {sign: place + 1 for place, sign in enumerate(sorted({sign for _, signs in pronounced for sign in signs}))}
    by_letters = sorted(pronounced, key=lambda pair: len(pair[0]))
    learning.say(f"learning to read aloud from {len(pool)} sounds and {len(by_letters)} texts")

    def sample(rng: np.random.Generator, batch: int) -> dict[str, Tensor]:
        chosen = by_length[_run(rng, len(pool), batch)]
        mels = [torch.from_numpy(pool.array(one).astype(np.float32)) for one in chosen]
        found = {
            "letters": _padded([config.numbers(said[one].text) for one in chosen]),
            "frames": _padded([torch.from_numpy(said[one].frames_L) for one in chosen]),
            "mel": _padded(mels).mT,
            "there": _padded([torch.ones(len(mel)) for mel in mels]),
        }
        texts = [by_letters[one] for one in _run(rng, len(by_letters), 2 * batch)] if by_letters else []
        if texts:
            found["read"] = _padded([config.numbers(text) for text, _ in texts])
            found["signs"] = _padded([torch.tensor([number[sign] for sign in signs]) for _, signs in texts])
        return found

    torch.manual_seed(0)
    pupil = Pupil(config, len(number))
    learning.train(pupil, sample, _missed, batch=min(16, len(pool)))
    return pupil.aloud


def _run(rng: np.random.Generator, count: int, length: int) -> np.ndarray:
    """Neighbours among so many."""
    first = int(rng.integers(0, max(count - length, 0) + 1))
    return np.arange(first, min(first + length, count))


def _padded(rows: Sequence[Tensor]) -> Tensor:
    return pad_sequence(list(rows), batch_first=True)


def _missed(net: Any, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Mean distance of spectra and of logarithms of durations, and a share of the nats per sign of pronunciation."""
    letters_BL, frames_BL, there_BN = batch["letters"], batch["frames"], batch["there"]
    read_BWL = net.aloud.read(letters_BL)
    mel_BMN = net.aloud.sound(read_BWL, frames_BL)[..., : there_BN.shape[1]]
    apart_BN = (mel_BMN - batch["mel"]).abs().mean(1)
    apart_BL = (net.aloud.logs(read_BWL) - frames_BL.float().log1p()).abs()
    real_BL = letters_BL != NOWHERE
    terms = {"mel": (apart_BN * there_BN).sum() / there_BN.sum(), "lasting": (apart_BL * real_BL).sum() / real_BL.sum()}
    if "read" in batch:
        counts, slots = (batch["signs"] != BLANK).sum(1), SLOTS * (batch["read"] != NOWHERE).sum(1)
        chances_TBP = net.chances(batch["read"]).transpose(0, 1)
        nats_B = F.ctc_loss(chances_TBP, batch["signs"], slots, counts, reduction="none", zero_infinity=True)
        terms["pronounced"] = PRONOUNCED * nats_B.sum() / counts.sum()
    return terms
