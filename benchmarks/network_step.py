"""Time of Halite's training step and scoring, and the share of it that is convolution.

Compared with segmentation-models-pytorch's U-Net on the same encoder, at the same size and batch,
in the library's documented loop (see training_step.py) and eager. Ours is the recipe `flagship` on
that encoder: the complete `diapir.training.session.Session.step`, and the network in evaluation
mode. Weights start at random, which does not affect speed. One process, interleaved.

Two rates describe the machine. One convolution of 128 to 128 channels at 64 × 64 pixels gives the
highest MAC rate it reaches. All convolutions of a network, each timed alone on a map of its size,
give a lower bound of the network's time; their share of it is printed.

    python benchmarks/network_step.py --size 128 --batch 24 --steps 10
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import machine
import numpy as np
import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from training_step import ENCODER, theirs

from diapir.config import load_recipe
from diapir.models import Network, build
from diapir.tiles import load_tiles, synthesise
from diapir.training.device import close_device, open_device
from diapir.training.session import Session

LAYOUT = torch.channels_last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--compile", action="store_true", help="let our network be compiled")
    parser.add_argument("--training-only", action="store_true", help="leave scoring out")
    parser.add_argument("--set", action="append", default=[], help="a key of our recipe")
    options = parser.parse_args()
    config = load_recipe(
        "flagship",
        [
            "model.weights=none",
            f"model.encoder={ENCODER}",
            f"preprocess.size={options.size}",
            f"train.batch={options.batch}",
            f"device.threads={options.threads or 'null'}",
            f"device.compile={str(options.compile).lower()}",
            *options.set,
        ],
    )
    device = open_device(config.device)
    print(machine.describe())
    if hasattr(os, "getloadavg"):
        print(f"load before: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        survey = Path(folder) / "tiles"
        synthesise(survey, tiles=4 * options.batch, seed=1)
        tiles = load_tiles(survey)
        batches = itertools.cycle(np.arange(len(tiles)).reshape(4, options.batch))
        session = Session(config, device, steps=1000)
        halite = build(config.model).to(memory_format=LAYOUT)
        unet = smp.Unet(f"tu-{ENCODER}", encoder_weights=None, in_channels=3, classes=1)
        images = torch.randn(options.batch, 3, options.size, options.size)
        print(f"{options.size} px, batch {options.batch}, {options.steps} steps of each in turns")
        print(f"one convolution: {dense_rate() / 1e9:.0f} GMAC/s\n")

        trained = in_turns(
            {
                "diapir": lambda: session.step(tiles, next(batches)),
                "segmentation-models-pytorch": theirs(
                    survey, options.size, options.batch, device.torch_device
                ),
            },
            options.steps,
        )
        _report("training", options.batch, trained, halite, unet, images, training=True)
        for count in () if options.training_only else (options.batch, 1):
            scored = in_turns(
                {
                    "diapir": scoring(halite, images[:count].to(memory_format=LAYOUT)),
                    "segmentation-models-pytorch": scoring(unet, images[:count]),
                },
                options.steps,
            )
            name = f"scoring {count} at once"
            _report(name, count, scored, halite, unet, images[:count], training=False)
    close_device(device)


def in_turns(turns: dict[str, Callable[[], object]], steps: int) -> dict[str, float]:
    """Median seconds of each, after two that set memory up."""
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(steps + 2):
        for name, step in turns.items():
            taken = _seconds(step)
            if number >= 2:
                seconds[name].append(taken)
    return {name: statistics.median(times) for name, times in seconds.items()}


def scoring(network: nn.Module, images: Tensor) -> Callable[[], object]:
    def score() -> None:
        network.eval()
        with torch.inference_mode():
            network(images)

    return score


def _report(
    what: str,
    count: int,
    seconds: dict[str, float],
    halite: Network,
    unet: nn.Module,
    images: Tensor,
    *,
    training: bool,
) -> None:
    print(what)
    for (name, taken), network in zip(seconds.items(), (halite, unet), strict=True):
        needed, adds = convolutions(network, images, training=training)
        print(
            f"  {name:28} {count / taken:7.1f} tiles/s  {taken / count * 1e3:6.2f} ms/tile  "
            f"{adds / count / 1e9:5.2f} GMAC per tile at {adds / taken / 1e9:4.0f} GMAC/s, "
            f"convolutions {needed / taken:4.0%} of the time"
        )
    ours, other = seconds.values()
    print(f"  ratio {other / ours:.2f}\n")


def convolutions(network: nn.Module, images: Tensor, *, training: bool) -> tuple[float, int]:
    """Seconds that a network's convolutions take alone, and the network's MACs.

    A backward pass is counted as two forward ones: PyTorch's counter is wrong for its depthwise
    convolutions.
    """
    found: list[tuple[nn.Conv2d, torch.Size]] = []
    hooks = [
        module.register_forward_hook(
            lambda module, inputs, _: found.append((module, inputs[0].shape))
        )
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ]
    network.eval()  # no running statistics are changed
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    total = 0.0
    for convolution, shape in found:
        features = torch.randn(shape).to(memory_format=LAYOUT).requires_grad_(training)
        total += min(_seconds(_alone(convolution, features, training)) for _ in range(3))
    return total, counter.get_total_flops() // 2 * (3 if training else 1)


def _alone(convolution: nn.Conv2d, features: Tensor, training: bool) -> Callable[[], object]:
    with torch.no_grad():
        gradient = torch.ones_like(convolution(features))

    def run() -> None:
        with torch.set_grad_enabled(training):
            result = convolution(features)
            if training:
                result.backward(gradient)

    return run


def dense_rate() -> float:
    """MACs per second of one large dense convolution."""
    convolution = nn.Conv2d(128, 128, 3, padding=1, bias=False).to(memory_format=LAYOUT)
    features = torch.randn(8, 128, 64, 64).to(memory_format=LAYOUT)
    with torch.inference_mode():
        taken = min(_seconds(lambda: convolution(features)) for _ in range(5))
    return features.numel() * convolution.weight[0].numel() / taken


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
