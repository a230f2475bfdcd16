"""The water bottom: found where it is plain, given, or left alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diapir.errors import SurveyError
from diapir.inference.sections.water import QuietTop
from diapir.inference.sections.wavelet import first_zero
from diapir.surveys import Extent, SurveyHints, open_survey
from diapir.surveys.prediction.water_bottom import choose_quiet_top
from tests.helpers.segy import write_segy
from tests.inference.sections.test_water import marine_line


@pytest.fixture
def line(tmp_path: Path) -> Path:
    return write_segy(tmp_path / "marine.sgy", marine_line()[0], inlines=None)


def choose(path: Path, asked: Any = "auto", **hints: Any) -> tuple[QuietTop | None, list[str]]:
    survey = open_survey(path, SurveyHints(domain="time", **hints))
    traces = survey.read(slice(None), slice(None))[0]
    return choose_quiet_top(survey, traces, first_zero(marine_line()[0]), asked)


def test_a_plain_water_bottom_is_found_and_said(line: Path) -> None:
    found, notes = choose(line)
    assert found is not None
    assert 35 <= found.shallowest <= found.deepest <= 56
    assert "water bottom" in notes[0]
    assert "--water-bottom none" in notes[0]
    assert choose(line, "none") == (None, [])


def test_a_part_of_the_record_keeps_the_water_bottom(line: Path) -> None:
    whole, _ = choose(line)
    found, _ = choose(line, extents=(Extent(time="80:"),))
    assert whole is not None
    assert found == whole.below(20)
    assert choose(line, extents=(Extent(time="400:"),)) == (None, [])


def test_a_record_that_begins_below_the_surface_has_none(tmp_path: Path) -> None:
    late = write_segy(tmp_path / "late.sgy", marine_line()[0], inlines=None, delay=1000)
    assert choose(late) == (None, [])


def test_a_water_bottom_can_be_given(line: Path) -> None:
    assert choose(line, 100.0)[0] == QuietTop.flat(25)
    assert choose(line, 98.0)[0] == QuietTop.flat(25)
    assert choose(line, -4.0)[0] is None
    with pytest.raises(SurveyError, match="--water-bottom 9000 lies below"):
        choose(line, 9000.0)
    assert np.isfinite(first_zero(marine_line()[0]))
