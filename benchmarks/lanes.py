"""The network alone: one batch on all threads, and batches side by side on one thread each.

The fastest of some rounds, in milliseconds a window. Every number of windows in a batch has its
turn before the next round begins, as clocks and caches change.

    python benchmarks/lanes.py salt salt-int8 --engines openvino-bf16 --threads 2
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import machine
import numpy as np
from numpy.typing import NDArray

from diapir import bundle as bundles
from diapir.inference.engines.engine import Shared
from diapir.inference.engines.open_engine import RUN_BY, open_network

CALLS = 4
"""Batches of each thread in a round."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--engines", nargs="+", default=["onnx", "openvino", "openvino-bf16"])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 8, 16])
    parser.add_argument("--size", type=int, default=128, help="of a window in pixels")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    print(machine.describe())
    print(f"load before: {os.getloadavg()[0]:.1f}")
    head = "".join(f"{count:8}" for count in options.batches)
    print(f"{'ms a window of ' + str(options.size) + ' px, by batch':58}{head}")
    for model in options.models:
        bundle = bundles.load(model)
        for name in options.engines:
            if name not in RUN_BY[bundle.info.form]:
                continue
            engine = open_network(name, bundle.network, threads=options.threads)
            assert isinstance(engine, Shared)
            for lanes in (1, options.threads):
                lane = engine.lane(options.threads // lanes)
                times = _times(lane, lanes, options.batches, options.size, options.rounds)
                row = f"{Path(model).name} in {name}, {lanes} side by side"
                print(f"{row:58}" + "".join(f"{1e3 * one:8.2f}" for one in times), flush=True)


def _times(lane: Shared, lanes: int, counts: list[int], size: int, rounds: int) -> list[float]:
    """Seconds for a window, by windows in a batch."""
    random = np.random.default_rng(0)
    batches = [random.standard_normal((count, 3, size, size), np.float32) for count in counts]
    best = [float("inf")] * len(counts)

    def work(batch: NDArray[np.float32]) -> None:
        for _ in range(CALLS):
            lane.logits(batch)

    with ThreadPoolExecutor(lanes) as pool:
        for turn in range(rounds + 1):  # the first compiles networks
            for place, batch in enumerate(batches):
                started = time.perf_counter()
                list(pool.map(work, [batch] * lanes))
                taken = (time.perf_counter() - started) / (lanes * CALLS * len(batch))
                if turn:
                    best[place] = min(best[place], taken)
    return best


if __name__ == "__main__":
    main()
