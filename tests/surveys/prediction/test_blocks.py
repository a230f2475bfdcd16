from pathlib import Path

import numpy as np

from diapir.surveys.prediction.blocks import Blocks, done_name, finished, prepare
from diapir.surveys.prediction.prediction_store import create_store
from tests.surveys.made import MemorySurvey, record, volume


def test_blocks_cover_every_line_once() -> None:
    blocks = Blocks((23, 18, 75), 8)
    assert blocks.count("inline") == blocks.count("crossline") == 3
    assert [blocks.lines("inline", index) for index in range(3)] == [
        slice(0, 8),
        slice(8, 16),
        slice(16, 23),
    ]
    for view in ("inline", "crossline"):
        assert blocks.pixels(view, range(3)) == 23 * 18 * 75
    assert blocks.pixels("crossline", [2]) == 2 * 23 * 75


def test_finished_blocks_are_not_left(tmp_path: Path) -> None:
    grid = MemorySurvey(volume((1, 20, 6))).grid
    made = record(views=("inline",), block=8)
    store = create_store(tmp_path / "made.prediction", grid, made)
    blocks = Blocks(grid.shape, made.block)
    assert finished(store, "inline") == set()
    prepare(store, made)
    assert blocks.left(store, "inline") == [0]
    store.arrays.write(done_name("inline"), (slice(0, 1),), np.ones(1, np.uint8))
    assert blocks.left(store, "inline") == []
