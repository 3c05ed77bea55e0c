"""Better codes than an encoder's first guess, looked for with the decoder when a medium is encoded.

An encoder is trained for all media at once; for a single one there are codes near its guess from which the decoder
restores more. They are found by stochastic Gumbel annealing (Yang, Bamler and Mandt, arXiv 2006.04240): each level is
mixed from the two nearest by chance, ever more decidedly, while the values follow the gradient of the decoder's error.
Legend: B media, C channels of a code, G side of the code grid; media and what the decoder gives are (B, ...).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sensorium.families.fsq_net import Quantiser

HOT, COLD = 0.8, 0.15
"""First and last temperature."""


def refined(
    quantiser: Quantiser,
    decoder: Callable[[Tensor], Tensor],
    x_B: Tensor,
    z_BCGG: Tensor,
    steps: int,
    lr: float = 0.06,
    seed: int = 0,
) -> Tensor:
    """Values before quantisation whose codes restore each medium at least as well as those of ``z_BCGG``.

    Args:
        quantiser: finite scalar.
        decoder: of quantised values.
        x_B: media in -1..1.
        z_BCGG: the encoder's guess.
        steps: gradient steps; 16 bring two thirds of the gain of 60.
        lr: of Adam in the first step, in units of ``z``; falls to a fifth of it in a straight line.
        seed: of chance. Of a batch, too: results for a medium depend on its place in it.
    """
    with torch.inference_mode(False), torch.enable_grad():
        x_B, guess_BCGG = x_B.clone(), z_BCGG.clone()
        z_BCGG = guess_BCGG.clone().requires_grad_(True)
        adam = torch.optim.Adam([z_BCGG], betas=(0.8, 0.95))
        chance = torch.Generator(z_BCGG.device).manual_seed(seed)
        first_B = restored_error(decoder, quantiser(guess_BCGG), x_B).detach()
        for step in range(steps):
            temperature = HOT * (COLD / HOT) ** (step / steps)
            error_B = restored_error(decoder, mixed_levels(quantiser, z_BCGG, temperature, chance), x_B)
            (z_BCGG.grad,) = torch.autograd.grad((error_B / first_B.clamp(min=1e-9)).sum(), z_BCGG)
            adam.param_groups[0]["lr"] = lr * (1 - 0.8 * step / steps)
            adam.step()
        with torch.no_grad():
            better_B = restored_error(decoder, quantiser(z_BCGG), x_B) < first_B
            return torch.where(better_B.view(-1, 1, 1, 1), z_BCGG, guess_BCGG)


def restored_error(decoder: Callable[[Tensor], Tensor], values_BCGG: Tensor, x_B: Tensor) -> Tensor:
    """(B,) mean squared error of what these values restore."""
    return (decoder(values_BCGG).clamp(-1, 1) - x_B).square().flatten(1).mean(1)


def mixed_levels(quantiser: Quantiser, z_BCGG: Tensor, temperature: float, chance: torch.Generator) -> Tensor:
    """Values as `Quantiser.values`, each mixed from its two nearest levels, the nearer one likelier to weigh more."""
    sizes = quantiser.sizes
    place = (quantiser.bound(z_BCGG) * sizes - 0.5).clamp(min=0)
    place = torch.minimum(place, sizes - 1 - 1e-4)
    below = place.detach().floor().minimum(sizes - 2).clamp(min=0)
    beyond = (place - below).clamp(1e-3, 1 - 1e-3)
    nearness = -torch.stack([beyond.atanh(), (1 - beyond).atanh()]) / temperature
    uniform = torch.rand(nearness.shape, generator=chance, device=z_BCGG.device).clamp(1e-9, 1 - 1e-7)
    weights = ((nearness - (-uniform.log()).log()) / temperature).softmax(0)
    return quantiser.values(below * weights[0] + (below + 1) * weights[1])
