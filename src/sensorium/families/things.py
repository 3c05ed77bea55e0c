"""The `things` family: a picture to the list of things it holds, so that any language model can tell what lies where.

A frame is a thing: a code for each aspect that is told of it (what it is, its colour, whatever the settings say), then
the sides of its box, left, top, right and bottom, in even steps. Every code has words, so a language model that has
never seen a picture reads a list such as "red star 8 12 20 24" (places as plain numbers in text are those of Shikra,
Chen et al. 2023, arXiv:2306.15195; as codes, of Pix2Seq, Chen et al. 2021, arXiv:2109.10852). What is no thing, and
what no aspect says, is lost.

Its network learns from exact facts, see `sensorium.families.things_loss`. So can how the things look
(`ThingsCodec.with_look`, see `sensorium.families.things_look`): lists are then drawn, and written by whoever writes
words. Without that the codec only reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sensorium.checked import NAME, Range, checked
from sensorium.codecs import Facts, Learning, Use
from sensorium.families import scaling
from sensorium.families.fsq_net import Blocks, Side, Widths
from sensorium.families.inner import part_of, put_together
from sensorium.families.net_codec import NetCodec, even_batches, later, pixels_to_net, restored, rounded, stored
from sensorium.families.numbers import in_words
from sensorium.families.things_look import Lesson, Look, LookConfig, learned_look
from sensorium.families.things_net import PATCH_PX, Seen, ThingsNet
from sensorium.modalities import Wish
from sensorium.types import InputError, Signal

SIDES = ("left", "top", "right", "bottom")
SAME = 0.5
"""Intersection over union from which two boxes are of one thing."""
LOOK = "look"
"""Names how things look in the config, and before its tensors."""
Share = Annotated[float, Range(0, 1)]
Known = Annotated[tuple[Annotated[str, Range(1, 200)], ...], Range(1, 2**16)]


@dataclass(frozen=True, kw_only=True)
class ThingsConfig:
    """Everything that shapes the codec.

    Args:
        values: what may be told, by aspect, in the order of the codebooks.
        surface: aspects that patches of a few pixels show, such as colours.
        size_px: side of the pictures.
        bins: levels of each side of a box; the first and the last are the picture's edges.
        most: things of a picture.
        rows: bands of the picture that are read one after the other from the top, in each from left to right.
        threshold: chance from which a thing is held to be there.
        extents: larger sides that things of a map have at most, as shares of the picture's, rising: things whose
            middles coincide can be told apart if they are on different maps.
        cell_px: cells in which middles are looked for.
        widths, blocks, patch_width: of the network, see `ThingsNet`.
        use: of a codec that knows how things look; any other reads.
    """

    name: NAME = "things"
    modality: NAME = "image"
    values: Annotated[Mapping[str, Known], Range(1, 64)]
    surface: tuple[NAME, ...] = ()
    size_px: Side = 64
    bins: Annotated[int, Range(2, 2**12)] = 65
    most: Annotated[int, Range(1, 2**10)] = 8
    rows: Side = 8
    threshold: Share = 0.3
    extents: Annotated[tuple[Share, ...], Range(1, 8)] = (0.3, 1.0)
    cell_px: Side = 4
    widths: Widths = (64, 128)
    blocks: Blocks = (1, 3)
    patch_width: Side = 64
    use: Use = later("both")

    def __post_init__(self) -> None:
        if unknown := set(self.surface) - set(self.values):
            raise InputError(f"codec {self.name!r}: no values of {', '.join(sorted(unknown))} are given")
        if self.size_px % (2 * self.cell_px) or self.size_px % PATCH_PX:
            raise InputError(f"codec {self.name!r}: its side must be whole pairs of cells of {self.cell_px} px")
        if len(self.widths) != 2 or len(self.blocks) != 2:
            raise InputError(f"codec {self.name!r} takes two widths and two numbers of blocks")

    @property
    def step_px(self) -> float:
        """Between levels."""
        return self.size_px / (self.bins - 1)

    def net(self) -> ThingsNet:
        return ThingsNet(
            self.values,
            self.surface,
            extents=len(self.extents),
            cell_px=self.cell_px,
            widths=(self.widths[0], self.widths[1]),
            blocks=self.blocks,
            patch_width=self.patch_width,
        )

    def facts(self, draws: bool = False) -> Facts:
        return Facts(
            name=self.name,
            modality=self.modality,
            codebook_sizes=(*map(len, self.values.values()), *[self.bins] * len(SIDES)),
            max_frames=self.most,
            min_frames=0,
            use=self.use if draws else "read",
            wish=Wish(size=(self.size_px, self.size_px)),
        )


@dataclass(frozen=True)
class Found:
    """A thing of a picture: how sure that is, 0 to 1, its box in px, and the numbers of its values by aspect."""

    score: float
    box: tuple[float, float, float, float]
    values: Mapping[str, int]


class ThingsCodec(NetCodec):
    """Pictures to the things they hold.

    Args:
        config: shape of the codec.
        net: trained network, which is copied; a fresh one when None.
        look: shape of what draws things, and how they look, which is copied; None when it only reads.
    """

    family: ClassVar[str] = "things"
    suits: ClassVar[tuple[str, ...]] = ("image",)
    uses: ClassVar[tuple[str, ...]] = ("read", "write")
    config_class = ThingsConfig

    def __init__(
        self, config: ThingsConfig, net: ThingsNet | None = None, look: tuple[LookConfig, Look] | None = None
    ) -> None:
        super().__init__(config, net)
        self.look = look and (look[0], rounded(look[1]))
        self.facts = config.facts(draws=look is not None)

    @torch.inference_mode()
    def find(self, signals: Sequence[Signal]) -> list[list[Found]]:
        """The things of each picture, the surest first, before they are made codes."""
        found: list[list[Found]] = []
        for batch in even_batches([signal.array for signal in self.fitted(signals)]):
            seen = self.net(pixels_to_net(batch.to(self.device)))
            found += [self._found(seen, number) for number in range(len(batch))]
        return found[: len(signals)]

    def _found(self, seen: Seen, number: int) -> list[Found]:
        shape = self.settings
        chance_EGG = seen.middles_BEGG[number].sigmoid()
        peaks_EGG = (chance_EGG == F.max_pool2d(chance_EGG[None], 3, 1, 1)[0]) & (chance_EGG >= shape.threshold)
        places = peaks_EGG.nonzero()
        scores = chance_EGG[peaks_EGG]
        at = places[scores.argsort(descending=True, stable=True)][: 4 * shape.most]
        extent, row, column = at.unbind(1)
        middle = (torch.stack([column, row] * 2, 1) + 0.5) * shape.cell_px
        boxes_N4 = (seen.sides_BE4GG[number, extent, :, row, column] + middle).clamp(0, shape.size_px)
        kept = _apart(boxes_N4)[: shape.most]
        picture = slice(number, number + 1)
        one = Seen(
            seen.middles_BEGG[picture],
            {},
            seen.sides_BE4GG[picture],
            {name: logits[picture] for name, logits in seen.patches.items()},
            seen.weight_BPP[picture],
        )
        told = {name: one[number, extent, :, row, column][kept] for name, one in seen.aspects.items()}
        told |= {name: logits[0] for name, logits in one.surface(boxes_N4[kept][None]).items()}
        best = {name: told[name].argmax(1).tolist() for name in shape.values}
        sure = chance_EGG[extent, row, column][kept].tolist()
        return [
            Found(score, tuple(box), {name: numbers[place] for name, numbers in best.items()})
            for place, (score, box) in enumerate(zip(sure, boxes_N4[kept].tolist(), strict=True))
        ]

    def encode(self, signals: Sequence[Signal]) -> list[np.ndarray]:
        return [self.codes(things) for things in self.find(signals)]

    def codes(self, things: Sequence[Found]) -> np.ndarray:
        """Codes of things, put into the order in which one reads."""
        return self.listed(sorted(map(self.frame, things), key=self.as_read))

    def listed(self, frames: Sequence[Sequence[int]]) -> np.ndarray:
        """Codes of frames in the order that is given."""
        return self.layout.join([], np.array(frames, np.int64))

    def frame(self, one: Found) -> list[int]:
        """Codes of one thing; the inverse of `told`."""
        return [*(one.values[name] for name in self.settings.values), *self.levels(one.box)]

    def levels(self, box: Sequence[float]) -> list[int]:
        """Codes of the sides of a box in px."""
        return [round(side / self.settings.step_px) for side in box]

    def as_read(self, frame: Sequence[int]) -> tuple[float, ...]:
        """What frames are sorted by: the row of the middle, then how far right it is."""
        x0, y0, x1, y1 = frame[-len(SIDES) :]
        row = (y0 + y1) / 2 * self.settings.step_px * self.settings.rows // self.settings.size_px
        return row, x0 + x1, *frame

    def decode(self, codes: Sequence[np.ndarray]) -> list[Signal]:
        """Codes to pictures (S, S, 3) of the things, the last on top; InputError when it only reads.

        What has its sides the wrong way round is drawn all the same; what has no area is not seen.
        """
        if self.look is None:
            raise self.only_reads(codes)
        return [Signal(self.drawn([things])[0]) for things in map(self.things, codes)]

    def things(self, codes: np.ndarray) -> list[Found]:
        """What codes tell, each thing for sure.

        Raises:
            InputError: they are none of this codec.
        """
        _, frames_NC = self.layout.split(codes)
        return [self.told(frame) for frame in frames_NC.tolist()]

    def told(self, frame: Sequence[int]) -> Found:
        """The thing of one frame."""
        left, top, right, bottom = (level * self.settings.step_px for level in frame[-len(SIDES) :])
        box = min(left, right), min(top, bottom), max(left, right), max(top, bottom)
        return Found(1.0, box, dict(zip(self.settings.values, frame, strict=False)))

    def drawn(self, moments: Sequence[Sequence[Found]]) -> np.ndarray:
        """(N, S, S, 3) uint8: things as they are at each moment, all on one ground."""
        assert self.look is not None, "a codec that only reads draws nothing"
        shape, look = self.look
        ground_3 = look.ground(self._numbers([one for things in moments for one in things]), shape.grounds)
        return np.stack([self._page(things, ground_3) for things in moments])

    def _page(self, things: Sequence[Found], ground_3: Tensor) -> np.ndarray:
        assert self.look is not None
        boxes_N4 = torch.tensor([one.box for one in things]).reshape(-1, 4) / self.settings.size_px
        return self.look[1].picture(self._numbers(things), boxes_N4, ground_3, self.look[0].side_px)

    def _numbers(self, things: Sequence[Found]) -> dict[str, Tensor]:
        return {name: torch.tensor([one.values[name] for one in things]).long() for name in self.settings.values}

    def with_look(
        self, shown: Iterable[tuple[Signal, Sequence[Found]]], learning: Learning, **names: Any
    ) -> ThingsCodec:
        """The same codes in a codec that draws them, too; it reads as before.

        Args:
            shown: square pictures of any size on plain ground, each with the things in it, boxes in px of the codec.
            names: of `LookConfig`.

        Raises:
            InputError: no picture shows a thing, or an aspect of the look is not told.
        """
        config, side_px = LookConfig(**names), self.settings.size_px

        def lessons() -> Iterator[Lesson]:
            for picture, things in shown:
                boxes_N4 = np.array([one.box for one in things], np.float64).reshape(-1, 4) / side_px
                told = {name: numbers.numpy() for name, numbers in self._numbers(things).items()}
                yield Lesson(picture.array, boxes_N4, told)

        return self.but(look=(config, learned_look(config, self.settings.values, lessons(), learning)))

    def but(self, **changed: Any) -> ThingsCodec:
        """The same codec with other arguments of the class."""
        own: dict[str, Any] = {"config": self.settings, "net": self.net, "look": self.look}
        return ThingsCodec(**own | changed)

    def to(self, device: torch.device | str) -> Self:
        if self.look is not None:
            self.look[1].to(device)
        return super().to(device)

    def config(self) -> dict[str, Any]:
        return super().config() | ({LOOK: asdict(self.look[0])} if self.look else {})

    def tensors(self) -> dict[str, np.ndarray]:
        """Those of the network that finds things, and of how they look."""
        return super().tensors() | (put_together({LOOK: stored(self.look[1])}) if self.look else {})

    @classmethod
    def build(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self:
        given = dict(checked(config, Mapping[str, Any], "config"))
        shape = None if LOOK not in given else checked(given.pop(LOOK), LookConfig, LOOK)
        settings = checked(given, ThingsConfig, "config")
        finds = {name: one for name, one in tensors.items() if not name.startswith(f"{LOOK}.")}
        look = shape and (shape, restored(lambda: Look(shape, settings.values), part_of(LOOK, tensors)))
        return cls(settings, restored(settings.net, finds), look)

    def words(self, codebook: int) -> Sequence[str]:
        """Values; of sides px."""
        known = list(self.settings.values.values())
        if codebook < len(known):
            return known[codebook]
        return [in_words(level * self.settings.step_px) for level in range(self.settings.bins)]

    def features(self, codebook: int) -> np.ndarray | None:
        """Smooth bumps along a side; values have nothing in common."""
        return None if codebook < len(self.settings.values) else scaling.bumps(self.settings.bins)


def _apart(boxes_N4: Tensor) -> list[int]:
    """Numbers of boxes, but of those that are of one thing only the first."""
    kept: list[int] = []
    overlaps_NN = overlaps(boxes_N4, boxes_N4)
    for number in range(len(boxes_N4)):
        if not kept or overlaps_NN[number, kept].max() < SAME:
            kept.append(number)
    return kept


def overlaps(one_N4: Tensor, other_M4: Tensor) -> Tensor:
    """(N, M) intersections over union; of boxes without area 0."""
    starts = torch.maximum(one_N4[:, None, :2], other_M4[None, :, :2])
    ends = torch.minimum(one_N4[:, None, 2:], other_M4[None, :, 2:])
    both_NM = (ends - starts).clamp(min=0).prod(2)
    area_N, area_M = ((boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(1) for boxes in (one_N4, other_M4))
    return both_NM / (area_N[:, None] + area_M - both_NM).clamp(min=1e-9)
