from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import surfio
from hypothesis import given, settings
from hypothesis import strategies as st

from diapir.errors import DataError, MissingDependencyError
from diapir.surveys.products.bins import fit_bins
from diapir.surveys.products.irap import irap_obstacle, read_irap, write_irap
from tests.surveys.made_salt import line_grid, volume_grid, without_coordinates

SHAPE = (3, 4, 10)


def nodes(surface: surfio.IrapSurface) -> dict[tuple[float, float], float]:
    """Value at each place, by what the format's header says."""
    head = surface.header
    turn = np.radians(head.rot)
    found = {}
    for column in range(head.ncol):
        for row in range(head.nrow):
            along, up = column * head.xinc, row * head.yinc
            x = head.xori + along * np.cos(turn) - up * np.sin(turn)
            y = head.yori + along * np.sin(turn) + up * np.cos(turn)
            value = surface.values[column, row]
            if np.isfinite(value):
                found[round(x, 1), round(y, 1)] = float(value)
    return found


@settings(max_examples=30)
@given(st.integers(0, 359), st.sampled_from([1, -1]))
def test_every_pick_stands_at_its_place(tmp_path_factory: object, degrees: int, hand: int) -> None:
    folder: Path = tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    turn = np.radians(degrees)
    grid = volume_grid(
        SHAPE,
        inline=(25 * np.cos(turn), 25 * np.sin(turn)),
        crossline=(-hand * 12.5 * np.sin(turn), hand * 12.5 * np.cos(turn)),
    )
    picks = np.arange(12, dtype=np.float32).reshape(3, 4)
    picks[1, 2] = np.nan
    bins = fit_bins(grid)
    assert bins is not None
    assert irap_obstacle(grid, bins) is None
    write_irap(folder / "top.irap", picks, grid, bins)
    surface = surfio.IrapSurface.from_ascii_file(folder / "top.irap")
    assert np.cos(np.radians(surface.header.rot)) > -1e-6  # columns run to the east
    found = nodes(surface)
    expected = {
        (easting, northing): 200 + 4 * pick
        for easting, northing, pick in zip(
            grid.easting.flat, grid.northing.flat, picks.flat, strict=True
        )
        if np.isfinite(pick)
    }
    assert len(found) == len(expected)
    for (easting, northing), z in expected.items():
        near = min(found, key=lambda place: np.hypot(place[0] - easting, place[1] - northing))
        assert np.hypot(near[0] - easting, near[1] - northing) < 0.3
        assert found[near] == pytest.approx(z, abs=1e-3)


def test_an_axis_with_a_hole_keeps_its_steps(tmp_path: Path) -> None:
    grid = volume_grid((4, 3, 10))
    keep = [0, 1, 3]
    part = {name: getattr(grid, name)[keep] for name in ("inlines", "live", "easting", "northing")}
    holed = replace(grid, **part)
    bins = fit_bins(holed)
    assert bins is not None
    write_irap(tmp_path / "top.irap", np.ones((3, 3), np.float32), holed, bins)
    surface = surfio.IrapSurface.from_ascii_file(tmp_path / "top.irap")
    assert (surface.header.ncol, surface.header.nrow) == (3, 4)
    assert np.isnan(surface.values).sum() == 3


def test_obstacles_to_an_irap_grid_are_named() -> None:
    slanted = volume_grid(SHAPE, crossline=(12.5, 6.0))
    assert "perpendicular" in (irap_obstacle(slanted, fit_bins(slanted)) or "")
    bent = volume_grid(SHAPE)
    bent = replace(bent, easting=bent.easting + 30 * (np.arange(4) % 2))
    assert "regular grid" in (irap_obstacle(bent, fit_bins(bent)) or "")
    line = line_grid(4, 10)
    assert "no area" in (irap_obstacle(line, fit_bins(line)) or "")
    bare = without_coordinates(volume_grid(SHAPE))
    assert "no coordinates" in (irap_obstacle(bare, fit_bins(bare)) or "")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 359))
def test_a_written_grid_is_read_between_its_nodes(
    tmp_path_factory: pytest.TempPathFactory, degrees: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "plane.irap"
    turn = np.radians(degrees)
    grid = volume_grid(
        SHAPE,
        inline=(25 * np.cos(turn), 25 * np.sin(turn)),
        crossline=(-12.5 * np.sin(turn), 12.5 * np.cos(turn)),
    )
    inline, crossline = np.meshgrid(np.arange(3), np.arange(4), indexing="ij")
    bins = fit_bins(grid)
    assert bins is not None
    write_irap(path, (inline + 2 * crossline).astype(np.float32), grid, bins)
    surface = read_irap(path)
    places = np.array([[0.0, 0.0], [1.5, 2.25], [2.0, 3.0], [0.25, 3.0], [2.2, 1.0], [1.0, -0.1]])
    easting = bins.place(100 + 2 * places[:, 0], 304 - places[:, 1])
    expected = 200 + 4 * (places[:, 0] + 2 * places[:, 1])
    expected[-2:] = np.nan  # outside
    np.testing.assert_allclose(surface.at(*easting), expected, atol=0.05)


def test_undefined_nodes_spoil_only_what_lies_beside_them(tmp_path: Path) -> None:
    grid = volume_grid(SHAPE)
    picks = np.zeros((3, 4), np.float32)
    picks[1, 2] = np.nan
    bins = fit_bins(grid)
    assert bins is not None
    write_irap(tmp_path / "top.irap", picks, grid, bins)
    found = read_irap(tmp_path / "top.irap").at(grid.easting, grid.northing)
    assert np.isnan(found).sum() == 1
    assert np.isnan(found[1, 2])


@pytest.mark.parametrize(
    "text", ["", "-996 3 25", "-996 2 0 0\n1 2 3 4\n2 0 0 0\n0 0 0 0 0 0 0\n1 x"]
)
def test_damaged_grids_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "top.irap").write_text(text)
    with pytest.raises(DataError, match="cannot be read as an IRAP grid"):
        read_irap(tmp_path / "top.irap")


def test_reading_needs_surfio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "surfio", None)
    with pytest.raises(MissingDependencyError, match="surfio"):
        read_irap(tmp_path / "top.irap")
