"""What traces are numbered by: positions, wherever they are in the header, and never gathers."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from diapir.errors import SurveyError
from diapir.surveys import SurveyHints, open_survey, reopen
from diapir.surveys.segy.segy_source import SegySurvey
from tests.helpers.segy import ibm_bits, write_segy

RNG = np.random.default_rng(3)
ROWS, COLUMNS = 6, 9
CUBE = RNG.normal(0, 500, (ROWS, COLUMNS, 40)).astype(np.float32)
ROW, COLUMN = divmod(np.arange(ROWS * COLUMNS), COLUMNS)
NUMBERLESS: dict[str, Any] = {"inlines": None, "crosslines": None}
BARE: dict[str, Any] = NUMBERLESS | {"x_byte": 0, "y_byte": 0, "scalar": 1}
WHOLE = slice(None), slice(None)

Fields = dict[int, ArrayLike]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.sgy"


def opened(path: Path, **hints: Any) -> SegySurvey:
    survey = open_survey(path, SurveyHints(**hints))
    assert isinstance(survey, SegySurvey)
    return survey


def traces(path: Path, count: int, fields: Fields, **options: Any) -> Path:
    return write_segy(path, RNG.normal(0, 500, (count, 40)), fields=fields, **BARE | options)


def is_the_volume(path: Path, note: str = "", **hints: Any) -> SegySurvey:
    survey = opened(path, **hints)
    np.testing.assert_array_equal(survey.read(*WHOLE), CUBE)
    assert note in " | ".join(survey.notes) if note else not survey.notes
    np.testing.assert_array_equal(reopen(survey.spec()).read(*WHOLE), CUBE)
    return survey


# shot records

SHOT, CHANNEL = divmod(np.arange(96), 16)
OFFSET = 100 + 25 * CHANNEL
SOURCE = 500_000 + 50 * SHOT
RECORDS: Fields = {9: 101 + SHOT, 13: 1 + CHANNEL}
GATHERS: dict[str, Fields] = {
    "all fields": RECORDS
    | {17: 101 + SHOT, 21: 1000 + 2 * SHOT + CHANNEL, 37: OFFSET}
    | {73: SOURCE, 77: 6_000_000, 81: SOURCE + OFFSET, 85: 6_000_000},
    "record, channel, offset": RECORDS | {37: OFFSET},
    "negative offsets": RECORDS | {37: -OFFSET},
    "split spread": RECORDS | {37: np.abs(25 * CHANNEL - 190)},
    "positions of source and receiver": RECORDS | {73: SOURCE, 77: 1, 81: SOURCE + OFFSET, 85: 1},
    "positions of the source": RECORDS | {73: SOURCE, 77: 1},
    "uneven offsets": RECORDS | {37: OFFSET + RNG.integers(-3, 4, 96)},
    "midpoints": RECORDS | {37: OFFSET, 181: SOURCE + OFFSET // 2, 185: 6_000_000},
    "feathered midpoints": RECORDS
    | {37: OFFSET, 181: SOURCE + OFFSET // 2, 185: 6_000_000 + RNG.integers(-30, 30, 96)},
    "source point and CDP": {17: 101 + SHOT, 21: 1000 + 2 * SHOT + CHANNEL, 37: OFFSET},
    "record and offset": {9: 101 + SHOT, 37: OFFSET},
    "offset alone": {37: OFFSET},
    "CDP without offset": {21: 1000 + np.arange(96) // 4},
    "standard bytes": {189: 101 + SHOT, 193: 1 + CHANNEL, 37: OFFSET},
}


@pytest.mark.parametrize("name", GATHERS)
@pytest.mark.parametrize("revision", [(0, 0), (1, 0)])
def test_gathers_are_no_volume_and_no_line(
    path: Path, name: str, revision: tuple[int, int]
) -> None:
    traces(path, 96, GATHERS[name], revision=revision)
    with pytest.raises(SurveyError, match="pre-stack gathers") as caught:
        open_survey(path)
    assert "-byte 9 " not in str(caught.value)
    assert "-byte 17 " not in str(caught.value)


@pytest.mark.parametrize("bytes_", [(9, 13), (17, 21), (0, 0), (0, 21)])
def test_bytes_that_are_given_make_no_volume_of_gathers(
    path: Path, bytes_: tuple[int, int]
) -> None:
    traces(path, 96, GATHERS["all fields"])
    with pytest.raises(SurveyError, match="pre-stack gathers"):
        opened(path, inline_byte=bytes_[0], crossline_byte=bytes_[1])


@pytest.mark.parametrize("order", ["channel", "CDP"])
def test_gathers_in_any_order_are_refused(path: Path, order: str) -> None:
    keys = (SHOT, CHANNEL) if order == "channel" else (OFFSET, 2 * SHOT + CHANNEL)
    change = np.lexsort(keys)
    fields = {byte: np.broadcast_to(v, 96)[change] for byte, v in GATHERS["all fields"].items()}
    traces(path, 96, fields)
    with pytest.raises(SurveyError, match="pre-stack gathers"):
        open_survey(path)


@pytest.mark.parametrize(
    "fields",
    [
        {9: 101, 13: 1 + np.arange(24), 37: 100 + 25 * np.arange(24)},
        {21: 1000 + np.arange(24), 37: 100 + 25 * np.arange(24), 73: 500_000, 77: 1},
        {21: 1000, 37: 100 + 25 * np.arange(24)},
        {21: 1000, 73: 9000 - 25 * np.arange(24), 77: 1, 81: 9100 + 25 * np.arange(24), 85: 1},
    ],
)
def test_a_single_gather_is_no_line(path: Path, fields: Fields) -> None:
    traces(path, 24, fields)
    with pytest.raises(SurveyError, match="as in one gather") as caught:
        open_survey(path)
    assert "--allow prestack" in caught.value.fix
    assert opened(path, allow=("prestack",)).grid.kind == "2d"


@pytest.mark.parametrize("bytes_", [(189, 193), (9, 21), (9, 13)])
@pytest.mark.parametrize("offset", [150, np.arange(54), 300 + COLUMN, RNG.integers(0, 3000, 54)])
def test_stacks_stay_stacks_whatever_their_offsets(
    path: Path, bytes_: tuple[int, int], offset: ArrayLike
) -> None:
    inline, crossline = bytes_
    write_segy(path, CUBE, fields={37: offset}, inline_byte=inline, crossline_byte=crossline)
    is_the_volume(path)


@pytest.mark.parametrize("offset", [150, 1500 + RNG.integers(-20, 20, 60), np.arange(60)])
def test_a_stacked_line_stays_a_line(path: Path, offset: ArrayLike) -> None:
    traces(path, 60, {21: 100 + np.arange(60), 37: offset})
    assert opened(path).grid.crosslines.tolist() == list(range(100, 160))


def test_record_and_channel_without_a_sign_are_noted(path: Path) -> None:
    traces(path, 96, RECORDS)
    assert "where gathers have record and channel" in opened(path).notes[0]


# numbers at bytes not in common use


@pytest.mark.parametrize(
    "bytes_", [(221, 225), (225, 229), (233, 237), (197, 201), (17, 25), (13, 17), (1, 5)]
)
@pytest.mark.parametrize("coordinates", [181, 73, 0])
@pytest.mark.parametrize("revision", [(0, 0), (1, 0)])
def test_numbers_are_found_at_any_bytes(
    path: Path, bytes_: tuple[int, int], coordinates: int, revision: tuple[int, int]
) -> None:
    fields = {bytes_[0]: 100 + ROW, bytes_[1]: 300 + COLUMN}
    place = {"x_byte": coordinates, "y_byte": coordinates and coordinates + 4}
    write_segy(path, CUBE, fields=fields, revision=revision, **NUMBERLESS, **place)
    survey = is_the_volume(path, f"found at bytes {bytes_[0]} and {bytes_[1]}")
    assert survey.grid.inlines.tolist() == list(range(100, 106))
    is_the_volume(path, inline_byte=bytes_[0], crossline_byte=bytes_[1])


def test_a_running_cdp_number_makes_no_line_of_a_volume(path: Path) -> None:
    fields = {21: 1 + np.arange(54), 221: 100 + ROW, 225: 300 + COLUMN}
    write_segy(path, CUBE, fields=fields, **BARE)
    is_the_volume(path, "found at bytes 221 and 225")


def test_coordinates_along_the_axes_number_a_volume(path: Path) -> None:
    write_segy(path, CUBE, steps=((25, 0), (0, 25)), **NUMBERLESS)
    is_the_volume(path, "found at bytes 181 and 185")


def test_coordinates_over_an_area_are_no_line(path: Path) -> None:
    turned = ((-15.0, 20.0), (20.0, 15.0))  # 9 crosslines: the way back is 9 steps
    write_segy(path, CUBE, steps=turned, **NUMBERLESS)
    with pytest.raises(SurveyError, match="coordinates do not follow one line"):
        open_survey(path)


def test_numbers_that_start_again_are_no_line(path: Path) -> None:
    write_segy(path, CUBE, fields={1: 1 + COLUMN}, **BARE)
    with pytest.raises(SurveyError, match="byte 1 start again every 9 traces"):
        open_survey(path)


def test_a_line_without_numbers_says_so(path: Path) -> None:
    traces(path, 60, {})
    assert "no trace has a number: read as a 2D line" in opened(path).notes[0]


@pytest.mark.parametrize("scatter", [0.0, 15.0])
def test_a_crooked_line_stays_a_line(path: Path, scatter: float) -> None:
    heading = np.cumsum(RNG.normal(0, 0.02, 300))
    easting = 600_000 + np.cumsum(25 * np.cos(heading)) + RNG.normal(0, scatter, 300)
    northing = 6_000_000 + np.cumsum(25 * np.sin(heading)) + RNG.normal(0, scatter, 300)
    traces(path, 300, {181: easting, 185: northing})
    assert opened(path).grid.kind == "2d"


# floats in trace headers


def ieee(values: ArrayLike) -> NDArray[np.int64]:
    return np.asarray(values, ">f4").view(">i4").astype(np.int64)


def ibm(values: ArrayLike) -> NDArray[np.int64]:
    return ibm_bits(values).astype(">u4").view(">i4").astype(np.int64)


@pytest.mark.parametrize("encode", [ieee, ibm])
@pytest.mark.parametrize("scalar", [1, 0, -100])
@pytest.mark.parametrize("origin", [(499_837.5, 6_000_000.0), (-100_162.5, 6_000_000.0)])
def test_float_coordinates_are_read(
    path: Path, encode: Any, scalar: int, origin: tuple[float, float]
) -> None:
    east, north = origin[0] + 25 * COLUMN, origin[1] + 25 * ROW
    fields = {181: encode(east), 185: encode(north)}
    write_segy(path, CUBE, x_byte=0, y_byte=0, scalar=scalar, fields=fields)
    survey = is_the_volume(path, f"read as {encode.__name__.upper()} floats")
    np.testing.assert_array_equal(survey.grid.easting.ravel(), east)
    np.testing.assert_array_equal(survey.grid.northing.ravel(), north)


@pytest.mark.parametrize("encode", [ieee, ibm])
@pytest.mark.parametrize("bytes_", [(189, 193), (9, 21), (221, 225)])
@pytest.mark.parametrize("first", [1, 100])
def test_float_line_numbers_are_read(
    path: Path, encode: Any, bytes_: tuple[int, int], first: int
) -> None:
    fields = {bytes_[0]: encode(first + ROW), bytes_[1]: encode(first + COLUMN)}
    write_segy(path, CUBE, fields=fields, **NUMBERLESS)
    survey = is_the_volume(path, f"bytes {bytes_[0]} and {bytes_[1]} are floats")
    assert survey.grid.inlines.tolist() == list(range(first, first + ROWS))
    assert survey.grid.crosslines.tolist() == list(range(first, first + COLUMNS))


def test_coordinates_that_cannot_be_are_noted(path: Path) -> None:
    fields = {181: 2_000_000_000 + COLUMN, 185: 77 + ROW}
    write_segy(path, CUBE, x_byte=0, y_byte=0, scalar=1, fields=fields)
    is_the_volume(path, "are not credible; --x-byte 0 --y-byte 0")


# numbers of lines that repeat


@pytest.mark.parametrize("byte", [21, 193, 189])
def test_a_number_that_occurs_twice_is_kept_and_noted(path: Path, byte: int) -> None:
    numbers = 100 + np.arange(60)
    numbers[30:] -= 1
    traces(path, 60, {byte: numbers})
    survey = opened(path)
    assert survey.grid.crosslines.tolist() == numbers.tolist()
    assert f"number 129 at byte {byte} occurs 2 times, at traces 30 and 31" in survey.notes[0]
    again = reopen(survey.spec())
    assert again.grid.crosslines.tolist() == numbers.tolist()


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        (np.arange(60) % 20, "traces 21, 41"),
        (np.arange(60) % 30, "trace 31"),
        (np.r_[0:25, 5:40], "trace 26"),
    ],
)
def test_several_lines_or_stacks_are_no_line(
    path: Path, numbers: NDArray[np.int64], found: str
) -> None:
    traces(path, 60, {21: 100 + numbers})
    with pytest.raises(SurveyError, match=f"several lines or stacks.* byte 21 .*{found}"):
        open_survey(path)
    assert opened(path, inline_byte=0, crossline_byte=0).grid.shape == (1, 60, 40)


def test_lines_far_from_each_other_are_noted(path: Path) -> None:
    place = np.arange(60)
    far = 1000 + 25 * place + 90_000 * (place >= 30)
    traces(path, 60, {21: 100 + place, 73: far, 77: 9})
    assert "coordinates jump by 90,025 before trace 31" in opened(path).notes[0]


# null traces


@pytest.mark.parametrize("places", [[0], [25], [53], [10, 25, 40], [0, 1, 2], [51, 52, 53]])
@pytest.mark.parametrize("kept", [(), (1, 5), (189,), (181, 185)])
@pytest.mark.parametrize("code", [0, 2])
def test_null_traces_are_gaps(
    path: Path, places: list[int], kept: tuple[int, ...], code: int
) -> None:
    write_segy(path, CUBE)
    blank(path, places, kept, code)
    survey = opened(path)
    assert survey.grid.inlines.tolist() == list(range(100, 106))
    assert survey.grid.crosslines.tolist() == list(range(300, 309))
    expected = CUBE.reshape(-1, 40).copy()
    expected[places] = np.nan
    np.testing.assert_array_equal(survey.read(*WHOLE), expected.reshape(CUBE.shape))
    count = f"{len(places)} trace{'s' * (len(places) > 1)} without a position"
    assert any(count in note and "(none with samples)" in note for note in survey.notes)


@pytest.mark.parametrize("places", [[0], [25], [59], [10, 25, 40]])
def test_null_traces_of_a_line_keep_their_place(path: Path, places: list[int]) -> None:
    write_segy(path, RNG.normal(size=(60, 40)), inlines=None, crosslines=100 + np.arange(60))
    blank(path, places, (), 0)
    grid = opened(path).grid
    assert set(grid.crosslines) >= set(range(101, 159))
    assert grid.live.sum() == 60 - len(places)


def test_a_live_trace_without_numbers_is_left_out(path: Path) -> None:
    there = np.arange(54) != 25
    write_segy(path, CUBE, fields={189: (100 + ROW) * there, 193: (300 + COLUMN) * there})
    survey = opened(path)
    assert survey.grid.shape == CUBE.shape
    assert "(1 with samples): number 26" in survey.notes[0]


def test_numbers_from_zero_are_numbers(path: Path) -> None:
    write_segy(path, CUBE, inlines=np.arange(ROWS), crosslines=np.arange(COLUMNS))
    is_the_volume(path)
    blank(path, list(range(COLUMNS)), (193,), 0)  # the line of number 0 is dead
    assert opened(path).grid.shape == CUBE.shape


def blank(path: Path, places: list[int], kept: tuple[int, ...], code: int) -> None:
    """Write zeros over traces, but for some fields of 4 bytes and the identification code."""
    content = bytearray(path.read_bytes())
    for place in places:
        start = 3600 + place * 400
        fields = {byte: content[start + byte - 1 : start + byte + 3] for byte in kept}
        content[start : start + 400] = bytes(400)
        struct.pack_into(">h", content, start + 28, code)
        for byte, field in fields.items():
            content[start + byte - 1 : start + byte + 3] = field
    path.write_bytes(content)
