"""Units of SEG-Y files: what bytes 3255 and 89 state, where it is credible, or what is given."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diapir.surveys import Survey, SurveyHints, describe, open_survey, reopen
from tests.helpers.segy import write_segy
from tests.surveys.made import volume

FEET = struct.pack(">h", 2)
LONGITUDE, LATITUDE = -91.25, 28.5
STEP = (0.0, 0.00025), (0.00025, 0.0)
"""Degrees from one inline to the next, and from one crossline to the next."""


def opened(path: Path, hints: dict[str, Any], **how: Any) -> Survey:
    write_segy(path / "a.sgy", volume((5, 6, 40)), **how)
    return open_survey(path / "a.sgy", SurveyHints(**hints))


def in_angles(path: Path, code: int, hints: dict[str, Any] | None = None, **how: Any) -> Survey:
    """A survey whose coordinates are angles, in the unit of a code of byte 89."""
    per_degree = {2: 3600, 3: 1}[code]
    return opened(
        path,
        hints or {},
        origin=(LONGITUDE * per_degree, LATITUDE * per_degree),
        steps=tuple((east * per_degree, north * per_degree) for east, north in STEP),
        **{"scalar": {2: -100, 3: -10_000}[code], "fields": {89: code}} | how,
    )


def test_feet_are_read_from_byte_3255(tmp_path: Path) -> None:
    survey = opened(tmp_path, {"domain": "depth"}, binary={3255: FEET})
    grid = survey.grid
    assert (grid.unit, grid.depth_unit, grid.xy_unit) == ("ft", "ft", "ft")
    assert grid.spacing == (25.0, 12.5)
    assert grid.spacing_m == pytest.approx((25 * 0.3048, 12.5 * 0.3048))
    assert any("feet, as byte 3255 states: depths and coordinates" in one for one in survey.notes)
    again = reopen(survey.spec()).grid
    assert (again.depth_unit, again.xy_unit) == ("ft", "ft")
    facts = describe(survey)
    assert facts.content["vertical"]["unit"] == facts.content["coordinates"]["unit"] == "ft"
    assert any("25.00 ft between inlines" in line for line in facts.lines)


def test_feet_of_a_little_endian_file(tmp_path: Path) -> None:
    survey = opened(tmp_path, {}, endian="little", binary={3255: FEET[::-1]})
    assert survey.grid.unit == "ms or ft"


@pytest.mark.parametrize(
    ("hints", "units"),
    [
        ({"depth_unit": "m"}, ("m", "ft")),
        ({"coordinate_unit": "m"}, ("ft", "m")),
        ({"depth_unit": "m", "coordinate_unit": "m"}, ("m", "m")),
    ],
)
def test_units_can_be_given(tmp_path: Path, hints: dict[str, Any], units: tuple[str, str]) -> None:
    survey = opened(tmp_path, hints, binary={3255: FEET})
    assert (survey.grid.depth_unit, survey.grid.xy_unit) == units
    assert any("in feet" in note for note in survey.notes) is (len(hints) < 2)


def test_metres_are_assumed_and_said_to_be(tmp_path: Path) -> None:
    survey = opened(tmp_path, {"domain": "depth"})
    assert (survey.grid.depth_unit, survey.grid.xy_unit) == ("m", "m")
    lines = "\n".join(describe(survey).lines)
    assert "in m, assumed: --coordinate-unit changes it" in lines
    assert "depth, in m, assumed: --depth-unit changes it" in lines
    stated = opened(tmp_path, {"domain": "depth"}, binary={3255: struct.pack(">h", 1)})
    assert ", assumed" not in "\n".join(describe(stated).lines)


@pytest.mark.parametrize("code", [2, 3])
def test_angles_become_degrees_with_distances_in_metres(tmp_path: Path, code: int) -> None:
    survey = in_angles(tmp_path, code)
    grid = survey.grid
    assert grid.xy_unit == "degrees"
    assert grid.easting[0, 0] == pytest.approx(LONGITUDE, abs=1e-5)
    assert grid.northing[4, 0] == pytest.approx(LATITUDE + 0.001, abs=1e-4)
    north = 0.00025 * np.pi / 180 * 6_371_009
    expected = north, north * np.cos(np.radians(LATITUDE))
    assert grid.spacing_m == pytest.approx(expected, rel=0.35 if code == 3 else 0.01)
    assert any("--coordinate-unit m" in note for note in survey.notes)
    assert reopen(survey.spec()).grid.xy_unit == "degrees"


def test_degrees_minutes_and_seconds(tmp_path: Path) -> None:
    survey = opened(
        tmp_path,
        {},
        origin=(-911500.0, 283000.0),  # 91° 15' 0" W, 28° 30' 0" N
        steps=((0.0, 1.0), (1.0, 0.0)),
        scalar=-100,
        fields={89: 4},
    )
    assert survey.grid.easting[0, 0] == pytest.approx(-91.25)
    assert survey.grid.northing[0, 0] == pytest.approx(28.5)
    assert survey.grid.northing[3, 0] == pytest.approx(28.5 + 3 / 3600)


def test_angles_that_cannot_be_are_lengths(tmp_path: Path) -> None:
    survey = opened(tmp_path, {}, fields={89: 2})
    assert survey.grid.xy_unit == "m"
    assert any("which the coordinates cannot be" in note for note in survey.notes)


def test_lengths_that_look_like_angles_are_doubted(tmp_path: Path) -> None:
    degrees = in_angles(tmp_path, 3, fields={89: 0})
    assert any("--coordinate-unit degrees" in note for note in degrees.notes)
    seconds = in_angles(tmp_path, 2, fields={89: 0})
    assert any("--coordinate-unit arcsec" in note for note in seconds.notes)
    given = in_angles(tmp_path, 2, {"coordinate_unit": "arcsec"}, fields={89: 0})
    assert given.grid.xy_unit == "degrees"
    assert not given.notes


def test_feet_in_the_text_header_are_a_hint(tmp_path: Path) -> None:
    survey = opened(tmp_path, {}, text="C 1 COORDINATES IN US SURVEY FEET")
    assert survey.grid.xy_unit == "m"
    assert any('says "COORDINATES IN US SURVEY FEET"' in note for note in survey.notes)
