"""Random valid SEG-Y, read back as it was meant; other readers as oracles."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from diapir.surveys import SurveyHints, open_survey, reopen
from diapir.surveys.segy.sample_formats import decode_samples
from tests.helpers.segy import CODES, encode_samples, ibm_bits, write_segy

QUICK = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
WHOLE = slice(None), slice(None)
PAIRS = ((189, 193), (9, 21), (5, 21), (9, 13))


@st.composite
def axes(draw: st.DrawFn, most: int) -> np.ndarray:
    """Evenly spaced line numbers that rise or fall."""
    count = draw(st.integers(2, most))
    step = draw(st.sampled_from([1, 2, 3, 20, -1, -4]))
    return draw(st.integers(1, 5000)) + 200 + step * np.arange(count)


@st.composite
def volumes(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of `write_segy` for a 3D survey, gaps and all."""
    inlines, crosslines = draw(axes(7)), draw(axes(9))
    shape = len(inlines), len(crosslines)
    present = np.ones(shape, bool)
    for _ in range(draw(st.integers(0, min(shape) - 1))):
        present[draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))] = False
    revision = draw(st.sampled_from([(0, 0), (1, 0), (2, 0), (2, 1)]))
    inline_byte, crossline_byte = draw(st.sampled_from(PAIRS))
    seed = draw(st.integers(0, 2**16))
    samples = draw(st.integers(4, 40))
    return {
        "amplitude": np.random.default_rng(seed).integers(-100, 100, (*shape, samples)) - 0.5,
        "inlines": inlines,
        "crosslines": crosslines,
        "present": present,
        "sort": draw(st.sampled_from(["inline", "crossline"])),
        "revision": revision,
        "endian": draw(st.sampled_from(["big", "little"])),
        "sample_format": draw(st.sampled_from([1, 2, 3, 5, 6, 8])),
        "interval_us": draw(st.sampled_from([500, 1000, 2000, 4000, 12500])),
        "delay": draw(st.sampled_from([0, 4, 1000, -200])),
        "inline_byte": inline_byte,
        "crossline_byte": crossline_byte,
        "scalar": draw(st.sampled_from([-100, -10, -1, 0, 1])),
        "encoding": draw(st.sampled_from(["ascii", "cp037"])),
        "extended": draw(st.integers(0, 2)) if revision[0] else 0,
        "extra_headers": draw(st.integers(0, 2)) if revision[0] == 2 else 0,
    }


def expected_cube(written: dict[str, Any]) -> np.ndarray:
    kind = written["sample_format"]
    stored = encode_samples(written["amplitude"], kind)
    values = np.asarray(written["amplitude"]) if kind == 1 else stored.astype(np.float64)
    return np.where(written["present"][..., None], values, np.nan).astype(np.float32)


@QUICK
@given(volumes())
def test_a_volume_is_read_as_it_was_written(tmp_path: Path, written: dict[str, Any]) -> None:
    path = write_segy(tmp_path / "a.sgy", **written)
    survey = open_survey(path)
    grid, choice = survey.grid, survey.geometry.choice
    assert (choice.inline, choice.crossline) == (written["inline_byte"], written["crossline_byte"])
    assert survey.layout.endian == written["endian"]
    assert survey.layout.revision == written["revision"]
    assert survey.layout.encoding == ("ascii" if written["encoding"] == "ascii" else "ebcdic")
    assert (grid.interval, grid.start) == (written["interval_us"] / 1000, written["delay"])
    # lines without any trace at the rim of the survey are not in the file
    rows = np.isin(written["inlines"], grid.inlines)
    columns = np.isin(written["crosslines"], grid.crosslines)
    assert written["present"][~rows].sum() == written["present"][:, ~columns].sum() == 0
    row = np.searchsorted(grid.inlines, written["inlines"][rows], sorter=np.argsort(grid.inlines))
    row = np.argsort(grid.inlines)[row]
    column = np.searchsorted(
        grid.crosslines, written["crosslines"][columns], sorter=np.argsort(grid.crosslines)
    )
    column = np.argsort(grid.crosslines)[column]
    found = survey.read(*WHOLE)[np.ix_(row, column)]
    np.testing.assert_array_equal(found, expected_cube(written)[rows][:, columns])
    north = 6_000_000 + 25.0 * np.arange(len(written["inlines"]))[rows]
    known = grid.live[row][:, column[0]]
    scale = -1 / written["scalar"] if written["scalar"] < 0 else 1
    northing = grid.northing[row, column[0]]
    np.testing.assert_allclose(northing[known], north[known], atol=0.51 * scale)


@QUICK
@given(volumes())
def test_axes_run_as_in_the_file(tmp_path: Path, written: dict[str, Any]) -> None:
    written["present"][...] = True
    grid = open_survey(write_segy(tmp_path / "a.sgy", **written)).grid
    np.testing.assert_array_equal(grid.inlines, written["inlines"])
    np.testing.assert_array_equal(grid.crosslines, written["crosslines"])


@QUICK
@given(volumes())
def test_a_spec_finds_the_same_without_judging(tmp_path: Path, written: dict[str, Any]) -> None:
    first = open_survey(write_segy(tmp_path / "a.sgy", **written))
    again = reopen(first.spec())
    for name, value in vars(first.grid).items():
        np.testing.assert_array_equal(getattr(again.grid, name), value, err_msg=name)
    assert again.spec() == first.spec()


@QUICK
@given(
    cdp=st.one_of(st.none(), axes(40)),
    samples=st.integers(5, 30),
    endian=st.sampled_from(["big", "little"]),
    sample_format=st.sampled_from([1, 5]),
    moved=st.booleans(),
)
def test_a_line_keeps_the_order_of_its_traces(
    tmp_path: Path,
    cdp: np.ndarray | None,
    samples: int,
    endian: Any,
    sample_format: int,
    moved: bool,
) -> None:
    count = 17 if cdp is None else len(cdp)
    amplitude = np.random.default_rng(count).integers(-99, 99, (count, samples)) + 0.5
    path = write_segy(
        tmp_path / "a.sgy",
        amplitude,
        inlines=None,
        crosslines=cdp,
        endian=endian,
        sample_format=sample_format,
        scalar=1,
        x_byte=181 if moved else 0,
    )
    survey = open_survey(path)
    assert survey.grid.kind == "2d"
    np.testing.assert_array_equal(survey.read(*WHOLE)[0], amplitude)
    np.testing.assert_array_equal(survey.grid.crosslines, np.arange(17) + 1 if cdp is None else cdp)
    assert np.isfinite(survey.grid.easting).all() == moved


@given(
    arrays(np.float64, 20, elements=st.floats(-1e30, 1e30, allow_subnormal=False)),
    st.sampled_from([">", "<"]),
)
@example(np.array([0.0, -0.0, 1.0, -1.0, 0.1, 118.625, 2.0**100, 16.0**-20] + [1 / 3] * 12), ">")
def test_ibm_numbers_are_decoded_to_their_last_bit(values: np.ndarray, order: Any) -> None:
    values = np.where(np.abs(values) < 1e-30, 0, values)
    bits = ibm_bits(values)
    exponent = (bits >> 24 & 127).astype(np.float64)
    exact = np.ldexp((bits & 0xFFFFFF).astype(np.float64), (4 * exponent - 280).astype(int))
    raw = bits.astype(f"{order}u4").view(np.uint8)[None]
    decoded = decode_samples(raw, 1, order)[0]
    np.testing.assert_array_equal(decoded, np.where(bits >> 31 == 1, -exact, exact))
    np.testing.assert_allclose(decoded, values, rtol=2**-20)


def test_ibm_numbers_beyond_float32_are_infinite_and_zero() -> None:
    words = np.array([0x7FFFFFFF, 0xFFFFFFFF, 0x00100000, 0x61100000, 0x60FFFFFF], ">u4")
    decoded = decode_samples(words.view(np.uint8)[None], 1, ">")[0]
    assert decoded[0] == np.inf
    assert decoded[1] == -np.inf
    assert decoded[2] == 0
    assert decoded[4] == np.float32(0xFFFFFF * 2.0**104)


@pytest.mark.parametrize("sample_format", [1, *CODES])
@pytest.mark.parametrize("endian", ["big", "little"])
def test_files_of_the_helper_are_what_other_readers_see(
    tmp_path: Path, sample_format: int, endian: Any
) -> None:
    """What the tests above compare with is right only if the helper's writer is."""
    segyio = pytest.importorskip("segyio")
    amplitude = np.random.default_rng(4).integers(-100, 100, (4, 5, 20)).astype(np.float32)
    path = write_segy(tmp_path / "a.sgy", amplitude, sample_format=sample_format, endian=endian)
    with segyio.open(path, endian=endian) as file:
        assert file.ilines.tolist() == [100, 101, 102, 103]
        np.testing.assert_array_equal(segyio.tools.cube(file), amplitude)
        assert file.header[7][181] == 6_000_250
    np.testing.assert_array_equal(open_survey(path).read(*WHOLE), amplitude)


@pytest.mark.parametrize("revision", [(0, 0), (1, 0), (2, 0)])
def test_the_segy_package_sees_the_same_layout(tmp_path: Path, revision: tuple[int, int]) -> None:
    segy = pytest.importorskip("segy")
    amplitude = np.random.default_rng(4).integers(-100, 100, (4, 5, 20)).astype(np.float32)
    options: dict[str, Any] = {"endian": "little"} if revision[0] == 2 else {}
    path = write_segy(tmp_path / "a.sgy", amplitude, revision=revision, **options)
    other = segy.SegyFile(str(path))
    survey = open_survey(path)
    assert other.num_traces == survey.layout.traces == 20
    np.testing.assert_array_equal(other.sample[:].reshape(4, 5, 20), survey.read(*WHOLE))


def test_absent_lines_get_a_place_where_others_are_even(tmp_path: Path) -> None:
    amplitude = np.random.default_rng(1).normal(size=(4, 5, 9))
    inlines = np.array([10, 12, 18, 20])
    survey = open_survey(write_segy(tmp_path / "a.sgy", amplitude, inlines=inlines))
    assert survey.grid.inlines.tolist() == [10, 12, 14, 16, 18, 20]
    assert survey.grid.live.all(axis=1).tolist() == [True, True, False, False, True, True]
    np.testing.assert_array_equal(
        survey.read(slice(4, 5), slice(None))[0], amplitude[2].astype(np.float32)
    )


@pytest.mark.parametrize("stated", [1, 5])
def test_a_floating_point_format_that_is_not_the_samples_is_noticed(
    tmp_path: Path, stated: int
) -> None:
    amplitude = np.random.default_rng(1).normal(size=(4, 5, 1200))
    code = np.array(stated, ">i2").tobytes()
    path = write_segy(tmp_path / "a.sgy", amplitude, sample_format=6 - stated, binary={3225: code})
    notes = open_survey(path, SurveyHints(allow=("velocity",))).notes
    assert [f"--sample-format {6 - stated}" in note for note in notes] == [True]
    assert open_survey(path, SurveyHints(sample_format=6 - stated)).notes == ()
