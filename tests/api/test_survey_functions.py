from pathlib import Path

import numpy as np
import pytest

import diapir
from diapir.errors import ConfigError, SurveyError
from diapir.surveys import open_survey, predict_survey
from diapir.surveys.prediction.survey_options import SurveyOptions

HINTS = {"interval": 4.0, "domain": "time", "samples_axis": "last"}


@pytest.fixture
def line(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    np.save(tmp_path / "line.npy", rng.normal(size=(60, 80)).astype(np.float32))
    return tmp_path / "line.npy"


def test_a_survey_is_opened_and_described(line: Path) -> None:
    with diapir.open_survey(str(line), **HINTS) as survey:
        assert repr(survey) == "Survey('line', 2d, 1 inlines × 60 crosslines × 80 samples)"
        facts = survey.describe()
        assert survey.read(slice(0, 1), slice(2, 5)).shape == (1, 3, 80)
    assert facts["name"] == "line"
    assert str(facts) == "\n".join(facts.lines)
    assert "interval 4 ms" in str(facts)


def test_a_part_and_unknown_arguments(line: Path) -> None:
    with diapir.open_survey(line, crosslines="11:20", **HINTS) as part:
        assert part.grid.shape[1] == 10
    for wrong in ({"intervall": 4}, {"extents": ()}):
        with pytest.raises(ConfigError):
            diapir.open_survey(line, **wrong)
    with pytest.raises(SurveyError):
        diapir.open_survey(line.with_name("other.npy"))


def test_a_prediction_is_that_of_the_package(line: Path, run: diapir.Run, tmp_path: Path) -> None:
    found = diapir.predict_survey(line, tmp_path / "out", model=run, formats=("npy",), **HINTS)
    with diapir.open_survey(line, **HINTS) as survey:
        again = diapir.predict_survey(
            survey, str(tmp_path / "again"), model=diapir.load(run), formats=("npy",)
        )
    expected = predict_survey(
        [run.path],
        open_survey(line, survey_hints()),
        tmp_path / "expected",
        SurveyOptions(formats=("npy",)),
    )
    probability = found.read()
    assert probability.shape == (1, 60, 80)
    np.testing.assert_array_equal(probability, again.read())
    assert found.salt_share == expected.salt_share
    assert found.read(crosslines=slice(5, 9)).shape == (1, 4, 80)
    assert Path(found) == found.path
    assert all(path.is_file() for path in found.files)
    made = diapir.products(found, min_cells=5)
    assert len(made) == 1
    assert made[0].options.min_cells == 5


def survey_hints() -> diapir.surveys.SurveyHints:
    return diapir.surveys.SurveyHints(**HINTS)


def test_a_list_gives_a_list(line: Path, run: diapir.Run, tmp_path: Path) -> None:
    np.save(line.with_name("second.npy"), np.load(line)[:40])
    made = diapir.predict_survey(
        [line, line.with_name("second.npy")], tmp_path / "out", model=run, **HINTS
    )
    assert [one.summary.name for one in made] == ["line", "second"]


def test_a_preview_of_both_views_is_refused(line: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--every 4 is given with --view both"):
        diapir.predict_survey(line, tmp_path / "out", every=4, view="both", **HINTS)
