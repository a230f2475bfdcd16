"""The seed configuration at full size starts where the seed did, on the real tiles."""

from pathlib import Path

import numpy as np
import pytest

from diapir.config import load_recipe
from diapir.tiles import load_tiles, make_split
from diapir.training.batches.input_sizes import auto_size, with_size
from diapir.training.batches.tile_batches import epoch_batches
from diapir.training.device import close_device, open_device
from diapir.training.session import Session
from tests.helpers.tile_sets import write_train_super


@pytest.mark.real
@pytest.mark.slow
def test_the_first_batch_reads_as_the_seeds_did(real_tgs_zip: Path, tmp_path: Path) -> None:
    config = load_recipe("baseline")
    tiles = load_tiles(real_tgs_zip)
    split = make_split(tiles, val_fraction=config.data.val_fraction, seed=config.data.split_seed)
    training = tiles.select(split.part("train"))
    batches = epoch_batches(
        len(training), config.train.batch, seed=config.seed, epoch=1, processes=1
    )
    first = training.select(training.ids[index] for index in batches[0])
    write_train_super(first, tmp_path)
    doubled = load_tiles(tmp_path)
    assert (doubled.layout, doubled.encoding) == ("train_super", "seed")
    assert doubled.shapes.tolist() == [[202, 202]] * 8
    size = auto_size(doubled.shapes, 16, config.preprocess)
    assert size == 224
    device = open_device(config.device)
    try:
        terms = Session(with_size(config, size), device).step(doubled, np.arange(8))
    finally:
        close_device(device)
    assert terms is not None
    assert 0.65 <= terms.ce <= 0.80
    assert 0.28 <= terms.dice <= 0.38
