"""Undefined values of surveys: found, read as no data, and said."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.surveys import SurveyHints, describe, open_survey, percentile, reopen
from tests.helpers.segy import write_segy
from tests.surveys.made import volume

Writer = Callable[[Path, NDArray[np.float32]], Path]


def ibm(folder: Path, amplitude: NDArray[np.float32]) -> Path:
    return write_segy(folder / "a.sgy", amplitude, sample_format=1)


def ieee(folder: Path, amplitude: NDArray[np.float32]) -> Path:
    return write_segy(folder / "a.sgy", amplitude, endian="little")


def array(folder: Path, amplitude: NDArray[np.float32]) -> Path:
    np.save(folder / "a.npy", amplitude)
    return folder / "a.npy"


def store(folder: Path, amplitude: NDArray[np.float32]) -> Path:
    zarr = pytest.importorskip("zarr")
    zarr.create_array(str(folder / "a.zarr"), data=amplitude, chunks=(4, 4, 64))
    return folder / "a.zarr"


@pytest.fixture
def amplitude() -> NDArray[np.float32]:
    return volume((12, 14, 64)) * np.float32(800)


@pytest.mark.parametrize("write", [ibm, ieee, array, store])
@pytest.mark.parametrize("value", [1e30, 3.4e38, -9999, -999.25])
def test_undefined_values_are_no_data_and_set_no_scale(
    tmp_path: Path, amplitude: NDArray[np.float32], write: Writer, value: float
) -> None:
    largest = float(np.abs(amplitude[:, :, 20:]).max())
    amplitude[:, :, :20] = value
    amplitude[3, 4] = value
    survey = open_survey(write(tmp_path, amplitude))
    found = survey.read(slice(None), slice(None))
    assert np.isnan(found[:, :, :20]).all()
    assert np.isfinite(found[:, :, 20:]).sum() == 167 * 44
    assert not survey.grid.live[3, 4]
    assert percentile(survey, 100) == pytest.approx(largest, rel=1e-5)
    (told,) = [note for note in survey.notes if " % of samples are" in note]
    assert told.startswith("about 31.")
    assert "no data" in told
    assert ("--undefined none" in told) is (abs(value) < 1e29)
    assert told in describe(survey).content["notes"]
    np.testing.assert_array_equal(reopen(survey.spec()).read(slice(None), slice(None)), found)


def test_undefined_values_can_be_given_or_kept(
    tmp_path: Path, amplitude: NDArray[np.float32]
) -> None:
    amplitude[:, :, :20] = -9999
    amplitude[0, 0, 30] = 77
    path = ieee(tmp_path, amplitude)
    kept = open_survey(path, SurveyHints(undefined=("none",)))
    assert np.isfinite(kept.read(slice(None), slice(None))).all()
    given = open_survey(path, SurveyHints(undefined=(77.0,)))
    assert np.isnan(given.read(slice(None), slice(None))).sum() == 1
    assert "77" in given.notes[-1]


def test_the_declared_fill_value_of_a_store_is_undefined(
    tmp_path: Path, amplitude: NDArray[np.float32]
) -> None:
    zarr = pytest.importorskip("zarr")
    made = zarr.create_array(
        str(tmp_path / "a.zarr"), shape=(12, 14, 64), chunks=(12, 7, 64), dtype="f4", fill_value=-7
    )
    made[:, :7] = amplitude[:, :7]  # the other chunk is never written
    survey = open_survey(tmp_path / "a.zarr")
    assert survey.grid.live[:, :7].all()
    assert not survey.grid.live[:, 7:].any()
