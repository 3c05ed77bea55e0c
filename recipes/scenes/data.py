"""Writing scenes: pictures and frames as PNG, their facts, and conversations about them, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated, get_args

import numpy as np
import typer
from PIL import Image
from recipes.scenes.atlas import Atlas
from recipes.scenes.drawings import STYLES, have_drawings, load_drawings
from recipes.scenes.episodes import MOVING, STILL, Episode, Making, episode
from recipes.scenes.folder import claim, write_text
from recipes.scenes.variants import VariantWriting

from sensorium.data.conversations import write_conversations
from sensorium.data.facts import write_facts
from sensorium.data.table import Side
from sensorium.files import atomic_file, cache_dir
from sensorium.types import Conversation, Part

VERSION = 1  # raise it when the same seed gives other scenes or looks
ABOUT = """# Attribution

Scenes were rendered by the recipe `scenes`: shapes, backgrounds, facts and conversations are free of rights (CC0-1.0).
"""
DRAWN = f"Drawings in them are of {' and '.join(STYLES)}; see `pictograms/ATTRIBUTION.md` of the cache folder.\n"
Count = Annotated[int, typer.Option(min=0)]
Drawings = Annotated[bool | None, typer.Option(help="With drawings of the pictograms; if they are there.")]


@dataclass(frozen=True, kw_only=True)
class Writing:
    """What is written for one side: number i depends on ``seed``, the side and i only."""

    making: Making
    count: int
    moving: float
    seed: int
    folder: Path

    def run(self) -> None:
        """Render what is not there yet; then write the facts and the conversations."""
        made = [self._one(number) for number in range(self.count)]
        write_facts((facts.facts for facts, _ in made), self.folder / "facts.jsonl")
        write_conversations((talk for _, talk in made), self.folder / "conversations.jsonl")

    def _one(self, number: int) -> tuple[Episode, Conversation]:
        random = Random(f"{self.seed}:{self.making.side}:{number}")
        tasks = MOVING if random.random() < self.moving else STILL
        task = random.choices(list(tasks), list(tasks.values()))[0]
        path = f"clips/{number:06}" if task in MOVING else f"pictures/{number:06}.png"
        found = episode(task, random, self.making, name=f"{number:06}", path=path)
        return found, found.conversation([Part("image", one) for one in self._media(found, path)])

    def _media(self, found: Episode, path: str) -> list[Path]:
        files = [self.folder / path]
        if found.scene.duration_s:
            files = [self.folder / path / f"{frame:03}.png" for frame in range(len(found.scene.times_s))]
        if not all(file.exists() for file in files):
            for file, part in zip(files, found.rendered(self.making.atlas), strict=True):
                save_png(part.data, file)
        return files


def save_png(array: np.ndarray, path: Path) -> None:
    with atomic_file(path) as out:
        Image.fromarray(array).save(out, format="PNG")


def make(
    train: Count = 2000,
    val: Count = 200,
    test: Count = 400,
    moving: Annotated[float, typer.Option(min=0, max=1, help="Share of clips.")] = 0.25,
    side_px: Annotated[int, typer.Option(min=64, max=512)] = 128,
    rate_hz: Annotated[float, typer.Option(min=4, max=60, help="Frames a second.")] = 8.0,
    duration_s: Annotated[float, typer.Option(min=1, max=60)] = 2.0,
    drawings: Drawings = None,
    variants: Annotated[int, typer.Option(min=0, help="Scenes, and each changed in one thing; in SIDE/variants.")] = 0,
    seed: int = 0,
    out: Annotated[Path | None, typer.Option(help="Folder; `scenes` of the cache folder where not said.")] = None,
) -> Path:
    """Scenes of every side of the split, in folders of their own; what is there is kept.

    Raises:
        InputError: the folder holds scenes made otherwise, or drawings are wanted and are not there.
    """
    folder = out or cache_dir() / "scenes"
    drawn = have_drawings() if drawings is None else drawings
    said = {"version": VERSION, "seed": seed, "moving": moving, "side_px": side_px, "rate_hz": rate_hz}
    claim(folder, "scenes.json", "scenes", said | {"duration_s": duration_s, "drawings": drawn})
    counts: dict[Side, int] = {"train": train, "val": val, "test": test}
    for side in get_args(Side):
        atlas = Atlas(load_drawings(side) if drawn else None)
        making = Making(side=side, side_px=side_px, duration_s=duration_s, rate_hz=rate_hz, atlas=atlas)
        Writing(making=making, count=counts[side], moving=moving, seed=seed, folder=folder / side).run()
        VariantWriting(
            side=side, side_px=side_px, count=variants, seed=seed, atlas=Atlas(), folder=folder / side / "variants"
        ).run()
    write_text(folder / "ATTRIBUTION.md", ABOUT + (DRAWN if drawn else ""))
    return folder
