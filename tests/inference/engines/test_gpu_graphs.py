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


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 1)).to(CUDA)


def images(count: int, seed: int = 0, side: int = 32) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, 3, side, side)).astype(np.float32)


def plain(one: Callable[[Tensor], Tensor], batch: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.inference_mode():
        found: NDArray[np.float32] = one(torch.from_numpy(batch).to(CUDA)).cpu().numpy()
    return found


def test_a_shape_is_recorded_when_it_comes_again() -> None:
    one = network()
    graphs = GpuGraphs(one, CUDA)
    for seed in range(4):
        batch = images(5, seed)
        np.testing.assert_allclose(graphs.logits(batch), plain(one, batch), atol=1e-5)
        assert len(graphs._recorded) == (seed > 0)


def test_the_last_shapes_are_kept() -> None:
    one = network()
    graphs = GpuGraphs(one, CUDA)
    for count in range(1, KEPT + 3):
        for seed in range(2):
            batch = images(count, seed)
            np.testing.assert_allclose(graphs.logits(batch), plain(one, batch), atol=1e-5)
    assert [shape[0] for shape in graphs._recorded] == list(range(3, KEPT + 3))


def test_several_threads_may_call_it() -> None:
    one = network()
    graphs = GpuGraphs(one, CUDA)
    batches = [images(4 + number % 2, number) for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(graphs.logits, batches))
    for batch, logits in zip(batches, found, strict=True):
        np.testing.assert_allclose(logits, plain(one, batch), atol=1e-5)


def test_a_network_that_asks_for_values_is_launched_step_by_step() -> None:
    one = network()

    def asking(given: Tensor) -> Tensor:
        logits: Tensor = one(given)
        return logits * (1 if float(logits.mean()) > -1e9 else 0)

    graphs = GpuGraphs(asking, CUDA)
    for seed in range(4):
        batch = images(2, seed)
        np.testing.assert_allclose(graphs.logits(batch), plain(asking, batch), atol=1e-5)
    assert not graphs._recorded
