"""Traces are found by their headers where counts, text headers and padding are not as stated."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.surveys import SurveyHints, open_survey, reopen
from tests.helpers.segy import write_segy

WHOLE = slice(None), slice(None)
ROWS, COLUMNS, SAMPLES = 6, 7, 64
TRACE = 240 + 4 * SAMPLES


@dataclass
class Parts:
    """A file in parts that a test can change and join again."""

    path: Path
    cube: NDArray[np.float32]
    head: bytearray
    traces: list[bytes]
    order: str

    def put(self, byte: int, kind: str, value: int) -> None:
        struct.pack_into(self.order + kind, self.head, byte - 1, value)

    def put_in_traces(self, byte: int, kind: str, value: int) -> None:
        size = struct.calcsize(kind)
        field = struct.pack(self.order + kind, value)
        self.traces = [one[: byte - 1] + field + one[byte - 1 + size :] for one in self.traces]

    def write(self, *before: bytes, tail: bytes = b"") -> Path:
        self.path.write_bytes(bytes(self.head) + b"".join([*before, *self.traces]) + tail)
        return self.path

    def is_read(self, note: str = "", **hints: Any) -> None:
        survey = open_survey(self.path, SurveyHints(**hints))
        np.testing.assert_array_equal(survey.read(*WHOLE), self.cube)
        told = " | ".join(survey.notes)
        assert note in told if note else not told
        again = reopen(survey.spec())
        np.testing.assert_array_equal(again.read(*WHOLE), self.cube)


def parts(
    path: Path, revision: tuple[int, int] = (1, 0), endian: Literal["big", "little"] = "big"
) -> Parts:
    cube = np.random.default_rng(5).normal(0, 500, (ROWS, COLUMNS, SAMPLES)).astype(np.float32)
    write_segy(path, cube, revision=revision, endian=endian)
    whole = path.read_bytes()
    traces = [whole[start : start + TRACE] for start in range(3600, len(whole), TRACE)]
    return Parts(path, cube, bytearray(whole[:3600]), traces, ">" if endian == "big" else "<")


@pytest.fixture(params=[((0, 0), "big"), ((1, 0), "little"), ((2, 0), "big"), ((2, 1), "little")])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Parts:
    revision, endian = request.param
    return parts(tmp_path / "a.sgy", revision, endian)


@pytest.mark.parametrize("content", [b"\0", b" ", b"\x40", b"<a>", b"\x93\x01\xfe\x77"])
def test_extended_text_headers_need_not_be_text(file: Parts, content: bytes) -> None:
    file.put(3505, "h", 2)
    file.write(*[(content * 3200)[:3200]] * 2)
    file.is_read()


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_extended_text_headers_are_read_over(file: Parts, count: int) -> None:
    blocks = [f"C 1 PAGE {page}".encode("cp037").ljust(3200, b"\x40") for page in range(count)]
    file.write(*blocks)
    file.is_read(f"follows after {count} extended text header")
    file.put(3505, "h", count)
    file.write(*blocks)
    file.is_read()
    file.write()
    stated = file.head[3500] > 0  # revision 0 has no such field
    file.is_read("after 0 extended text headers" if stated else "")


def test_extended_text_headers_end_with_a_stanza(file: Parts) -> None:
    file.put(3505, "h", -1)
    file.write(b"HELLO".ljust(3200), b"((SEG: EndText))".ljust(3200))
    file.is_read()
    file.write(b"HELLO".ljust(3200))
    file.is_read("follows after 1 extended text header")
    file.write()
    file.is_read()


@pytest.mark.parametrize("stray", [2, 128])
def test_the_first_trace_is_found_behind_stray_bytes(file: Parts, stray: int) -> None:
    file.write(bytes(stray))
    file.is_read(f"follows after {stray} bytes")
    file.is_read(data_start=3600 + stray)


@pytest.mark.parametrize("wrong", [32, 60, 65, 128, 1000])
def test_wrong_sample_counts_are_put_right(file: Parts, wrong: int) -> None:
    file.put(3221, "H", wrong)
    if file.head[3500] == 2:
        file.put(3269, "i", 0)
    file.write()
    file.is_read(f"the binary header says {wrong}")
    file.put_in_traces(115, "H", wrong)
    file.write()
    file.is_read(f"have 64 samples; the headers say {wrong:,}")
    file.is_read(samples=SAMPLES)


@pytest.mark.parametrize("extra", [1, 2, 4, 8, 240, 512])
def test_padding_after_each_trace_is_left_out(file: Parts, extra: int) -> None:
    file.traces = [one + bytes(extra) for one in file.traces]
    file.write()
    file.is_read(f"followed by {extra} byte")
    file.is_read(trace_bytes=TRACE + extra)


def test_padding_that_is_no_zeros_is_left_out(file: Parts) -> None:
    noise = np.random.default_rng(1)
    file.traces = [one + noise.bytes(8) for one in file.traces]
    file.write()
    file.is_read("--samples 66 reads them")


@pytest.mark.parametrize("kind", ["h", "i"])
@pytest.mark.parametrize("count", [1, 2])
def test_additional_trace_headers_are_counted_in_16_or_32_bits(
    file: Parts, kind: str, count: int
) -> None:
    single = file.traces
    file.put(3507, kind, count)
    file.traces = [one[:240] + b"SEG00001".ljust(240 * count, b"\0") + one[240:] for one in single]
    file.write()
    survey = open_survey(file.path)
    assert survey.layout.header_bytes == 240 * (1 + count)
    np.testing.assert_array_equal(survey.read(*WHOLE), file.cube)
    file.traces = single  # stated, but not there
    file.write()
    np.testing.assert_array_equal(open_survey(file.path).read(*WHOLE), file.cube)


@pytest.mark.parametrize("content", [b"\0" * 240, b"SEG00001".ljust(240)])
def test_an_additional_trace_header_need_not_be_stated(file: Parts, content: bytes) -> None:
    file.traces = [one[:240] + content + one[240:] for one in file.traces]
    file.write()
    file.is_read("headers of 480 bytes")
    file.is_read(trace_header_bytes=480, samples=SAMPLES)


@pytest.mark.parametrize("stray", [-100, -1, 1, 2, 100])
@pytest.mark.parametrize("trace", [2, 20, 40])
def test_stray_and_missing_bytes_are_located(file: Parts, stray: int, trace: int) -> None:
    """Before trace `trace`, counted from 1: trace - 1 may be damaged, those before are not."""
    last = file.traces[trace - 2]
    file.traces[trace - 2] = last + b"\x55" * stray if stray > 0 else last[:stray]
    file.write()
    what = "too many" if stray > 0 else "missing"
    found = f"{abs(stray)} bytes? (is|are) {what} between the headers of traces {trace - 1} and"
    with pytest.raises(SurveyError, match=found) as caught:
        open_survey(file.path)
    if trace == 2:
        assert "--allow" not in caught.value.fix
        return
    assert f"first {trace - 2} traces with --allow truncated" in caught.value.fix
    survey = open_survey(file.path, SurveyHints(allow=("truncated",)))
    assert any(f"only the first {trace - 2} traces" in note for note in survey.notes)
    rows, columns = divmod(np.arange(trace - 2), COLUMNS)
    assert survey.grid.live.sum() == trace - 2
    np.testing.assert_array_equal(survey.read(*WHOLE)[rows, columns], file.cube[rows, columns])


@pytest.mark.parametrize(
    "tail", [bytes(33), bytes(400), b"\r\n", b"END".ljust(3200), b"\x9a\x17\x42" * 200]
)
def test_bytes_after_the_last_trace_are_left_out(file: Parts, tail: bytes) -> None:
    file.write(tail=tail)
    file.is_read(f"{len(tail):,} bytes after the last trace are left out")


@pytest.mark.parametrize("cut", [100, 400, TRACE - 1])
def test_a_file_that_ends_within_a_trace_is_cut_off(file: Parts, cut: int) -> None:
    file.traces[-1] = file.traces[-1][:-cut]
    file.write()
    with pytest.raises(SurveyError, match="is truncated: the last whole trace is number 41"):
        open_survey(file.path)


def test_counts_are_offered_where_trace_headers_tell_nothing(file: Parts) -> None:
    file.traces = [bytes(240) + one[240:] for one in file.traces]
    file.put(3221, "H", 60)
    if file.head[3500] == 2:
        file.put(3269, "i", 60)
    file.write()
    with pytest.raises(SurveyError, match="nothing in the trace headers tells") as caught:
        open_survey(file.path)
    assert "such as 64" in caught.value.fix
    line = open_survey(file.path, SurveyHints(samples=SAMPLES))
    np.testing.assert_array_equal(line.read(*WHOLE)[0], file.cube.reshape(-1, SAMPLES))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.integers(3600 + 3 * TRACE, 3600 + 38 * TRACE), content=st.binary(min_size=1))
def test_inserted_bytes_never_pass_for_samples(tmp_path: Path, place: int, content: bytes) -> None:
    """Whatever is inserted wherever: the traces that are read are those of the whole file."""
    made = parts(tmp_path / "a.sgy")
    whole = made.write().read_bytes()
    made.path.write_bytes(whole[:place] + content + whole[place:])
    with pytest.raises(SurveyError):
        open_survey(made.path)
    hints = SurveyHints(allow=("truncated", "sparse"), inline_byte=189, crossline_byte=193)
    survey = open_survey(made.path, hints)
    rows, columns = divmod(np.arange(survey.grid.live.sum()), COLUMNS)
    np.testing.assert_array_equal(survey.read(*WHOLE)[rows, columns], made.cube[rows, columns])


@pytest.mark.parametrize(
    ("option", "value"),
    [("samples", 0), ("data_start", 3599), ("trace_header_bytes", 0), ("trace_bytes", 240)],
)
def test_options_of_the_layout_have_a_least_value(option: str, value: int) -> None:
    with pytest.raises(SurveyError, match=f"--{option.replace('_', '-')} {value} is too small"):
        SurveyHints(**{option: value})
