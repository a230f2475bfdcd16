from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from diapir.surveys.products.bodies import Bodies, label
from diapir.surveys.products.interval_file import IntervalFile
from diapir.surveys.products.intervals import Block, draw_salt
from tests.surveys.made_salt import Made, ball, interval_file, volume_grid


def labelled(
    salt: np.ndarray, chunk: tuple[int, int], min_cells: int = 1
) -> tuple[np.ndarray, Bodies]:
    """Body of each cell, and the bodies."""
    made = Made(volume_grid(salt.shape), salt.astype(np.float32))
    with tempfile.TemporaryDirectory() as folder:
        intervals = interval_file(Path(folder) / "intervals", made, chunk)
        bodies = label(intervals, salt.shape, min_cells)
        return painted(intervals, salt.shape), bodies


def painted(intervals: IntervalFile, shape: tuple[int, ...]) -> np.ndarray:
    whole = Block(0, shape[0], 0, shape[1])
    found = np.concatenate(list(intervals.rows()))
    cells = np.zeros(shape, int)
    for body in np.unique(found["body"]):
        cells[draw_salt(found[found["body"] == body], whole, shape[2])] = body
    return cells


def flooded(salt: np.ndarray) -> list[set[tuple[int, ...]]]:
    """Bodies found cell by cell, the slow and plain way."""
    left = set(map(tuple, np.argwhere(salt).tolist()))
    bodies = []
    while left:
        edge = [left.pop()]
        body = set(edge)
        while edge:
            cell = edge.pop()
            for axis in range(3):
                for step in (-1, 1):
                    there = (*cell[:axis], cell[axis] + step, *cell[axis + 1 :])
                    if there in left:
                        left.remove(there)
                        body.add(there)
                        edge.append(there)
        bodies.append(body)
    return bodies


SALT = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, max_side=7))
CHUNKS = st.tuples(st.integers(1, 4), st.integers(1, 4))


@given(SALT, CHUNKS, st.integers(1, 4))
def test_bodies_are_those_of_a_flood_whatever_the_blocks(
    salt: np.ndarray, chunk: tuple[int, int], min_cells: int
) -> None:
    cells, bodies = labelled(salt, chunk, min_cells)
    flood = flooded(salt)
    kept = [body for body in flood if len(body) >= min_cells]
    found = [set(map(tuple, np.argwhere(cells == n + 1).tolist())) for n in range(len(bodies))]
    assert sorted(map(sorted, found)) == sorted(map(sorted, kept))
    assert bodies.left_out == len(flood) - len(kept)
    assert bodies.left_out_cells == sum(map(len, flood)) - sum(map(len, kept))

    for number, body in enumerate(bodies.table, start=1):
        here = np.argwhere(cells == number)
        assert body["cells"] == body["found"] == len(here)
        assert body["weight"] == pytest.approx(len(here))
        assert body["traces"] == len({(i, x) for i, x, _ in here.tolist()})
        box = [body["inline0"], body["crossline0"], body["start"]]
        assert np.array_equal(box, here.min(axis=0))
        box = [body["inline1"], body["crossline1"], body["stop"]]
        assert np.array_equal(box, here.max(axis=0) + 1)
    assert (np.diff(bodies.table["cells"].astype(int)) <= 0).all()


@given(SALT, CHUNKS)
def test_the_numbers_of_bodies_do_not_depend_on_the_blocks_but_among_equals(
    salt: np.ndarray, chunk: tuple[int, int]
) -> None:
    cells, bodies = labelled(salt, chunk)
    whole, others = labelled(salt, (64, 64))
    assert np.array_equal(bodies.table["cells"], others.table["cells"])
    sizes = np.append(0, bodies.table["cells"])
    assert np.array_equal(sizes[cells], sizes[whole])


def test_a_body_that_winds_through_many_blocks_is_one() -> None:
    salt = np.zeros((40, 40, 3), bool)
    salt[::4, :, 1] = True
    salt[:, 0, 1] = True
    _, bodies = labelled(salt, (3, 7))
    assert len(bodies) == 1
    assert bodies.table["cells"][0] == salt.sum()


def test_a_diagonal_is_no_contact() -> None:
    salt = np.zeros((2, 2, 2), bool)
    salt[0, 0, 0] = salt[1, 1, 0] = salt[0, 1, 1] = True
    assert len(labelled(salt, (1, 1))[1]) == 3


@pytest.mark.parametrize(
    ("centre", "cut"),
    [((15, 15, 15), False), ((2, 15, 15), True), ((15, 28, 15), True), ((15, 15, 2), True)],
)
def test_a_body_at_the_edge_of_the_data_says_so(
    tmp_path: Path, centre: tuple[float, float, float], cut: bool
) -> None:
    made = Made(volume_grid((30, 30, 30)), ball((30, 30, 30), centre, 6))
    bodies = label(interval_file(tmp_path / "intervals", made), made.grid.shape, 1)
    assert bodies.table["cut"].tolist() == [cut]


def test_the_top_and_base_of_a_body_lie_between_samples(tmp_path: Path) -> None:
    made = Made(volume_grid((30, 30, 30)), ball((30, 30, 30), (15, 15, 15), 6.3))
    (body,) = label(interval_file(tmp_path / "intervals", made), made.grid.shape, 1).table
    assert body["top"] == pytest.approx(15 - 6.3, abs=1e-4)
    assert body["base"] == pytest.approx(15 + 6.3, abs=1e-4)
