import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from diapir.serving.byte_cache import ByteCache
from diapir.serving.section_levels import COLUMNS, TILE, levels_of, reduce, tile, to_bytes


def test_zero_is_in_the_middle_and_no_data_is_0() -> None:
    amplitude = np.array([-9, -2, 0, 2, 9, np.nan, np.inf], np.float32)
    assert to_bytes(amplitude, 2.0).tolist() == [1, 1, 128, 255, 255, 0, 0]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 3), st.integers(0, 99))
def test_a_reduction_is_the_mean_of_what_is_known(
    rows: int, columns: int, level: int, seed: int
) -> None:
    values = np.random.default_rng(seed).integers(0, 4, (rows, columns), np.uint8)
    found = reduce(values, level, 0)
    side = 1 << level
    for row in range(found.shape[0]):
        for column in range(found.shape[1]):
            square = values[row * side : (row + 1) * side, column * side : (column + 1) * side]
            known = square[square != 0]
            wanted = int(known.mean() + 0.5) if known.size else 0
            assert abs(int(found[row, column]) - wanted) <= (0 if level == 0 else 1)
            assert (found[row, column] == 0) == (known.size == 0)


def test_tiles_together_are_the_section_in_every_size() -> None:
    rows, columns = 300, 1300
    section = np.random.default_rng(2).integers(1, 255, (rows, columns), np.uint8)
    cache = ByteCache(10**8)

    def block(number: int) -> np.ndarray:
        return section[:, number * COLUMNS : (number + 1) * COLUMNS]

    for level in range(levels_of(rows, columns)):
        wanted = np.hstack([reduce(block(number), level, 0) for number in range(3)])
        for row in range(-(-wanted.shape[0] // TILE)):
            for column in range(-(-wanted.shape[1] // TILE)):
                place = level, row, column
                found = tile(cache, ("k",), block, (rows, columns), place, "amplitude")
                part = wanted[row * TILE :, column * TILE :][:TILE, :TILE]
                assert np.array_equal(found, part), place
    for place in ((0, 2, 0), (0, 0, 6), (99, 0, 0), (-1, 0, 0), (0, -1, 0)):
        assert tile(cache, ("k",), block, (rows, columns), place, "amplitude") is None


def test_the_smallest_size_fits_into_one_tile() -> None:
    for rows, columns in ((1, 1), (256, 256), (257, 10), (1500, 3000)):
        side = 1 << (levels_of(rows, columns) - 1)
        assert max(rows, columns) <= TILE * side
    assert levels_of(256, 256) == 1
