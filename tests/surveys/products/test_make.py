from __future__ import annotations

import contextlib
import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import segyio
from numpy.typing import NDArray
from PIL import Image

from diapir.errors import ConfigError, DataError, MissingDependencyError
from diapir.inference.overlay import SALT
from diapir.surveys import open_survey
from diapir.surveys.products.make import make_products
from diapir.surveys.products.product_options import (
    PRODUCT_FORMATS,
    ProductFormat,
    ProductOptions,
)
from tests.helpers.segy import write_segy
from tests.surveys.made_salt import Made, ball, line_grid, volume_grid, without_coordinates

SHAPE = (30, 40, 50)
DRAWN: tuple[ProductFormat, ...] = tuple(form for form in PRODUCT_FORMATS if form != "segy")
"""Formats that need no SEG-Y file as their model."""


@pytest.fixture
def made() -> Made:
    """Two balls, one large."""
    salt = np.maximum(ball(SHAPE, (14, 12, 25), 8.5), ball(SHAPE, (14, 32, 20), 5.5))
    return Made(volume_grid(SHAPE), salt)


class Amplitudes:
    """A survey whose grey level tells the trace and the sample."""

    def __init__(self, made: Made) -> None:
        self.grid = made.grid

    def read(self, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        i, x, s = np.meshgrid(*(np.arange(length) for length in self.grid.shape), indexing="ij")
        return (i + x - s).astype(np.float32)[inlines, crosslines]


def table(out: Path) -> list[dict[str, str]]:
    with (out / "bodies.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_everything_is_written_and_recorded(tmp_path: Path, made: Made) -> None:
    steps: list[tuple[int, int]] = []
    products = make_products(
        made,
        tmp_path,
        ProductOptions(formats=DRAWN, min_cells=100),
        progress=lambda done, total: steps.append((done, total)),
    )
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    record = json.loads((tmp_path / "products.json").read_text())
    assert there == {*record["files"], "products.json"}
    assert record == json.loads(json.dumps(products.to_json()))
    for name in ("top", "base"):
        for suffix in ("dat", "charisma", "xyz", "irap"):
            assert f"horizons/{name}.{suffix}" in there
    assert {f"meshes/body-00{n}.{form}" for n in (1, 2) for form in ("ply", "obj", "vtk")} <= there
    traces = int((made.probability >= 0.5).any(axis=2).sum())
    assert products.picks == {"top": traces, "base": traces, "crossings": 2 * traces}
    assert products.notes == []
    assert steps[-1][0] == steps[-1][1] == len(steps)


def test_the_table_says_how_large_and_where(tmp_path: Path, made: Made) -> None:
    make_products(made, tmp_path, ProductOptions(min_cells=100))
    first, second = table(tmp_path)
    cells = int((ball(SHAPE, (14, 12, 25), 8.5) >= 0.5).sum())
    assert first["body"] == "1"
    assert int(first["cells"]) == cells
    assert int(first["volume_m3"]) == cells * 1250
    assert float(first["mean_probability"]) == pytest.approx(0.87, abs=0.02)
    assert (first["inline_min"], first["inline_max"]) == ("112", "144")
    assert (first["crossline_min"], first["crossline_max"]) == ("320", "336")
    assert float(first["top_m"]) == pytest.approx(200 + 4 * (25 - 8.5))
    assert float(first["base_m"]) == pytest.approx(200 + 4 * (25 + 8.5))
    assert first["cut_by_edge"] == second["cut_by_edge"] == "no"
    assert int(second["cells"]) == int((ball(SHAPE, (14, 32, 20), 5.5) >= 0.5).sum())


def test_small_bodies_are_left_out_of_everything(tmp_path: Path, made: Made) -> None:
    products = make_products(made, tmp_path)  # 1000 cells by default
    assert len(products.bodies) == 1
    assert products.bodies.left_out == 1
    assert not (products.maps.body[:, 26:] > 0).any()
    assert [mesh.body for mesh in products.meshes] == [1]


@pytest.mark.parametrize("fill", ["body", "trace"])
def test_a_hollow_body_is_filled_only_when_asked(tmp_path: Path, fill: Any) -> None:
    shell = ball(SHAPE, (14, 18, 25), 10)
    shell = np.minimum(shell, 1 - ball(SHAPE, (14, 18, 25), 7))
    made = Made(volume_grid(SHAPE), shell)
    hollow = make_products(made, tmp_path / "hollow")
    filled = make_products(made, tmp_path / "filled", ProductOptions(fill=fill))
    whole = int((ball(SHAPE, (14, 18, 25), 10) >= 0.5).sum())
    assert hollow.bodies.table["cells"].sum() < 0.75 * whole
    assert filled.bodies.table["cells"].sum() == whole
    (row,) = table(tmp_path / "filled")
    assert int(row["cells_filled"]) == whole - hollow.bodies.table["cells"].sum()
    assert (hollow.maps.intervals > 1).any()
    assert not (filled.maps.intervals > 1).any()
    assert np.array_equal(hollow.maps.top, filled.maps.top, equal_nan=True)
    # one surface outside, where the hollow body has one inside as well
    sizes = [len(products.meshes[0].surface.triangles) for products in (hollow, filled)]
    assert sizes[1] < 0.8 * sizes[0]


def test_the_result_does_not_depend_on_chunks(tmp_path: Path, made: Made) -> None:
    options = ProductOptions(min_cells=100)
    make_products(made, tmp_path / "a", options)
    make_products(made, tmp_path / "b", options, chunk=(7, 9))
    for name in ("bodies.csv", "horizons/top.dat", "horizons/base.dat", "horizons/crossings.dat"):
        assert (tmp_path / "a" / name).read_text() == (tmp_path / "b" / name).read_text()


def test_gaps_hold_no_salt(tmp_path: Path, made: Made) -> None:
    live = made.grid.live.copy()
    live[14, 12] = False
    products = make_products(Made(replace(made.grid, live=live), made.probability), tmp_path)
    assert products.maps.intervals[14, 12] == 0
    assert products.maps.intervals[14, 11] == 1


def test_a_line_has_its_own_columns(tmp_path: Path) -> None:
    made = Made(line_grid(60, 50), ball((1, 60, 50), (0, 30, 25), 9))
    options = ProductOptions(formats=DRAWN, velocity=4000)
    products = make_products(made, tmp_path, options)
    (row,) = table(tmp_path)
    assert (row["cdp_min"], row["cdp_max"]) == ("1022", "1040")
    assert float(row["top_ms"]) == pytest.approx(2 * 16)
    assert int(row["area_m2"]) == pytest.approx(int(row["cells"]) * 20 * 4)
    assert "inline_min" not in row
    first = (tmp_path / "horizons/top.dat").read_text().splitlines()[0].split()
    assert len(first) == 5  # CDP, X, Y, Z and the mean probability around the pick
    assert len(products.notes) == 3  # no meshes, no CHARISMA, no IRAP
    assert [path.name for path in (tmp_path / "sections").iterdir()] == ["line.png"]


def test_one_inline_of_a_volume_keeps_its_numbers(tmp_path: Path) -> None:
    made = Made(volume_grid((1, 40, 50)), ball((1, 40, 50), (0, 20, 25), 9))
    make_products(made, tmp_path)
    assert (tmp_path / "horizons/top.dat").read_text().startswith("100 ")
    (row,) = table(tmp_path)
    assert int(row["area_m2"]) == int(row["cells"]) * 50
    assert [path.name for path in (tmp_path / "sections").iterdir()] == ["inline-100.png"]


def test_no_salt_is_said_and_leaves_an_empty_table(tmp_path: Path) -> None:
    made = Made(volume_grid(SHAPE), np.zeros(SHAPE, np.float32))
    products = make_products(made, tmp_path)
    assert "No salt" in products.notes[0]
    assert (tmp_path / "bodies.csv").read_text() == ""
    assert products.sections


def test_unknown_coordinates_leave_out_what_needs_them(tmp_path: Path, made: Made) -> None:
    bare = Made(without_coordinates(made.grid), made.probability)
    products = make_products(bare, tmp_path, ProductOptions(formats=DRAWN))
    assert len(products.notes) == 2  # no XYZ, no IRAP
    assert table(tmp_path)[0]["volume_m3"] == ""
    assert not list(tmp_path.glob("horizons/*.xyz"))


def test_salt_to_the_end_of_the_record_is_said(tmp_path: Path) -> None:
    made = Made(volume_grid(SHAPE), ball(SHAPE, (14, 18, 47), 9))
    products = make_products(made, tmp_path)
    (note,) = products.notes
    assert "no base pick" in note
    assert products.picks["base"] < products.picks["top"]
    assert table(tmp_path)[0]["cut_by_edge"] == "yes"


def test_sections_show_time_downwards_and_traces_across(tmp_path: Path, made: Made) -> None:
    survey: Any = Amplitudes(made)
    make_products(made, tmp_path, survey=survey, scale=70)
    pixels = np.asarray(Image.open(tmp_path / "sections/inline-128.png"))
    assert pixels.shape == (50, 40, 3)
    grey = pixels[..., 0].astype(int)
    assert grey[0, 39] > grey[0, 0] > grey[49, 0]  # the amplitude rises across and falls down
    assert tuple(pixels[25 - 8, 12]) == SALT  # the outline at the top of the body
    assert (pixels[2] == pixels[2][:, :1]).all()  # no colour above it


def test_files_that_are_made_no_more_go_and_others_stay(tmp_path: Path, made: Made) -> None:
    make_products(made, tmp_path, ProductOptions(formats=("opendtect", "xyz", "ply"), min_cells=9))
    (tmp_path / "meshes" / "mine.ply").write_text("mine")
    make_products(made, tmp_path, ProductOptions(formats=("opendtect", "ply"), min_cells=1000))
    assert not list(tmp_path.glob("horizons/*.xyz"))
    assert sorted(path.name for path in (tmp_path / "meshes").iterdir()) == [
        "body-001.ply",
        "mine.ply",
    ]


def test_a_record_that_names_files_elsewhere_removes_none(tmp_path: Path, made: Made) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("keep me")
    out = tmp_path / "out"
    out.mkdir()
    (out / "products.json").write_text(json.dumps({"files": ["../precious.txt"]}))
    make_products(made, out)
    assert precious.read_text() == "keep me"


def test_a_foreign_record_is_refused(tmp_path: Path, made: Made) -> None:
    (tmp_path / "products.json").write_text("[]")
    with pytest.raises(DataError, match="not a folder of salt products"):
        make_products(made, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["products.json"]


def test_a_folder_of_something_else_is_refused(tmp_path: Path, made: Made) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="not a folder of salt products") as caught:
        make_products(made, tmp_path)
    assert "--out" not in caught.value.fix  # `diapir products` has no such option
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_the_page_of_earlier_products_goes_with_them(tmp_path: Path, made: Made) -> None:
    make_products(made, tmp_path)
    (tmp_path / "report.html").write_text("of the earlier products")
    make_products(made, tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_failure_leaves_no_scratch_and_the_old_products(tmp_path: Path, made: Made) -> None:
    make_products(made, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}

    class Broken(Made):
        def read(self, name: str, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
            raise OSError("the disk is gone")

    with pytest.raises(DataError, match="the disk is gone"):
        make_products(Broken(made.grid, made.probability), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_irap_without_its_package_is_said_before_the_work(
    tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="surfio"):
        make_products(made, tmp_path / "out", ProductOptions(formats=("irap",)))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 0},
        {"threshold": 1.5},
        {"threshold": float("nan")},
        {"fill": "all"},
        {"min_cells": 0},
        {"velocity": -1},
        {"velocity": float("inf")},
        {"formats": ("gocad",)},
        {"meshes": -1},
    ],
)
def test_an_option_out_of_range_names_itself(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        ProductOptions(**wrong)
    assert f"--{next(iter(wrong)).replace('_', '-')}" in caught.value.found


@pytest.mark.parametrize("fill", ["none", "body"])
def test_body_numbers_load_with_the_geometry_of_the_input(tmp_path: Path, fill: Any) -> None:
    shape = (12, 14, 30)
    source = tmp_path / "block.sgy"
    rng = np.random.default_rng(1)
    write_segy(source, rng.normal(size=shape).astype(np.float32))
    shell = np.minimum(ball(shape, (5, 7, 15), 5), 1 - ball(shape, (5, 7, 15), 2.5))
    shell[10, 12, 3:5] = 1
    options = ProductOptions(formats=("segy",), fill=fill, min_cells=2)
    with contextlib.closing(open_survey(source)) as survey:
        made = Made(survey.grid, shell)
        products = make_products(made, tmp_path / "out", options, survey=survey)
    assert products.notes == []
    with segyio.open(source) as before, segyio.open(tmp_path / "out/bodies.sgy") as after:
        assert np.array_equal(before.ilines, after.ilines)
        assert np.array_equal(before.xlines, after.xlines)
        cube = segyio.tools.cube(after)
        assert "NUMBER OF THE SALT BODY" in segyio.tools.wrap(after.text[0])
    expected = (shell >= 0.5).astype(int)
    if fill == "body":
        expected = (ball(shape, (5, 7, 15), 5) >= 0.5).astype(int)
    expected[10, 12, 3:5] = 2
    assert np.array_equal(cube, expected)


def test_body_numbers_need_a_segy_file(tmp_path: Path, made: Made) -> None:
    products = make_products(made, tmp_path, ProductOptions(formats=("segy",)))
    assert "No SEG-Y of body numbers" in products.notes[0]
    assert not (tmp_path / "bodies.sgy").exists()


def in_feet(made: Made) -> Made:
    """The same rock with lengths in feet."""
    grid, foot = made.grid, 0.3048
    return replace(
        made,
        grid=replace(
            grid,
            interval=grid.interval / foot,
            start=grid.start / foot,
            easting=grid.easting / foot,
            northing=grid.northing / foot,
            depth_unit="ft",
            xy_unit="ft",
        ),
    )


def test_feet_are_carried_through_and_sizes_are_metric(tmp_path: Path) -> None:
    shape = (24, 30, 60)
    metric = Made(volume_grid(shape), ball(shape, (12, 14, 30), 9))
    options = ProductOptions(min_cells=10, formats=("opendtect", "csv", "ply"), threshold=0.5)
    plain = make_products(metric, tmp_path / "m", options)
    feet = make_products(in_feet(metric), tmp_path / "ft", options)
    assert plain.cell is not None
    assert feet.cell == (pytest.approx(plain.cell[0]), "m³")
    assert feet.bins is not None
    assert plain.bins is not None
    assert feet.bins.area == pytest.approx(plain.bins.area)
    rows = [
        next(csv.DictReader((tmp_path / unit / "bodies.csv").read_text().splitlines()))
        for unit in ("m", "ft")
    ]
    assert rows[1]["volume_m3"] == rows[0]["volume_m3"]
    assert rows[1]["map_area_m2"] == rows[0]["map_area_m2"]
    assert float(rows[1]["top_ft"]) == pytest.approx(float(rows[0]["top_m"]) / 0.3048, abs=0.01)
    heading = (tmp_path / "ft/horizons/top.csv").read_text().splitlines()[0]
    assert heading.startswith("inline,crossline,easting_ft,northing_ft,z_ft")
    told = (tmp_path / "ft/horizons/README.txt").read_text()
    assert "depth in ft" in told
    assert "easting and northing in ft" in told
    vertices = [made.meshes[0].surface.vertices for made in (plain, feet)]
    np.testing.assert_allclose(vertices[1] * 0.3048, vertices[0], rtol=1e-9)
    comment = (tmp_path / "ft/meshes/body-001.ply").read_bytes()[:300]
    assert b"easting, northing in ft, elevation in ft" in comment
    assert feet.to_json()["vertical_unit"] == feet.to_json()["coordinate_unit"] == "ft"


def test_depths_in_feet_and_coordinates_in_metres_make_a_mesh_of_true_shape(
    tmp_path: Path,
) -> None:
    shape = (24, 30, 60)
    metric = Made(volume_grid(shape), ball(shape, (12, 14, 30), 9))
    mixed = replace(metric, grid=replace(in_feet(metric).grid, xy_unit="m"))
    grid = replace(mixed.grid, easting=metric.grid.easting, northing=metric.grid.northing)
    options = ProductOptions(min_cells=10, threshold=0.5)
    plain = make_products(metric, tmp_path / "m", options)
    made = make_products(replace(mixed, grid=grid), tmp_path / "mixed", options)
    assert made.cell == (pytest.approx(plain.cell[0] if plain.cell else 0), "m³")
    vertices = [one.meshes[0].surface.vertices for one in (plain, made)]
    np.testing.assert_allclose(vertices[1], vertices[0], rtol=1e-9)
    assert b"elevation in m, negative" in (tmp_path / "mixed/meshes/body-001.ply").read_bytes()


def test_degrees_stay_in_horizons_and_become_metres_elsewhere(tmp_path: Path) -> None:
    shape = (24, 30, 60)
    metric = Made(volume_grid(shape, origin=(0.0, 0.0)), ball(shape, (12, 14, 30), 9))
    north = 111_195.0
    east = north * np.cos(np.radians(28.5))
    grid = replace(
        metric.grid,
        easting=-91.25 + metric.grid.easting / east,
        northing=28.5 + metric.grid.northing / north,
        xy_unit="degrees",
    )
    options = ProductOptions(min_cells=10, formats=("csv", "ply", "irap"), threshold=0.5)
    plain = make_products(metric, tmp_path / "m", options)
    made = make_products(replace(metric, grid=grid), tmp_path / "degrees", options)
    assert plain.cell is not None
    assert made.cell == (pytest.approx(plain.cell[0], rel=1e-3), "m³")
    first = next(csv.DictReader((tmp_path / "degrees/horizons/top.csv").read_text().splitlines()))
    assert -91.3 < float(first["longitude"]) < -91.2
    assert len(first["latitude"].partition(".")[2]) >= 7
    sizes = [np.ptp(one.meshes[0].surface.vertices, axis=0) for one in (plain, made)]
    np.testing.assert_allclose(sizes[1], sizes[0], rtol=2e-3)
    mesh = (tmp_path / "degrees/meshes/body-001.ply").read_bytes()
    assert b"m east and north of longitude" in mesh
    assert any("the coordinates are degrees" in note for note in made.notes)
    told = (tmp_path / "degrees/horizons/README.txt").read_text()
    assert "longitude and latitude in degrees" in told
