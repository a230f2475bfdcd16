"""SEG-Y written from a store: headers byte for byte, samples in their places, read by others."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import segyio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.surveys import SurveyHints, open_survey
from diapir.surveys.prediction.exports import segy_input
from diapir.surveys.segy.segy_writer import SegyInput, write_segy
from tests.helpers.segy import write_segy as make_segy
from tests.surveys.made import volume


def values_of(shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """A value of its own for each cell."""
    return np.linspace(0, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def write(path: Path, source: Path, slab: int = 3, **options: Any) -> NDArray[np.float32]:
    survey = open_survey(source, SurveyHints(**options))
    values = values_of(survey.grid.shape)
    write_segy(
        path,
        segy_input(survey),
        survey.grid.shape,
        lambda inlines, crosslines: values[inlines, crosslines],
        ["MADE BY A TEST"],
        slab=slab,
    )
    survey.close()
    return values


def split(path: Path, samples: int, itemsize: int = 4) -> tuple[bytes, NDArray[np.uint8]]:
    """Head and rows of traces of a file without extended headers."""
    content = np.frombuffer(path.read_bytes(), np.uint8)
    return content[:3600].tobytes(), content[3600:].reshape(-1, 240 + itemsize * samples)


@pytest.mark.parametrize("sort", ["inline", "crossline"])
def test_headers_are_kept_and_samples_replaced(tmp_path: Path, sort: str) -> None:
    amplitude = volume((5, 7, 11))
    present = np.ones((5, 7), bool)
    present[1, 2:5] = False
    rng = np.random.default_rng(0)
    source = make_segy(
        tmp_path / "in.sgy",
        amplitude,
        sort=sort,
        present=present,
        sample_format=3,
        fields={9: rng.integers(0, 2**31, 32), 233: rng.integers(0, 2**31, 32)},
    )
    before = source.read_bytes()
    values = write(tmp_path / "out.sgy", source)
    assert source.read_bytes() == before
    _, old = split(source, 11, 2)
    head, new = split(tmp_path / "out.sgy", 11)
    np.testing.assert_array_equal(new[:, :240], old[:, :240])
    order = np.argwhere(present if sort == "inline" else present.T)
    rows, columns = (order if sort == "inline" else order[:, ::-1]).T
    samples = np.ascontiguousarray(new[:, 240:]).view(">f4")
    np.testing.assert_array_equal(samples, values[rows, columns])
    assert head[3224:3226] == b"\x00\x05"
    assert head[3500:3506] == b"\x01\x00\x00\x01\x00\x00"


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    shape=st.tuples(st.integers(3, 6), st.integers(3, 6), st.integers(4, 12)),
    revision=st.sampled_from([(0, 0), (1, 0), (2, 0), (2, 1)]),
    endian=st.sampled_from(["big", "little"]),
    sample_format=st.sampled_from([1, 2, 3, 5, 6, 8]),
    sort=st.sampled_from(["inline", "crossline"]),
    extended=st.integers(0, 2),
    gap=st.integers(0, 3),
    slab=st.integers(1, 8),
)
def test_any_input_gives_a_file_that_segyio_reads(
    tmp_path: Path,
    shape: tuple[int, int, int],
    revision: tuple[int, int],
    endian: str,
    sample_format: int,
    sort: str,
    extended: int,
    gap: int,
    slab: int,
) -> None:
    present = np.ones(shape[:2], bool)
    present.ravel()[: 2 * gap : 2] = False
    present[1:, -1] = True
    source = make_segy(
        tmp_path / "in.sgy",
        100 * volume(shape),
        revision=revision,
        endian=endian,
        sample_format=sample_format,
        sort=sort,
        extended=extended if revision[0] else 0,
        extra_headers=1 if revision == (2, 0) else 0,
        present=present,
    )
    asked = {"inline_byte": 189, "crossline_byte": 193, "endian": endian}
    values = write(tmp_path / "out.sgy", source, slab, sample_format=sample_format, **asked)
    with segyio.open(str(tmp_path / "out.sgy"), ignore_geometry=True) as file:
        assert int(file.format) == 5
        assert file.tracecount == present.sum()
        assert len(file.samples) == shape[2]
        assert segyio.tools.dt(file) == 4000
        rows = file.attributes(189)[:] - 100
        columns = file.attributes(193)[:] - 300
        np.testing.assert_array_equal(file.trace.raw[:], values[rows, columns])
        steps = np.diff(rows if sort == "inline" else columns)
        assert (steps >= 0).all()
        for byte in (71, 115, 117):
            assert (file.attributes(byte)[:] == file.attributes(byte)[0]).all()
        assert file.attributes(71)[0] == -10
        assert file.attributes(117)[0] == 4000


def test_fields_of_a_little_endian_header_keep_their_numbers(tmp_path: Path) -> None:
    fields = {byte: byte for byte in (1, 5, 37, 41, 65, 69, 73, 85, 89, 105, 157, 197, 203)}
    big, little = (
        make_segy(tmp_path / f"{endian}.sgy", volume((4, 5, 9)), endian=endian, fields=fields)
        for endian in ("big", "little")
    )
    for source in (big, little):
        write(tmp_path / f"{source.stem}_out.sgy", source)
    heads, traces = zip(
        *(split(tmp_path / f"{name}_out.sgy", 9) for name in ("big", "little")), strict=True
    )
    np.testing.assert_array_equal(*traces)
    assert heads[0] == heads[1]


def test_the_text_says_what_made_it_and_keeps_the_input_s(tmp_path: Path) -> None:
    text = "".join(f"C{line:2d} LINE {line} OF THE INPUT".ljust(80) for line in range(1, 41))
    source = make_segy(tmp_path / "in.sgy", volume((4, 5, 9)), text=text, encoding="ascii")
    write(tmp_path / "out.sgy", source)
    with segyio.open(str(tmp_path / "out.sgy")) as file:
        written = file.text[0].decode()
    lines = [written[start : start + 80].rstrip() for start in range(0, 3200, 80)]
    assert lines[0] == "C 1 DIAPIR: MADE BY A TEST"
    assert lines[1] == "C 2 INPUT TEXT HEADER:"
    assert lines[2] == "C 3 LINE 1 OF THE INPUT"
    assert lines[38:] == ["C39 SEG-Y REV1", "C40 END TEXTUAL HEADER"]


def test_lines_that_do_not_fit_go_into_an_extended_text_header(tmp_path: Path) -> None:
    text = "".join(f"C{line:2d} LINE {line} OF THE INPUT".ljust(80) for line in range(1, 41))
    more = "".join(f"MORE {line}".ljust(80) for line in range(40))
    source = make_segy(tmp_path / "in.sgy", volume((4, 5, 9)), text=text, extended=1)
    content = bytearray(source.read_bytes())
    content[3600:6800] = more.encode("cp037")
    source.write_bytes(content)
    assert "MORE 39" in open_survey(source).text
    write(tmp_path / "out.sgy", source)
    again = open_survey(tmp_path / "out.sgy", SurveyHints(allow=("velocity",)))
    for line in ("LINE 1 OF THE INPUT", "LINE 40 OF THE INPUT", "MORE 0", "MORE 39"):
        assert any(line in kept for kept in again.text)
    with segyio.open(str(tmp_path / "out.sgy")) as file:
        assert file.ext_headers == 2
        assert file.tracecount == 20


def test_no_value_is_written_as_zero_and_traces_without_a_place_too(tmp_path: Path) -> None:
    source = make_segy(tmp_path / "in.sgy", volume((3, 4, 6)))
    survey = open_survey(source)
    plain = segy_input(survey)
    cells = plain.cells.copy()
    cells[5] = -1
    values = values_of((3, 4, 6)) + 1
    values[0, 1] = np.nan
    write_segy(
        tmp_path / "out.sgy",
        SegyInput(plain.path, plain.layout, cells),
        (3, 4, 6),
        lambda inlines, crosslines: values[inlines, crosslines],
        [],
    )
    with segyio.open(str(tmp_path / "out.sgy"), ignore_geometry=True) as file:
        written = file.trace.raw[:]
    assert not written[[1, 5]].any()
    assert (np.delete(written, [1, 5], axis=0) >= 1).all()


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    source = make_segy(tmp_path / "in.sgy", volume((3, 4, 6)))
    survey = open_survey(source)

    def fail(inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="space"):
        write_segy(tmp_path / "out.sgy", segy_input(survey), (3, 4, 6), fail, [])
    assert [path.name for path in tmp_path.iterdir()] == ["in.sgy"]


def test_the_input_is_never_written_to(tmp_path: Path) -> None:
    source = make_segy(tmp_path / "in.sgy", volume((3, 4, 6)))
    (tmp_path / "link.sgy").symlink_to(source)
    for target in (source, tmp_path / "link.sgy"):
        with pytest.raises(SurveyError, match="is the input file"):
            write(target, source)


def test_more_samples_than_revision_1_can_count(tmp_path: Path) -> None:
    survey = open_survey(make_segy(tmp_path / "in.sgy", volume((3, 4, 6))))
    with pytest.raises(SurveyError, match="70,000 samples"):
        write_segy(tmp_path / "out.sgy", segy_input(survey), (3, 4, 70_000), lambda *_: None, [])
