"""The contract of every kind of survey file. A new one inherits the tests:

class TestNumpy(SurveyContract):
    def write(self, folder: Path, amplitude: NDArray[np.float32]) -> Path:
        ...
"""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.surveys import (
    Survey,
    SurveyHints,
    SurveySpec,
    describe,
    open_survey,
    percentile,
    reopen,
    sample_traces,
)

DEAD, ODD = (1, 2), (3, 4, 7)
"""A dead trace, and a sample that is infinite."""


class SurveyContract:
    """Amplitudes of 5 inlines, 6 crosslines and 40 samples; one trace dead, one sample infinite."""

    def write(self, folder: Path, amplitude: NDArray[np.float32]) -> Path:
        raise NotImplementedError

    @pytest.fixture
    def amplitude(self) -> NDArray[np.float32]:
        values = np.random.default_rng(2).normal(0, 50, (5, 6, 40)).astype(np.float32)
        values[DEAD] = 0
        values[ODD] = np.inf
        return values

    @pytest.fixture
    def expected(self, amplitude: NDArray[np.float32]) -> NDArray[np.float32]:
        values = amplitude.copy()
        values[DEAD] = np.nan
        values[ODD] = np.nan
        return values

    @pytest.fixture
    def survey(self, tmp_path: Path, amplitude: NDArray[np.float32]) -> Survey:
        return open_survey(self.write(tmp_path, amplitude), SurveyHints(domain="time", interval=4))

    def test_the_grid_says_what_is_there(self, survey: Survey) -> None:
        grid = survey.grid
        assert grid.shape == (5, 6, 40)
        assert (grid.kind, grid.domain, grid.interval, grid.unit) == ("3d", "time", 4.0, "ms")
        assert grid.inlines.dtype == grid.crosslines.dtype == np.int64
        assert grid.live.sum() == 29
        assert not grid.live[DEAD]
        assert grid.easting.shape == grid.northing.shape == (5, 6)
        assert grid.vertical[-1] == grid.start + 39 * 4

    def test_all_amplitudes_are_read(self, survey: Survey, expected: NDArray[np.float32]) -> None:
        found = survey.read(slice(None), slice(None))
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)

    @pytest.mark.parametrize(
        ("inlines", "crosslines"),
        [
            (slice(0, 1), slice(None)),
            (slice(None), slice(5, 6)),
            (slice(1, 3), slice(2, 9)),
            (slice(2, 2), slice(None)),
        ],
    )
    def test_a_part_is_that_part_of_the_whole(
        self,
        survey: Survey,
        expected: NDArray[np.float32],
        inlines: slice,
        crosslines: slice,
    ) -> None:
        found = survey.read(inlines, crosslines)
        np.testing.assert_array_equal(found, expected[inlines, crosslines])

    def test_what_is_read_is_the_callers_own(self, survey: Survey) -> None:
        first = survey.read(slice(0, 1), slice(None))
        kept = first.copy()
        first[...] = 7
        np.testing.assert_array_equal(survey.read(slice(0, 1), slice(None)), kept)

    def test_its_spec_opens_it_again(self, survey: Survey, expected: NDArray[np.float32]) -> None:
        again = reopen(SurveySpec.from_json(json.loads(json.dumps(survey.spec().to_json()))))
        np.testing.assert_array_equal(again.read(slice(None), slice(None)), expected)
        for name, value in vars(survey.grid).items():
            np.testing.assert_array_equal(getattr(again.grid, name), value)

    def test_percentiles_are_of_live_finite_samples(
        self, survey: Survey, expected: NDArray[np.float32]
    ) -> None:
        values = np.abs(expected[np.isfinite(expected)])
        assert percentile(survey, 90) == pytest.approx(np.percentile(values, 90))

    def test_few_traces_stand_for_many(self, survey: Survey) -> None:
        some = sample_traces(survey, most=12, seed=1)
        assert some.shape == (11, 40)  # two of five inlines, one with the dead trace
        np.testing.assert_array_equal(some, sample_traces(survey, most=12, seed=1))

    def test_its_description_is_json(self, survey: Survey) -> None:
        facts = describe(survey)
        content = json.loads(json.dumps(facts.content, allow_nan=False))
        assert content["shape"] == [5, 6, 40]
        assert (content["live"], content["dead"], content["gaps"]) == (29, 1, 0)
        assert content["amplitudes"]["not_finite"] == 1
        assert content["vertical"]["domain"] == "time"
        assert any(line.startswith("not finite") and " 1 sample " in line for line in facts.lines)

    def test_the_file_is_never_written_to(
        self, tmp_path: Path, amplitude: NDArray[np.float32]
    ) -> None:
        path = self.write(tmp_path, amplitude)
        files = [file for file in (path, *path.rglob("*")) if file.is_file()]
        before = [(file.stat().st_mtime_ns, file.read_bytes()) for file in files]
        opened = open_survey(path)
        opened.read(slice(None), slice(None))
        opened.close()
        assert [(file.stat().st_mtime_ns, file.read_bytes()) for file in files] == before

    def test_grids_travel_to_other_processes(self, survey: Survey) -> None:
        again = pickle.loads(pickle.dumps(survey.grid))  # noqa: S301 - our own bytes
        np.testing.assert_array_equal(again.live, survey.grid.live)
