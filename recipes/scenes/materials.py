"""Materials: how the second tone of a colour lies on a thing. The texture is seen, the colour keeps its name."""

from __future__ import annotations

import numpy as np

MATERIALS = ("plain", "striped", "dotted", "checked", "rough", "shiny")
LEAST_PERIOD_PX = 4


def second_tone(material: str, side_px: int, shape: tuple[int, int], over: int) -> np.ndarray:
    """(H, W) float32, 0 to 1: how much of the second tone each point has.

    Args:
        material: one of `MATERIALS`, or "" for no matter which.
        side_px: of the thing, in px of the picture; a pattern has about five periods along it.
        shape: (H, W) of the area, ``over`` points a px.
    """
    height, width = shape
    y, x = np.mgrid[:height, :width].astype(np.float32) / over
    period = max(LEAST_PERIOD_PX, round(side_px / 5))
    if material == "striped":
        return ((x + y) % (1.4 * period) < 0.6 * period).astype(np.float32)
    if material == "checked":
        return ((x // (period * 0.7)).astype(int) + (y // (period * 0.7)).astype(int)) % 2 * np.float32(1)
    if material == "dotted":
        row = y // period
        across = (x + row % 2 * period / 2) % period - period / 2
        return (across**2 + (y % period - period / 2) ** 2 < (0.3 * period) ** 2).astype(np.float32)
    if material == "rough":
        grain = max(1, side_px // 24)
        rng = np.random.default_rng(side_px)
        coarse = rng.random((height // (over * grain) + 1, width // (over * grain) + 1)) < 0.42
        return np.kron(coarse, np.ones((over * grain, over * grain)))[:height, :width].astype(np.float32)
    if material == "shiny":
        far = np.hypot(x - 0.3 * width / over, y - 0.3 * height / over) / (0.75 * side_px)
        return np.clip(1.15 * far, 0, 1).astype(np.float32) ** 1.5
    return np.zeros(shape, np.float32)
