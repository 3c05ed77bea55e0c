"""How the things of a list look, so that the list can be drawn: an outline, and two tones that lie on it in a pattern.

Outlines and patterns are fields: numbers on a grid with straight lines between them, and then a curve that makes edges
sharp at any size (ReLU Fields, Karnewar et al. 2022, arXiv:2205.10824). The outline follows from some aspects of a
thing, its tones from others, their pattern from others still, so that what training never showed together is drawn as
well. Things are laid over each other (Porter and Duff 1984); all of it has derivatives and is learned from pixels.

Legend: N things, P points, V values of an aspect, G points of a field along an axis, S sides of pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sensorium.checked import NAME, Range
from sensorium.codecs import Learning
from sensorium.types import InputError

OVER = 3
"""Points of a drawn pixel along an axis, of which the mean is taken."""
SEEN_APART = 0.3
"""Distance of colours, of 1 a channel, from which a thing stands out."""
POINTS = 24
"""Along an axis, at which a thing is compared with its picture in one step of training."""
HOW = {"batch": 64, "lr": 0.1, "adam_share": 1.0, "weight_decay": 0.0}
Byte = Annotated[int, Range(0, 255)]
Colour = tuple[Byte, Byte, Byte]
Aspects = Annotated[tuple[NAME, ...], Range(0, 64)]
Numbers = Mapping[str, Tensor]
"""(N,) numbers of values by aspect."""


@dataclass(frozen=True, kw_only=True)
class LookConfig:
    """Everything that shapes how things are drawn.

    Args:
        form: aspects that a thing's outline depends on, which fills its box.
        ink: those that its two tones depend on.
        grain: those that say where which tone lies; a pattern is as long as the box's longer side.
        points: of a field, along an axis.
        side_px: of what is drawn.
        grounds: on which things may be drawn: the first one on which all of them stand out.
    """

    form: Aspects = ("name",)
    ink: Aspects = ("colour",)
    grain: Aspects = ("material",)
    points: Annotated[int, Range(2, 2**8)] = 64
    side_px: Annotated[int, Range(8, 2**10)] = 256
    grounds: Annotated[tuple[Colour, ...], Range(1, 64)] = ((255, 255, 255), (126, 154, 178), (26, 32, 60))


class Fields(nn.Module):
    """Points in a square of side 1 to numbers, those of all values of a thing added.

    Args:
        counts: of values, by aspect.
    """

    def __init__(self, counts: Mapping[str, int], points: int) -> None:
        super().__init__()
        self.points = points
        self.tables = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(count, points, points)) for name, count in counts.items()}
        )

    def forward(self, values: Numbers, at_NP2: Tensor) -> Tensor:
        """(N, P) numbers at places that are (x, y), 0 to 1."""
        zero_NGG = at_NP2.new_zeros(len(at_NP2), self.points, self.points)
        field_NGG = sum((table[values[name]] for name, table in self.tables.items()), zero_NGG)
        places_N1P2 = 2 * at_NP2[:, None] - 1
        found = F.grid_sample(field_NGG[:, None], places_N1P2, padding_mode="border", align_corners=True)
        return found[:, 0, 0]


class Look(nn.Module):
    """Values of things to how they look.

    Args:
        values: that there are, by aspect.

    Raises:
        InputError: the config names an aspect that has no values.
    """

    def __init__(self, config: LookConfig, values: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        if unknown := {*config.form, *config.ink, *config.grain} - set(values):
            raise InputError(f"things cannot be drawn by {min(unknown)}, of which nothing is told")
        counts = {name: len(known) for name, known in values.items()}
        self.forms = Fields({name: counts[name] for name in config.form}, config.points)
        self.grains = Fields({name: counts[name] for name in config.grain}, config.points)
        self.inks = nn.ParameterDict({name: nn.Parameter(0.1 * torch.randn(counts[name], 2, 3)) for name in config.ink})
        self.adam = True

    def tones(self, values: Numbers) -> Tensor:
        """(N, 2, 3) colours, 0 to 1."""
        count = len(next(iter(values.values())))
        zero_N23 = next(self.parameters()).new_zeros(count, 2, 3)
        return sum((table[values[name]] for name, table in self.inks.items()), zero_N23).sigmoid()

    def forward(self, values: Numbers, at_NP2: Tensor, wide_N2: Tensor) -> tuple[Tensor, Tensor]:
        """(N, P) how opaque things are at places of their boxes, and (N, P, 3) in which colours; all 0 to 1.

        Args:
            at_NP2: (x, y) in the box, 0 to 1.
            wide_N2: sides of the boxes, in whatever unit.
        """
        first_N13, second_N13 = self.tones(values)[:, :, None].unbind(1)
        along_NP2 = at_NP2 * (wide_N2 / wide_N2.amax(1, keepdim=True))[:, None]
        share_NP1 = self.grains(values, along_NP2).sigmoid()[..., None]
        return self.forms(values, at_NP2).sigmoid(), first_N13 + share_NP1 * (second_N13 - first_N13)

    @torch.inference_mode()
    def ground(self, values: Numbers, grounds: Sequence[Colour]) -> Tensor:
        """(3,) bytes of the first ground on which all things stand out, or of that on which they do most."""
        known_K3 = torch.tensor(grounds, dtype=torch.float32)
        tones_M3 = self.tones(values).reshape(-1, 3).cpu()
        if not len(tones_M3):
            return known_K3[0]
        apart_K = torch.cdist(known_K3 / 255, tones_M3).amin(1)
        seen = (apart_K >= SEEN_APART).nonzero()
        return known_K3[seen[0, 0] if len(seen) else apart_K.argmax()]

    @torch.inference_mode()
    def picture(self, values: Numbers, boxes_N4: Tensor, ground_3: Tensor, side_px: int) -> np.ndarray:
        """(S, S, 3) uint8: the things over each other, the last on top.

        Args:
            boxes_N4: left, top, right, bottom as shares of the picture; what has no area is not seen.
            ground_3: bytes of what lies behind them.
        """
        page_SS3 = (ground_3 / 255).expand(side_px, side_px, 3).contiguous()
        for number, box_4 in enumerate((boxes_N4 * side_px).cpu()):
            if (box_4[2:] > box_4[:2]).all():
                self._put(page_SS3, {name: one[number : number + 1] for name, one in values.items()}, box_4)
        return (page_SS3 * 255).round().clamp(0, 255).to(torch.uint8).numpy()

    def _put(self, page_SS3: Tensor, values: Numbers, box_4: Tensor) -> None:
        low_2, high_2 = box_4[:2].floor().long().clamp(min=0), box_4[2:].ceil().long().clamp(max=len(page_SS3))
        (left, top), (right, bottom) = low_2.tolist(), high_2.tolist()
        if right <= left or bottom <= top:
            return
        x, y = (
            start + (torch.arange((end - start) * OVER) + 0.5) / OVER for start, end in ((left, right), (top, bottom))
        )
        places_P2 = torch.cartesian_prod(y, x).flip(1)
        at_P2 = (places_P2 - box_4[:2]) / (box_4[2:] - box_4[:2])
        inside_P = ((at_P2 >= 0) & (at_P2 <= 1)).all(1)
        device = next(self.parameters()).device
        opaque_1P, colour_1P3 = self(values, at_P2[None].to(device), (box_4[2:] - box_4[:2])[None].to(device))
        opaque_P1 = (opaque_1P[0].cpu() * inside_P)[:, None]
        laid = torch.cat([opaque_P1 * colour_1P3[0].cpu(), opaque_P1], 1)
        laid_HW4 = laid.view(bottom - top, OVER, right - left, OVER, 4).mean((1, 3))
        under = page_SS3[top:bottom, left:right]
        under.mul_(1 - laid_HW4[..., 3:]).add_(laid_HW4[..., :3])


@dataclass(frozen=True)
class Lesson:
    """A picture on plain ground, and what is true of it.

    Args:
        pixels: (S, S, 3) uint8.
        boxes_N4: of the things, as shares of the picture; where two lie over each other, the smaller one is seen.
        values: (N,) numbers by aspect.
    """

    pixels: np.ndarray
    boxes_N4: np.ndarray
    values: Mapping[str, np.ndarray]


def learned_look(
    config: LookConfig, values: Mapping[str, Sequence[str]], lessons: Iterable[Lesson], learning: Learning
) -> Look:
    """How things look, learned from pictures of them; grounds may differ from picture to picture.

    Raises:
        InputError: no picture shows a thing before a ground, or the config names an aspect that has no values.
    """
    torch.manual_seed(0)
    look = Look(config, values)
    shown = [(lesson, ground) for lesson in lessons if (ground := _ground(lesson)) is not None]
    things = [(at, number) for at, (lesson, _) in enumerate(shown) for number in range(len(lesson.boxes_N4))]
    if not things:
        raise InputError("how things look is learned from pictures that show some and ground beside them; give such")
    learning.say(f"learning how {len(things)} things of {len(shown)} pictures look")

    def sample(rng: np.random.Generator, batch: int) -> dict[str, Tensor]:
        chosen = [things[number] for number in rng.integers(0, len(things), batch)]
        rows = [_row(*shown[at], number, rng) for at, number in chosen]
        return {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in rows[0]}

    learning.train(look, sample, missed, **HOW)
    return look


def missed(look: Any, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Mean squared error of pixels, of 1 a channel, where a thing is seen."""
    opaque_NP, colour_NP3 = look(batch, batch["at"], batch["wide"])
    drawn_NP3 = batch["ground"][:, None] + opaque_NP[..., None] * (colour_NP3 - batch["ground"][:, None])
    off_NP = (drawn_NP3 - batch["pixels"]).square().mean(2)
    return {"pixels": (off_NP * batch["clear"]).sum() / batch["clear"].sum().clamp(min=1)}


def _ground(lesson: Lesson) -> np.ndarray | None:
    """(3,) what is seen of the ground of a picture, 0 to 1; None where things fill it."""
    side = len(lesson.pixels)
    free_SS = np.ones((side, side), bool)
    starts_N2, ends_N2 = np.floor(lesson.boxes_N4[:, :2] * side), np.ceil(lesson.boxes_N4[:, 2:] * side)
    for (left, top), (right, bottom) in zip(starts_N2.astype(int), ends_N2.astype(int), strict=True):
        free_SS[top:bottom, left:right] = False
    return np.median(lesson.pixels[free_SS], 0).astype(np.float32) / 255 if free_SS.any() else None


def _row(lesson: Lesson, ground_3: np.ndarray, number: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A thing at points of its box, each anywhere in its own part of it."""
    box_4, side = lesson.boxes_N4[number], len(lesson.pixels)
    wide_2 = box_4[2:] - box_4[:2]
    at_P2 = (np.indices((POINTS, POINTS)).T.reshape(-1, 2) + rng.random((POINTS**2, 2))) / POINTS
    places_P2 = box_4[:2] + at_P2 * wide_2
    smaller_M4 = lesson.boxes_N4[np.prod(lesson.boxes_N4[:, 2:] - lesson.boxes_N4[:, :2], 1) < wide_2.prod()]
    under_PM = ((places_P2[:, None] >= smaller_M4[:, :2]) & (places_P2[:, None] <= smaller_M4[:, 2:])).all(2)
    column_P, row_P = (places_P2 * side).astype(int).clip(0, side - 1).T
    numbers = {name: np.array(own[number], np.int64) for name, own in lesson.values.items()}
    return numbers | {
        "at": at_P2.astype(np.float32),
        "wide": wide_2.astype(np.float32),
        "pixels": lesson.pixels[row_P, column_P].astype(np.float32) / 255,
        "clear": ~under_PM.any(1),
        "ground": ground_3,
    }
