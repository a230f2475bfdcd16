from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.surveys import SurveyHints, open_survey
from diapir.surveys.numpy_source import open_numpy
from diapir.surveys.open import reopen

EVERYTHING = slice(None)


def line(traces: int = 120, samples: int = 90, seed: int = 0) -> NDArray[np.float32]:
    """Amplitudes (traces, samples) of dipping reflections with a short wavelet."""
    rng = np.random.default_rng(seed)
    trace = np.convolve(rng.normal(size=2 * samples), [-0.3, 0.4, 1, 0.4, -0.3], "same")
    shifts = (np.arange(traces) * 0.05).astype(int)
    amplitudes = np.stack([trace[shift : shift + samples] for shift in shifts])
    return (amplitudes + 0.05 * rng.normal(size=amplitudes.shape)).astype(np.float32)


def saved(path: Path, values: NDArray[np.float32]) -> Path:
    np.save(path, values)
    return path


@pytest.mark.parametrize(("traces", "samples"), [(120, 90), (60, 200), (200, 50)])
def test_the_axis_of_the_samples_is_found(tmp_path: Path, traces: int, samples: int) -> None:
    values = line(traces, samples)
    plain = open_survey(saved(tmp_path / "a.npy", values))
    turned = open_survey(saved(tmp_path / "b.npy", values.T))
    assert plain.grid.shape == turned.grid.shape == (1, traces, samples)
    for survey in (plain, turned):
        np.testing.assert_array_equal(survey.read(EVERYTHING, EVERYTHING)[0], values)
    assert not any("samples-axis" in note for note in plain.notes)
    assert "read as (samples, traces)" in turned.notes[0]
    assert "--samples-axis last" in turned.notes[0]


def test_the_axis_of_a_volume_is_found(tmp_path: Path) -> None:
    volume = np.stack([line(seed=seed // 40) for seed in range(40)])
    turned = open_survey(saved(tmp_path / "a.npy", np.moveaxis(volume, -1, 0)))
    assert turned.grid.shape == (40, 120, 90)
    np.testing.assert_array_equal(turned.read(slice(3, 5), slice(7, 9)), volume[3:5, 7:9])
    assert "(samples, inlines, crosslines)" in turned.notes[0]


def test_the_axis_can_be_named_and_is_kept(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npy", line())
    asked = open_survey(path, SurveyHints(samples_axis="first"))
    assert asked.grid.shape == (1, 90, 120)
    assert reopen(asked.spec()).grid.shape == (1, 90, 120)
    turned = open_survey(saved(tmp_path / "b.npy", line().T))
    assert reopen(turned.spec()).grid.shape == turned.grid.shape == (1, 120, 90)


def test_what_shows_no_direction_is_read_as_usual_and_said(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=(60, 70)).astype(np.float32)
    survey = open_survey(saved(tmp_path / "a.npy", noise))
    assert survey.grid.shape == (1, 60, 70)
    assert "do not show it plainly" in survey.notes[0]
    assert "--samples-axis first" in survey.notes[0]


def test_gaps_and_values_that_stand_for_none_hide_no_direction(tmp_path: Path) -> None:
    values = line()
    values[:, :20] = np.nan
    values[10] = 1e30
    survey = open_numpy(saved(tmp_path / "a.npy", values.T), SurveyHints())
    assert survey.samples_axis == "first"


def test_only_arrays_have_an_axis_to_name(tmp_path: Path) -> None:
    (tmp_path / "a.sgy").write_bytes(bytes(4000))
    with pytest.raises(SurveyError, match="--samples-axis first given for"):
        open_survey(tmp_path / "a.sgy", SurveyHints(samples_axis="first"))


@pytest.mark.real
def test_the_axis_of_real_sections_is_found(tmp_path: Path) -> None:
    folder = Path(__file__).resolve().parents[3] / "shared" / "data" / "foreign" / "f3_sections"
    if not folder.is_dir():
        pytest.skip("needs the sections of F3")
    for path in sorted(folder.glob("*.npy")):
        values = np.load(path)
        assert open_survey(path).grid.shape == (1, *values.T.shape)
        turned = open_survey(saved(tmp_path / path.name, values.T))
        assert turned.grid.shape == (1, *values.T.shape)


def test_large_values_are_read_without_a_warning(tmp_path: Path) -> None:
    np.save(tmp_path / "line.npy", line(traces=20, samples=9).astype(np.float64) * 1e30)
    assert open_survey(tmp_path / "line.npy").grid.kind == "2d"


@pytest.mark.parametrize(("kind", "bits"), [("<f4", 0x7F800001), ("<f8", 0x7FF0000000000001)])
def test_signalling_nan_is_no_data_and_no_warning(tmp_path: Path, kind: str, bits: int) -> None:
    values = np.random.default_rng(0).normal(size=(30, 80)).astype(kind)
    values.view(kind.replace("f", "u"))[3, 5:9] = bits
    np.save(tmp_path / "line.npy", values)
    read = open_survey(tmp_path / "line.npy").read(EVERYTHING, EVERYTHING)[0]
    assert np.isnan(read[3, 5:9]).all()
    assert np.isfinite(read).sum() == read.size - 4


def test_values_too_large_for_amplitudes_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "line.npy", line(traces=20, samples=9).astype(np.float64) * 1e300)
    with pytest.raises(SurveyError):
        open_survey(tmp_path / "line.npy")
