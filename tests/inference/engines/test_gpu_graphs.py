"""Recorded passes give what passes launched one by one give; on a CUDA GPU only."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diapir.inference.engines.gpu_graphs import KEPT, GpuGraphs

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

CUDA = torch.device("cuda")


def function() -> Callable[[Tensor], Tensor]:
    torch.manual_seed(3)
    network = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1)).to(CUDA)

    def run(given: Tensor) -> Tensor:
        found: Tensor = network(given[:, None].float() / 255)[:, 0]
        return found

    return run


def images(count: int, seed: int = 0, side: int = 32) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side), dtype=np.uint8)


def plain(one: Callable[[Tensor], Tensor], batch: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.inference_mode():
        found: NDArray[np.float32] = one(torch.from_numpy(batch).to(CUDA)).cpu().numpy()
    return found


def test_a_shape_is_recorded_when_it_comes_again() -> None:
    one = function()
    graphs = GpuGraphs(one, CUDA)
    for seed in range(4):
        batch = images(5, seed)
        np.testing.assert_allclose(graphs.run(batch), plain(one, batch), atol=1e-5)
        assert len(graphs._recorded) == (seed > 0)


def test_the_last_shapes_are_kept() -> None:
    one = function()
    graphs = GpuGraphs(one, CUDA)
    for count in range(1, KEPT + 3):
        for seed in range(2):
            batch = images(count, seed)
            np.testing.assert_allclose(graphs.run(batch), plain(one, batch), atol=1e-5)
    assert [shape[0] for shape in graphs._recorded] == list(range(3, KEPT + 3))


def test_several_threads_may_call_it() -> None:
    one = function()
    graphs = GpuGraphs(one, CUDA)
    batches = [images(4 + number % 2, number) for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(graphs.run, batches))
    for batch, result in zip(batches, found, strict=True):
        np.testing.assert_allclose(result, plain(one, batch), atol=1e-5)


def test_a_function_that_asks_for_values_is_launched_step_by_step() -> None:
    one = function()

    def asking(given: Tensor) -> Tensor:
        result = one(given)
        return result * (1 if float(result.mean()) > -1e9 else 0)

    graphs = GpuGraphs(asking, CUDA)
    for seed in range(4):
        batch = images(2, seed)
        np.testing.assert_allclose(graphs.run(batch), plain(asking, batch), atol=1e-5)
    assert not graphs._recorded
