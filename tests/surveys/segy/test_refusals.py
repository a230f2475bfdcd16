"""Each reason for which a SEG-Y file is refused, and the option that overrides it."""

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.surveys import SurveyHints, open_survey, reopen
from tests.helpers.segy import write_segy

RNG = np.random.default_rng(11)
WHOLE = slice(None), slice(None)


@pytest.fixture
def cube() -> NDArray[np.float32]:
    return RNG.normal(0, 100, (4, 5, 30)).astype(np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.sgy"


def refused(path: Path, found: str, **options: object) -> SurveyError:
    with pytest.raises(SurveyError, match=found) as caught:
        open_survey(path, SurveyHints(**options))
    return caught.value


@pytest.mark.parametrize("content", [b"", b"GIF89a", bytes(3839)])
def test_a_short_file_is_no_segy(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refused(path, f"not a SEG-Y file: it has only {len(content):,} bytes")


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_no_segy(path: Path, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, 20_000, dtype=np.uint8)
    noise[3224:3226] = 200
    path.write_bytes(noise.tobytes())
    error = refused(path, "not a readable SEG-Y file")
    assert "--endian" in error.fix


def test_a_text_file_is_no_segy(path: Path) -> None:
    path.write_text("inline crossline depth\n" * 1000, encoding="utf-8")
    refused(path, "is a text file, not SEG-Y")


def test_a_known_format_that_cannot_be_read_is_named(path: Path, cube: NDArray[np.float32]) -> None:
    write_segy(path, cube, binary={3225: struct.pack(">h", 4)})
    error = refused(path, r"format 4 \(.+ bytes?\), which diapir cannot read")
    assert "format 5" in error.fix


def test_a_given_format_must_be_one_that_can_be_read(path: Path, cube: NDArray[np.float32]) -> None:
    write_segy(path, cube)
    refused(path, "format 4", sample_format=4)


def test_words_swapped_in_pairs_are_named(path: Path, cube: NDArray[np.float32]) -> None:
    write_segy(path, cube)
    swapped = np.frombuffer(path.read_bytes(), "<u2").byteswap().tobytes()
    head = swapped[:3224] + b"\x00\x00" + swapped[3226:3296]
    path.write_bytes(head + struct.pack(">I", 0x02010403) + swapped[3300:])
    refused(path, "each 16-bit word swapped")


def test_the_wrong_byte_order_is_refused(path: Path, cube: NDArray[np.float32]) -> None:
    write_segy(path, cube)
    refused(path, "little-endian", endian="little")


def test_a_cut_file_names_the_last_good_trace(path: Path, cube: NDArray[np.float32]) -> None:
    write_segy(path, cube, cut=100)
    end = 3600 + 19 * 360
    error = refused(path, f"last whole trace is number 19, ending at byte {end:,}; .* 260 of")
    assert "--allow truncated" in error.fix


def test_whole_traces_of_a_cut_file_can_be_used(path: Path, cube: NDArray[np.float32]) -> None:
    write_segy(path, cube, cut=100)
    survey = open_survey(path, SurveyHints(allow=("truncated",)))
    assert survey.grid.live.sum() == 19
    assert not survey.grid.live[3, 4]
    assert any("truncated" in note for note in survey.notes)
    again = reopen(survey.spec())
    np.testing.assert_array_equal(again.grid.live, survey.grid.live)


def test_a_file_cut_in_its_first_trace_is_refused(path: Path, cube: NDArray[np.float32]) -> None:
    write_segy(path, cube, cut=20 * 360 - 300)
    error = refused(path, "ends within its first trace, after 300 of 360", allow=("truncated",))
    assert "--allow" not in error.fix


@pytest.mark.parametrize("lengths", [(30, 20, 30, 25), (20, 40, 30, 30), (30, 30, 30, 29)])
def test_traces_of_different_lengths_are_refused(path: Path, lengths: tuple[int, ...]) -> None:
    write_segy(path, np.ones((4, 30)))
    whole = path.read_bytes()
    traces = b""
    for place, samples in enumerate(lengths):
        header = bytearray(whole[3600 + 360 * place :][:240])
        struct.pack_into(">H", header, 114, samples)
        traces += bytes(header) + bytes(4 * samples)
    path.write_bytes(whole[:3600] + traces)
    refused(path, f"different lengths: {min(lengths)} to {max(lengths)} samples")


def test_trace_headers_that_are_wrong_about_lengths_do_not_matter(
    path: Path, cube: NDArray[np.float32]
) -> None:
    write_segy(path, cube, fields={115: RNG.integers(1, 400, 20)})
    np.testing.assert_array_equal(open_survey(path).read(*WHOLE), cube)


def test_an_interval_of_zero_is_refused_and_can_be_given(
    path: Path, cube: NDArray[np.float32]
) -> None:
    write_segy(path, cube, interval_us=0)
    assert "--interval" in refused(path, "sample interval of 0").fix
    assert open_survey(path, SurveyHints(interval=2)).grid.interval == 2


@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf")])
def test_a_given_interval_must_be_above_zero(path: Path, interval: float) -> None:
    write_segy(path, np.ones((2, 2, 9)))
    refused(path, "not a sample interval", interval=interval)


def test_velocities_are_refused_and_can_be_allowed(path: Path) -> None:
    velocity = np.linspace(1480, 4500, 600).reshape(4, 5, 30)
    write_segy(path, velocity)
    error = refused(path, "velocity .* 1,480 to 4,500")
    assert "--allow velocity" in error.fix
    assert open_survey(path, SurveyHints(allow=("velocity",))).grid.shape == (4, 5, 30)


@pytest.mark.parametrize("values", [np.zeros((4, 5, 30)), np.full((4, 5, 30), np.nan)])
def test_dead_files_are_refused(path: Path, values: NDArray[np.float64]) -> None:
    write_segy(path, values)
    refused(path, "all 20 traces are dead")


def test_traces_marked_dead_are_dead(path: Path, cube: NDArray[np.float32]) -> None:
    write_segy(path, cube, fields={29: 2})
    refused(path, "all 20 traces are dead")


def test_gathers_of_a_volume_are_refused(path: Path) -> None:
    gathers = RNG.normal(size=(24, 30))
    numbers = np.arange(24)
    fields = {189: numbers // 12, 193: numbers // 3 % 4, 37: 100 * (numbers % 3)}
    write_segy(path, gathers, inlines=None, crosslines=None, fields=fields)
    refused(path, r"pre-stack gathers: 24 traces at 8 positions \(bytes 189 and 193\), fold 3")


def test_gathers_of_a_line_are_refused(path: Path) -> None:
    numbers = np.arange(24)
    fields = {21: numbers // 6, 37: 50 * (numbers % 6)}
    write_segy(path, RNG.normal(size=(24, 30)), inlines=None, crosslines=None, fields=fields)
    refused(path, r"24 traces at 4 positions \(byte 21\), fold 6")


def test_a_position_that_occurs_twice_is_refused(path: Path, cube: NDArray[np.float32]) -> None:
    numbers = np.arange(20)
    numbers[7] = 3
    fields = {189: 1 + numbers // 5, 193: 1 + numbers % 5}
    write_segy(path, cube, inlines=None, crosslines=None, fields=fields)
    refused(path, "1 of 20 traces have the same inline and crossline as another")
    refused(path, "1 of 20 traces", inline_byte=189, crossline_byte=193)


def test_a_sparse_grid_is_refused_and_can_be_allowed(path: Path) -> None:
    inlines, crosslines = np.array([1, 2, 50]), np.array([1, 2, 90])
    write_segy(
        path,
        RNG.normal(size=(3, 3, 20)),
        inlines=inlines,
        crosslines=crosslines,
        present=np.eye(3),
    )
    bytes_ = {"inline_byte": 189, "crossline_byte": 193}
    # 9 positions for 3 traces
    assert open_survey(path, SurveyHints(**bytes_)).grid.shape == (3, 3, 20)
    diagonal = np.eye(30)
    write_segy(path, RNG.normal(size=(30, 30, 20)), present=diagonal)
    assert (
        "--allow sparse" in refused(path, "900 positions for 30 traces, 30 per trace", **bytes_).fix
    )
    assert open_survey(path, SurveyHints(allow=("sparse",), **bytes_)).grid.live.sum() == 30


def test_a_grid_far_larger_than_the_file_is_never_made(path: Path) -> None:
    count = 400
    write_segy(path, RNG.normal(size=(count, count, 5)), present=np.eye(count))
    bytes_ = {"inline_byte": 189, "crossline_byte": 193}
    error = refused(path, "160,000 positions", allow=("sparse",), **bytes_)
    assert "--allow" not in error.fix


def test_two_grids_that_fit_are_shown_and_either_can_be_chosen(path: Path) -> None:
    numbers = np.arange(24)
    fields = {189: numbers // 4, 193: numbers % 4, 9: numbers // 6, 21: numbers % 6}
    amplitude = RNG.normal(size=(24, 20)).astype(np.float32)
    flat = {"inlines": None, "crosslines": None, "x_byte": 0, "y_byte": 0, "revision": (0, 0)}
    write_segy(path, amplitude, fields=fields, **flat)
    error = refused(path, "several pairs of header bytes")
    assert "6 × 4" in error.found
    assert "4 × 6" in error.found
    assert "--inline-byte" in error.fix
    for inline, crossline, shape in ((189, 193, (6, 4)), (9, 21, (4, 6))):
        survey = open_survey(path, SurveyHints(inline_byte=inline, crossline_byte=crossline))
        np.testing.assert_array_equal(survey.read(*WHOLE), amplitude.reshape(*shape, 20))


def test_the_standard_decides_from_revision_1(path: Path) -> None:
    numbers = np.arange(24)
    fields = {189: numbers // 4, 193: numbers % 4, 9: numbers // 6, 21: numbers % 6}
    flat = {"inlines": None, "crosslines": None, "x_byte": 0, "y_byte": 0, "revision": (1, 0)}
    write_segy(path, RNG.normal(size=(24, 20)), fields=fields, **flat)
    assert open_survey(path).grid.shape == (6, 4, 20)


def test_coordinates_decide_between_two_grids(path: Path) -> None:
    numbers = np.arange(24)
    amplitude = RNG.normal(size=(4, 6, 20))
    fields = {189: numbers // 4, 193: numbers % 4}
    options = {"inline_byte": 9, "crossline_byte": 21, "revision": (0, 0)}
    write_segy(path, amplitude, fields=fields, **options)
    assert open_survey(path).grid.shape == (4, 6, 20)


def test_a_volume_without_numbers_is_no_line(path: Path) -> None:
    turned = ((-15.0, 20.0), (20.0, 15.0))
    write_segy(path, RNG.normal(size=(6, 40, 10)), inlines=None, crosslines=None, steps=turned)
    error = refused(path, "no header bytes hold usable inline and crossline")
    assert error.found.count("\n") == 6  # the head of the table and five pairs
    assert "--inline-byte" in error.fix
    line = open_survey(path, SurveyHints(inline_byte=0))
    assert (line.grid.kind, line.grid.shape) == ("2d", (1, 240, 10))


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"inline_byte": 238, "crossline_byte": 193}, "--inline-byte 238"),
        ({"inline_byte": -1, "crossline_byte": 193}, "--inline-byte -1"),
        ({"x_byte": 300}, "--x-byte 300"),
        ({"inline_byte": 189}, "without --crossline-byte"),
        ({"inline_byte": 13, "crossline_byte": 13}, "all traces have the same"),
        ({"inline_byte": 189, "crossline_byte": 13}, "pre-stack"),
        ({"inline_byte": 0, "crossline_byte": 193}, "5 different numbers at byte 193"),
    ],
)
def test_bytes_that_cannot_be_used_are_refused(
    path: Path, cube: NDArray[np.float32], options: dict[str, int], found: str
) -> None:
    write_segy(path, cube)
    refused(path, found, **options)


def test_a_file_that_shrinks_while_it_is_open_is_refused(
    path: Path, cube: NDArray[np.float32]
) -> None:
    write_segy(path, cube)
    survey = open_survey(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(SurveyError, match="was truncated while"):
        survey.read(*WHOLE)


def test_bytes_that_are_given_as_numbers_are_no_coordinates(path: Path) -> None:
    options = {"inline_byte": 181, "crossline_byte": 185}
    write_segy(path, RNG.normal(size=(4, 5, 30)), x_byte=0, scalar=1, **options)
    grid = open_survey(path, SurveyHints(**options)).grid
    assert grid.shape == (4, 5, 30)
    assert np.isnan(grid.easting).all()
