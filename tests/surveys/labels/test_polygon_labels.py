from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diapir.errors import DataError
from diapir.surveys.labels.label_options import LabelOptions
from diapir.surveys.labels.read_labels import read_labels
from diapir.surveys.labels.section_labels import SurveyLabels
from tests.surveys.labels.made_labels import Geometry
from tests.surveys.made_salt import line_grid, volume_grid

VOLUME = volume_grid((4, 6, 30), domain="time")  # inlines 100 …, crosslines 306 …, 200 to 316 ms
LINE = line_grid(6, 20)  # CDPs 1001 …, 0 to 38 ms
SQUARE = [[304.5, 210], [301.5, 210], [301.5, 250], [304.5, 250]]


def salt(labels: SurveyLabels, place: int = 0) -> tuple[list[int], list[int]]:
    """Samples and traces of the salt of one section."""
    samples, traces = np.nonzero(labels[place].mask == 1)
    return sorted(set(samples.tolist())), sorted(set(traces.tolist()))


def feature(rings: list[Any], kind: str = "Polygon", **properties: object) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": kind, "coordinates": rings},
    }


def geojson(path: Path, *features: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


TEXTS = {
    "plain": "102 304.5 210\n102 301.5 210\n102 301.5 250\n102 304.5 250\n",
    "closed": "102 304.5 210\n102 301.5 210\n102 301.5 250\n102 304.5 250\n102 304.5 210\n",
    "header": "polygon,inline,crossline,time (s)\nA,102,304.5,0.210\nA,102,301.5,0.210\n"
    "A,102,301.5,0.250\nA,102,304.5,0.250\n",
    "x y z": "500018.75 6000025 210\n500056.25 6000025 210\n500056.25 6000025 250\n"
    "500018.75 6000025 250\n",
    "gmt": "> A\n102 304.5 210\n102 301.5 210\n102 301.5 250\n102 304.5 250\n>\n",
    "semicolons": "102;304,5;210\n102;301,5;210\n102;301,5;250\n102;304,5;250\n",
}


@pytest.mark.parametrize("form", TEXTS)
def test_polygons_as_text(tmp_path: Path, form: str) -> None:
    path = tmp_path / "salt.csv"
    path.write_text(TEXTS[form])
    labels = read_labels(path, Geometry(VOLUME))
    assert [(one.axis, one.index) for one in labels] == [("inline", 1)]
    samples, traces = salt(labels)
    assert traces == [2, 3, 4]  # crosslines 304, 303, 302
    assert samples[0] == 3  # 210 ms lies between 208 and 212
    assert len(samples) == 10
    assert set(np.unique(labels[0].mask)) == {0, 1}
    assert any("--outside unknown" in note for note in labels.notes)


def test_several_polygons_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "salt.txt"
    path.write_text(
        "# two on inline 102, with a hole, and one on crossline 303\n"
        "102 306 204\n102 301 204\n102 301 240\n102 306 240\n\n"
        "102 305 210\n102 302 210\n102 302 230\n102 305 230\n\n"
        "102 306 260\n102 301 260\n102 301 280\n102 306 280\n\n"
        "100 303 220\n104 303 220\n104 303 240\n100 303 240\n"
    )
    labels = read_labels(path, Geometry(VOLUME))
    assert [(one.axis, one.index) for one in labels] == [("inline", 1), ("crossline", 3)]
    middle = labels[0].mask[:, 2]  # crossline 304
    assert np.flatnonzero(middle).tolist() == [1, 2, 8, 9, 15, 16, 17, 18, 19]


def test_sections_follow_each_other_without_a_blank_line(tmp_path: Path) -> None:
    path = tmp_path / "polygons.txt"
    square = "{0} 305 210\n{0} 302 210\n{0} 302 250\n{0} 305 250\n"
    path.write_text(square.format(100) + square.format(104))
    assert [one.index for one in read_labels(path, Geometry(VOLUME))] == [0, 2]


def test_polygons_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "salt.txt"
    path.write_text("cdp time\n1002 10\n1004 10\n1004 20\n1002 20\n")
    labels = read_labels(path, Geometry(LINE))
    assert salt(labels) == ([5, 6, 7, 8, 9], [1, 2])


def test_polygons_as_geojson(tmp_path: Path) -> None:
    hole = [[304, 220], [303, 220], [303, 240], [304, 240]]
    path = geojson(
        tmp_path / "salt.geojson",
        feature([SQUARE, hole], inline=102),
        feature([[[100, 303, 220], [104, 303, 220], [104, 303, 240]]]),
        feature([[[[301, 204], [302, 204], [302, 300], [301, 300]]]], "MultiPolygon", inline=100),
    )
    labels = read_labels(path, Geometry(VOLUME))
    assert [(one.axis, one.index) for one in labels] == [
        ("inline", 0),
        ("inline", 1),
        ("crossline", 3),
    ]
    assert np.flatnonzero(labels[1].mask[:, 2]).tolist() == [3, 4, 10, 11, 12]


def test_polygons_of_what_is_not_salt_leave_the_rest_unlabelled(tmp_path: Path) -> None:
    rest = [[306.5, 260], [300.5, 260], [300.5, 300], [306.5, 300]]
    path = geojson(
        tmp_path / "salt.json",
        feature([SQUARE], inline=102),
        feature([rest], inline=102, **{"class": "not salt"}),
    )
    (section,) = read_labels(path, Geometry(VOLUME))
    assert set(np.unique(section.mask)) == {0, 1, 255}
    assert (section.mask[15:25] == 0).all()
    (section,) = read_labels(path, Geometry(VOLUME), LabelOptions(outside="background"))
    assert set(np.unique(section.mask)) == {0, 1}


def test_the_outside_may_be_unknown(tmp_path: Path) -> None:
    salt_file = geojson(tmp_path / "salt.json", feature([SQUARE], inline=102))
    with pytest.raises(DataError, match="every labelled sample is salt"):
        read_labels(salt_file, Geometry(VOLUME), LabelOptions(outside="unknown"))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (feature([SQUARE], inline=103), "no inline 103"),
        (feature([SQUARE]), "does not say its section"),
        (feature([SQUARE[:2]], inline=102), "2 vertices"),
        (feature([[[a, z + 9000] for a, z in SQUARE]], inline=102), "outside the survey"),
        (feature([[[a + 900, z] for a, z in SQUARE]], inline=102), "no sample"),
        (feature([SQUARE], "LineString", inline=102), "LineString"),
        (feature([SQUARE], inline=102, **{"class": "shale"}), "shale"),
        (feature([[["a", "b"]]], inline=102), "list of points"),
        ({"type": "Feature", "properties": {}}, "no geometry"),
        ({"type": "Topology"}, "no list of features"),
        (
            feature([[[100, 301, 220], [102, 302, 240], [104, 303, 220]]]),
            "neither one inline nor one crossline",
        ),
        (feature([[[100, 301, 220], [102, 302, 220], [104, 301, 220]]]), "slice"),
    ],
)
def test_polygons_that_cannot_be_used(tmp_path: Path, content: dict[str, Any], found: str) -> None:
    path = tmp_path / "salt.json"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=found):
        read_labels(path, Geometry(VOLUME))


def test_overlapping_classes_are_refused(tmp_path: Path) -> None:
    path = geojson(
        tmp_path / "salt.json",
        feature([SQUARE], inline=102),
        feature([SQUARE], inline=102, **{"class": "not salt"}),
    )
    with pytest.raises(DataError, match="overlap on inline 102"):
        read_labels(path, Geometry(VOLUME))


def test_broken_json_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "salt.json"
    path.write_text('{"type":\n "FeatureCollection",,}')
    with pytest.raises(DataError, match="line 2"):
        read_labels(path, Geometry(VOLUME))
