from pathlib import Path

import numpy as np
import pytest

from diapir.surveys.prediction.blocks import Blocks, done_name, finished, prepare, shards
from diapir.surveys.prediction.prediction_store import create_store
from diapir.surveys.prediction.survey_options import View
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


@pytest.mark.parametrize(
    ("shape", "chunks", "view", "expected"),
    [
        ((1256, 1256, 1256), (8, 8, 512), "inline", (8, 64, 1536)),
        ((1256, 1256, 1256), (8, 8, 512), "crossline", (64, 8, 1536)),
        ((1256, 20, 300), (8, 8, 300), "inline", (8, 24, 300)),
        ((400, 400, 400), (64, 64, 400), "inline", None),  # chunks of 1.6 million values
        ((1256, 8, 1256), (8, 8, 512), "inline", None),
    ],
)
def test_small_chunks_share_a_file_that_one_block_writes(
    shape: tuple[int, int, int],
    chunks: tuple[int, int, int],
    view: View,
    expected: tuple[int, int, int] | None,
) -> None:
    assert shards(shape, chunks, view) == expected


def test_the_files_of_a_view_belong_to_one_block_each(tmp_path: Path) -> None:
    grid = MemorySurvey(volume((20, 40, 6))).grid
    made = record(views=("inline", "crossline"), block=8)
    store = create_store(tmp_path / "made.zarr", grid, made)
    prepare(store, made)
    store.write("first_view", slice(8, 16), slice(None), np.ones((8, 40, 6), np.uint8))
    store.write("probability", slice(None), slice(8, 16), np.full((20, 8, 6), 2, np.uint8))
    files = [
        [path.relative_to(store.path / name / "c").as_posix() for path in found if path.is_file()]
        for name in ("first_view", "probability")
        for found in [sorted((store.path / name / "c").rglob("*"))]
    ]
    assert files == [["1/0/0"], ["0/1/0"]]
    np.testing.assert_array_equal(store.raw("first_view", slice(8, 16), slice(3, 5)), 1)
    np.testing.assert_array_equal(store.raw("probability", slice(0, 20), slice(7, 9))[:, 1], 2)
