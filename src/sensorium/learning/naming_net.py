"""A small residual network that names square pictures: for judges, trained apart from what they judge.

Legend: B batch, x_B3HW floats in 0..1 (1 is white paper).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

WIDTH = 40


class Shortcut(nn.Module):
    """Two 3x3 convolutions with a shortcut (He et al. 2016), the first with a stride."""

    def __init__(self, inside: int, outside: int, stride: int):
        super().__init__()
        self.one = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.norm_one = nn.BatchNorm2d(outside)
        self.two = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.norm_two = nn.BatchNorm2d(outside)
        self.short = nn.Conv2d(inside, outside, 1, bias=False)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm_two(self.two(F.relu(self.norm_one(self.one(x)))))
        short = F.avg_pool2d(x, self.stride) if self.stride > 1 else x
        return F.relu(y + self.short(short))


class NamingNet(nn.Module):
    """64 x 64 px to the logits of ``labels`` names."""

    def __init__(self, labels: int, width: int = WIDTH):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 5, 2, 2, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.body = nn.Sequential(
            Shortcut(width, 2 * width, 1), Shortcut(2 * width, 4 * width, 2), Shortcut(4 * width, 6 * width, 2)
        )
        # The 4 x 4 map keeps where things are: arrows and clocks differ by nothing else.
        self.head = nn.Sequential(
            nn.Conv2d(6 * width, 2 * width, 1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(2 * width * 16, labels)
        )
        for module in (self.stem, self.head):
            module.adam = True  # type: ignore[assignment]

    def forward(self, x_B3HW: Tensor) -> Tensor:
        return self.head(self.body(self.stem(2 * x_B3HW - 1)))
