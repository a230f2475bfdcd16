"""Effect of channels_last, bfloat16 and compilation on the training step of this machine.

Times our training step (`diapir.training.session.Session.step`: load a batch, forward, loss,
backward, clip, AdamW) of a recipe on the synthetic survey for each combination in one process,
interleaved within a precision, and prints tiles/s and the ratio to the plain variant. Decides the
defaults of `device.*: auto`.

    python benchmarks/device_options.py --set model.base=16 --set preprocess.size=112 --steps 4
    python benchmarks/device_options.py --recipe flagship --no-compile
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import machine
import numpy as np

from diapir.config import RunConfig, load_recipe
from diapir.tiles import TileSet, load_tiles, synthesise
from diapir.training.device import Device, close_device, open_device
from diapir.training.session import Session


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="baseline")
    parser.add_argument("--set", action="append", default=[], help="a key of the recipe")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    print(machine.describe())
    plain = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for precision in ("fp32", "bf16"):
            config = load_recipe(
                options.recipe,
                ["preprocess.size=224", *options.set, f"device.precision={precision}"],
            )
            if not plain:
                size, batch = config.preprocess.size, config.train.batch
                print(f"{options.recipe} {' '.join(options.set)}, {size} px, batch {batch}")
                synthesise(Path(folder) / "tiles", tiles=4 * batch, seed=1)
            tiles = load_tiles(Path(folder) / "tiles")
            device = open_device(config.device)
            for name, (first, seconds) in _times(config, device, tiles, options).items():
                speed = batch / seconds
                plain = plain or speed
                print(
                    f"{precision}, {name:25} {speed:7.2f} tiles/s  {speed / plain:5.2f} ×  "
                    f"first step {first:6.1f} s"
                )
            close_device(device)


def _times(
    config: RunConfig, device: Device, tiles: TileSet, options: argparse.Namespace
) -> dict[str, tuple[float, float]]:
    """Seconds of the first step, and of the median one, by name."""
    batches = itertools.cycle(np.arange(len(tiles)).reshape(4, config.train.batch))
    sessions: dict[str, Session] = {}
    first: dict[str, float] = {}
    for compiled, channels_last in itertools.product([False, True], repeat=2):
        if compiled and not options.compile:
            continue
        session = Session(
            config, replace(device, channels_last=channels_last), pretrained=False, steps=10_000
        )
        if compiled:
            session._model.compile()  # not its average
        name = ("compiled" if compiled else "eager") + (
            ", channels_last" if channels_last else ", contiguous"
        )
        start = time.perf_counter()
        session.step(tiles, next(batches))
        first[name] = time.perf_counter() - start
        sessions[name] = session
    seconds: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(options.rounds):
        for name, session in sessions.items():
            for _ in range(options.steps):
                start = time.perf_counter()
                session.step(tiles, next(batches))
                seconds[name].append(time.perf_counter() - start)
    return {name: (first[name], statistics.median(times)) for name, times in seconds.items()}


if __name__ == "__main__":
    main()
