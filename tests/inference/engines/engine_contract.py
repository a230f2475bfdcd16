"""What every engine promises. A new one inherits the tests:

class TestOnnxEngine(EngineContract):
    def open(self, bundle: Bundle) -> Engine:
        return OnnxEngine(bundle)
"""

from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from diapir import models
from diapir.bundle import Bundle
from diapir.inference import Engine
from diapir.inference.engines.engine import Shared
from tests.inference.conftest import SIZE


class EngineContract:
    tolerance: ClassVar[float] = 1e-4
    """Greatest difference of a logit from PyTorch's on the CPU."""

    def open(self, bundle: Bundle) -> Engine:
        raise NotImplementedError

    @pytest.fixture
    def engine(self, bundle: Bundle) -> Engine:
        return self.open(bundle)

    @pytest.fixture
    def batch(self) -> NDArray[np.float32]:
        return np.random.default_rng(3).normal(size=(5, 3, SIZE, SIZE)).astype(np.float32)

    def test_logits_are_float32_of_two_classes(
        self, engine: Engine, batch: NDArray[np.float32]
    ) -> None:
        logits = engine.logits(batch)
        assert logits.shape == (5, 2, SIZE, SIZE)
        assert logits.dtype == np.float32
        assert logits.flags.c_contiguous

    def test_logits_are_those_of_the_network(
        self, engine: Engine, bundle: Bundle, batch: NDArray[np.float32]
    ) -> None:
        network = models.build(bundle.info.model).eval()
        network.load_state_dict(
            {name: torch.from_numpy(value) for name, value in bundle.tensors().items()}
        )
        with torch.inference_mode():
            expected = network(torch.from_numpy(batch)).numpy()
        np.testing.assert_allclose(engine.logits(batch), expected, atol=self.tolerance)

    def test_a_tile_does_not_depend_on_its_batch(
        self, engine: Engine, batch: NDArray[np.float32]
    ) -> None:
        together = engine.logits(batch)
        for place in range(len(batch)):
            alone = engine.logits(batch[place : place + 1])
            np.testing.assert_allclose(alone[0], together[place], atol=self.tolerance)

    def test_the_same_batch_gives_the_same_logits(
        self, engine: Engine, batch: NDArray[np.float32]
    ) -> None:
        np.testing.assert_array_equal(engine.logits(batch), engine.logits(batch))

    def test_the_batch_is_left_as_it_is(self, engine: Engine, batch: NDArray[np.float32]) -> None:
        before = batch.copy()
        engine.logits(batch)
        np.testing.assert_array_equal(batch, before)

    def test_lanes_give_the_same_logits_at_the_same_time(
        self, engine: Engine, batch: NDArray[np.float32]
    ) -> None:
        if not isinstance(engine, Shared):
            pytest.skip("the engine has no lanes")
        engine.threads = 2  # on whatever machine
        lane = engine.lane(1)
        assert lane.threads == 1 or "cuda" in engine.name  # which has one for all
        assert engine.lane(1) is lane
        batches = [batch + number for number in range(6)]
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lane.logits, batches))
        for one, logits in zip(batches, found, strict=True):
            np.testing.assert_allclose(logits, engine.logits(one), atol=self.tolerance)
            np.testing.assert_array_equal(logits, lane.logits(one))

    def test_it_says_what_it_is(self, engine: Engine) -> None:
        assert engine.name
