"""The `ctc` family: speech to a few codes a second of what is said, for models that read.

An encoder over log-mel spectra is trained to spell what is said (letters, or the signs of a phonetic alphabet) by
connectionist temporal classification (Graves et al. 2006) through a bottleneck of finite scalars (arXiv 2309.15505):
what the codes keep is what tells the signs apart, not the voice. The sound cannot be had back; the codec only reads.

Legend: B sounds, M mel bands, N frames of spectra, G frames of codes, C channels of a code, L signs and the blank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.checked import NAME, RATE_HZ, Range
from sensorium.codecs import Facts, Learning, Media
from sensorium.families.fsq import fsq_levels
from sensorium.families.fsq_net import Axes, Block, Encoder, Levels, Quantiser, Side, Steps, lay_out
from sensorium.families.loudness import whole_frames
from sensorium.families.net_codec import NetCodec, settle
from sensorium.families.pool import Pool
from sensorium.families.spectra import Spectra
from sensorium.families.vary import varied
from sensorium.modalities import Wish, modality
from sensorium.types import Signal

BLANK = 0
SLOTS = 2
"""Signs that a frame of codes may stand for."""


@dataclass(frozen=True, kw_only=True)
class CtcConfig:
    """Everything that shapes the codec.

    Args:
        name, modality: of the codec.
        signs: what it was trained to spell, each of one character.
        rate_hz: of the samples that it takes.
        hop, window, bands: of the spectra, see `Spectra`.
        pace: frames of spectra that a code stands for.
        levels: of the channels of a code.
        width: channels at the rate of the codes.
        blocks: residual blocks before the bottleneck and after it.
        most_frames: codes of the longest sound.
    """

    name: NAME = "audio-read"
    modality: NAME = "audio"
    signs: str
    rate_hz: RATE_HZ = 16000.0
    hop: Side = 160
    window: Annotated[int, Range(2, 2**16)] = 640
    bands: Side = 80
    pace: Side = 4
    levels: Levels = (4, 4, 4, 4, 4)
    width: Side = 320
    blocks: tuple[Side, Side] = (8, 2)
    most_frames: Steps = 1024

    @property
    def spectra(self) -> Spectra:
        return Spectra(rate_hz=self.rate_hz, hop=self.hop, window=self.window, bands=self.bands)

    @property
    def silence(self) -> float:
        """What the spectra of no sound are."""
        return float(self.spectra.log_of(torch.zeros(self.spectra.bins, 1))[0, 0])

    def net(self) -> CtcNet:
        """A fresh network of this shape."""
        return CtcNet(self)

    def facts(self) -> Facts:
        rows = self.hop * self.pace
        return Facts(
            name=self.name,
            modality=self.modality,
            codebook_sizes=(prod(self.levels),),
            max_frames=self.most_frames,
            frame_rate_hz=self.rate_hz / rows,
            hop=rows,
            use="read",
            wish=Wish(rate_hz=self.rate_hz, channels=1),
        )


class CtcNet(nn.Module):
    """Log-mel spectra (B, M, N) to logarithms of the chances of signs (B, `SLOTS` * G, L)."""

    def __init__(self, config: CtcConfig) -> None:
        super().__init__()
        width, before, after = config.width, *config.blocks
        self.encoder = Encoder(Axes(space=0, hop=config.pace), config.bands, (width,), (before,), len(config.levels))
        self.quantiser = Quantiser(config.levels, 1)
        self.drop = nn.Dropout(0.1)
        self.speller = nn.Sequential(
            nn.Conv1d(len(config.levels), width, 3, padding=1),
            *(Block(width, 1) for _ in range(after)),
            nn.SiLU(),
            nn.Conv1d(width, SLOTS * (len(config.signs) + 1), 1),
        )
        self.speller[0].adam = self.speller[-1].adam = True  # type: ignore[assignment]
        lay_out(self, 1)

    def forward(self, mel_BMN: Tensor) -> Tensor:
        return self.spelled(self.quantiser(self.encoder(mel_BMN)))

    def spelled(self, values_BCG: Tensor) -> Tensor:
        logits_BXG = self.speller(self.drop(values_BCG)).float()
        batch, wide, frames = logits_BXG.shape
        return logits_BXG.mT.reshape(batch, frames * SLOTS, wide // SLOTS).log_softmax(2)


class CtcCodec(NetCodec):
    """Speech to codes of what is said.

    Args:
        config: shape of the codec.
        net: trained network, which is copied; a fresh one when None.
    """

    family: ClassVar[str] = "ctc"
    suits: ClassVar[tuple[str, ...]] = ("audio",)
    uses: ClassVar[tuple[str, ...]] = ("read",)
    config_class = CtcConfig

    def __init__(self, config: CtcConfig, net: CtcNet | None = None) -> None:
        super().__init__(config, net)
        self.facts = config.facts()
        self.spectra = config.spectra

    @torch.inference_mode()
    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        """Sounds to codes, each by itself.

        Raises:
            InputError: a sound has other channels than one, or is too long.
        """
        return [self.layout.join([], self._codes(signal)) for signal in self.fitted(signals)]

    def _codes(self, signal: Signal) -> np.ndarray:
        heard_1MN = torch.from_numpy(self.heard(signal).T.copy())[None].to(self.device)
        return self.net.quantiser.encode(self.net.encoder(heard_1MN))[0].cpu().numpy()

    def heard(self, signal: Signal) -> np.ndarray:
        """(N, M) float32 what the network takes of a fitted sound."""
        return heard(signal, self.settings, self.spectra).astype(np.float32)

    def spell(self, codes: Sequence[np.ndarray]) -> list[str]:
        """The likeliest signs of codes, as the network that trained with them reads them."""
        return [self._spell(one) for one in codes]

    @torch.inference_mode()
    def chances(self, codes: np.ndarray) -> Tensor:
        """(`SLOTS` * G, L) logarithms of the chances of signs, the blank first, of the codes of one sound."""
        codes_G = torch.from_numpy(self.layout.split(codes)[1][:, 0])
        return self.net.spelled(self.net.quantiser.decode(codes_G[None].to(self.device)))[0]

    def _spell(self, codes: np.ndarray) -> str:
        best = torch.unique_consecutive(self.chances(codes).argmax(1)).tolist()
        return "".join(self.settings.signs[sign - 1] for sign in best if sign != BLANK)

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Not possible: the codes say what is said, not how it sounds; InputError."""
        raise self.only_reads(codes)

    @classmethod
    def learn(cls, media: Media, learning: Learning, **names: Any) -> CtcCodec:
        """Train the encoder to spell the words that are said in each medium; media without words are left out."""
        names = told_to(learning, names)
        fresh = CtcConfig(signs="", **names)
        pool, words = read_spoken(media, fresh.facts(), lambda signal: heard(signal, fresh, fresh.spectra))
        config = CtcConfig(signs=signs_of(words), **names)
        return cls(config, learned_to_spell(config, pool, words, learning, varied))


def told_to(learning: Learning, names: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a codec that reads: its levels as wished, a name that says what it does, and those given."""
    levels = {} if learning.codes is None else {"levels": fsq_levels(learning.codes)}
    given = {name: value for name, value in names.items() if name != "use"}
    return {"name": f"{names['modality']}-read"} | given | levels


def learned_to_spell(
    config: CtcConfig,
    pool: Pool,
    words: Sequence[str],
    learning: Learning,
    vary: Callable[[np.ndarray, np.random.Generator], np.ndarray],
) -> CtcNet:
    """A network that has learned what is said.

    Args:
        pool: what it hears of each sound, (N, M).
        words: what is said in each, in signs of the config.
        vary: another hearing of the same.
    """
    number = {sign: place + 1 for place, sign in enumerate(config.signs)}
    spelled = [torch.tensor([number[sign] for sign in said]) for said in words]
    learning.say(f"learning to spell {len(pool)} sounds in {len(number)} signs for {learning.minutes:g} minutes")
    by_length = np.argsort(pool.lengths, kind="stable")
    torch.manual_seed(0)
    net = CtcNet(config)

    def sample(rng: np.random.Generator, batch: int) -> dict[str, Tensor]:
        first = rng.integers(0, max(len(pool) - batch, 0) + 1)
        chosen = by_length[first : first + batch]
        heard = [vary(pool.array(number).astype(np.float32), rng) for number in chosen]
        steps = [-(-len(one) // config.pace) for one in heard]
        heard_BNM = np.full((len(heard), max(steps) * config.pace, config.bands), config.silence, np.float32)
        for row, one in enumerate(heard):
            heard_BNM[row, : len(one)] = one
        signs = nn.utils.rnn.pad_sequence([spelled[one] for one in chosen], batch_first=True)
        counts = torch.tensor([len(spelled[one]) for one in chosen])
        heard_BMN = torch.from_numpy(heard_BNM).mT.contiguous()
        return {"heard": heard_BMN, "signs": signs, "slots": SLOTS * torch.tensor(steps), "counts": counts}

    learning.train(net, sample, spelling, batch=min(24, len(pool)), lr=1e-2)
    rng = np.random.default_rng(0)
    settle(net, lambda: net.encoder(sample(rng, 24)["heard"]))
    return net


def spelling(net: Any, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Nats per sign."""
    chances_BTL = net(batch["heard"])
    nats_B = F.ctc_loss(
        chances_BTL.transpose(0, 1),
        batch["signs"],
        batch["slots"],
        batch["counts"],
        reduction="none",
        zero_infinity=True,
    )
    return {"spelling": nats_B.sum() / batch["counts"].sum()}


def heard(signal: Signal, config: CtcConfig, spectra: Spectra) -> np.ndarray:
    """(N, M) log-mel spectra of a fitted sound at unit loudness, of whole frames of codes.

    Raises:
        InputError: it has other channels than one.
    """
    _, samples = whole_frames(signal, config.hop * config.pace, config.name)
    return spectra.log_mel(torch.from_numpy(samples)[None])[0].T.numpy()


def signs_of(words: Sequence[str]) -> str:
    """All that words are spelled in."""
    return "".join(sorted(set("".join(words))))


def read_spoken(media: Media, facts: Facts, hear: Callable[[Signal], np.ndarray]) -> tuple[Pool, list[str]]:
    """What is heard (N, M) of media in which something is said, and what is said.

    Raises:
        InputError: nothing is said in any.
    """
    kind = modality(facts.modality)
    words: list[str] = []

    def all_heard() -> Iterator[np.ndarray]:
        for signal, said in media.named():
            if said:
                words.append(said)
                yield hear(kind.fit(signal, facts.wish)).astype(np.float16)

    return Pool(all_heard()), words
