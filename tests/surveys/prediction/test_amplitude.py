import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from diapir.surveys.prediction.amplitude import fill_gaps, mirror, reverse, to_grey


def test_the_scale_is_symmetric_and_clips() -> None:
    amplitude = np.array([-9, -2, -1, 0, 1, 2, 9], np.float32)
    assert to_grey(amplitude, 2.0).tolist() == [0, 0, 64, 128, 191, 255, 255]
    assert amplitude[0] == -9


def test_what_is_no_number_is_grey() -> None:
    odd = np.array([np.nan, np.inf, -np.inf, 3e38], np.float32)
    with np.errstate(over="ignore"):
        assert to_grey(odd, 1e-6).tolist() == [128, 255, 0, 255]


@given(st.floats(-3, 3, width=32), st.floats(0.01, 2))
def test_grey_levels_keep_sign_and_size(amplitude: float, scale: float) -> None:
    grey = int(to_grey(np.array([amplitude], np.float32), scale)[0])
    expected = np.clip(amplitude / scale, -1, 1) * 127.5 + 127.5
    assert abs(grey - expected) <= 0.501


def test_reversing_twice_changes_nothing() -> None:
    grey = np.arange(256, dtype=np.uint8)
    assert reverse(grey)[0] == 255
    np.testing.assert_array_equal(reverse(reverse(grey)), grey)


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        ("111", [0, 1, 2]),
        ("0011", [2, 3, 2, 3]),  # 1 is reflected to 3, 0 back again
        ("1100", [0, 1, 0, 1]),
        ("110011", [0, 1, 0, 5, 4, 5]),
        ("010", [1, 1, 1]),
        ("11101", [0, 1, 2, 1, 4]),  # as far from both: the one before
    ],
)
def test_gaps_are_reflected_at_their_nearer_edge(live: str, expected: list[int]) -> None:
    assert mirror(np.array([mark == "1" for mark in live])).tolist() == expected


@given(arrays.arrays(bool, st.integers(1, 40)).filter(np.any))
def test_every_gap_takes_a_live_place(live: np.ndarray) -> None:
    found = mirror(live)
    assert live[found].all()
    np.testing.assert_array_equal(found[live], np.flatnonzero(live))


def test_traces_and_samples_are_filled() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(4, 3)
    gaps = np.zeros((4, 3), bool)
    gaps[2] = True
    gaps[0, 2] = True
    filled = fill_gaps(grey, gaps)
    np.testing.assert_array_equal(filled[2], filled[0])
    assert filled[0, 2] == grey[0, 0]
    np.testing.assert_array_equal(filled[~gaps], grey[~gaps])
    assert grey[2].tolist() == [6, 7, 8]


def test_nothing_to_mirror_leaves_all_as_it_is() -> None:
    grey = np.full((3, 4), 7, np.uint8)
    assert fill_gaps(grey, np.ones((3, 4), bool)) is grey
    assert fill_gaps(grey, np.zeros((3, 4), bool)) is grey
