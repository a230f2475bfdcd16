from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diapir.surveys.products.bins import fit_bins
from diapir.surveys.products.bodies import label
from diapir.surveys.products.horizon_files import (
    HORIZON_FORMATS,
    HorizonWriter,
    PickColumn,
    read_me,
)
from diapir.surveys.products.horizons import crossings, salt_maps
from diapir.surveys.products.interval_file import IntervalFile
from tests.surveys.made_salt import (
    Made,
    ball,
    interval_file,
    line_grid,
    volume_grid,
    without_coordinates,
)

SHAPE = (20, 24, 40)


@pytest.fixture
def overhang(tmp_path: Path) -> IntervalFile:
    """Two balls one above the other, joined by a wall beside them."""
    salt = np.maximum(ball(SHAPE, (9, 11, 10), 5.2), ball(SHAPE, (9, 11, 28), 5.2))
    salt[9, 15, 10:29] = 1
    intervals = interval_file(tmp_path / "intervals", Made(volume_grid(SHAPE), salt), (6, 7))
    assert len(label(intervals, SHAPE, 1)) == 1
    return intervals


def test_top_is_the_first_entry_and_base_the_last_exit(overhang: IntervalFile) -> None:
    maps = salt_maps(overhang, SHAPE[:2])
    assert maps.top[9, 11] == pytest.approx(10 - 5.2, abs=1e-4)
    assert maps.base[9, 11] == pytest.approx(28 + 5.2, abs=1e-4)
    assert maps.intervals[9, 11] == 2
    assert maps.intervals[9, 15] == 1
    assert np.isnan(maps.top[0, 0])
    assert maps.intervals[0, 0] == maps.body[0, 0] == maps.thickness[0, 0] == 0
    assert maps.thickness[9, 11] == 22
    assert (maps.body[maps.salt] == 1).all()


def test_crossings_hold_every_entry_and_exit_in_order(overhang: IntervalFile) -> None:
    rows = np.concatenate(list(crossings(overhang)))
    here = rows[(rows["inline"] == 9) & (rows["crossline"] == 11)]
    assert here["number"].tolist() == [1, 2, 3, 4]
    assert here["sample"] == pytest.approx([4.8, 15.2, 22.8, 33.2], abs=1e-4)
    assert set(rows["body"]) == {1}
    place = rows["inline"].astype(int) * 1000 + rows["crossline"]
    assert (np.diff(place) >= 0).all()
    maps = salt_maps(overhang, SHAPE[:2])
    assert len(rows) == 2 * maps.intervals.sum()


def test_an_end_of_the_record_is_no_crossing(tmp_path: Path) -> None:
    salt = np.zeros((1, 1, 6), np.float32)
    salt[0, 0, [0, 1, 4, 5]] = 1
    intervals = interval_file(tmp_path / "intervals", Made(volume_grid((1, 1, 6)), salt))
    label(intervals, (1, 1, 6), 1)
    (rows,) = crossings(intervals)
    assert rows[["number", "sample"]].tolist() == [(2, 1.5), (3, 3.5)]
    maps = salt_maps(intervals, (1, 1))
    assert np.isnan(maps.top[0, 0])
    assert np.isnan(maps.base[0, 0])
    assert maps.salt[0, 0]


def test_small_bodies_are_in_no_horizon(tmp_path: Path) -> None:
    salt = ball(SHAPE, (9, 11, 28), 5.2)
    salt[9, 11, 3] = 1
    intervals = interval_file(tmp_path / "intervals", Made(volume_grid(SHAPE), salt))
    bodies = label(intervals, SHAPE, 2)
    assert (bodies.left_out, bodies.left_out_cells) == (1, 1)
    assert salt_maps(intervals, SHAPE[:2]).top[9, 11] == pytest.approx(28 - 5.2, abs=1e-4)
    assert {int(row["number"]) for rows in crossings(intervals) for row in rows} == {1, 2}


PICKS = np.array([[np.nan, 1.5, np.nan], [2.0, np.nan, 0.25]], np.float32)


def written(tmp_path: Path, form: str, **change: object) -> list[str]:
    grid = replace(volume_grid((2, 3, 10)), **change)  # type: ignore[arg-type]
    writer = HorizonWriter(grid, fit_bins(grid))
    path, count = writer.write_map(tmp_path / "top", PICKS, form)  # type: ignore[arg-type]
    lines = path.read_text().splitlines()
    assert count == len(lines)
    return lines


def test_opendtect_has_inline_crossline_and_place(tmp_path: Path) -> None:
    assert written(tmp_path, "opendtect") == [
        "100 302 500012.50 6000000.00 206.000",
        "102 303 500000.00 6000025.00 208.000",
        "102 301 500025.00 6000025.00 201.000",
    ]


def test_charisma_has_its_nine_columns(tmp_path: Path) -> None:
    assert written(tmp_path, "charisma")[0] == (
        "INLINE : 100 XLINE : 302 500012.50 6000000.00 206.000"
    )


def test_xyz_has_the_place_alone(tmp_path: Path) -> None:
    assert written(tmp_path, "xyz")[0] == "500012.50 6000000.00 206.000"


def test_a_gap_takes_its_place_from_the_grid_around_it(tmp_path: Path) -> None:
    grid = volume_grid((2, 3, 10))
    easting = grid.easting.copy()
    easting[0, 1] = np.nan
    lines = written(tmp_path, "opendtect", easting=easting)
    assert lines[0] == "100 302 500012.50 6000000.00 206.000"


def test_degrees_keep_their_digits(tmp_path: Path) -> None:
    grid = volume_grid((2, 3, 10))
    degrees = {"easting": grid.easting / 1e5, "northing": grid.northing / 1e5}
    assert written(tmp_path, "xyz", **degrees)[0] == "5.0001250 60.0000000 206.000"


def test_without_coordinates_they_are_undefined(tmp_path: Path) -> None:
    grid = without_coordinates(volume_grid((2, 3, 10)))
    writer = HorizonWriter(grid, fit_bins(grid))
    assert not writer.has_coordinates
    path, _ = writer.write_map(tmp_path / "top", PICKS, "opendtect")
    assert path.read_text().splitlines()[0] == "100 302 1e30 1e30 206.000"
    assert "1e30" in read_me(grid, ["opendtect"], coordinates=False)


def test_a_line_has_cdp_and_place(tmp_path: Path) -> None:
    grid = line_grid(3, 10)
    writer = HorizonWriter(grid, fit_bins(grid))
    path, _ = writer.write_map(tmp_path / "top", PICKS[:1], "opendtect")
    assert path.read_text() == "1002 400014.14 5000014.14 3.000\n"
    assert "CDP X Y Z" in read_me(grid, ["opendtect"], coordinates=True)


def test_crossings_carry_their_number_and_body(tmp_path: Path, overhang: IntervalFile) -> None:
    grid = volume_grid(SHAPE)
    writer = HorizonWriter(grid, fit_bins(grid))
    path, count = writer.write_crossings(tmp_path / "crossings", crossings(overhang))
    lines = path.read_text().splitlines()
    assert count == len(lines)
    here = [line.split() for line in lines if line.startswith("118 313 ")]
    assert [row[5:] for row in here] == [["1", "1"], ["2", "1"], ["3", "1"], ["4", "1"]]
    assert float(here[0][4]) == pytest.approx(200 + 4 * 4.8, abs=1e-3)


def test_further_columns_go_where_the_format_has_room(tmp_path: Path) -> None:
    grid = volume_grid((2, 3, 10))
    writer = HorizonWriter(grid, fit_bins(grid))
    share = np.array([[0, 0.25, 0], [np.nan, 0, 0.5]], np.float32)
    columns = [
        PickColumn("probability", share),
        PickColumn("body", np.ones((2, 3), np.int32), digits=0, csv_only=True),
    ]
    lines = {}
    for form in HORIZON_FORMATS:
        path, count = writer.write_map(tmp_path / "top", PICKS, form, columns)
        assert count == 3
        lines[form] = path.read_text().splitlines()
    assert lines["opendtect"][:2] == [
        "100 302 500012.50 6000000.00 206.000 0.250",
        "102 303 500000.00 6000025.00 208.000 1e30",
    ]
    assert lines["csv"][:3] == [
        "inline,crossline,easting,northing,z_m,probability,body",
        "100,302,500012.50,6000000.00,206.000,0.250,1",
        "102,303,500000.00,6000025.00,208.000,,1",
    ]
    assert lines["charisma"][0] == "INLINE : 100 XLINE : 302 500012.50 6000000.00 206.000"
    assert lines["xyz"][0] == "500012.50 6000000.00 206.000"
    text = read_me(grid, ["opendtect", "csv"], True, columns, ["Top and base are smoothed."])
    assert "inline crossline X Y Z probability\n" in text
    assert "body         number of the body in bodies.csv (CSV only)" in text
    assert "Top and base are smoothed." in text


def test_a_line_without_coordinates_has_empty_cells_in_csv(tmp_path: Path) -> None:
    grid = without_coordinates(line_grid(3, 10))
    writer = HorizonWriter(grid, fit_bins(grid))
    path, _ = writer.write_map(tmp_path / "top", PICKS[:1], "csv")
    assert path.read_text() == "cdp,easting,northing,z_ms\n1002,,,3.000\n"
