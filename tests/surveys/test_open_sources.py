import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.surveys import SurveyHints, open_survey
from tests.helpers.segy import write_segy
from tests.surveys.survey_contract import SurveyContract


class TestSegy(SurveyContract):
    def write(self, folder: Path, amplitude: NDArray[np.float32]) -> Path:
        return write_segy(folder / "cube.sgy", amplitude)


class TestSegyByCrossline(SurveyContract):
    def write(self, folder: Path, amplitude: NDArray[np.float32]) -> Path:
        return write_segy(folder / "cube.sgy", amplitude, sort="crossline", endian="little")


class TestNumpy(SurveyContract):
    def write(self, folder: Path, amplitude: NDArray[np.float32]) -> Path:
        np.save(folder / "cube.npy", amplitude)
        return folder / "cube.npy"


class TestZarrArray(SurveyContract):
    def write(self, folder: Path, amplitude: NDArray[np.float32]) -> Path:
        zarr = pytest.importorskip("zarr")
        zarr.create_array(str(folder / "cube.zarr"), data=amplitude, chunks=(2, 4, 40))
        return folder / "cube.zarr"


class TestZarrGroup(SurveyContract):
    def write(self, folder: Path, amplitude: NDArray[np.float32]) -> Path:
        return write_group(folder / "cube.mdio", amplitude)


def write_group(path: Path, amplitude: NDArray[np.float32], **others: Any) -> Path:
    """A Zarr group as xarray and MDIO write it."""
    zarr = pytest.importorskip("zarr")
    group = zarr.create_group(str(path))
    group.attrs["attributes"] = {"defaultVariableName": "stack"}
    named = ("inline", "crossline", "time")
    group.create_array("stack", data=amplitude, dimension_names=named)
    rows, columns, samples = amplitude.shape
    arrays = {
        "inline": 10 + 2 * np.arange(rows),
        "crossline": 90 - np.arange(columns),
        "time": 500.0 + 4 * np.arange(samples),
        "cdp_x": np.add.outer(np.arange(rows) * 25.0, np.zeros(columns)),
        "cdp_y": np.add.outer(np.zeros(rows), np.arange(columns) * 12.5),
        "trace_mask": amplitude.any(axis=-1),
    }
    for name, values in (arrays | others).items():
        group.create_array(name, data=values)
    return path


@pytest.fixture
def cube() -> NDArray[np.float32]:
    return np.random.default_rng(5).normal(size=(3, 4, 20)).astype(np.float32)


def test_a_zarr_group_brings_its_geometry(tmp_path: Path, cube: NDArray[np.float32]) -> None:
    grid = open_survey(write_group(tmp_path / "a.zarr", cube)).grid
    assert grid.inlines.tolist() == [10, 12, 14]
    assert grid.crosslines.tolist() == [90, 89, 88, 87]
    assert (grid.interval, grid.start, grid.domain) == (4.0, 500.0, "time")
    assert grid.spacing == (25.0, 12.5)


def test_attributes_of_a_plain_zarr_array_give_its_geometry(
    tmp_path: Path, cube: NDArray[np.float32]
) -> None:
    zarr = pytest.importorskip("zarr")
    attributes = {"inlines": [4, 2, 0], "interval": 5.0, "start": 100.0, "domain": "depth"}
    zarr.create_array(str(tmp_path / "a.zarr"), data=cube, attributes=attributes)
    grid = open_survey(tmp_path / "a.zarr").grid
    assert grid.inlines.tolist() == [4, 2, 0]
    assert (grid.interval, grid.start, grid.domain, grid.unit) == (5.0, 100.0, "depth", "m")


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ({"inlines": [1, 2]}, "length of their axis"),
        ({"interval": "wide"}, "do not fit"),
        ({"domain": "up"}, "neither time nor depth"),
        ({"interval": 0}, "sample interval of 0"),
    ],
)
def test_attributes_that_do_not_fit_are_refused(
    tmp_path: Path, cube: NDArray[np.float32], attributes: dict[str, Any], found: str
) -> None:
    zarr = pytest.importorskip("zarr")
    zarr.create_array(str(tmp_path / "a.zarr"), data=cube, attributes=attributes)
    with pytest.raises(SurveyError, match=found):
        open_survey(tmp_path / "a.zarr")


def test_a_zarr_group_of_gathers_is_refused(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    group = zarr.create_group(str(tmp_path / "a.zarr"))
    named = ("inline", "crossline", "offset", "time")
    group.create_array("amplitude", data=np.ones((2, 2, 3, 9)), dimension_names=named)
    with pytest.raises(SurveyError, match="inline, crossline, offset, time"):
        open_survey(tmp_path / "a.zarr")


def test_a_zarr_group_without_amplitudes_is_refused(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    zarr.create_group(str(tmp_path / "a.zarr")).create_array("other", data=np.ones(3))
    with pytest.raises(SurveyError, match="it holds other"):
        open_survey(tmp_path / "a.zarr")


def test_an_array_of_two_axes_is_a_line(tmp_path: Path, cube: NDArray[np.float32]) -> None:
    np.save(tmp_path / "line.npy", cube[0])
    survey = open_survey(tmp_path / "line.npy")
    assert survey.grid.kind == "2d"
    assert survey.grid.shape == (1, 4, 20)
    assert survey.grid.crosslines.tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(survey.read(slice(None), slice(1, 3)), cube[:1, 1:3])
    assert "--samples-axis first" in survey.notes[0]  # four traces show no direction
    assert "interval unknown" in survey.notes[1]


def test_integers_become_amplitudes(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[[-3, 5, 0], [7, -9, 1]]], np.int16))
    found = open_survey(tmp_path / "a.npy").read(slice(None), slice(None))
    assert found.tolist() == [[[-3, 5, 0], [7, -9, 1]]]


@pytest.mark.parametrize(
    "content",
    [b"", b"\x93NUMPY", b"no array at all", b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f4' x\n"],
)
def test_damaged_npy_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(SurveyError, match="cannot be read as an array"):
        open_survey(tmp_path / "a.npy")


def test_a_cut_npy_file_is_refused(tmp_path: Path, cube: NDArray[np.float32]) -> None:
    np.save(tmp_path / "a.npy", cube)
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole[:-40])
    with pytest.raises(SurveyError, match="cannot be read as an array"):
        open_survey(tmp_path / "a.npy")


@pytest.mark.parametrize(
    "values",
    [
        np.ones((2, 2, 2, 2)),
        np.ones(9),
        np.ones((2, 3, 4), complex),
        np.ones((2, 3, 4), bool),
        np.ones((0, 3, 4)),
    ],
)
def test_arrays_of_other_kinds_are_refused(tmp_path: Path, values: NDArray[Any]) -> None:
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(SurveyError):
        open_survey(tmp_path / "a.npy")


def test_options_of_segy_are_refused_for_arrays(tmp_path: Path, cube: NDArray[np.float32]) -> None:
    np.save(tmp_path / "a.npy", cube)
    with pytest.raises(SurveyError, match=r"--inline-byte given for .* not a SEG-Y file"):
        open_survey(tmp_path / "a.npy", SurveyHints(inline_byte=189))


def test_a_folder_without_a_survey_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match="not a Zarr store"):
        open_survey(tmp_path)


def test_a_path_without_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match="does not exist"):
        open_survey(tmp_path / "none.sgy")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
@pytest.mark.parametrize("name", ["pipe.sgy", "pipe.npy"])
def test_a_pipe_is_refused_without_waiting(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(SurveyError, match="neither a file nor a folder"):
        open_survey(tmp_path / name)
