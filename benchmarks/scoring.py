"""Scoring speed compared with segmentation-models-pytorch's eager U-Net.

Ours is `Predictor.probabilities`: grey tiles in, probabilities of their size out, padding and
everything else included, with each engine that the model's files allow. Theirs is the library's
U-Net on the first model's encoder (EfficientNet-Lite0 where it has none) in evaluation mode, on
the same tiles padded and normalised beforehand, with the sigmoid. The same process, threads and
tiles, alternating calls. The engine that `auto` takes for much work is marked, and its ratio to the
library is printed at the end, with its rate against the convolutions alone in float32.

For each the MAC rate is printed, with that of one large dense convolution (128 to 128 channels at
64 × 64 pixels) for comparison, and the time of the network's convolutions alone in PyTorch as a
share of its own time. An engine faster than PyTorch can exceed 100 %.

    python benchmarks/scoring.py runs/flagship salt-onnx salt-openvino --threads 2
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import machine
import numpy as np
import segmentation_models_pytorch as smp
import torch
from network_step import convolutions, dense_rate, in_turns
from numpy.typing import NDArray
from training_step import ENCODER

from diapir import bundle as bundles
from diapir import models, preprocess
from diapir.config import PreprocessConfig
from diapir.errors import DeviceError
from diapir.inference import EngineOptions, Predictor
from diapir.inference.engines.open_engine import RUN_BY

PEER = "segmentation-models-pytorch"
TILE = 101
MUCH = 10**9
"""Pixels for which the fastest engine is chosen."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(machine.describe())
    print(f"load before: {os.getloadavg()[0]:.1f}")
    rate = dense_rate()
    print(f"one convolution: {rate / 1e9:.0f} GMAC/s")
    encoder = getattr(bundles.load(options.models[0]).info.model, "encoder", None) or ENCODER
    print(f"the peer's encoder: {encoder}")
    unet = smp.Unet(f"tu-{encoder}", encoder_weights=None, in_channels=3, classes=1).eval()
    running = EngineOptions(
        device="cpu", threads=options.threads, batch=options.batch, tta="none", pixels=MUCH
    )
    opened: dict[str, Predictor] = {}
    marked = ""
    for path in options.models:
        default = Predictor.load(path, running)
        print(default.engine_note or f"engine: {default.engine.name}")
        for engine in RUN_BY[bundles.load(path).info.form]:
            name = f"{path.name}, {engine}" + (" *" if engine == default.engine_choice else "")
            marked = marked or (name if name.endswith("*") else "")
            with contextlib.suppress(DeviceError):  # no bfloat16
                opened[name] = Predictor.load(path, replace(running, engine=engine))
    ratios = []
    for count in (1, options.batch):
        tiles = list(np.random.default_rng(0).integers(0, 256, (count, TILE, TILE), dtype=np.uint8))
        calls: dict[str, Callable[[], object]] = {PEER: _theirs(unet, np.stack(tiles))}
        calls |= {name: _ours(predictor, tiles) for name, predictor in opened.items()}
        seconds = in_turns(calls, options.calls)
        print(f"\n{count} tile{'s' if count > 1 else ''} of {TILE} px, {options.threads} threads")
        for name, taken in seconds.items():
            network, size = unet, 128
            if name != PEER:
                info = opened[name].bundle.info
                network, size = models.build(info.model).eval(), info.preprocess.size
            needed, adds = convolutions(network, torch.randn(count, 3, size, size), training=False)
            if name == marked:
                ratios.append(
                    f"{count} at a time: {seconds[PEER] / taken:.2f} × {PEER}, "
                    f"{needed / taken:.2f} × the convolutions of its network in float32, "
                    f"{adds / taken / rate:.2f} × the rate of one dense convolution in float32"
                )
            print(
                f"  {name:32} {taken / count * 1e3:7.2f} ms/tile  {count / taken:7.1f} tiles/s  "
                f"× {seconds[PEER] / taken:4.2f}  {adds / taken / 1e9:4.0f} G/s  "
                f"convolutions {needed / taken:4.0%}"
            )
    print(f"\n{marked}")
    print(*ratios, sep="\n")


def _ours(predictor: Predictor, tiles: list[NDArray[np.uint8]]) -> Callable[[], object]:
    return lambda: predictor.probabilities(tiles)


def _theirs(unet: torch.nn.Module, tiles: NDArray[np.uint8]) -> Callable[[], object]:
    config = PreprocessConfig(size=128, pad="reflect", mean=(0.5,) * 3, std=(0.5,) * 3)
    images = torch.from_numpy(preprocess.to_input(tiles, config))

    def score() -> None:
        with torch.inference_mode():
            unet(images).sigmoid().numpy()

    return score


if __name__ == "__main__":
    main()
