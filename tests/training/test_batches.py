"""Every tile once an epoch, in an order that seed and epoch decide alone."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from diapir.training.batches import consecutive_batches, epoch_batches, shard

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
