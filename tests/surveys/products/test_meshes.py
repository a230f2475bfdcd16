from __future__ import annotations

from pathlib import Path

import meshio
import numpy as np
import pytest

from diapir.surveys.products.bins import fit_bins
from diapir.surveys.products.bodies import label
from diapir.surveys.products.mesh_files import write_mesh
from diapir.surveys.products.meshes import Mesh, body_meshes
from diapir.surveys.products.surface_nets import Surface, surface_nets, volume_of
from tests.surveys.made_salt import Made, ball, interval_file, volume_grid, without_coordinates

SHAPE = (30, 40, 50)
CENTRE, RADIUS = (14.0, 18.0, 25.0), 9.5
CELL = 25 * 12.5 * 4
BALL = 4 / 3 * np.pi * RADIUS**3 * CELL


def meshes(tmp_path: Path, made: Made, chunk: tuple[int, int] = (64, 64), **how: int) -> list[Mesh]:
    intervals = interval_file(tmp_path / "intervals", made, chunk)
    bodies = label(intervals, made.grid.shape, 1)
    return body_meshes(
        made, intervals, bodies, fit_bins(made.grid), threshold=0.5, **({"count": 5} | how)
    )


@pytest.mark.parametrize(
    "crossline",
    [(12.5, 0.0), (-12.5, 0.0)],  # right- and left-handed
)
def test_a_body_lies_where_the_survey_says(tmp_path: Path, crossline: tuple[float, float]) -> None:
    grid = volume_grid(SHAPE, crossline=crossline)
    (mesh,) = meshes(tmp_path, Made(grid, ball(SHAPE, CENTRE, RADIUS)))
    assert mesh.step == 1
    assert volume_of(mesh.surface) == pytest.approx(BALL, rel=0.02)
    low, high = mesh.surface.vertices.min(axis=0), mesh.surface.vertices.max(axis=0)
    easting = 500_000 + crossline[0] * CENTRE[1]
    middle = [easting, 6_000_000 + 25 * CENTRE[0], -(200 + 4 * CENTRE[2])]
    assert (low + high) / 2 == pytest.approx(middle, abs=2)
    assert high - low == pytest.approx(
        [2 * RADIUS * 12.5, 2 * RADIUS * 25, 2 * RADIUS * 4], rel=0.03
    )


def test_the_mesh_does_not_depend_on_the_blocks(tmp_path: Path) -> None:
    made = Made(volume_grid(SHAPE), ball(SHAPE, CENTRE, RADIUS))
    (tmp_path / "a").mkdir()
    (whole,) = meshes(tmp_path / "a", made)
    (pieces,) = meshes(tmp_path, made, (7, 11))
    assert np.array_equal(whole.surface.triangles, pieces.surface.triangles)
    assert whole.surface.vertices == pytest.approx(pieces.surface.vertices)


def test_a_large_body_is_averaged_and_keeps_its_place_and_size(tmp_path: Path) -> None:
    made = Made(volume_grid(SHAPE), ball(SHAPE, CENTRE, RADIUS))
    (mesh,) = meshes(tmp_path, made, (7, 11), cells=2000)
    assert mesh.step == 2
    assert volume_of(mesh.surface) == pytest.approx(BALL, rel=0.08)
    middle = (mesh.surface.vertices.min(axis=0) + mesh.surface.vertices.max(axis=0)) / 2
    assert middle == pytest.approx([500_225, 6_000_350, -300], abs=13)


def test_a_sheet_thinner_than_a_cube_still_has_a_mesh(tmp_path: Path) -> None:
    salt = np.zeros(SHAPE, np.float32)
    salt[5:25, 5:35, 20] = 0.6
    (mesh,) = meshes(tmp_path, Made(volume_grid(SHAPE), salt), cells=200)
    assert mesh.step > 2
    assert len(mesh.surface.triangles)


def test_bodies_do_not_leak_into_each_other(tmp_path: Path) -> None:
    two = np.maximum(ball(SHAPE, (14, 10, 25), 6), ball(SHAPE, (14, 30, 25), 8))
    found = meshes(tmp_path, Made(volume_grid(SHAPE), two))
    assert [mesh.body for mesh in found] == [1, 2]
    sizes = [volume_of(mesh.surface) / CELL for mesh in found]
    assert sizes == pytest.approx([4 / 3 * np.pi * 8**3, 4 / 3 * np.pi * 6**3], rel=0.05)


def test_only_as_many_as_asked_for(tmp_path: Path) -> None:
    two = np.maximum(ball(SHAPE, (14, 10, 25), 6), ball(SHAPE, (14, 30, 25), 8))
    assert [mesh.body for mesh in meshes(tmp_path, Made(volume_grid(SHAPE), two), count=1)] == [1]


def test_without_coordinates_line_numbers_take_their_place(tmp_path: Path) -> None:
    grid = without_coordinates(volume_grid(SHAPE))
    (mesh,) = meshes(tmp_path, Made(grid, ball(SHAPE, CENTRE, RADIUS)))
    middle = (mesh.surface.vertices.min(axis=0) + mesh.surface.vertices.max(axis=0)) / 2
    assert middle == pytest.approx([340 - 18, 100 + 2 * 14, -300], abs=0.5)


SMALL = surface_nets(ball((9, 9, 9), (4, 4, 4), 2.5), 0.5)
FAR = Surface(SMALL.vertices + np.array([500_000.125, 6_000_000.25, -2_000]), SMALL.triangles)


@pytest.mark.parametrize(("form", "digits"), [("ply", 1e-9), ("obj", 1e-3)])
def test_meshio_reads_it_back(tmp_path: Path, form: str, digits: float) -> None:
    path = write_mesh(tmp_path / "body-001", FAR, "Salt – body\n1", form)  # type: ignore[arg-type]
    assert path.name == f"body-001.{form}"
    mesh = meshio.read(path)
    assert mesh.points == pytest.approx(FAR.vertices, abs=digits)
    assert np.array_equal(mesh.cells_dict["triangle"], FAR.triangles)


def test_vtk_holds_big_endian_doubles_and_triangles(tmp_path: Path) -> None:
    path = write_mesh(tmp_path / "body-001", FAR, "Salt", "vtk")
    head, _, rest = path.read_bytes().partition(b" double\n")
    lines = head.decode().splitlines()
    assert lines[:4] == ["# vtk DataFile Version 3.0", "Salt", "BINARY", "DATASET POLYDATA"]
    count = len(FAR.vertices)
    assert lines[4] == f"POINTS {count}"
    points = np.frombuffer(rest, ">f8", 3 * count).reshape(-1, 3)
    assert np.array_equal(points, FAR.vertices)
    head, _, rest = rest[24 * count :].partition(b"\n")[2].partition(b"\n")
    assert head.decode() == f"POLYGONS {len(FAR.triangles)} {4 * len(FAR.triangles)}"
    polygons = np.frombuffer(rest, ">i4", 4 * len(FAR.triangles)).reshape(-1, 4)
    assert set(polygons[:, 0]) == {3}
    assert np.array_equal(polygons[:, 1:], FAR.triangles)
