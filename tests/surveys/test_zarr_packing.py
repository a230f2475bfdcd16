"""Packed Zarr arrays: the numbers that attributes of the CF conventions stand for."""

import base64
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.surveys import Survey, SurveyHints, open_survey
from diapir.surveys.zarr_packing import missing_values
from tests.surveys.test_open_sources import write_group

zarr = pytest.importorskip("zarr")

STORED = np.random.default_rng(3).integers(-900, 900, (3, 4, 20)).astype(np.int16)


def written(path: Path, stored: NDArray[Any], attributes: dict[str, Any], **options: Any) -> Path:
    zarr.create_array(str(path), data=stored, attributes=attributes, **options)
    return path


def amplitudes(survey: Survey) -> NDArray[np.float32]:
    return survey.read(slice(0, 3), slice(0, 4))


@pytest.mark.parametrize("form", [2, 3])
def test_packed_values_are_unpacked_with_a_note(tmp_path: Path, form: int) -> None:
    attributes = {"scale_factor": 0.01, "add_offset": [0.25]}
    survey = open_survey(written(tmp_path / "a.zarr", STORED, attributes, zarr_format=form))
    np.testing.assert_allclose(amplitudes(survey), STORED * 0.01 + 0.25, rtol=1e-6)
    assert any("int16 × 0.01 (scale_factor) + 0.25 (add_offset)" in one for one in survey.notes)


def test_amplitudes_around_zero_are_no_velocities_because_they_are_packed(tmp_path: Path) -> None:
    stored = (STORED + 1000).astype(np.uint16)
    attributes = {"scale_factor": 0.5, "add_offset": -500.0}
    survey = open_survey(written(tmp_path / "a.zarr", stored, attributes))
    np.testing.assert_array_equal(amplitudes(survey), STORED / 2)


def test_velocities_around_an_offset_are_no_amplitudes(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zarr", STORED, {"add_offset": 2500.0})
    with pytest.raises(SurveyError, match="not centred on zero"):
        open_survey(path)


@pytest.mark.parametrize("name", ["_FillValue", "missing_value"])
def test_declared_values_of_packed_arrays_are_no_data(tmp_path: Path, name: str) -> None:
    stored = STORED.copy()
    stored[0, 1], stored[1, :, :5] = -999, -999
    attributes = {"scale_factor": 2.0, "add_offset": 1.5, name: -999}
    survey = open_survey(written(tmp_path / "a.zarr", stored, attributes))
    assert not survey.grid.live[0, 1]
    assert survey.grid.live.sum() == 11
    np.testing.assert_array_equal(np.isnan(amplitudes(survey)), stored == -999)
    assert any("those stored as -999 are no data" in note for note in survey.notes)


@pytest.mark.parametrize(("form", "missing"), [(2, True), (3, False)])
def test_zero_is_the_fill_value_of_format_2_only(tmp_path: Path, form: int, missing: bool) -> None:
    stored = STORED.copy()
    stored[stored == 0] = 1
    stored[2, 3] = 0
    path = written(tmp_path / "a.zarr", stored, {"add_offset": 0.5}, fill_value=0, zarr_format=form)
    assert open_survey(path).grid.live[2, 3] != missing


def test_unsigned_bytes_in_signed_ones(tmp_path: Path) -> None:
    bytes_ = np.random.default_rng(4).integers(0, 250, (3, 4, 20)).astype(np.uint8)
    bytes_[0, 0] = 255
    attributes = {"_Unsigned": "true", "add_offset": -125.0, "_FillValue": -1}
    survey = open_survey(written(tmp_path / "a.zarr", bytes_.view(np.int8), attributes))
    expected = np.where(bytes_ == 255, np.nan, bytes_ - 125.0)
    np.testing.assert_array_equal(amplitudes(survey), expected)


@pytest.mark.parametrize(
    "attributes",
    [{"scale_factor": 0}, {"scale_factor": "wide"}, {"add_offset": None}, {"add_offset": [1, 2]}],
)
def test_attributes_that_unpack_nothing_are_refused(
    tmp_path: Path, attributes: dict[str, Any]
) -> None:
    path = written(tmp_path / "a.zarr", STORED, attributes)
    with pytest.raises(SurveyError, match=next(iter(attributes))):
        open_survey(path)


def test_packed_axes_and_coordinates(tmp_path: Path) -> None:
    cube = STORED.astype(np.float32)
    packed = {"time": {"scale_factor": 0.5}, "cdp_x": {"scale_factor": 0.01, "add_offset": 4e5}}
    path = write_group(tmp_path / "a.zarr", cube)
    for name, attributes in packed.items():
        zarr.open(str(path / name), mode="r+").attrs.update(attributes)
    survey = open_survey(path)
    assert (survey.grid.interval, survey.grid.start) == (2.0, 250.0)
    np.testing.assert_allclose(survey.grid.easting[:, 0], 4e5 + np.arange(3) * 0.25)
    np.testing.assert_array_equal(amplitudes(survey), cube)
    assert sum("unpacked" in note for note in survey.notes) == 2


def test_a_packed_survey_is_reopened_as_it_was(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zarr", STORED, {"scale_factor": 0.1, "_FillValue": 7})
    survey = open_survey(path)
    again = open_survey(path, survey.spec().hints)
    np.testing.assert_array_equal(amplitudes(again), amplitudes(survey))


def test_hints_of_undefined_values_are_unpacked_ones(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zarr", STORED, {"scale_factor": 2.0})
    survey = open_survey(path, SurveyHints(undefined=(float(STORED[0, 0, 0] * 2),)))
    assert np.isnan(amplitudes(survey)[0, 0, 0])


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_fill_values_of_xarray_in_base64(value: float) -> None:
    text = base64.b64encode(struct.pack("<d", value)).decode()
    assert missing_values({"_FillValue": text}) == (value,)
    assert missing_values({"_FillValue": "none", "missing_value": [value]}) == (value,)
