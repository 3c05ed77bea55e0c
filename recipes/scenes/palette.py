"""Colours: of things, each with a second tone for patterns that still bears its name, and tints of backgrounds."""

from __future__ import annotations

from functools import cache

import numpy as np

RGB = tuple[int, int, int]
COLOURS: dict[str, tuple[RGB, RGB]] = {  # main tone, second tone
    "red": ((224, 36, 36), (172, 0, 30)),
    "orange": ((250, 140, 20), (255, 182, 84)),
    "yellow": ((252, 220, 40), (226, 188, 0)),
    "green": ((48, 164, 64), (20, 116, 44)),
    "blue": ((40, 96, 224), (20, 56, 164)),
    "purple": ((140, 52, 188), (92, 20, 136)),
    "pink": ((255, 132, 184), (255, 178, 212)),
    "brown": ((140, 84, 40), (104, 58, 24)),
    "black": ((20, 20, 20), (66, 66, 66)),
    "white": ((252, 252, 252), (212, 212, 212)),
    "grey": ((138, 138, 138), (108, 108, 108)),
}
TINTS: dict[str, tuple[RGB, RGB]] = {  # muted, two near tones each
    "cream": ((250, 240, 216), (238, 222, 190)),
    "pale blue": ((212, 230, 244), (190, 214, 234)),
    "pale green": ((214, 236, 210), (192, 222, 190)),
    "lavender": ((226, 222, 242), (208, 202, 230)),
    "white": ((255, 255, 255), (240, 240, 240)),
    "sand": ((206, 190, 152), (188, 170, 130)),
    "sage": ((152, 174, 156), (132, 156, 138)),
    "steel blue": ((126, 154, 178), (106, 136, 162)),
    "slate": ((68, 78, 94), (56, 64, 80)),
    "night blue": ((26, 32, 60), (36, 44, 78)),
    "dark green": ((26, 54, 44), (36, 68, 56)),
}
LEAST_DISTANCE = 110.0


def distances(pixels_P3: np.ndarray, other: RGB) -> np.ndarray:
    """(P,) how unlike pixels look to a colour, 0 to 765: Euclidean, with weights that follow the eye ("redmean")."""
    d = pixels_P3.astype(float) - other
    red = (pixels_P3[:, 0].astype(float) + other[0]) / 2
    return np.sqrt((2 + red / 256) * d[:, 0] ** 2 + 4 * d[:, 1] ** 2 + (2 + (255 - red) / 256) * d[:, 2] ** 2)


def distance(one: RGB, other: RGB) -> float:
    """How unlike two colours look, 0 to 765."""
    return float(distances(np.array([one]), other)[0])


def nearest_colour(rgb: RGB) -> str:
    """The name of the colour of things whose main tone is most alike."""
    return min(COLOURS, key=lambda name: distance(COLOURS[name][0], rgb))


@cache
def tints_for(colour: str) -> frozenset[str]:
    """The tints of backgrounds on which things of a colour are seen, in both of its tones."""
    pairs = {tint: [(tone, ground) for tone in COLOURS[colour] for ground in TINTS[tint]] for tint in TINTS}
    return frozenset(t for t, both in pairs.items() if all(distance(*pair) >= LEAST_DISTANCE for pair in both))
