"""Parts of a grid by line numbers and times, and the errors of those it does not have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from diapir.errors import ConfigError, SurveyError
from diapir.surveys import Extent, Grid
from diapir.surveys.grid_part import select
from tests.surveys.made_salt import line_grid, volume_grid

GRID = volume_grid((20, 10, 50))
"""Inlines 100, 102 … 138; crosslines 310 down to 301; depths 200, 204 … 396 m."""


@pytest.mark.parametrize(
    ("extent", "inlines", "crosslines", "depths"),
    [
        ({"inlines": "110:120"}, [110, 112, 114, 116, 118, 120], None, (200, 396)),
        ({"inlines": "109:121:4"}, [110, 114, 118], None, (200, 396)),
        ({"inlines": "110"}, [110], None, (200, 396)),
        ({"inlines": ":104"}, [100, 102, 104], None, (200, 396)),
        ({"crosslines": "308:"}, None, [310, 309, 308], (200, 396)),
        ({"crosslines": "::3"}, None, [310, 307, 304, 301], (200, 396)),
        ({"time": "210:220"}, None, None, (212, 220)),
        ({"depth": "212:"}, None, None, (212, 396)),
        ({"every": 7}, [100, 114, 128], None, (200, 396)),
        ({"every": 4, "every_of": "crosslines"}, None, [310, 306, 302], (200, 396)),
    ],
)
def test_ranges_are_line_numbers_with_both_ends(
    extent: dict[str, object],
    inlines: list[int] | None,
    crosslines: list[int] | None,
    depths: tuple[float, float],
) -> None:
    found = select(GRID, Extent(**extent), "made").grid  # type: ignore[arg-type]
    assert found.inlines.tolist() == (inlines or GRID.inlines.tolist())
    assert found.crosslines.tolist() == (crosslines or GRID.crosslines.tolist())
    assert (found.vertical[0], found.vertical[-1]) == depths
    rows, columns = np.isin(GRID.inlines, found.inlines), np.isin(GRID.crosslines, found.crosslines)
    np.testing.assert_array_equal(found.easting, GRID.easting[np.ix_(rows, columns)])
    np.testing.assert_array_equal(found.northing, GRID.northing[np.ix_(rows, columns)])


def test_lines_that_are_left_out_are_counted() -> None:
    assert select(GRID, Extent(inlines="100:120"), "made").skips == (1, 1)
    assert select(GRID, Extent(inlines="100:138:6"), "made").skips == (3, 1)
    assert select(GRID, Extent(every=5), "made").skips == (5, 1)


def test_only_the_traces_of_the_part_are_read() -> None:
    values = np.random.default_rng(0).normal(size=GRID.shape).astype(np.float32)
    wanted: list[tuple[slice, slice]] = []

    def whole(inlines: slice, crosslines: slice) -> np.ndarray:
        wanted.append((inlines, crosslines))
        return values[inlines, crosslines].copy()

    chosen = select(GRID, Extent(inlines="110:130:4", crosslines="302:305", time="300:340"), "made")
    found = chosen.read(whole, slice(1, 3), slice(None))
    np.testing.assert_array_equal(found, values[7:10:2, 5:9, 25:36])
    assert wanted == [(slice(7, 10, 2), slice(5, 9, 1))]
    assert chosen.read(whole, slice(2, 2), slice(None)).shape == (0, 4, 11)


def test_uneven_line_numbers_are_read_in_stretches() -> None:
    numbers = np.array([100, 101, 102, 110, 111, 130])
    grid = replace(volume_grid((6, 4, 5)), inlines=numbers)
    values = np.arange(6 * 4 * 5, dtype=np.float32).reshape(6, 4, 5)
    chosen = select(grid, Extent(inlines="101:130"), "made")
    kept = select(replace(grid, inlines=np.array([1, 2, 4, 5, 7, 9])), Extent(inlines="1:9:2"), "m")
    for one, rows in ((chosen, [1, 2, 3, 4, 5]), (kept, [0, 3, 4, 5])):
        found = one.read(lambda i, x: values[i, x].copy(), slice(None), slice(None))
        np.testing.assert_array_equal(found, values[rows])


@pytest.mark.parametrize(
    ("extent", "kind", "said"),
    [
        ({"inlines": "200:100"}, ConfigError, "200 is larger than 100"),
        ({"time": "20:10"}, ConfigError, "20 is larger than 10"),
        ({"inlines": "a:b"}, ConfigError, "--inlines a:b"),
        ({"crosslines": "1:9:0"}, ConfigError, "step of at least 1"),
        ({"time": "100"}, ConfigError, "--time 100"),
        ({"time": "1:2", "depth": "1:2"}, ConfigError, "both given"),
        ({"every": 1}, ConfigError, "--every 1"),
        ({"inlines": "500:600"}, SurveyError, "inlines 100 to 138, step 2"),
        ({"crosslines": "1:2"}, SurveyError, "crosslines 301 to 310, step 1"),
        ({"inlines": "101:101"}, SurveyError, "inlines 100 to 138, step 2"),
        ({"time": "1000:2000"}, SurveyError, "200 to 396 m"),
        ({"time": "201:203"}, SurveyError, "interval 4"),
    ],
)
def test_a_range_that_cannot_be_used_says_what_there_is(
    extent: dict[str, str], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        select(GRID, Extent(**extent), "made.sgy")  # type: ignore[arg-type]


def _time(grid: Grid) -> Grid:
    return replace(grid, domain="time")


@pytest.mark.parametrize(
    ("grid", "extent", "said"),
    [
        (line_grid(30, 20), {"inlines": "1:2"}, "is a 2D line"),
        (line_grid(30, 20), {"every": 10}, "is a 2D line"),
        (line_grid(30, 20), {"crosslines": "1:9"}, "CDPs 1001 to 1030"),
        (_time(GRID), {"depth": "200:300"}, "is in time"),
        (replace(GRID, live=np.zeros((20, 10), bool)), {"inlines": "110:"}, "no live trace"),
    ],
)
def test_a_survey_without_such_an_axis_is_refused(
    grid: Grid, extent: dict[str, object], said: str
) -> None:
    with pytest.raises(SurveyError, match=said):
        select(grid, Extent(**extent), "made.sgy")  # type: ignore[arg-type]


def test_a_range_beyond_the_survey_is_cut_and_said() -> None:
    found = select(GRID, Extent(inlines="90:104", time="0:220"), "made")
    assert found.grid.inlines.tolist() == [100, 102, 104]
    assert [note.partition(" reaches")[0] for note in found.notes] == [
        "--inlines 90:104",
        "--time 0:220",
    ]
