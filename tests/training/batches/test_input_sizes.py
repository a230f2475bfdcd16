"""The input is the next suitable size above the tiles; padding and crops are said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diapir.config import PreprocessConfig
from diapir.training.batches.input_sizes import (
    LARGEST,
    MOSTLY,
    Shapes,
    auto_size,
    crops_per_epoch,
    input_notes,
    padded_share,
)


def shapes(*sizes: tuple[int, int]) -> Shapes:
    return np.array(sizes, np.int32)


@pytest.mark.parametrize(
    ("sizes", "divisor", "expected"),
    [
        ([(101, 101)], 16, 112),
        ([(101, 101)], 32, 128),
        ([(101, 101)], 64, 128),
        ([(202, 202)], 8, 224),
        ([(202, 202)], 16, 224),
        ([(202, 202)], 32, 224),
        ([(202, 202)], 64, 256),
        ([(128, 128)], 32, 128),
        ([(500, 1000)], 16, 256),
        ([(300, 300)], 32, 256),
        ([(101, 101), (202, 202)], 16, 224),
        ([(60, 1000)], 16, 112),  # at 256, 77 % would be padding
        ([(101, 101)] * 9 + [(500, 1000)], 16, 128),
    ],
)
def test_sizes_of_common_sets(sizes: list[tuple[int, int]], divisor: int, expected: int) -> None:
    assert auto_size(shapes(*sizes), divisor, PreprocessConfig()) == expected


sides = st.integers(10, 3000)


@given(
    sizes=st.lists(st.tuples(sides, sides), min_size=1, max_size=6),
    divisor=st.sampled_from([8, 16, 32, 64]),
    pad=st.sampled_from(["zero", "reflect", "edge"]),
)
def test_a_size_suits_network_and_tiles(
    sizes: list[tuple[int, int]], divisor: int, pad: str
) -> None:
    config = PreprocessConfig.model_validate({"pad": pad})
    every = shapes(*sizes)
    side = auto_size(every, divisor, config)
    assert side % divisor == 0
    assert 16 <= side <= LARGEST
    if every.min() >= 64:
        assert padded_share(every, side) <= 0.76
        if pad == "reflect":
            assert side <= 3 * every.min() - 2
    if len(set(sizes)) == 1 and 64 <= every.min() == every.max() <= LARGEST and divisor < 64:
        assert side >= every.max()


def test_padding_is_a_mean_over_the_tiles() -> None:
    assert padded_share(shapes((101, 101)), 224) == pytest.approx(1 - 101**2 / 224**2)
    assert padded_share(shapes((64, 64), (500, 1000)), 128) == pytest.approx((0.75 + 0) / 2)


def test_an_epoch_covers_larger_tiles_about_once() -> None:
    counts = crops_per_epoch(shapes((500, 1000), (101, 101), (60, 1000), (300, 256)), 256)
    assert counts.tolist() == [8, 1, 4, 1]


def test_mostly_padding_is_warned_of_with_what_to_set() -> None:
    config = PreprocessConfig(size=224)
    (note,) = input_notes(shapes((101, 101)), 16, config, auto=False)
    assert note == (
        "Warning: 80 % of the network's input is padding: --set preprocess.size=112 trains about "
        "4.0 times as fast"
    )
    assert input_notes(shapes((202, 202)), 16, config, auto=False) == []


def test_padding_that_no_size_avoids_is_warned_of_without_one() -> None:
    config = PreprocessConfig(size=64)
    (note,) = input_notes(shapes((30, 30)), 64, config, auto=False)
    assert padded_share(shapes((30, 30)), 64) > MOSTLY
    assert note.endswith("is padding; larger tiles would make better use of it")


def test_crops_are_said() -> None:
    sizes, crops = input_notes(shapes((500, 1000)), 16, PreprocessConfig(size=256), auto=True)
    assert sizes == "Input: 256 × 256 pixels (preprocess.size = auto)"
    assert "1 training tile larger than 256 pixels; an epoch has 8 images" in crops
