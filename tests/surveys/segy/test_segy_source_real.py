"""What is known of the real files beside the checkout, file by file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diapir.errors import SurveyError
from diapir.surveys import SurveyHints, describe, open_survey
from tests.conftest import SHARED

pytestmark = pytest.mark.real

F3 = {"inlines": (23, 111, 133, 1), "crosslines": (18, 875, 892, 1), "start": 4.0}
F3_EAST, F3_NORTH = [620181.9, 620622.1], [6074232.9, 6074794.5]


@dataclass(frozen=True)
class Expected:
    revision: str = "1.0"
    endian: str = "big"
    sample_format: int = 1
    text: str = "ebcdic"
    kind: str = "3d"
    bytes: tuple[int, int] = (189, 193)
    inlines: tuple[int, int, int, int | None] | None = None
    crosslines: tuple[int, int, int, int | None] = (0, 0, 0, 0)
    live: int = 414
    gaps: int = 0
    samples: int = 75
    start: float = 0.0
    spacing: tuple[float | None, float | None] = (25.01, 25.01)
    largest: float = 10831.0


FILES: dict[str, Expected] = {
    "f3.sgy": Expected(sample_format=3, **F3),
    "f3-lsb.sgy": Expected(endian="little", sample_format=3, **F3),
    "formats/Format1msb.sgy": Expected(**F3),
    "formats/Format1lsb.sgy": Expected(endian="little", **F3),
    "formats/Format2msb.sgy": Expected(sample_format=2, **F3),
    "formats/Format3msb.sgy": Expected(sample_format=3, **F3),
    "formats/Format5msb.sgy": Expected(sample_format=5, **F3),
    "formats/Format5lsb.sgy": Expected(endian="little", sample_format=5, **F3),
    "formats/Format6msb.sgy": Expected(revision="2.0", sample_format=6, **F3),
    "formats/Format8msb.sgy": Expected(sample_format=8, largest=128.0, **F3),
    "f3-withdead.sgy": Expected(revision="0", live=239, gaps=175, spacing=(24.81, 25.01), **F3),
    "F3_very_small.sgy": Expected(
        text="ascii",
        inlines=(11, 200, 210, 1),
        crosslines=(11, 400, 410, 1),
        live=121,
        samples=463,
        largest=16033.0,
    ),
    "penobscot_xl1155.sgy": Expected(
        text="ascii",
        inlines=(601, 1000, 1600, 1),
        crosslines=(1, 1155, 1155, None),
        live=601,
        samples=1501,
        spacing=(12.52, None),
        largest=25800.0,
    ),
    "npra-31-81-PR.sgy": Expected(
        revision="0",
        kind="2d",
        bytes=(0, 21),
        crosslines=(534, 101, 634, 1),
        live=534,
        samples=1501,
        spacing=(None, None),
        largest=9852.0,
    ),
}


@pytest.fixture
def real_segy() -> Path:
    folder = SHARED / "segy"
    if not folder.is_dir():
        pytest.skip(f"the real SEG-Y files are not at {folder}")
    return folder


def axis(content: dict[str, Any] | None) -> tuple[Any, ...] | None:
    return content and (content["count"], content["first"], content["last"], content["step"])


@pytest.mark.parametrize("name", FILES)
def test_the_facts_of_each_file_are_found(real_segy: Path, name: str) -> None:
    expected = FILES[name]
    survey = open_survey(real_segy / name)
    facts = describe(survey).content
    assert facts["revision"] == expected.revision
    assert facts["endian"] == expected.endian
    assert facts["sample_format"] == expected.sample_format
    assert facts["text_encoding"] == expected.text
    assert facts["kind"] == expected.kind
    assert (facts["inline_byte"], facts["crossline_byte"]) == expected.bytes
    assert axis(facts.get("inlines")) == expected.inlines
    assert axis(facts["crosslines"]) == expected.crosslines
    assert (facts["live"], facts["gaps"], facts["dead"]) == (expected.live, expected.gaps, 0)
    assert facts["vertical"]["samples"] == expected.samples
    assert facts["vertical"]["interval"] == 4.0
    assert facts["vertical"]["start"] == expected.start
    assert facts["vertical"]["domain"] == "unknown"
    assert facts["sorting"] == ("trace" if expected.kind == "2d" else "inline")
    assert facts["amplitudes"]["absolute"]["p100"] == pytest.approx(expected.largest, rel=1e-3)
    spacing = (facts["coordinates"] or {"spacing": [None, None]})["spacing"]
    assert spacing == [step and pytest.approx(step, abs=0.01) for step in expected.spacing]
    assert facts["notes"] == []


@pytest.mark.parametrize("name", ["f3.sgy", "f3-lsb.sgy", "formats/Format6msb.sgy"])
def test_coordinates_are_scaled(real_segy: Path, name: str) -> None:
    facts = describe(open_survey(real_segy / name)).content["coordinates"]
    assert facts["easting"] == pytest.approx(F3_EAST)
    assert facts["northing"] == pytest.approx(F3_NORTH)
    assert (facts["x_byte"], facts["y_byte"], facts["scalar"]) == (181, 185, -10)


@pytest.mark.parametrize("name", [name for name in FILES if "Format" in name and "8" not in name])
def test_all_formats_of_one_survey_give_the_same_amplitudes(real_segy: Path, name: str) -> None:
    whole = slice(None), slice(None)
    amplitudes = open_survey(real_segy / "f3.sgy").read(*whole)
    np.testing.assert_array_equal(open_survey(real_segy / name).read(*whole), amplitudes)


@pytest.mark.parametrize(
    "name", [name for name in FILES if FILES[name].kind == "3d" and "withdead" not in name]
)
def test_amplitudes_are_those_that_segyio_reads(real_segy: Path, name: str) -> None:
    segyio = pytest.importorskip("segyio")
    survey = open_survey(real_segy / name)
    endian = FILES[name].endian
    with segyio.open(real_segy / name, endian=endian) as file:
        assert file.ilines.tolist() == survey.grid.inlines.tolist()
        assert file.xlines.tolist() == survey.grid.crosslines.tolist()
        cube = segyio.tools.cube(file)
    amplitudes = survey.read(slice(None), slice(None))
    if 1 in cube.shape:  # of one slice segyio tells inlines from crosslines by nothing
        amplitudes, cube = amplitudes.squeeze(), cube.squeeze()
    np.testing.assert_array_equal(amplitudes, cube)


def test_a_line_is_what_segyio_reads(real_segy: Path) -> None:
    segyio = pytest.importorskip("segyio")
    survey = open_survey(real_segy / "npra-31-81-PR.sgy")
    with segyio.open(survey.path, ignore_geometry=True) as file:
        traces = file.trace.raw[:]
        cdp = file.attributes(21)[:]
    np.testing.assert_array_equal(survey.grid.crosslines, cdp)
    np.testing.assert_array_equal(survey.read(slice(None), slice(None))[0], traces)


def test_gaps_are_where_no_trace_is(real_segy: Path) -> None:
    segyio = pytest.importorskip("segyio")
    survey = open_survey(real_segy / "f3-withdead.sgy")
    with segyio.open(survey.path, ignore_geometry=True) as file:
        traces = file.trace.raw[:]
        inlines, crosslines = file.attributes(189)[:], file.attributes(193)[:]
    expected = np.full(survey.grid.shape, np.nan, np.float32)
    expected[inlines - 111, crosslines - 875] = traces
    np.testing.assert_array_equal(survey.read(slice(None), slice(None)), expected)
    np.testing.assert_array_equal(survey.grid.live, np.isfinite(expected).any(axis=-1))


@pytest.mark.parametrize("name", ["Mx1.sgy", "small-ps-dec-il-inc-xl-off.sgy"])
def test_gathers_are_refused(real_segy: Path, name: str) -> None:
    with pytest.raises(SurveyError, match=r"holds pre-stack gathers: 24 traces"):
        open_survey(real_segy / name)


@pytest.mark.parametrize("name", ["acute-small.sgy", "text-embed-null.sgy"])
def test_all_positive_files_open_when_they_are_allowed(real_segy: Path, name: str) -> None:
    with pytest.raises(SurveyError, match="velocity"):
        open_survey(real_segy / name)
    survey = open_survey(real_segy / name, SurveyHints(allow=("velocity",)))
    assert survey.grid.shape == (5, 5, 50)
    assert survey.grid.inlines.tolist() == [1, 2, 3, 4, 5]
    assert survey.grid.crosslines.tolist() == [20, 21, 22, 23, 24]
    text = describe(survey).content["text"]
    assert all(line.isprintable() for line in text)
    assert text[0].startswith("C 1 DATE: 2016-09-19")


def test_coordinates_of_a_rotated_grid(real_segy: Path) -> None:
    grid = open_survey(real_segy / "acute-small.sgy", SurveyHints(allow=("velocity",))).grid
    assert grid.spacing == pytest.approx((np.hypot(0.1, 0.1),) * 2)
    assert (grid.easting.min(), grid.easting.max()) == (0.0, 0.8)
