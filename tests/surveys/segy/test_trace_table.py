"""A survey read by its table of traces is what it is when it is opened."""

from pathlib import Path

import numpy as np
import pytest

from diapir.errors import SurveyError
from diapir.surveys import SurveyHints, open_survey
from diapir.surveys.extent import Extent
from diapir.surveys.prediction.chunked_arrays import write_npy
from diapir.surveys.restricted import first_sample, places, whole_survey
from diapir.surveys.segy.trace_table import TraceTable
from diapir.surveys.survey import Survey
from tests.helpers.segy import write_segy
from tests.surveys.made import volume

PARTS = [
    (slice(None), slice(None)),
    (slice(2, 5), slice(None)),
    (slice(None), slice(3, 4)),
    (slice(1, 6, 2), slice(0, 7, 3)),
]


def table_of(survey: Survey, path: Path) -> TraceTable:
    whole = whole_survey(survey)
    rows, columns, _ = places(survey)
    traces = np.where(survey.grid.live, whole.geometry.traces[np.ix_(rows, columns)], -1)
    write_npy(path, traces.shape, np.dtype(np.int64), traces)
    return whole.trace_table(path, first_sample(survey), survey.grid.samples)


@pytest.mark.parametrize("sort", ["inline", "crossline"])
@pytest.mark.parametrize("sample_format", [1, 2, 5, 8])
def test_the_same_amplitudes(tmp_path: Path, sort: str, sample_format: int) -> None:
    amplitude = np.round(40 * volume((7, 9, 40)))
    amplitude[5, 5] = 0  # dead
    present = np.ones((7, 9), bool)
    present[0, :3] = False
    path = write_segy(
        tmp_path / "vol.sgy", amplitude, present=present, sort=sort, sample_format=sample_format
    )
    survey = open_survey(path)
    table = table_of(survey, tmp_path / "traces.npy")
    for part in PARTS:
        np.testing.assert_array_equal(table.read(*part), survey.read(*part))
    assert np.isnan(table.read(slice(0, 1), slice(0, 3))).all()
    assert np.isnan(table.read(slice(5, 6), slice(5, 6))).all()


def test_unsigned_samples_about_their_middle(tmp_path: Path) -> None:
    amplitude = np.round(100 * volume((4, 5, 60))) + 32768 / 2**3
    path = tmp_path / "vol.sgy"
    write_segy(path, amplitude, sample_format=3, binary={3225: b"\x00\x0b"})
    survey = open_survey(path)
    table = table_of(survey, tmp_path / "traces.npy")
    assert table.zero
    whole = slice(None), slice(None)
    np.testing.assert_array_equal(table.read(*whole), survey.read(*whole))


def test_a_part_and_undefined_values(tmp_path: Path) -> None:
    amplitude = volume((8, 9, 40))
    amplitude[:, :, 30:34] = -999.25
    path = write_segy(tmp_path / "vol.sgy", amplitude)
    extents = (Extent(inlines="101:107:2", time="8:140"), Extent(crosslines="301:307", time="20:"))
    survey = open_survey(path, SurveyHints(extents=extents, undefined=(-999.25,)))
    table = table_of(survey, tmp_path / "traces.npy")
    assert (table.first, table.samples) == (5, survey.grid.samples)
    found = table.read(slice(None), slice(None))
    assert np.isnan(found).any()
    np.testing.assert_array_equal(found, survey.read(slice(None), slice(None)))


def test_a_file_that_was_cut_since(tmp_path: Path) -> None:
    path = write_segy(tmp_path / "vol.sgy", volume((4, 5, 20)))
    table = table_of(open_survey(path), tmp_path / "traces.npy")
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size - 200)
    with pytest.raises(SurveyError, match="was truncated while it was being read"):
        table.read(slice(None), slice(None))
