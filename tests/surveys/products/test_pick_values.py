"""Values around picks, and picks placed on the seismic."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.surveys.products.horizons import SaltMaps
from diapir.surveys.products.intervals import blocks
from diapir.surveys.products.pick_values import AROUND, PlacedPicks, pick_values, place_picks
from diapir.surveys.products.product_options import ProductOptions
from tests.surveys.made import MemorySurvey
from tests.surveys.made_salt import volume_grid

SHAPE = (6, 9, 40)
GRID = volume_grid(SHAPE)


@dataclass(frozen=True)
class Views:
    """Predictions of two views in memory."""

    probability: NDArray[np.float32]
    uncertainty: NDArray[np.float32]
    grid = GRID
    names = ("probability", "uncertainty")

    def read(self, name: str, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        values: NDArray[np.float32] = getattr(self, name)
        return values[inlines, crosslines].copy()


@pytest.fixture
def views() -> Views:
    rng = np.random.default_rng(0)
    return Views(rng.random(SHAPE, np.float32), rng.random(SHAPE, np.float32))


def test_values_are_means_of_the_samples_around_a_pick(views: Views) -> None:
    picks = np.full(SHAPE[:2], np.nan, np.float32)
    picks[4, 7], picks[0, 0], picks[5, 2] = 20.4, 1.0, 38.9
    views.probability[4, 7, 22] = np.nan
    parts = list(blocks(GRID, chunk=(4, 5), cells=1))
    found, base = pick_values(views, parts, picks, picks, views=True)
    near = views.probability[4, 7, 20 - AROUND + 1 : 20 + AROUND + 1]
    assert found.probability[4, 7] == pytest.approx(np.nanmean(near))
    above, below = near[:AROUND], near[AROUND:]
    assert found.contrast[4, 7] == pytest.approx(np.nanmean(below) - above.mean())
    assert found.disagreement is not None
    assert found.disagreement[0, 0] == pytest.approx(views.uncertainty[0, 0, : AROUND + 2].mean())
    assert found.probability[5, 2] == pytest.approx(views.probability[5, 2, 35:].mean())
    assert np.isnan(found.probability).sum() == picks.size - 3
    np.testing.assert_array_equal(base.probability, found.probability)
    np.testing.assert_array_equal(base.contrast, -found.contrast)
    alone, _ = pick_values(views, parts, picks, picks, views=False)
    assert alone.disagreement is None
    assert [one.name for one in alone.columns() if not one.csv_only] == ["probability"]


def maps(top: float, base: float) -> SaltMaps:
    one = np.ones(SHAPE[:2], np.int32)
    size = np.full(SHAPE[:2], base - top, np.float32)
    tops, bases = np.full(SHAPE[:2], top, np.float32), np.full(SHAPE[:2], base, np.float32)
    return SaltMaps(tops, bases, size, one, one, one, one)


def placed(views: Views, top: float, base: float, **options: object) -> PlacedPicks:
    """Picks placed on traces with peaks at samples 10.25 and 25.25."""
    away = np.minimum(*(np.abs(np.arange(40) - at) for at in (10.25, 25.25)))
    trace = (1 - (away / 3) ** 2) * np.exp(-((away / 4) ** 2))
    survey = MemorySurvey(np.broadcast_to(trace, SHAPE).astype(np.float32))
    settings = ProductOptions(**options).resolved(section=False)  # type: ignore[arg-type]
    return place_picks(views, list(blocks(GRID)), maps(top, base), settings, survey)


def test_top_and_base_move_to_their_own_peaks(views: Views) -> None:
    found = placed(views, 8, 27, snap="peak", snap_window=16.0)
    assert found.maps.top[2, 2] == pytest.approx(10.25, abs=0.05)
    assert found.maps.base[2, 2] == pytest.approx(25.25, abs=0.05)
    (column,) = [one for one in found.columns["top"] if one.name == "unsnapped_m"]
    assert column.values[2, 2] == 200 + 4 * 8
    assert "within ±16 m" in found.remarks[0]


def test_picks_that_would_cross_or_have_no_event_stay(views: Views) -> None:
    found = placed(views, 9, 12, snap="peak", snap_window=20.0)
    assert (found.maps.top[2, 2], found.maps.base[2, 2]) == (9, 12)
    assert "108 of 108 picks" in found.remarks[0]
    far = placed(views, 16, 20, snap="peak", snap_window=4.0)
    assert (far.maps.top[2, 2], far.maps.base[2, 2]) == (16, 20)


def test_without_options_picks_stay_where_the_probability_crosses(views: Views) -> None:
    found = placed(views, 8, 27)
    np.testing.assert_array_equal(found.maps.top, maps(8, 27).top)
    assert found.remarks == []
    assert [one.name for one in found.columns["base"]] == [
        "probability",
        "disagreement",
        "contrast",
        "body",
    ]
    smooth = placed(views, 8, 27, smooth="median")
    assert "smoothed (median, radius 2 traces)" in smooth.remarks[0]
    assert replace(smooth, remarks=[]).maps.top[0, 0] == 8
