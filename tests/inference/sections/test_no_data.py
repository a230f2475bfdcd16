"""Which samples are no data."""

import numpy as np
import pytest

from diapir.inference.sections.no_data import (
    LEAST,
    LEAST_COARSE,
    blank,
    has_few_levels,
    least_run,
    no_data,
    with_true_zeros,
)


def noise(traces: int = 12, samples: int = 90) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(traces, samples)).astype(np.float32)


def test_runs_are_found_to_the_sample() -> None:
    traces = noise()
    traces[:, :30] = 0  # a mute
    traces[3, 40:55] = 7.5  # 15 equal samples
    traces[4, 70:] = 7.5  # 20, to the end
    expected = np.zeros(traces.shape, bool)
    expected[:, :30] = True
    expected[4, 70:] = True
    np.testing.assert_array_equal(no_data(traces, 16), expected)
    expected[3, 40:55] = True
    np.testing.assert_array_equal(no_data(traces, 15), expected)


def test_two_runs_that_adjoin_stay_two() -> None:
    trace = np.repeat([1.0, 2.0, 3.0], [9, 9, 2]).astype(np.float32)[None]
    assert not no_data(trace, 10).any()
    assert no_data(trace, 9).sum() == 18


def test_a_constant_trace_is_no_data_however_short() -> None:
    traces = noise(3, 8)
    traces[1] = -2
    found = no_data(traces, 40)
    assert found[1].all()
    assert not found[[0, 2]].any()


def test_missing_values_equal_nothing() -> None:
    assert not no_data(np.full((2, 60), np.nan, np.float32), 5).any()
    assert not no_data(np.zeros((3, 1), np.float32), 2).any()


def test_ordinary_data_have_no_runs() -> None:
    assert not no_data(noise(40, 400), LEAST).any()


@pytest.mark.parametrize(
    ("first_zero", "coarse", "expected"),
    [(1.5, False, 18), (0.8, False, LEAST), (3.5, True, LEAST_COARSE), (9.0, True, 108)],
)
def test_the_least_run_is_some_wavelengths(first_zero: float, coarse: bool, expected: int) -> None:
    assert least_run(first_zero, coarse=coarse) == expected


def test_an_unknown_wavelength_gives_the_least() -> None:
    assert least_run(float("nan"), coarse=False) == LEAST


def test_levels_are_counted() -> None:
    assert has_few_levels(np.rint(noise(50, 90) * 20).astype(np.float32))
    assert not has_few_levels(noise(50, 90))


def test_bars_of_a_picture_are_blank() -> None:
    picture = np.random.default_rng(2).integers(0, 255, (80, 120), dtype=np.uint8)
    picture[:, 110:] = 30  # a strip beside
    picture[:6] = 255  # a bar above
    picture[40, 3:90] = 7  # part of a row
    expected = np.zeros(picture.shape, bool)
    expected[:6] = True
    expected[6:, 110:] = True
    np.testing.assert_array_equal(blank(picture, 48), expected)


def test_flat_layers_are_data() -> None:
    layers = np.repeat(np.arange(40, dtype=np.uint8), 3)[:, None] * np.ones(90, np.uint8)
    assert not blank(layers, 48).any()


def test_amplitudes_that_only_rounding_keeps_from_zero_are_zero() -> None:
    traces = np.random.default_rng(0).normal(size=(4, 80)).astype(np.float32)
    traces[:, 20:50] *= 1e-9
    assert not no_data(traces, 16).any()
    found = no_data(with_true_zeros(traces, 2.0), 16)
    assert found[:, 20:50].all()
    assert not found[:, :20].any()
