"""A part of a survey predicted: what it equals, how it resumes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import segyio

from diapir.errors import SurveyError
from diapir.surveys import (
    Extent,
    RestrictedSurvey,
    Survey,
    SurveyHints,
    SurveyOptions,
    open_store,
    open_survey,
    predict_survey,
    reopen,
)
from diapir.surveys.prediction import settle
from diapir.surveys.prediction.amplitude import to_grey
from diapir.surveys.prediction.predict import SurveySummary
from tests.helpers.segy import write_segy
from tests.surveys.made import MemorySurvey, Pointwise, Smoothing, predictor, probability_of, volume

STEP = 0.6 / 254
"""Half a step of the store, and a little rounding."""
PART = Extent(inlines="103:112", crosslines="304:330", time="16:80")
"""Of `MemorySurvey`, whose crosslines are numbered in steps of 2."""


@pytest.fixture(autouse=True)
def untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring speed takes longer than the work here."""
    monkeypatch.setattr(settle, "WORTH_TIMING", 10**9)


def run(survey: Survey, out: Path, engine: object = None, **options: object) -> SurveySummary:
    options = {"formats": (), "tile": "own", "scale": 1.0} | options
    return predict_survey(predictor(engine or Pointwise()), survey, out, SurveyOptions(**options))


def read(summary: SurveySummary) -> np.ndarray:
    return open_store(summary.store).read("probability", slice(None), slice(None))


def test_a_part_is_predicted_as_if_it_were_the_survey(tmp_path: Path) -> None:
    amplitude = volume((19, 23, 30))
    summary = run(RestrictedSurvey(MemorySurvey(amplitude), PART), tmp_path)
    part = amplitude[3:13, 2:16, 4:21]
    assert summary.plan.shape == part.shape
    assert summary.plan.views == ("inline", "crossline")
    np.testing.assert_allclose(read(summary), probability_of(to_grey(part, 1.0)), atol=2 * STEP)
    alone = run(MemorySurvey(part.copy()), tmp_path / "alone", Smoothing())
    again = run(RestrictedSurvey(MemorySurvey(amplitude), PART), tmp_path / "part", Smoothing())
    np.testing.assert_array_equal(read(again), read(alone))
    grid = open_store(summary.store).grid
    assert (grid.inlines[0], grid.crosslines[-1], grid.start) == (103, 330, 16.0)


class Dying(Pointwise):
    """Dies after so many batches."""

    def __init__(self, batches: int) -> None:
        self.left = batches

    def logits(self, batch: np.ndarray) -> np.ndarray:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().logits(batch)


def test_a_part_resumes_and_another_part_does_not(tmp_path: Path) -> None:
    amplitude = volume((40, 23, 30))
    extent = Extent(inlines="103:134")
    with pytest.raises(KeyboardInterrupt):
        run(RestrictedSurvey(MemorySurvey(amplitude), extent), tmp_path, Dying(30), block=8)
    for other in (Extent(inlines="103:133"), Extent(every=2), None):
        survey: Survey = MemorySurvey(amplitude)
        if other:
            survey = RestrictedSurvey(survey, other)
        with pytest.raises(SurveyError, match="different part: part was --inlines 103:134"):
            run(survey, tmp_path, block=8)
    summary = run(RestrictedSurvey(MemorySurvey(amplitude), extent), tmp_path, block=8)
    assert 0 < summary.plan.blocks_done < summary.plan.blocks
    whole = run(RestrictedSurvey(MemorySurvey(amplitude), extent), tmp_path / "whole", block=8)
    np.testing.assert_array_equal(read(summary), read(whole))


def test_a_preview_reads_every_tenth_inline_with_all_its_traces(tmp_path: Path) -> None:
    amplitude = volume((41, 23, 30))
    summary = run(RestrictedSurvey(MemorySurvey(amplitude), Extent(every=10)), tmp_path)
    assert summary.plan.views == ("inline",)
    assert open_store(summary.store).record.skips == (10, 1)
    whole = run(MemorySurvey(amplitude), tmp_path / "whole", view="inline")
    np.testing.assert_array_equal(read(summary), read(whole)[::10])
    across = Extent(every=5, every_of="crosslines")
    summary = run(RestrictedSurvey(MemorySurvey(amplitude), across), tmp_path / "across")
    assert summary.plan.views == ("crossline",)
    assert open_store(summary.store).record.skips == (1, 5)


@pytest.mark.parametrize("sort", ["inline", "crossline"])
def test_segy_of_a_part_has_its_traces_and_samples_alone(tmp_path: Path, sort: str) -> None:
    amplitude = volume((12, 14, 50))
    present = np.ones((12, 14), bool)
    present[4, 5] = False
    path = write_segy(tmp_path / "cube.sgy", amplitude, sort=sort, present=present, delay=100)
    extent = Extent(inlines="102:106", crosslines="303:312", time="140:200")
    survey = open_survey(path, SurveyHints(extents=(extent,)))
    summary = run(survey, tmp_path / "salt", formats=("segy",), products=("probability",))
    (written,) = summary.files
    with segyio.open(str(written), ignore_geometry=True) as file:
        assert file.tracecount == 5 * 10 - 1
        np.testing.assert_array_equal(file.samples, np.arange(140, 201, 4))
        assert set(file.attributes(segyio.TraceField.DelayRecordingTime)[:]) == {140}
        assert set(file.attributes(segyio.TraceField.TRACE_SAMPLE_COUNT)[:]) == {16}
        assert "PART: 5 INLINES 102 TO 106" in file.text[0].decode()
    again = open_survey(written, SurveyHints(allow=("velocity",)))
    np.testing.assert_array_equal(again.grid.inlines, survey.grid.inlines)
    np.testing.assert_array_equal(again.grid.easting, survey.grid.easting)
    assert again.grid.start == 140
    np.testing.assert_array_equal(again.read(slice(None), slice(None)), read(summary))
    reopened = reopen(open_store(summary.store).record.survey)
    np.testing.assert_array_equal(reopened.grid.live, survey.grid.live)


def test_segy_of_all_samples_keeps_its_trace_headers(tmp_path: Path) -> None:
    path = write_segy(tmp_path / "cube.sgy", volume((6, 9, 20)), fields={233: 7})
    survey = open_survey(path, SurveyHints(extents=(Extent(inlines="102:103"),)))
    summary = run(survey, tmp_path / "salt", formats=("segy",), products=("mask",))
    rows = np.frombuffer(path.read_bytes()[3600:], np.uint8).reshape(-1, 240 + 80)
    found = np.frombuffer(summary.files[0].read_bytes()[3600:], np.uint8).reshape(-1, 240 + 80)
    np.testing.assert_array_equal(found[:, :240], rows[18:36, :240])
