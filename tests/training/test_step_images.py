"""The images of steps are the same whether they are loaded ahead or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from diapir.config import RunConfig, load_recipe
from diapir.errors import DataError
from diapir.tiles import TileSet, load_tiles, synthesise
from diapir.training.device import close_device, open_device
from diapir.training.step_images import Images, Place, StepImages

BATCHES = list(np.arange(12, dtype=np.int64).reshape(4, 3))


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> TileSet:
    folder: Path = tmp_path_factory.mktemp("step-images") / "tiles"
    synthesise(folder, tiles=12, seed=3)
    return load_tiles(folder)


@pytest.fixture(scope="module")
def config() -> RunConfig:
    return load_recipe(
        "baseline", ["preprocess.size=112", "train.batch=2", "augment.shift=0.2", "device.name=cpu"]
    )


Loader = Callable[[int], StepImages]


@pytest.fixture
def loader(config: RunConfig) -> Iterator[Loader]:
    """Makes what loads images so many steps ahead."""
    device = open_device(config.device)
    yield lambda ahead: StepImages(config, device, None, divisor=16, steps=8, ahead=ahead)
    close_device(device)


def assert_same(left: Images, right: Images) -> None:
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("ahead", [1, 3])
def test_images_loaded_ahead_are_the_same(tiles: TileSet, loader: Loader, ahead: int) -> None:
    plain, threaded = loader(0), loader(ahead)
    for step, batch in enumerate(BATCHES):
        place = Place(1, step, 0)
        found = threaded.take(tiles, batch, place, BATCHES[step + 1 : step + 1 + ahead])
        assert [len(images) for images, _ in found] == [2, 1]  # in parts of a batch
        assert_same(found, plain.take(tiles, batch, place))


def test_after_a_rollback_other_images_are_drawn(tiles: TileSet, loader: Loader) -> None:
    """The steps loaded ahead for the time before the rollback are not taken."""
    plain, threaded = loader(0), loader(2)
    before = threaded.take(tiles, BATCHES[0], Place(1, 0, 0), BATCHES[1:3])
    after = threaded.take(tiles, BATCHES[0], Place(1, 0, 1), BATCHES[1:3])
    assert not torch.equal(before[0][0], after[0][0])
    for step in range(3):
        place = Place(1, step, 1)
        found = threaded.take(tiles, BATCHES[step], place, BATCHES[step + 1 : step + 3])
        assert_same(found, plain.take(tiles, BATCHES[step], place))


def test_another_batch_than_announced_is_loaded(tiles: TileSet, loader: Loader) -> None:
    """A new epoch may begin before the batches that were announced."""
    plain, threaded = loader(0), loader(1)
    threaded.take(tiles, BATCHES[0], Place(1, 0, 0), BATCHES[1:2])
    found = threaded.take(tiles, BATCHES[3], Place(1, 1, 0))
    assert_same(found, plain.take(tiles, BATCHES[3], Place(1, 1, 0)))


def test_what_fails_ahead_is_reported_at_its_step(
    tiles: TileSet, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    threaded = loader(1)
    load = threaded._load

    def failing(of: TileSet, batch: NDArray[np.int64], place: Place) -> Images:
        if place.step == 1:
            raise DataError("a file is gone", expected="it", fix="restore it")
        return load(of, batch, place)

    monkeypatch.setattr(threaded, "_load", failing)
    threaded.take(tiles, BATCHES[0], Place(1, 0, 0), BATCHES[1:2])
    with pytest.raises(DataError, match="a file is gone"):
        threaded.take(tiles, BATCHES[1], Place(1, 1, 0), BATCHES[2:3])
