"""The workloads of rules without time in PyTorch, as a user of PyTorch would write them.

SoftHebb learns without autograd: the weight gradient of a convolution is its Hebbian product. CLAPP++ has
autograd inside a layer and `detach` between layers; AdamW is the fused one, gradients are dropped instead of
zeroed, and a low rank is two linear maps. Nothing is recorded between layers.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SOFT_HEBB = [
    (96, 5, 1.0, 0.08, 0.7, nn.MaxPool2d(4, 2, 1)),
    (384, 3, 0.65, 0.005, 1.4, nn.MaxPool2d(4, 2, 1)),
    (1536, 3, 0.25, 0.01, 1.0, nn.AvgPool2d(2)),
]
"""Channels at full width, kernel, t, rate, power and pool of each layer, as published for CIFAR-10."""

RADIUS = 25
"""Length of a neuron's weights at the start; it ends at 1."""

CLAPP_PP = [(128, 8), (256, 4), (256, 4), (512, 4), (1024, 2), (1024, 2)]
"""Channels at full width, and the cells a side that a layer shows."""

POOLED = (1, 3, 4, 5)
"""Layers of CLAPP++, from 0, whose convolution a 2×2 max-pool follows."""

RATE = 2e-4

Step = Callable[[Tensor], object]


def scaled(full: int, options: argparse.Namespace) -> int:
    """Channels at this width."""
    return max(1, int(full * options.width))


def count(parameters: Iterable[Tensor]) -> int:
    """How many weights there are."""
    return sum(parameter.numel() for parameter in parameters)


class Competition(nn.Module):
    """A convolution whose channels compete: winners move towards their input, losers away from it."""

    def __init__(self, inputs: int, channels: int, plan: tuple) -> None:
        super().__init__()
        _, self.kernel, self.sharpness, self.eta, self.power, self.pool = plan
        self.norm = nn.BatchNorm2d(inputs, affine=False)
        self.conv = nn.Conv2d(inputs, channels, self.kernel, bias=False)
        nn.init.normal_(self.conv.weight, std=RADIUS / math.sqrt(inputs * self.kernel**2))

    def learn(self, x: Tensor) -> tuple[Tensor, float]:
        """`[b, c, y, x]` to the activity of the layer above and the mean of Σ y u; changes the weights."""
        x = F.pad(self.norm(x), (self.kernel // 2,) * 4, mode="reflect")
        u = self.conv(x)
        y = F.softmax(self.sharpness * u, 1)
        winner = u.argmax(1, keepdim=True)
        y = y.neg().scatter_(1, winner, y.gather(1, winner))
        weight = self.conv.weight
        decay = (y * u).sum((0, 2, 3))
        delta = torch.nn.grad.conv2d_weight(x, weight.shape, y) - decay.view(-1, 1, 1, 1) * weight
        distance = (weight.flatten(1).norm(dim=1) - 1).abs()
        rate = self.eta * (distance + 1e-10).sqrt() / (delta.abs().max() + 1e-30)
        weight.addcmul_(rate.view(-1, 1, 1, 1), delta)
        h = F.relu(u - u.mean(1, keepdim=True))
        h = h if self.power == 1 else h**self.power
        return self.pool(h), decay.sum().item() / winner.numel()


def soft_hebb(options: argparse.Namespace) -> tuple[Step, int]:
    """A step of SoftHebb, all layers at once, and how many weights it has."""
    layers, inputs = [], options.colours
    for plan in SOFT_HEBB:
        channels = scaled(plan[0], options)
        layers.append(Competition(inputs, channels, plan).to(memory_format=options.layout))
        inputs = channels

    @torch.no_grad()
    def run(x: Tensor) -> list[float]:
        competitions = []
        for layer in layers:
            x, competition = layer.learn(x)
            competitions.append(competition)
        return competitions

    return run, count(layer.conv.weight for layer in layers)


class Predictive(nn.Module):
    """A convolution whose cells of one view predict those of the other."""

    def __init__(self, inputs: int, channels: int, cells: int, pool: bool, rank: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, channels, 3, padding=1)
        self.cells, self.pool = cells, pool
        shown = channels * cells**2
        sizes = [shown, rank, shown] if rank else [shown, shown]
        maps = (nn.Linear(c, z, bias=False) for c, z in itertools.pairwise(sizes))
        self.predictor = nn.Sequential(*maps)

    def forward(self, x: Tensor) -> Tensor:
        """`[n, c, y, x]` to the activity of the layer above."""
        y = F.relu(self.conv(x))
        return F.max_pool2d(y, 2) if self.pool else y

    def loss(self, y: Tensor) -> Tensor:
        """The hinge for views `[first; second]`: the negative is the other view of the next sample."""
        shown = F.adaptive_avg_pool2d(y, self.cells).flatten(1)  # [n, c · cells]
        prediction = self.predictor(shown.detach())
        positive = shown.roll(len(shown) // 2, 0)
        negative = positive.roll(-1, 0)
        fixation = F.relu(1 - (positive * prediction).sum(1)).mean()
        return fixation + F.relu(1 + (negative * prediction).sum(1)).mean()


def views(options: argparse.Namespace) -> tuple[Step, int]:
    """A step of CLAPP++ in which every layer predicts itself, and how many weights it has."""
    layers, inputs = [], options.colours
    for number, (full, cells) in enumerate(CLAPP_PP):
        channels = scaled(full, options)
        layer = Predictive(inputs, channels, cells, number in POOLED, options.rank)
        layers.append(layer.to(memory_format=options.layout))
        inputs = channels
    optimizers = [
        torch.optim.AdamW(layer.parameters(), lr=RATE, weight_decay=0, fused=True)
        for layer in layers
    ]

    def run(x: Tensor) -> list[float]:
        losses = []
        for layer, optimizer in zip(layers, optimizers, strict=True):
            y = layer(x)
            loss = layer.loss(y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.item())
            x = y.detach()
        return losses

    return run, sum(count(layer.parameters()) for layer in layers)


def images(options: argparse.Namespace, of_each: int) -> Tensor:
    """Independent pixels of so many views of each image, in the layout asked for."""
    shape = of_each * options.batch, options.colours, options.crop, options.crop
    return torch.randn(shape).contiguous(memory_format=options.layout)
