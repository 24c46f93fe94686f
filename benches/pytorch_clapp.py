#!/usr/bin/env python3
"""The workloads of `clapp-bench` in PyTorch, as a user of PyTorch would write them.

Measures one workload and prints one line of JSON with the same keys. What is done for speed: nothing
is recorded between layers, Adam is the fused one, gradients are dropped instead of zeroed, scores of
negatives come out of one product, inference runs in inference mode, and the convolutions alone compute
no gradient of their input.

    pip install torch
    python3 benches/pytorch_clapp.py step --batch 8 [--channels-last] [--width 0.25]
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

try:
    import torch
except ImportError:
    sys.exit("error: torch: expected the package, got none; pip install torch")
import pytorch_rules
import pytorch_sound
import torch.nn.functional as F
from torch import Tensor, nn

import pytorch_film

PLAN = [(128, False), (256, True), (256, False), (512, True), (1024, True), (1024, True)]
"""Channels of each layer at full width, and whether a 2×2 max-pool follows."""

PATCH, STRIDE = 16, 8
PREDICTION_STEPS, SKIP, NEGATIVES = 5, 1, 16
RATE = 2e-4

SIZES = {"batch": 8, "crop": 64, "colours": 1}
SIZES_OF = {
    "soft-hebb-step": {"batch": 10, "crop": 32, "colours": 3},
    "views-step": {"batch": 64, "crop": 32, "colours": 3},
}
"""Defaults, and those that are a workload's own."""

WORKLOADS = ["step", "inference", "convolutions", "sound-step", "gru-step", "film-step", *SIZES_OF]


class Layer(nn.Module):
    """A convolution that predicts its own activity, with an optimizer of its own."""

    def __init__(self, inputs: int, channels: int, pool: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, channels, 3, padding=1)
        self.pool = pool
        linear = (nn.Linear(channels, channels, bias=False) for _ in range(PREDICTION_STEPS))
        self.predictors = nn.ModuleList(linear)

    def forward(self, x: Tensor) -> Tensor:
        """`[n, c, y, x]` to the activity of the layer above."""
        y = F.relu(self.conv(x))
        return F.max_pool2d(y, 2) if self.pool else y


def network(options: argparse.Namespace) -> list[Layer]:
    """VGG-6 in the layout asked for."""
    layers, inputs = [], options.colours
    for at_full_width, pool in PLAN:
        channels = max(1, int(at_full_width * options.width))
        layers.append(Layer(inputs, channels, pool).to(memory_format=options.layout))
        inputs = channels
    return layers


def cut(images: Tensor, layout: torch.memory_format) -> tuple[Tensor, int, int]:
    """Overlapping patches `[b·rows·columns, c, 16, 16]`, and the rows and columns."""
    grid = images.unfold(2, PATCH, STRIDE).unfold(3, PATCH, STRIDE)  # [b, c, rows, columns, 16, 16]
    colours, rows, columns = grid.shape[1:4]
    patches = grid.permute(0, 2, 3, 1, 4, 5).reshape(-1, colours, PATCH, PATCH)
    return patches.contiguous(memory_format=layout), rows, columns


def clapp_s(z: Tensor, predictors: nn.ModuleList) -> Tensor:
    """Loss of CLAPP-s: rows of patches are time, a context predicts what stands below it.

    Scores of all pairs come out of one product and the drawn ones are picked: faster than gathering
    16 targets for every context.
    """
    loss = z.new_zeros(())
    for k, predictor in enumerate(predictors, start=1):
        shift = k + SKIP
        context = z[:, :-shift].flatten(0, 2)  # [b·time·site, c]
        target = z[:, shift:].flatten(0, 2)
        scores = predictor(context) @ target.t()  # [rows, rows]
        index = torch.randint(len(target), (len(context), NEGATIVES))
        fixation = F.relu(1 - scores.diagonal()).mean()
        saccade = F.relu(1 + scores.gather(1, index)).mean()
        loss = loss + fixation + saccade
    return loss / PREDICTION_STEPS


def step(options: argparse.Namespace) -> Callable[[Tensor], object]:
    """A training step."""
    layers = network(options)
    optimizers = [torch.optim.Adam(layer.parameters(), lr=RATE, fused=True) for layer in layers]

    def run(images: Tensor) -> list[float]:
        x, rows, columns = cut(images, options.layout)
        losses = []
        for layer, optimizer in zip(layers, optimizers, strict=True):
            y = layer(x)
            z = y.mean((2, 3)).unflatten(0, (-1, rows, columns))  # [b, rows, columns, c]
            loss = clapp_s(z, layer.predictors)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.item())
            x = y.detach()
        return losses

    return run


def inference(options: argparse.Namespace) -> Callable[[Tensor], object]:
    """Features of all layers."""
    layers = network(options)

    @torch.inference_mode()
    def run(images: Tensor) -> list[Tensor]:
        x, rows, columns = cut(images, options.layout)
        features = []
        for layer in layers:
            x = layer(x)
            features.append(x.mean((2, 3)).unflatten(0, (-1, rows * columns)).mean(1))
        return features

    return run


def convolutions(
    options: argparse.Namespace, times: dict[int, list[tuple[float, float]]]
) -> Callable[[Tensor], object]:
    """Layers 2 to 6, each on the activity below: convolution, and its weight and bias gradient."""
    cases = []
    with torch.no_grad():
        x, _, _ = cut(torch.randn(shape(options)), options.layout)
        for number, layer in enumerate(network(options), start=1):
            if number > 1:
                cases.append((number, layer.conv, x))
            x = layer(x)

    @torch.no_grad()
    def run(_: Tensor) -> None:
        for number, conv, x in cases:
            start = time.perf_counter()
            y = conv(x)
            middle = time.perf_counter()
            # The output stands for its own gradient: the values don't matter, the layout does.
            torch.ops.aten.convolution_backward(
                y,
                x,
                conv.weight,
                [conv.out_channels],
                [1, 1],
                [1, 1],
                [1, 1],
                False,
                [0, 0],
                1,
                [False, True, True],
            )
            times.setdefault(number, []).append((middle - start, time.perf_counter() - middle))

    return run


def shape(options: argparse.Namespace) -> tuple[int, int, int, int]:
    """Of a batch of images."""
    return options.batch, options.colours, options.crop, options.crop


def peak_memory() -> int | None:
    """Largest resident memory of this process so far, in bytes."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)


def arguments() -> argparse.Namespace:
    """The command line; names and defaults are those of `clapp-bench`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--width", type=float, default=1.0, help="factor of VGG-6's channels")
    parser.add_argument("--batch", type=int, help="images, or pairs of views, of a step")
    parser.add_argument("--crop", type=int, help="side of an image in pixels")
    parser.add_argument("--colours", type=int, help="colour planes of an image")
    parser.add_argument("--rank", type=int, default=0, help="of CLAPP++'s B; 0 is a full matrix")
    parser.add_argument("--samples", type=int, default=20_480, help="samples of a crop of sound")
    parser.add_argument("--frames", type=int, default=54, help="frames of a clip")
    parser.add_argument("--threads", type=int, default=0, help="threads (default: PyTorch's)")
    parser.add_argument("--steps", type=int, default=5, help="steps that count")
    parser.add_argument("--warmup", type=int, default=2, help="steps before them")
    parser.add_argument("--seed", type=int, default=2, help="of all random draws")
    parser.add_argument("--channels-last", action="store_true", help="NHWC in the place of NCHW")
    options = parser.parse_args()
    for name, size in SIZES_OF.get(options.workload, SIZES).items():
        if getattr(options, name) is None:
            setattr(options, name, size)
    if min(options.batch, options.steps, options.colours) < 1 or options.width <= 0:
        parser.error("expected batch, steps, colours and width above 0")
    options.layout = torch.channels_last if options.channels_last else torch.contiguous_format
    return options


def main() -> None:
    """Measures and prints."""
    imported = peak_memory()
    options = arguments()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    layers: dict[int, list[tuple[float, float]]] = {}
    halves: pytorch_sound.Halves | None = None
    weights: int | None = None
    fresh: Callable[[], Tensor] = functools.partial(torch.randn, shape(options))
    match options.workload:
        case "step":
            run = step(options)
        case "inference":
            run = inference(options)
        case "sound-step":
            run, fresh = pytorch_sound.step(options), lambda: pytorch_sound.waves(options)
        case "gru-step":
            run, halves = pytorch_sound.recurrent(options)
            fresh = lambda: pytorch_sound.frames(options)  # noqa: E731
        case "film-step":
            run, fresh = pytorch_film.step(options), lambda: pytorch_film.clips(options)
        case "soft-hebb-step":
            run, weights = pytorch_rules.soft_hebb(options)
            fresh = functools.partial(pytorch_rules.images, options, of_each=1)
        case "views-step":
            run, weights = pytorch_rules.views(options)
            fresh = functools.partial(pytorch_rules.images, options, of_each=2)
        case _:
            run = convolutions(options, layers)
    seconds, cpu_seconds = [], []
    for _ in range(options.warmup + options.steps):
        batch = fresh()
        start, cpu_start = time.perf_counter(), time.process_time()
        run(batch)
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
        if halves is not None:
            layers.setdefault(pytorch_sound.RECURRENT_LAYER, []).append(halves(batch))
    seconds, cpu_seconds = seconds[options.warmup :], cpu_seconds[options.warmup :]
    report = {
        "program": "pytorch",
        "version": torch.__version__,
        "workload": options.workload,
        "layout": "channels-last" if options.channels_last else "NCHW",
        "width": options.width,
        "batch": options.batch,
        "crop": options.crop,
        "colours": options.colours,
        "rank": options.rank,
        "weights": weights,
        "threads": torch.get_num_threads(),
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "seed": options.seed,
        "warmup": options.warmup,
        "steps": options.steps,
        "seconds_per_step": statistics.median(seconds),
        "seconds_fastest": min(seconds),
        "seconds_slowest": max(seconds),
        "cpu_seconds_per_step": statistics.median(cpu_seconds),
        "images_per_second": options.batch / statistics.median(seconds),
        "layers": [
            {
                "layer": number,
                "forward_seconds": median(times, 0),
                "update_seconds": median(times, 1),
            }
            for number, times in ((n, t[options.warmup :]) for n, t in layers.items())
        ],
        "imported_memory_bytes": imported,
        "peak_memory_bytes": peak_memory()
        or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(report))


def median(times: list[tuple[float, float]], half: int) -> float:
    """Of one of the two halves."""
    return statistics.median(pair[half] for pair in times)


if __name__ == "__main__":
    main()
