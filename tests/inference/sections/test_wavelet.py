"""The wavelet length of data, and what is done about it."""

from pathlib import Path

import numpy as np
import pytest

from diapir.bundle import VERTICAL_SCALE, Bundle
from diapir.inference.sections.resample import resample
from diapir.inference.sections.wavelet import (
    LARGEST,
    TGS_FIRST_ZERO,
    first_zero,
    match_sampling,
    vertical_scale,
)
from tests.surveys.made import Pointwise, predictor

UNSCALED = (1.0, 1.0)


def wave(samples: int, period: float, traces: int = 1) -> np.ndarray:
    phase = np.linspace(0, 6, traces)[:, None]
    return np.sin(2 * np.pi * np.arange(samples) / period + phase).astype(np.float32)


def layers(first: float, samples: int = 600) -> np.ndarray:
    """Reflections whose autocorrelation crosses zero at about `first` samples."""
    noise = np.random.default_rng(3).normal(size=(40, samples // 2)).astype(np.float32)
    found = first_zero(noise := resample(noise, samples))
    wanted = max(64, round(samples * first / found))
    return resample(noise, wanted)


def test_the_first_zero_of_a_wave_is_a_quarter_of_its_period() -> None:
    assert first_zero(wave(2000, 20.0, 9)) == pytest.approx(5.0, rel=0.05)
    assert first_zero(wave(2000, 80.0, 9)) == pytest.approx(20.0, rel=0.05)


def test_changes_of_the_mean_level_do_not_hide_the_wavelet() -> None:
    traces = wave(800, 16.0, 20)
    drifting = traces + 6 * np.sin(np.arange(800) / 120).astype(np.float32)
    assert first_zero(drifting) == pytest.approx(first_zero(traces), rel=0.05)


@pytest.mark.parametrize("factor", [0.5, 2.0, 3.0])
def test_resampled_data_are_longer_by_the_factor(factor: float) -> None:
    traces = layers(4.0)
    resampled = resample(traces, round(traces.shape[1] * factor))
    assert first_zero(resampled) / first_zero(traces) == pytest.approx(factor, rel=0.12)


def test_traces_that_show_nothing_are_left_out() -> None:
    traces = np.concatenate([wave(400, 12.0)] * 3)
    traces[1] = 4.0
    traces[2, 7] = np.nan
    assert first_zero(traces) == pytest.approx(first_zero(traces[:1]))
    assert np.isnan(first_zero(traces[1:2]))
    assert np.isnan(first_zero(np.empty((0, 30), np.float32)))
    assert np.isnan(first_zero(wave(30, 12.0)))  # too short to tell


def test_mutes_do_not_count() -> None:
    traces = wave(600, 16.0, 9)
    muted = traces.copy()
    muted[:, :250] = 0
    assert first_zero(muted) == pytest.approx(first_zero(traces), rel=0.05)


def test_data_like_the_training_data_stay_as_they_are() -> None:
    match = match_sampling(layers(TGS_FIRST_ZERO), UNSCALED)
    assert match.factor == 1
    assert "not resampled" in match.note
    assert "within" in match.note
    assert "--match-sampling" in match.note


@pytest.mark.parametrize(("first", "factor"), [(12.0, 0.33), (1.3, 2.9)])
def test_other_data_are_brought_to_the_length_of_the_training_data(
    first: float, factor: float
) -> None:
    traces = wave(2000, 4 * first, 9)
    match = match_sampling(traces, UNSCALED)
    assert match.factor == pytest.approx(factor, rel=0.15)
    assert match.factor == pytest.approx(TGS_FIRST_ZERO / first_zero(traces))
    assert "resampled by" in match.note
    assert "--match-sampling none" in match.note


def test_noise_has_no_wavelet() -> None:
    noise = np.random.default_rng(0).normal(size=(60, 300)).astype(np.float32)
    match = match_sampling(noise, UNSCALED)
    assert match.factor == 1
    assert "cannot be told" in match.note


def test_the_factor_is_limited() -> None:
    assert match_sampling(wave(4000, 400.0, 9), UNSCALED).factor == 1 / LARGEST


def test_what_the_model_was_trained_on_needs_no_resampling() -> None:
    fine = layers(7.5)
    assert match_sampling(fine, UNSCALED).factor < 1
    assert match_sampling(fine, (0.25, 3.0)).factor == 1


def test_data_without_a_wavelet_stay_as_they_are() -> None:
    match = match_sampling(np.zeros((4, 200), np.float32), UNSCALED)
    assert match.factor == 1
    assert "cannot be told" in match.note


def test_a_factor_that_was_asked_for_is_told_beside_the_measurement() -> None:
    told = match_sampling(layers(8.0), UNSCALED).compared(2.0)
    assert "resampled by 2 " in told
    assert "outside" in told
    assert "not resampled" in match_sampling(layers(8.0), UNSCALED).compared(1.0)


def bundle(*scales: object) -> Bundle:
    info = predictor(Pointwise()).bundle.info
    trainings = [{} if scale is None else {VERTICAL_SCALE: scale} for scale in scales]
    training = trainings[0] if len(trainings) == 1 else {"mean of": trainings}
    return Bundle(Path("made"), info.model_copy(update={"training": training}))


@pytest.mark.parametrize(
    ("bundles", "expected"),
    [
        ([bundle([0.25, 1.5])], (0.25, 1.5)),
        ([bundle(None)], (1, 1)),
        ([bundle("of other hands")], (1, 1)),
        ([bundle([0.25, 1.5], [0.5, 2])], (0.5, 1.5)),
        ([bundle([0.25, 1.5]), bundle(None)], (1, 1)),
    ],
)
def test_several_models_know_what_all_of_them_know(
    bundles: list[Bundle], expected: tuple[float, float]
) -> None:
    assert vertical_scale(bundles) == expected
