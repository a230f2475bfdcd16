import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diapir.undefined import find_undefined, hide_undefined


def noise(scale: float = 800, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, (40, 60)).astype(np.float32)


@pytest.mark.parametrize(
    "value", [-9999, -999.25, -99999, 1e20, 5_555_555, -32768, 32767, 9999900, -2147483648]
)
def test_a_repeated_value_far_outside_the_rest_is_undefined(value: float) -> None:
    values = noise()
    values[:, :12] = value
    assert find_undefined(values) == (float(np.float32(value)),)


@pytest.mark.parametrize("value", [-9999, -999.25])
def test_a_usual_value_is_found_within_the_range_of_the_data(value: float) -> None:
    values = noise(20_000)
    values[:, :12] = value
    assert find_undefined(values) == (value,)


def test_two_undefined_values_are_found() -> None:
    values = noise()
    values[:, :5], values[:, 50:] = -99999, -9999
    assert set(find_undefined(values)) == {-99999, -9999}


@pytest.mark.parametrize("limit", [300, 2000, 127, 32767])
def test_clipped_amplitudes_are_none(limit: float) -> None:
    assert find_undefined(np.clip(noise(limit), -limit, limit)) == ()


@given(st.integers(0, 50), st.sampled_from([1, 100, 3e4]))
@settings(max_examples=30, deadline=None)
def test_ordinary_amplitudes_have_none(seed: int, scale: float) -> None:
    values = noise(scale, seed)
    assert find_undefined(values) == ()
    assert find_undefined(np.rint(values)) == ()
    values[3, 3] = 60 * scale  # a spike
    assert find_undefined(values) == ()


def test_hidden_values_are_nan_and_no_others() -> None:
    values = noise()
    kept = values.copy()
    values[0, :5] = 1e30, -3.4e38, np.inf, np.nan, -9999
    hide_undefined(values, (-9999,))
    assert np.isnan(values[0, :5]).all()
    np.testing.assert_array_equal(values[1:], kept[1:])
    np.testing.assert_array_equal(values[0, 5:], kept[0, 5:])
