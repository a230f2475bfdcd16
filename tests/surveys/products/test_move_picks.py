"""Smoothing that stops at gaps, and snapping to events whose place is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.surveys import open_survey
from diapir.surveys.products.move_picks import Snapping, smooth_picks

ROW = np.float32


def ricker(centres: NDArray[np.float64], samples: int = 80, width: float = 7.0) -> NDArray[ROW]:
    """A zero-phase wavelet at each centre, one trace each."""
    away = (np.arange(samples) - centres[:, None]) / width
    return ((1 - 2 * (np.pi * away) ** 2) * np.exp(-((np.pi * away) ** 2))).astype(np.float32)


CENTRES = 40 + np.linspace(-0.5, 0.5, 21)
"""Peaks at known places between samples."""


@pytest.mark.parametrize(("event", "sign"), [("peak", 1), ("trough", -1)])
def test_picks_move_to_the_event_between_samples(event: str, sign: int) -> None:
    picks = (CENTRES + np.linspace(-4, 4, 21)).astype(np.float32)
    moved = Snapping(event, 6).move(picks, sign * ricker(CENTRES))  # type: ignore[arg-type]
    np.testing.assert_allclose(moved, CENTRES, atol=0.05)


def test_picks_move_to_the_nearest_zero_crossing() -> None:
    zero = 7.0 / (np.pi * np.sqrt(2))  # of the wavelet, either side of its centre
    traces = ricker(CENTRES)
    below = Snapping("zero", 3).move((CENTRES + 2.4).astype(np.float32), traces)
    above = Snapping("zero", 3).move((CENTRES - 2.4).astype(np.float32), traces)
    np.testing.assert_allclose(below, CENTRES + zero, atol=0.05)
    np.testing.assert_allclose(above, CENTRES - zero, atol=0.05)


def test_an_event_outside_the_window_moves_nothing() -> None:
    traces = ricker(np.array([40.0, 40.0]))
    moved = Snapping("peak", 3).move(np.array([46, 38], np.float32), traces)
    assert np.isnan(moved[0])
    assert moved[1] == pytest.approx(40, abs=1e-3)


def test_noise_beside_the_event_does_not_hold_a_pick() -> None:
    trace = ricker(np.array([40.0]))
    trace[0, 36] += 0.2  # a small peak nearer to the pick
    assert Snapping("peak", 6).move(np.array([36], np.float32), trace)[0] == pytest.approx(40, 0.01)


def test_traces_without_amplitudes_have_no_event() -> None:
    traces = np.full((3, 20), np.nan, np.float32)
    traces[1] = 0
    for event in ("peak", "trough", "zero"):
        moved = Snapping(event, 9).move(np.full(3, 10, np.float32), traces)  # type: ignore[arg-type]
        assert np.isnan(moved[[0, 2]]).all()


def test_a_median_takes_out_a_spike_and_keeps_a_step() -> None:
    picks = np.full((1, 20), 10, np.float32)
    picks[0, 12:] = 30
    stepped = picks.copy()
    picks[0, 4] = 90
    bodies = np.ones(picks.shape, np.int32)
    np.testing.assert_array_equal(smooth_picks(picks, bodies, "median", 2), stepped)


@pytest.mark.parametrize("how", ["median", "gaussian"])
def test_nothing_passes_a_gap_or_into_another_body(how: str) -> None:
    picks = np.full((1, 20), 10, np.float32)
    picks[0, 10] = np.nan
    picks[0, 11:] = 50
    bodies = np.ones(picks.shape, np.int32)
    smoothed = smooth_picks(picks, bodies, how, 4)  # type: ignore[arg-type]
    np.testing.assert_array_equal(smoothed, picks)
    picks[0, 10] = 50
    bodies[0, 10:] = 2
    smoothed = smooth_picks(picks, bodies, how, 4)  # type: ignore[arg-type]
    np.testing.assert_array_equal(smoothed, picks)


def test_a_gaussian_smooths_both_ways_and_keeps_a_plane() -> None:
    i, x = np.meshgrid(np.arange(12), np.arange(15), indexing="ij")
    plane = (100 + 2.0 * i - 3.0 * x).astype(np.float32)
    bodies = np.ones(plane.shape, np.int32)
    noisy = plane + np.random.default_rng(0).normal(size=plane.shape).astype(np.float32)
    smoothed = smooth_picks(plane, bodies, "gaussian", 2)
    np.testing.assert_allclose(smoothed[2:-2, 2:-2], plane[2:-2, 2:-2], rtol=1e-5)
    inner = smooth_picks(noisy, bodies, "gaussian", 3)[3:-3, 3:-3] - plane[3:-3, 3:-3]
    assert inner.std() < 0.4 * (noisy - plane).std()


SEGY = Path(__file__).resolve().parents[4] / "shared" / "data" / "segy"


@pytest.mark.real
def test_a_field_horizon_lies_on_the_event_it_was_picked_on() -> None:
    """An interpreter's seabed, picked on a peak: it hardly moves, and shaken picks come back."""
    source, horizon = SEGY / "penobscot_xl1155.sgy", SEGY / "penobscot-seabed-horizon.npy"
    if not source.is_file():
        pytest.skip(f"{source} is not here")
    traces = open_survey(source).read(slice(None), slice(None))[:, 0]
    picks = np.load(horizon)[:, 155].astype(np.float32)  # in samples, of crossline 1155
    moved = Snapping("peak", 3).move(picks, traces)
    known = np.isfinite(moved)
    assert known.mean() > 0.85
    assert np.median(np.abs(moved - picks)[known]) < 0.2
    shaken = picks + np.random.default_rng(0).uniform(-2, 2, len(picks)).astype(np.float32)
    np.testing.assert_array_equal(Snapping("peak", 5).move(shaken, traces)[known], moved[known])
