"""Do channels_last and compiling pay for the U-Net on this machine? Settles `device.*: auto`.

Times our training step (`diapir.training.session.Session.step`: load a batch, forward, loss,
backward, clip, AdamW) on the synthetic survey for each combination, in one process, in turns, and
prints tiles a second and the ratio to the plain one.

    python benchmarks/device_options.py --base 16 --size 112 --batch 8 --steps 4
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

from diapir.config import DeviceConfig, load_recipe
from diapir.tiles import load_tiles, synthesise
from diapir.training.device import close_device, open_device
from diapir.training.session import Session


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=int, default=16)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    print(machine.describe())
    print(f"U-Net base {options.base}, {options.size} px, batch {options.batch}")
    with tempfile.TemporaryDirectory() as folder:
        synthesise(Path(folder) / "tiles", tiles=4 * options.batch, seed=1)
        tiles = load_tiles(Path(folder) / "tiles")
        batches = itertools.cycle(np.arange(len(tiles)).reshape(4, options.batch))
        device = open_device(DeviceConfig())
        sessions: dict[str, Session] = {}
        first: dict[str, float] = {}
        for compiled, channels_last in itertools.product([False, True], [False, True]):
            if compiled and not options.compile:
                continue
            config = load_recipe(
                "baseline",
                [f"model.base={options.base}", f"preprocess.size={options.size}"],
            )
            session = Session(config, replace(device, channels_last=channels_last))
            if compiled:
                session.network.compile()
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
        close_device(device)
    plain = options.batch / statistics.median(seconds["eager, contiguous"])
    for name, times in seconds.items():
        speed = options.batch / statistics.median(times)
        print(
            f"{name:25} {speed:7.2f} tiles/s  {speed / plain:5.2f} ×  "
            f"first step {first[name]:6.1f} s"
        )


if __name__ == "__main__":
    main()
