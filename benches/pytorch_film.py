"""The film workload of `clapp-bench` in PyTorch, as a user of PyTorch would write it.

VGG-5 on clips, each block with the loss of CLAPP-s over all pairs of the batch. Autograd works inside a
block, `detach` stands between blocks, Adam is the fused one, gradients are dropped instead of zeroed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PLAN = [
    (96, (1, 7, 7), (1, 2, 2), 0, True),
    (256, (1, 5, 5), (1, 2, 2), (0, 1, 1), True),
    (512, (1, 3, 3), 1, (0, 1, 1), False),
    (512, (3, 3, 3), (3, 1, 1), (0, 1, 1), False),
    (512, (3, 3, 3), (3, 1, 1), (0, 1, 1), True),
]
"""Channels at full width, kernel, stride, padding, and whether a 1×3×3 max-pool of stride 2 follows."""

COLOURS, PREDICTION_STEPS, SCALE, RATE = 3, 3, 0.5, 1e-3


class Block(nn.Module):
    """A convolution with batch norm that predicts its own activity."""

    def __init__(self, inputs: int, channels: int, plan: tuple) -> None:
        super().__init__()
        _, kernel, stride, padding, pool = plan
        layers = [
            nn.Conv3d(inputs, channels, kernel, stride=stride, padding=padding),
            nn.ReLU(inplace=True),
            nn.BatchNorm3d(channels),
        ]
        if pool:
            layers.append(nn.MaxPool3d((1, 3, 3), (1, 2, 2)))
        self.layers = nn.Sequential(*layers)
        convolutions = (
            nn.Conv3d(channels, channels, 1, bias=False) for _ in range(PREDICTION_STEPS)
        )
        self.predictors = nn.ModuleList(convolutions)


def rows(z: Tensor) -> Tensor:
    """`[b, c, t, y, x]` to one row of features for every frame."""
    return z.transpose(1, 2).flatten(2).flatten(0, 1)


def clapp_s(z: Tensor, predictors: nn.ModuleList) -> Tensor:
    """Loss of CLAPP-s over all pairs: scores are one product for each prediction step."""
    loss = z.new_zeros(())
    span = z.shape[2] - PREDICTION_STEPS
    context = z[:, :, :span]
    for k, predictor in enumerate(predictors, start=1):
        scores = rows(predictor(context)) @ rows(z[:, :, k : k + span]).t()
        n = len(scores)
        fixation = F.relu(1 - scores.diagonal()).mean()
        gates = F.relu(1 + scores)
        saccade = (gates.sum() - gates.diagonal().sum()) / (n * (n - 1))
        loss = loss + SCALE * (fixation + saccade)
    return loss / PREDICTION_STEPS


def step(options: argparse.Namespace) -> Callable[[Tensor], object]:
    """A training step."""
    layout = torch.channels_last_3d if options.channels_last else torch.contiguous_format
    blocks, inputs = [], COLOURS
    for plan in PLAN:
        channels = max(1, int(plan[0] * options.width))
        blocks.append(Block(inputs, channels, plan).to(memory_format=layout))
        inputs = channels
    optimizers = [torch.optim.Adam(block.parameters(), lr=RATE, fused=True) for block in blocks]

    def run(clips: Tensor) -> list[float]:
        x, losses = clips.contiguous(memory_format=layout), []
        for block, optimizer in zip(blocks, optimizers, strict=True):
            z = block.layers(x)
            loss = clapp_s(z, block.predictors)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.item())
            x = z.detach()
        return losses

    return run


def clips(options: argparse.Namespace) -> Tensor:
    """Independent pixels."""
    return torch.randn(options.batch, COLOURS, options.frames, options.crop, options.crop)
