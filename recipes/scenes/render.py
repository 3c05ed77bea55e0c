"""Scenes to pixels: uint8 (H, W, 3), the same for the same scene everywhere."""

from __future__ import annotations

import numpy as np
from PIL import Image
from recipes.scenes.atlas import Atlas
from recipes.scenes.palette import TINTS
from recipes.scenes.scene import Background, Placed, Scene


def picture(scene: Scene, atlas: Atlas | None = None, time_s: float = 0.0) -> np.ndarray:
    """The scene at a time."""
    return _with_things(background(scene.background, scene.side_px), scene, atlas or Atlas(), time_s)


def frames(scene: Scene, atlas: Atlas | None = None) -> np.ndarray:
    """(T, H, W, 3): the scene at all of its times."""
    atlas, ground = atlas or Atlas(), background(scene.background, scene.side_px)
    return np.stack([_with_things(ground, scene, atlas, time_s) for time_s in scene.times_s])


def _with_things(ground: np.ndarray, scene: Scene, atlas: Atlas, time_s: float) -> np.ndarray:
    page = ground.astype(np.uint16)
    for thing in scene.things:
        _put(page, thing, atlas, time_s)
    return page.astype(np.uint8)


def _put(page: np.ndarray, thing: Placed, atlas: Atlas, time_s: float) -> None:
    state = thing.at(time_s, atlas)
    if state is None:
        return
    x0, y0, x1, y1 = state.box
    drawn = atlas.cut_out(*thing.look, state.side_px, state.angle_deg)
    under, alpha = page[y0:y1, x0:x1], drawn[..., 3:].astype(np.uint16)
    under[:] = (drawn[..., :3] * alpha + under * (255 - alpha) + 127) // 255


def background(ground: Background, side_px: int) -> np.ndarray:
    """(side, side, 3) uint8 between the two tones of the tint."""
    light, dark = (np.array(tone, float) for tone in TINTS[ground.tint])
    rng = np.random.default_rng(ground.seed)
    share = _share(ground.kind, side_px, rng)[..., None]
    return np.round(light * (1 - share) + dark * share).astype(np.uint8)


def _share(kind: str, side_px: int, rng: np.random.Generator) -> np.ndarray:
    """How much of the second tone each pixel has, 0 to 1."""
    y, x = np.mgrid[:side_px, :side_px] / side_px
    angle, count = rng.uniform(0, 2 * np.pi), rng.integers(4, 10)
    along = x * np.cos(angle) + y * np.sin(angle)
    if kind == "gradient":
        return (along - along.min()) / np.ptp(along)
    if kind == "stripes":
        return (np.floor(along * 2 * count) % 2).astype(float)
    if kind == "checks":
        return (np.floor(x * count) + np.floor(y * count)) % 2
    if kind == "noise":
        return _noise(side_px, rng)
    return np.zeros((side_px, side_px))


def _noise(side_px: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of three scales, smooth."""
    total = np.zeros((side_px, side_px))
    for cells, weight in ((5, 0.5), (13, 0.3), (37, 0.2)):
        grid = Image.fromarray(rng.random((cells, cells)).astype(np.float32))
        total += weight * np.asarray(grid.resize((side_px, side_px), Image.Resampling.BICUBIC))
    return np.clip(total, 0, 1)
