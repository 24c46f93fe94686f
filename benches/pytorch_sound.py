"""The workloads on sound in PyTorch, as a user of PyTorch would write them.

Nothing is recorded between layers; Adam is the fused one; gradients are dropped instead of zeroed; all
prediction steps go through one product, all scores of negatives through another; the recurrent layer is
`nn.GRU`, with back-propagation through time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GEOMETRY = [(10, 5, 2), (8, 4, 2), (4, 2, 2), (4, 2, 2), (4, 2, 1)]
"""Kernel, stride and padding of each layer."""

CHANNELS, UNITS = 512, 256
WINDOW, PREDICTION_STEPS, NEGATIVES = 128, 12, 10
RATE = 2e-4
RECURRENT_LAYER = 6

Halves = Callable[[Tensor], tuple[float, float]]


def scaled(full: int, options: argparse.Namespace) -> int:
    """Channels at this width."""
    return max(1, int(full * options.width))


def clapp_s(z: Tensor, c: Tensor, predictor: nn.Linear) -> Tensor:
    """Loss of CLAPP-s for targets `[b, time, z]` and contexts `[b, time, c]`.

    Contexts and true targets come from a window that is the same for all samples (the last start is left
    out); negatives are permutations of all frames, shared by the prediction steps, so that all steps of
    a context meet its ten in one batched product. That is faster than a product for every step.
    """
    samples, frames, channels = z.shape
    start = int(torch.randint(frames - WINDOW, ())) if frames > WINDOW else 0
    contexts, targets = (grid[:, start : start + WINDOW] for grid in (c, z))
    rows = samples * WINDOW
    order = torch.stack([torch.randperm(samples * frames)[:rows] for _ in range(NEGATIVES)], 1)
    negatives = z.flatten(0, 1).index_select(0, order.flatten())
    negatives = negatives.unflatten(0, (rows, NEGATIVES))  # [rows, n, z]
    prediction = predictor(contexts).flatten(0, 1).unflatten(1, (PREDICTION_STEPS, channels))
    scores = torch.bmm(prediction, negatives.transpose(1, 2))  # [rows, K, n]
    scores = scores.unflatten(0, (samples, WINDOW)).unbind(2)
    prediction = prediction.unflatten(0, (samples, WINDOW)).unbind(2)
    loss = z.new_zeros(())
    for k in range(1, PREDICTION_STEPS + 1):
        own = (prediction[k - 1][:, :-k] * targets[:, k:]).sum(2)
        loss = loss + F.relu(1 - own).mean() + F.relu(1 + scores[k - 1][:, :-k]).mean()
    return loss / PREDICTION_STEPS


class Layer(nn.Module):
    """A convolution over time that predicts its own activity."""

    def __init__(self, inputs: int, channels: int, geometry: tuple[int, int, int]) -> None:
        super().__init__()
        kernel, stride, padding = geometry
        self.conv = nn.Conv1d(inputs, channels, kernel, stride, padding)
        self.predictor = nn.Linear(channels, PREDICTION_STEPS * channels, bias=False)


class Recurrent(nn.Module):
    """A recurrent layer that predicts the layer below, learning by back-propagation through time."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.gru = nn.GRU(inputs, units, batch_first=True)
        self.predictor = nn.Linear(units, PREDICTION_STEPS * inputs, bias=False)


def adam(module: nn.Module) -> torch.optim.Adam:
    """The fused optimizer."""
    return torch.optim.Adam(module.parameters(), lr=RATE, fused=True)


def learn(loss: Tensor, optimizer: torch.optim.Adam) -> float:
    """Gradient, step, and the loss read."""
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.item()


def step(options: argparse.Namespace) -> Callable[[Tensor], object]:
    """A training step of five convolutions and the recurrent layer."""
    layers, inputs = [], 1
    for geometry in GEOMETRY:
        layers.append(Layer(inputs, scaled(CHANNELS, options), geometry))
        inputs = scaled(CHANNELS, options)
    optimizers = [adam(layer) for layer in layers]
    top = Recurrent(inputs, scaled(UNITS, options))
    top_optimizer = adam(top)

    def run(waves: Tensor) -> list[float]:
        x, losses = waves, []
        for layer, optimizer in zip(layers, optimizers, strict=True):
            y = F.relu(layer.conv(x))
            z = y.transpose(1, 2)  # [b, time, c]
            losses.append(learn(clapp_s(z, z, layer.predictor), optimizer))
            x = y.detach()
        z = x.transpose(1, 2).contiguous()
        losses.append(learn(clapp_s(z, top.gru(z)[0], top.predictor), top_optimizer))
        return losses

    return run


def recurrent(options: argparse.Namespace) -> tuple[Callable[[Tensor], object], Halves]:
    """A step of the recurrent layer, and its forward and backward pass alone."""
    top = Recurrent(scaled(CHANNELS, options), scaled(UNITS, options))
    optimizer = adam(top)

    def run(frames: Tensor) -> float:
        return learn(clapp_s(frames, top.gru(frames)[0], top.predictor), optimizer)

    def halves(frames: Tensor) -> tuple[float, float]:
        start = time.perf_counter()
        states = top.gru(frames)[0]
        middle = time.perf_counter()
        states.backward(torch.ones_like(states))
        end = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        return middle - start, end - middle

    return run, halves


def waves(options: argparse.Namespace) -> Tensor:
    """A batch of noise."""
    return torch.randn(options.batch, 1, options.samples)


def frames(options: argparse.Namespace) -> Tensor:
    """Rectified noise in the place of the last convolution's activity."""
    return torch.randn(options.batch, WINDOW, scaled(CHANNELS, options)).relu()
