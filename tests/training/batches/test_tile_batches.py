"""Every tile once an epoch, in an order that seed and epoch decide alone."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from diapir.config import AugmentConfig, PreprocessConfig, RunConfig
from diapir.tiles import load_tiles
from diapir.training.batches.augment import draw
from diapir.training.batches.tile_batches import (
    consecutive_batches,
    epoch_batches,
    input_size,
    load_augmented_batch,
    shard,
)
from tests.helpers.tile_sets import make_tiles, write_tiles

counts = st.integers(1, 300)
sizes = st.integers(1, 40)


@given(tiles=counts, batch=sizes, seed=st.integers(0, 2**32 - 1), epoch=st.integers(1, 99))
def test_an_epoch_holds_every_tile_once(tiles: int, batch: int, seed: int, epoch: int) -> None:
    batches = epoch_batches(tiles, batch, seed=seed, epoch=epoch, processes=1)
    assert sorted(np.concatenate(batches)) == list(range(tiles))
    assert all(len(indices) == batch for indices in batches[:-1])
    again = epoch_batches(tiles, batch, seed=seed, epoch=epoch, processes=1)
    assert all(np.array_equal(*pair) for pair in zip(batches, again, strict=True))


def test_epochs_and_seeds_have_their_own_orders() -> None:
    orders = [
        tuple(np.concatenate(epoch_batches(50, 8, seed=seed, epoch=epoch, processes=1)))
        for seed in (1, 2)
        for epoch in (1, 2)
    ]
    assert len(set(orders)) == 4


@given(tiles=counts, batch=sizes, processes=st.integers(1, 6))
def test_processes_share_each_batch_without_overlap(tiles: int, batch: int, processes: int) -> None:
    alone = epoch_batches(tiles, batch, seed=1, epoch=1, processes=1)
    shared = epoch_batches(tiles, batch, seed=1, epoch=1, processes=processes)
    assert [list(each) for each in shared] == [
        list(each) for each in alone if len(each) >= processes
    ]
    for indices in shared:
        parts = [shard(indices, rank, processes) for rank in range(processes)]
        assert np.array_equal(np.concatenate(parts), indices)
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        assert min(map(len, parts)) >= 1


@given(tiles=counts, batch=sizes)
def test_validation_batches_follow_the_order(tiles: int, batch: int) -> None:
    batches = consecutive_batches(np.arange(tiles), batch)
    assert all(after[0] == before[-1] + 1 for before, after in pairwise(batches))
    assert np.array_equal(np.concatenate(batches), np.arange(tiles))


def test_smaller_inputs_come_first() -> None:
    config = RunConfig.model_validate(
        {"preprocess": {"size": 96}, "train": {"progressive": [[0.25, 32], [0.5, 64]]}}
    )
    sizes = [input_size(config, done) for done in (0, 0.24, 0.25, 0.49, 0.5, 1.0)]
    assert sizes == [32, 32, 64, 64, 96, 96]
    unscheduled = RunConfig.model_validate({"preprocess": {"size": 96}})
    assert input_size(unscheduled, 0.0) == 96


def test_tiles_of_several_sizes_are_each_augmented_as_if_alone(tmp_path: Path) -> None:
    write_tiles(tmp_path, count=3)
    images, masks = make_tiles(2, size=(10, 30), seed=1)
    more = {f"u{tile}": image for tile, image in images.items()}
    write_tiles(tmp_path, images=more, masks={f"u{tile}": mask for tile, mask in masks.items()})
    tiles = load_tiles(tmp_path)
    config = PreprocessConfig(size=32)
    augmentation = draw(AugmentConfig(flip="random", shift=0.2, brightness=0.1), len(tiles), (4,))
    options: dict[str, Any] = {"size": 16, "device": torch.device("cpu")}
    order = np.array([3, 0, 4, 1])
    seen, kept = load_augmented_batch(tiles, order, augmentation.take(order), config, **options)
    assert (seen.shape, kept.shape) == ((4, 3, 16, 16), (4, 16, 16))
    for row, index in enumerate(order):
        one = np.array([index])
        alone = load_augmented_batch(tiles, one, augmentation.take(one), config, **options)
        assert torch.equal(seen[row], alone[0][0])
        assert torch.equal(kept[row], alone[1][0])
