import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diapir.reports import write_survey_pictures
from diapir.reports.style import LIGHT
from diapir.reports.survey.map import draw_map, draw_section
from diapir.surveys import open_survey
from tests.helpers.segy import write_segy

RNG = np.random.default_rng(9)


def pixels(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def share(picture: NDArray[np.uint8], colour: str) -> float:
    wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return float((np.abs(picture.astype(int) - wanted).max(axis=-1) <= 2).mean())


@pytest.mark.parametrize("moved", [True, False])
def test_gaps_have_a_colour_of_their_own(tmp_path: Path, moved: bool) -> None:
    amplitude = RNG.normal(size=(12, 14, 20))
    bytes_ = {} if moved else {"x_byte": 0, "y_byte": 0}
    full = open_survey(write_segy(tmp_path / "a.sgy", amplitude, **bytes_))
    assert share(pixels(draw_map(full)), LIGHT["second"]) == 0
    present = np.ones((12, 14))
    present[3:8, 2:9] = 0
    gappy = open_survey(write_segy(tmp_path / "b.sgy", amplitude, present=present, **bytes_))
    picture = pixels(draw_map(gappy))
    assert share(picture, LIGHT["second"]) > 0.01
    assert share(picture, LIGHT["first"]) > share(picture, LIGHT["second"])


def test_bins_are_drawn_without_gaps(tmp_path: Path) -> None:
    full = open_survey(write_segy(tmp_path / "a.sgy", RNG.normal(size=(200, 40, 3))))
    picture = pixels(draw_map(full)).astype(int)
    wanted = [int(LIGHT["first"][place : place + 2], 16) for place in (1, 3, 5)]
    blue = np.abs(picture - wanted).max(axis=-1) <= 2
    rows = np.flatnonzero(blue.sum(axis=1) > 30)
    inside = rows[rows < 0.85 * len(picture)]  # not the legend
    others = np.setdiff1d(np.arange(inside[0], inside[-1] + 1), inside)
    assert len(others) < 10  # the line of the section shown


def test_a_large_grid_is_decimated_but_keeps_two_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diapir.reports.survey.map.MOST_BINS", 100)
    survey = open_survey(write_segy(tmp_path / "a.sgy", RNG.normal(size=(2, 300, 3))))
    assert share(pixels(draw_map(survey)), LIGHT["first"]) > 0.001


def test_time_runs_down_and_crosslines_to_the_right(tmp_path: Path) -> None:
    amplitude = RNG.normal(0, 1, (4, 40, 60))
    amplitude[:, 30:, :10] = 50  # late crosslines, early samples: the upper right corner
    picture = pixels(draw_section(open_survey(write_segy(tmp_path / "a.sgy", amplitude))))
    height, width, _ = picture.shape
    row, column = int(height * 0.14), int(width * 0.93)
    assert picture[row, column].min() > 240
    assert 60 < np.median(picture[int(height * 0.5), int(width * 0.3) : int(width * 0.5)]) < 200


def test_a_missing_part_is_not_drawn_as_amplitude(tmp_path: Path) -> None:
    present = np.ones((1, 40))
    present[0, 10:20] = 0
    path = write_segy(tmp_path / "a.sgy", RNG.normal(size=(1, 40, 30)), present=present)
    picture = pixels(draw_section(open_survey(path)))
    assert share(picture, LIGHT["bar"]) > 0.1


@pytest.mark.parametrize("shape", [(1, 1, 5), (1, 300, 40), (300, 1, 40), (250, 250, 3)])
def test_surveys_of_any_shape_can_be_drawn(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    survey = open_survey(write_segy(tmp_path / "a.sgy", RNG.normal(size=shape)))
    written = write_survey_pictures(survey, {}, tmp_path / "out")
    assert [path.stat().st_size > 2 for path in written] == [True] * 3


@pytest.mark.skipif(sys.platform == "darwin", reason="names of files are valid Unicode there")
def test_a_name_that_is_no_unicode_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff\xfe.sgy")
    survey = open_survey(write_segy(path, RNG.normal(size=(3, 4, 20))))
    assert write_survey_pictures(survey, {}, tmp_path / "out")[0].read_bytes()
