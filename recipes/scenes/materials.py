"""Materials: how the second tone of a colour lies on a thing. The texture is seen, the colour keeps its name."""

from __future__ import annotations

import numpy as np

MATERIALS = ("plain", "striped", "dotted", "checked", "rough", "shiny")
LEAST_PERIOD_PX = 4


def second_tone(material: str, side_px: int, shape: tuple[int, int], over: int) -> np.ndarray:
    """(H, W) uint8, 0 to 255: how much of the second tone each point has.

    Args:
        material: one of `MATERIALS`.
        side_px: of the thing, in px of the picture; a pattern has about five periods along it.
        shape: (H, W) of the area, ``over`` points a px.
    """
    height, width = shape
    y, x = np.arange(height, dtype=np.float32)[:, None] / over, np.arange(width, dtype=np.float32)[None] / over
    period = max(LEAST_PERIOD_PX, round(side_px / 5))
    if material == "striped":
        found = (x + y) % (1.4 * period) < 0.6 * period
    elif material == "checked":
        found = (x // (period * 0.7) + y // (period * 0.7)) % 2 > 0
    elif material == "dotted":
        across, along = (x + y // period % 2 * period / 2) % period - period / 2, y % period - period / 2
        found = across**2 + along**2 < (0.3 * period) ** 2
    elif material == "rough":
        grain = over * max(1, side_px // 24)
        coarse = np.random.default_rng(side_px).random((height // grain + 1, width // grain + 1)) < 0.42
        found = coarse.repeat(grain, 0).repeat(grain, 1)[:height, :width]
    elif material == "shiny":
        far = np.sqrt((x - 0.3 * width / over) ** 2 + (y - 0.3 * height / over) ** 2) / (0.75 * side_px)
        return (255 * np.minimum(1.15 * far, 1) ** 1.5).astype(np.uint8)
    else:
        found = np.zeros(shape, bool)
    return found.astype(np.uint8) * np.uint8(255)
