"""A part of a file keeps the contract of a survey, and opens again as that part."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.surveys import (
    Extent,
    RestrictedSurvey,
    Survey,
    SurveyHints,
    SurveySpec,
    describe,
    open_survey,
    reopen,
    restrict,
)
from diapir.surveys.restricted import places, skips, whole_survey
from tests.helpers.segy import write_segy
from tests.surveys.made import volume
from tests.surveys.survey_contract import SurveyContract

PART = Extent(inlines="102:106", crosslines="301:306", time="20:176")
SEGY = Path(__file__).resolve().parents[3] / "shared" / "data" / "segy"


class TestPartOfSegy(SurveyContract):
    """The survey of the contract, with other traces and samples around it."""

    def write(self, folder: Path, amplitude: NDArray[np.float32]) -> Path:
        around = np.random.default_rng(5).normal(0, 50, (9, 8, 60)).astype(np.float32)
        around[2:7, 1:7, 5:45] = amplitude
        around[3, 3] = 0  # dead throughout, as its part is
        return write_segy(folder / "whole.sgy", around)

    @pytest.fixture
    def survey(self, tmp_path: Path, amplitude: NDArray[np.float32]) -> Survey:
        hints = SurveyHints(domain="time", interval=4, extents=(PART,))
        return open_survey(self.write(tmp_path, amplitude), hints)


@pytest.fixture
def cube(tmp_path: Path) -> tuple[Path, NDArray[np.float32]]:
    amplitude = volume((12, 10, 30))
    return write_segy(tmp_path / "cube.sgy", amplitude), amplitude


def test_a_part_of_a_part_lies_in_the_file(cube: tuple[Path, NDArray[np.float32]]) -> None:
    path, amplitude = cube
    extents = (Extent(inlines="102:", time="8:80"), Extent(inlines="::2", crosslines="304:305"))
    survey = restrict(open_survey(path), extents)
    expected = amplitude[2::2, 4:6, 2:21]
    np.testing.assert_array_equal(survey.read(slice(None), slice(None)), expected)
    rows, columns, cut = places(survey)
    assert (rows.tolist(), columns.tolist(), cut) == ([2, 4, 6, 8, 10], [4, 5], True)
    assert skips(survey) == (2, 1)
    assert whole_survey(survey).grid.shape == (12, 10, 30)
    spec = SurveySpec.from_json(json.loads(json.dumps(survey.spec().to_json())))
    assert spec.hints.extents == extents
    again = reopen(spec)
    assert isinstance(again, RestrictedSurvey)
    np.testing.assert_array_equal(again.read(slice(None), slice(None)), expected)


def test_no_extent_is_the_survey_itself(cube: tuple[Path, NDArray[np.float32]]) -> None:
    survey = open_survey(cube[0])
    assert restrict(survey, ()) is survey
    assert restrict(survey, (Extent(),)) is survey
    assert "extents" not in survey.spec().to_json()


def test_a_part_that_is_not_there_is_refused(cube: tuple[Path, NDArray[np.float32]]) -> None:
    with pytest.raises(SurveyError, match=r"none of --inlines 500:600"):
        open_survey(cube[0], SurveyHints(extents=(Extent(inlines="500:600"),)))


def test_the_description_is_of_the_part(cube: tuple[Path, NDArray[np.float32]]) -> None:
    survey = open_survey(cube[0], SurveyHints(extents=(Extent(inlines="104:106", time="8:20"),)))
    facts = describe(survey)
    assert facts.content["part"] == [{"inlines": "104:106", "time": "8:20"}]
    assert facts.content["inlines"] == {"count": 3, "first": 104, "last": 106, "step": 1}
    assert facts.content["vertical"]["start"] == 8
    assert any(line.startswith("part ") for line in facts.lines)


@pytest.mark.real
def test_a_part_of_field_data_has_its_amplitudes() -> None:
    source = SEGY / "f3.sgy"
    if not source.is_file():
        pytest.skip(f"{source} is not here")
    whole = open_survey(source)
    inlines, crosslines, vertical = whole.grid.inlines, whole.grid.crosslines, whole.grid.vertical
    extent = Extent(
        inlines=f"{inlines[3]}:{inlines[12]}:3",
        crosslines=f"{crosslines[2]}:{crosslines[9]}",
        time=f"{vertical[10]:g}:{vertical[40]:g}",
    )
    part = open_survey(source, SurveyHints(extents=(extent,)))
    expected = whole.read(slice(None), slice(None))[3:13:3, 2:10, 10:41]
    np.testing.assert_array_equal(part.read(slice(None), slice(None)), expected)
    np.testing.assert_array_equal(part.grid.easting, whole.grid.easting[3:13:3, 2:10])
