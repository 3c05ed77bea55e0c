"""Changes that leave what a picture shows as it is: for codecs and models that meet unknown drawing styles.

Never mirrored (left and right have names) and colours move little (they have names too).
Shapes: B pictures, 3 colours, S side; floats in -1..1, 1 is white paper.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def augment(x_B3SS: Tensor, rng: np.random.Generator) -> Tensor:
    """Moved, scaled, slightly turned, with other colours, outlines and sharpness."""
    x_B3SS = recolour(x_B3SS, rng)
    x_B3SS = some(outlined(x_B3SS, rng, 3), x_B3SS, 0.25, rng)
    x_B3SS = some(outlined(x_B3SS, rng, 5), x_B3SS, 0.1, rng)
    x_B3SS = moved(x_B3SS, rng)
    return some(blurred(x_B3SS), x_B3SS, 0.25, rng).clamp(-1, 1)


def varied(x_B3SS: Tensor, rng: np.random.Generator) -> Tensor:
    """For codecs that need only be true to pixels: half mirrored, half shifted by whole pixels, half recoloured."""
    x_B3SS = some(x_B3SS.flip(3), x_B3SS, 0.5, rng)
    across, down = rng.integers(-4, 5, 2).tolist()
    x_B3SS = some(torch.roll(x_B3SS, (down, across), (2, 3)), x_B3SS, 0.5, rng)
    return some(recolour(x_B3SS, rng).clamp(-1, 1), x_B3SS, 0.5, rng)


def uniform(rng: np.random.Generator, low: float, high: float, count: int) -> Tensor:
    """(count, 1, 1, 1) random floats."""
    return torch.from_numpy(rng.uniform(low, high, (count, 1, 1, 1)).astype(np.float32))


def some(changed: Tensor, kept: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """``changed`` for a random share of the pictures, else ``kept``."""
    return torch.where(uniform(rng, 0, 1, len(kept)) < share, changed, kept)


def moved(x_B3SS: Tensor, rng: np.random.Generator) -> Tensor:
    """Shifted by up to a tenth, 0.75 to 1.15 as large, stretched a little, turned by up to 10 degrees; white beyond."""
    count = len(x_B3SS)
    angle = uniform(rng, -1, 1, count).view(-1) * math.radians(10)
    scale = uniform(rng, -0.29, 0.14, count).view(-1).exp()
    stretch = uniform(rng, -0.1, 0.1, count).view(-1).exp()
    shift = torch.from_numpy(rng.uniform(-0.2, 0.2, (count, 2)).astype(np.float32))
    cos, sin = angle.cos() / scale, angle.sin() / scale
    rows = [torch.stack([cos * stretch, -sin * stretch, shift[:, 0]], 1)]
    rows += [torch.stack([sin / stretch, cos / stretch, shift[:, 1]], 1)]
    where = F.affine_grid(torch.stack(rows, 1), list(x_B3SS.shape), align_corners=False)
    return F.grid_sample(x_B3SS - 1, where, align_corners=False) + 1


def recolour(x_B3SS: Tensor, rng: np.random.Generator) -> Tensor:
    """Ink (what differs from white) lighter or darker, greyer or more vivid, and slightly tinted."""
    count = len(x_B3SS)
    grey = x_B3SS.mean(1, keepdim=True)
    x_B3SS = grey + (x_B3SS - grey) * uniform(rng, 0.6, 1.4, count)
    tint = torch.from_numpy(rng.uniform(0.85, 1.15, (count, 3, 1, 1)).astype(np.float32))
    return 1 + (x_B3SS - 1) * tint * uniform(rng, 0.8, 1.15, count)


def outlined(x_B3SS: Tensor, rng: np.random.Generator, width_px: int) -> Tensor:
    """With dark lines along the edges, as some families draw; the width is odd."""
    grey = x_B3SS.mean(1, keepdim=True)
    edge = F.max_pool2d(grey, width_px, 1, width_px // 2) + F.max_pool2d(-grey, width_px, 1, width_px // 2)
    strength = ((edge - 0.15) * 2).clamp(0, 1) * uniform(rng, 0.4, 1, len(x_B3SS))
    return x_B3SS * (1 - strength) - strength


def blurred(x_B3SS: Tensor) -> Tensor:
    """Averaged over 3 x 3 pixels."""
    return F.avg_pool2d(F.pad(x_B3SS, (1, 1, 1, 1), mode="replicate"), 3, 1)


def roughened(images_B3HW: Tensor, rng: np.random.Generator) -> Tensor:
    """For judges: moved, scaled, turned a little, softened as a codec softens, and tinted; floats in 0..1."""
    torch.manual_seed(int(rng.integers(2**31)))
    count = len(images_B3HW)
    angle, scale = (torch.rand(count) - 0.5) * 0.4, 0.85 + torch.rand(count) * 0.4
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    shift = (torch.rand(count, 2) - 0.5) * 0.25
    theta = torch.stack([torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)], 1)
    grid = F.affine_grid(theta, list(images_B3HW.shape), align_corners=False)
    ink = F.grid_sample(1 - images_B3HW, grid, align_corners=False)  # outside there is no ink
    tint = 1 + (torch.rand(count, 3, 1, 1) - 0.5) * 0.3
    ink = (ink * tint).clamp(0, 1)
    soft = F.interpolate(F.avg_pool2d(ink, 2), scale_factor=2, mode="bilinear", align_corners=False)
    ink = torch.where(torch.rand(count, 1, 1, 1) < 0.4, soft, ink)
    noise = torch.randn_like(ink) * 0.04 * torch.rand(count, 1, 1, 1)
    return (1 - ink + noise).clamp(0, 1)
