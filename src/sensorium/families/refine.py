"""Better codes than an encoder's first guess, looked for with the decoder when a medium is encoded.

An encoder is trained for all media at once; for a single one there are codes near its guess from which the decoder
restores more. They are found by stochastic Gumbel annealing (Yang, Bamler and Mandt, arXiv 2006.04240): each level is
mixed from the two nearest by chance, ever more decidedly, while the values follow the gradient of the decoder's error.
Legend: B media, C channels of a code, G axes of the code grid; media and what the decoder gives are (B, ...).
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
    z_BCG: Tensor,
    steps: int,
    lr: float = 0.06,
    seed: int = 0,
    most: float = 1.0,
) -> Tensor:
    """Values before quantisation whose codes restore each medium at least as well as those of ``z_BCG``.

    Args:
        quantiser: finite scalar.
        decoder: of quantised values.
        x_B: media as the network takes them.
        z_BCG: the encoder's guess.
        steps: gradient steps; 16 bring two thirds of the gain of 60.
        lr: of Adam in the first step, in units of ``z``; falls to a fifth of it in a straight line.
        seed: of chance. Of a batch, too: results for a medium depend on its place in it.
        most: largest value that is restored, infinite where media have no bounds.
    """

    def restore(values_BCG: Tensor) -> Tensor:
        return decoder(values_BCG).clamp(-most, most)

    with torch.inference_mode(False), torch.enable_grad():
        x_B, guess_BCG = x_B.clone(), z_BCG.clone()
        z_BCG = guess_BCG.clone().requires_grad_(True)
        adam = torch.optim.Adam([z_BCG], betas=(0.8, 0.95))
        chance = torch.Generator(z_BCG.device).manual_seed(seed)
        first_B = restored_error(restore, quantiser(guess_BCG), x_B).detach()
        for step in range(steps):
            temperature = HOT * (COLD / HOT) ** (step / steps)
            error_B = restored_error(restore, mixed_levels(quantiser, z_BCG, temperature, chance), x_B)
            (z_BCG.grad,) = torch.autograd.grad((error_B / first_B.clamp(min=1e-9)).sum(), z_BCG)
            adam.param_groups[0]["lr"] = lr * (1 - 0.8 * step / steps)
            adam.step()
        with torch.no_grad():
            better_B = restored_error(restore, quantiser(z_BCG), x_B) < first_B
            return torch.where(better_B.view(-1, *[1] * (z_BCG.ndim - 1)), z_BCG, guess_BCG)


def restored_error(decoder: Callable[[Tensor], Tensor], values_BCG: Tensor, x_B: Tensor) -> Tensor:
    """(B,) mean squared error of what these values restore."""
    return (decoder(values_BCG) - x_B).square().flatten(1).mean(1)


def mixed_levels(quantiser: Quantiser, z_BCG: Tensor, temperature: float, chance: torch.Generator) -> Tensor:
    """Values as `Quantiser.values`, each mixed from its two nearest levels, the nearer one likelier to weigh more."""
    sizes = quantiser.sizes
    place = (quantiser.bound(z_BCG) * sizes - 0.5).clamp(min=0)
    place = torch.minimum(place, sizes - 1 - 1e-4)
    below = place.detach().floor().minimum(sizes - 2).clamp(min=0)
    beyond = (place - below).clamp(1e-3, 1 - 1e-3)
    nearness = -torch.stack([beyond.atanh(), (1 - beyond).atanh()]) / temperature
    uniform = torch.rand(nearness.shape, generator=chance, device=z_BCG.device).clamp(1e-9, 1 - 1e-7)
    weights = ((nearness - (-uniform.log()).log()) / temperature).softmax(0)
    return quantiser.values(below * weights[0] + (below + 1) * weights[1])
