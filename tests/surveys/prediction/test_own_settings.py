"""Settings of a survey that travel with a model adapted to it."""

from pathlib import Path

import numpy as np
import pytest

from diapir.bundle import SurveySettings
from diapir.inference import Predictor
from diapir.surveys import SurveyOptions, predict_survey
from diapir.surveys.prediction.own_settings import with_own_settings
from diapir.surveys.sampling import percentile
from tests.helpers.tiny import small_bundle
from tests.surveys.made import MemorySurvey


def survey() -> MemorySurvey:
    noise = np.random.default_rng(0).normal(size=(1, 80, 60)).astype(np.float32)
    return MemorySurvey(noise)


def predictor(folder: Path, **settings: float) -> Predictor:
    bundle = small_bundle(folder, survey=SurveySettings(**settings))
    return Predictor(bundle)


def test_options_left_out_come_from_the_model(tmp_path: Path) -> None:
    clip = 1.1 * percentile(survey(), 98)
    model = predictor(tmp_path / "m", vertical=2, clip=clip)
    found, said = with_own_settings(model, survey(), SurveyOptions())
    assert (found.match_sampling, found.scale) == (2, clip)
    assert f"clipped at ±{clip:.4g}, as in the survey that the model was adapted to" in said[0]


def test_options_given_win(tmp_path: Path) -> None:
    model = predictor(tmp_path / "m", vertical=2, clip=3)
    asked = SurveyOptions(match_sampling=1.5, scale=7)
    assert with_own_settings(model, survey(), asked) == (asked, ())


@pytest.mark.parametrize(("clip", "words"), [(1000, "more than twice"), (0.01, "less than half")])
def test_a_file_of_another_gain_keeps_its_own_amplitudes(
    tmp_path: Path, clip: float, words: str
) -> None:
    model = predictor(tmp_path / "m", clip=clip)
    options, (said,) = with_own_settings(model, survey(), SurveyOptions())
    assert options.scale is None
    assert "this survey's own percentile" in said
    assert f"{words} as much (--scale {clip:g}" in said


def test_which_amplitude_was_taken_is_said_with_the_result(tmp_path: Path) -> None:
    model = predictor(tmp_path / "m", clip=1000)
    summary = predict_survey(model, survey(), tmp_path / "out", SurveyOptions(view="inline"))
    assert any("own percentile" in note for note in summary.plan.notes)


def test_a_model_of_no_survey_changes_nothing(tmp_path: Path) -> None:
    model = Predictor(small_bundle(tmp_path / "m"))
    assert with_own_settings(model, survey(), SurveyOptions()) == (SurveyOptions(), ())


def test_a_survey_is_predicted_with_both_factors(tmp_path: Path) -> None:
    model = predictor(tmp_path / "m", vertical=2, horizontal=0.5)
    summary = predict_survey(model, survey(), tmp_path / "out", SurveyOptions(view="inline"))
    assert summary.samples == 80 * 60
    assert summary.plan.seen_samples == 120
    (told,) = (note for note in summary.plan.notes if "resampled" in note)
    assert "by 2 for the network, as in the data that the model was adapted to" in told
    asked = SurveyOptions(view="inline", match_sampling=2.0)
    summary = predict_survey(model, survey(), tmp_path / "asked", asked)
    assert any("as --match-sampling asks" in note for note in summary.plan.notes)
