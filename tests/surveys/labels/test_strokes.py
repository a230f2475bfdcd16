from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from diapir.errors import DataError
from diapir.surveys.labels.picture_labels import read_picture_labels
from diapir.surveys.labels.read_labels import read_labels
from diapir.surveys.labels.strokes import (
    Area,
    Stroke,
    Strokes,
    StrokeSection,
    read_strokes,
    write_strokes,
)
from tests.surveys.labels.made_labels import Geometry
from tests.surveys.made_salt import line_grid, volume_grid

VOLUME = volume_grid((4, 6, 30), domain="time")

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
STROKES = st.builds(
    Stroke,
    label=st.sampled_from(["salt", "not salt", "unknown"]),
    width=st.floats(0.1, 1e3),
    height=st.floats(0.1, 1e3),
    points=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=4).map(tuple),
)
AREAS = st.builds(
    Area,
    label=st.sampled_from(["salt", "not salt", "unknown"]),
    polygon=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=5).map(tuple),
)
SECTIONS = st.builds(
    lambda where, strokes: StrokeSection(**{where[0]: where[1]}, strokes=tuple(strokes)),
    st.one_of(
        st.tuples(st.sampled_from(["inline", "crossline"]), st.integers(-99, 99999)),
        st.tuples(st.sampled_from(["line", "picture"]), st.text(min_size=1, max_size=8)),
    ),
    st.lists(STROKES | AREAS, max_size=3),
)


def stroke(label: str, *points: tuple[float, float], width: float = 1, height: float = 1) -> Stroke:
    return Stroke(label=label, width=width, height=height, points=points)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(st.lists(SECTIONS, max_size=4))
def test_written_strokes_come_back(
    tmp_path_factory: pytest.TempPathFactory, sections: list[StrokeSection]
) -> None:
    path = tmp_path_factory.getbasetemp() / "strokes.json"
    strokes = Strokes(sections=tuple(sections))
    write_strokes(path, strokes)
    assert read_strokes(path) == strokes
    assert json.loads(path.read_text(encoding="utf-8"))["format"] == strokes.format


def test_strokes_are_drawn_in_order(tmp_path: Path) -> None:
    path = tmp_path / "strokes.json"
    section = StrokeSection(
        inline=102,
        strokes=(
            stroke("salt", (306, 240), (301, 240), height=16),
            stroke("not salt", (304, 200), (304, 316)),
            stroke("unknown", (304, 240), (304, 248)),
        ),
    )
    write_strokes(path, Strokes(sections=(section,)))
    (labels,) = read_labels(path, Geometry(VOLUME))
    assert (labels.axis, labels.index) == ("inline", 1)
    assert np.flatnonzero(labels.mask[:, 0] == 1).tolist() == [8, 9, 10, 11, 12]  # 232 … 248 ms
    assert (labels.mask[:, 0] == 255).sum() == 25
    middle = labels.mask[:, 2]
    assert np.flatnonzero(middle == 255).tolist() == [10, 11, 12]
    assert (middle != 1).all()


def test_strokes_of_lines_and_crosslines(tmp_path: Path) -> None:
    path = tmp_path / "strokes.json"
    drawn = (stroke("salt", (1002, 10)), stroke("not salt", (1004, 10)))
    other = (stroke("salt", (100, 240)), stroke("not salt", (104, 240)))
    write_strokes(
        path,
        Strokes(
            sections=(
                StrokeSection(line="L1", strokes=drawn),
                StrokeSection(line="L2", strokes=drawn),
                StrokeSection(crossline=303, strokes=other),
            )
        ),
    )
    (labels,) = read_labels(path, Geometry(volume_grid((4, 6, 30))))
    assert (labels.axis, labels.index) == ("crossline", 3)
    with pytest.raises(DataError, match="no crossline 303"):
        read_labels(path, Geometry(line_grid(6, 20), "L1"))
    content = json.loads(path.read_text())
    content["sections"].pop()
    path.write_text(json.dumps(content))
    (labels,) = read_labels(path, Geometry(line_grid(6, 20), "L1"))
    assert labels.mask[5].tolist() == [255, 1, 255, 0, 255, 255]
    with pytest.raises(DataError, match="none of which is L9"):
        read_labels(path, Geometry(line_grid(6, 20), "L9"))


def test_strokes_on_pictures(tmp_path: Path) -> None:
    for name in ("a", "b"):
        Image.new("L", (8, 5), 100).save(tmp_path / f"{name}.png")
    path = tmp_path / "strokes.json"
    drawn = (stroke("salt", (0, 1), (7, 1)), stroke("not salt", (0, 3), (7, 3)))
    write_strokes(path, Strokes(sections=(StrokeSection(picture="a", strokes=drawn),)))
    pictures = [tmp_path / "a.png", tmp_path / "b.png"]
    labels = read_picture_labels(path, pictures)
    assert list(labels) == pictures[:1]
    assert (labels[pictures[0]][1] == 1).all()
    assert (labels[pictures[0]][[0, 2, 4]] == 255).all()
    with pytest.raises(DataError, match="picture a"):
        read_picture_labels(path, pictures[1:])


GOOD = {"label": "salt", "width": 1, "height": 4, "points": [[303, 240]]}


@pytest.mark.parametrize(
    ("section", "found"),
    [
        ({"inline": 103, "strokes": [GOOD]}, "no inline 103"),
        ({"strokes": [GOOD]}, "sections.0.*none of them"),
        ({"inline": 102, "crossline": 303, "strokes": [GOOD]}, "inline and crossline"),
        ({"inline": 102, "strokes": [GOOD | {"width": 0}]}, "sections.0.strokes.0.width"),
        ({"inline": 102, "strokes": [GOOD | {"label": "shale"}]}, "strokes.0.label"),
        ({"inline": 102, "strokes": [GOOD | {"points": []}]}, "strokes.0.points"),
        ({"inline": 102, "strokes": [GOOD | {"points": [[900, 240]]}]}, "outside inline 102"),
        ({"inline": 102, "strokes": [GOOD]}, "every labelled sample is salt"),
        ({"inline": 102, "strokes": []}, "no sample is labelled"),
    ],
)
def test_strokes_that_cannot_be_used(
    tmp_path: Path, section: dict[str, object], found: str
) -> None:
    path = tmp_path / "strokes.json"
    path.write_text(json.dumps({"format": 1, "kind": "diapir strokes", "sections": [section]}))
    with pytest.raises(DataError, match=found):
        read_labels(path, Geometry(VOLUME))


def test_points_far_away_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "strokes.json"
    drawn = (stroke("salt", (303, 240), (1e300, 240)), stroke("not salt", (303, 280)))
    write_strokes(path, Strokes(sections=(StrokeSection(inline=102, strokes=drawn),)))
    (one,) = read_labels(path, Geometry(VOLUME))
    assert one.mask[10, 3] == 1


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "strokes.json"
    path.write_text(json.dumps({"format": 3, "kind": "diapir strokes", "sections": []}))
    with pytest.raises(DataError, match="format 3"):
        read_labels(path, Geometry(VOLUME))


def test_an_area_covers_the_pixels_inside_its_polygon(tmp_path: Path) -> None:
    path = tmp_path / "strokes.json"
    area = Area(label="salt", polygon=((302.5, 235), (316, 235), (316, 262), (302.5, 262)))
    section = StrokeSection(
        inline=102,
        strokes=(
            area,
            stroke("unknown", (304, 240), width=1, height=8),
            stroke("not salt", (301, 200)),
        ),
    )
    write_strokes(path, Strokes(sections=(section,)))
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["format"] == 2  # a reader of version 1 would draw its edge only
    assert "width" not in content["sections"][0]["strokes"][0]
    (labels,) = read_labels(path, Geometry(VOLUME))
    salt = np.argwhere(labels.mask == 1)
    assert set(salt[:, 0]) == {9, 10, 11, 12, 13, 14, 15}  # 236 to 260 ms
    assert labels.mask[10, 2] == 255  # crossline 304, erased
    assert (labels.mask[9:16, [0, 1, 3]] == 1).all()  # 306 to 303: the polygon leaves the section
    assert (labels.mask[:, 4:] != 1).all()
    assert (labels.mask == 0).sum() == 1


def test_an_area_that_covers_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "strokes.json"
    area = Area(label="salt", polygon=((302.1, 235), (302.2, 235), (302.2, 236)))
    write_strokes(path, Strokes(sections=(StrokeSection(inline=102, strokes=(area,)),)))
    with pytest.raises(DataError, match="an area of salt covers no sample of inline 102"):
        read_labels(path, Geometry(VOLUME))


def test_an_area_on_a_picture(tmp_path: Path) -> None:
    picture, path = tmp_path / "picture.png", tmp_path / "strokes.json"
    Image.fromarray(np.zeros((40, 50), np.uint8)).save(picture)
    area = Area(label="salt", polygon=((9.5, 4.5), (20.5, 4.5), (20.5, 10.5), (9.5, 10.5)))
    section = StrokeSection(picture="picture", strokes=(area, stroke("not salt", (30, 30))))
    write_strokes(path, Strokes(sections=(section,)))
    (mask,) = read_picture_labels(path, [picture]).values()
    assert np.array_equal(np.argwhere(mask == 1)[[0, -1]], [[5, 10], [10, 20]])
    assert (mask == 1).sum() == 6 * 11
