"""Times and depths of labels in the unit of the survey."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diapir.surveys.labels.vertical_units import vertical_unit
from tests.surveys.made_salt import volume_grid

FILES = [Path("top.dat")]


@pytest.mark.parametrize(
    ("survey", "unit", "factor"),
    [("m", "ft", 0.3048), ("ft", "m", 1 / 0.3048), ("ft", "ft", 1.0), ("ft", "km", 1000 / 0.3048)],
)
def test_labels_get_the_unit_of_the_survey(survey: str, unit: str, factor: float) -> None:
    grid = replace(volume_grid((3, 4, 200)), interval=20.0, start=0.0, depth_unit=survey)
    values = np.linspace(1000, 3000, 9) / factor
    assert vertical_unit(values, grid, unit, FILES).factor == pytest.approx(factor)


@pytest.mark.parametrize(("survey", "other"), [("m", "ft"), ("ft", "m")])
def test_the_other_unit_of_length_is_guessed_and_said(survey: str, other: str) -> None:
    grid = replace(volume_grid((3, 4, 200)), interval=20.0, start=2000.0, depth_unit=survey)
    factor = {"ft": 0.3048, "m": 1 / 0.3048}[other]
    found = vertical_unit(np.linspace(2500, 5500, 9) / factor, grid, None, FILES)
    assert found.factor == pytest.approx(factor)
    assert f"Z read in {other}" in found.note
