import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from diapir.errors import DataError
from diapir.tiles import rle_decode, rle_encode

MASKS = arrays(
    np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 1)
)


@given(MASKS)
def test_decoding_undoes_encoding(mask: np.ndarray) -> None:
    decoded = rle_decode(rle_encode(mask), *mask.shape)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, mask)


@given(MASKS)
def test_runs_are_what_the_official_text_asks_for(mask: np.ndarray) -> None:
    numbers = [int(word) for word in rle_encode(mask).split()]
    down_the_columns = [
        int(mask[row, column]) for column in range(mask.shape[1]) for row in range(mask.shape[0])
    ]
    pixels = []
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        assert length > 0
        assert not pixels or start > pixels[-1] + 1  # sorted, and as long as can be
        pixels += range(start, start + length)
    assert pixels == [number for number, value in enumerate(down_the_columns, start=1) if value]


def test_pixels_are_counted_from_one_down_the_columns() -> None:
    mask = np.array([[0, 1, 0], [1, 1, 0]], np.uint8)
    assert rle_encode(mask) == "2 3"
    assert rle_encode(np.zeros((4, 4), np.uint8)) == ""
    assert rle_encode(np.array([[1, 255], [255, 1]], np.uint8)) == "1 1 4 1"  # ignored is no salt


@pytest.mark.parametrize(
    ("runs", "found"),
    [
        ("1", "no length"),
        ("1 2 5", "no length"),
        ("a 2", "'a'"),
        ("1 -2", "'-2'"),
        ("1.0 2", r"'1\.0'"),
        ("² 1", "'²'"),
        ("0 2", "below 1"),
        ("3 0", "below 1"),
        ("5 1 2 1", "not sorted"),
        ("1 3 2 1", "overlap"),
        ("10 4", "reaches pixel 13 of 12"),
        ("9" * 30 + " 1", "'9{30}'"),
        ("1 " + "9" * 18, "reaches pixel"),
    ],
)
def test_what_breaks_the_rules_is_refused(runs: str, found: str) -> None:
    with pytest.raises(DataError, match=found):
        rle_decode(runs, 3, 4)


@pytest.mark.real
def test_real_runs_are_written_as_kaggle_wrote_them(real_tgs_zip: Path) -> None:
    with zipfile.ZipFile(real_tgs_zip) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("train.csv").decode())))[:200]
    assert any(row["rle_mask"] for row in rows)
    for row in rows:
        assert rle_encode(rle_decode(row["rle_mask"], 101, 101)) == row["rle_mask"]
