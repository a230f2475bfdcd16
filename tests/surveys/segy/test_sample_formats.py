"""Integer formats of every width, signed or not, and floats of one kind called the other."""

import struct
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from diapir.surveys import SurveyHints, open_survey
from tests.helpers.segy import write_segy

CUBE = np.random.default_rng(7).normal(0, 500, (5, 6, 40)).round()
WHOLE = slice(None), slice(None)
Endian = Literal["big", "little"]


def stored(path: Path, code: int, width: int, zero: int, endian: Endian) -> np.ndarray:
    """Write integers of any width, and return the amplitudes they stand for."""
    values = np.clip(CUBE, -120, 120) if width == 1 else CUBE
    write_segy(path, CUBE, endian=endian)
    whole = path.read_bytes()
    head = bytearray(whole[:3600])
    struct.pack_into(">h" if endian == "big" else "<h", head, 3224, code)
    content = bytes(head)
    for place, trace in enumerate(values.astype(int).reshape(30, 40).tolist()):
        content += whole[3600 + 400 * place :][:240]
        for value in trace:
            content += ((value + zero) % 2 ** (8 * width)).to_bytes(width, endian)
    path.write_bytes(content)
    return values.astype(np.float32)


@pytest.mark.parametrize("endian", ["big", "little"])
@pytest.mark.parametrize(("code", "width"), [(2, 4), (3, 2), (7, 3), (8, 1), (9, 8)])
def test_signed_integers(tmp_path: Path, code: int, width: int, endian: Endian) -> None:
    amplitude = stored(tmp_path / "a.sgy", code, width, 0, endian)
    survey = open_survey(tmp_path / "a.sgy")
    np.testing.assert_array_equal(survey.read(*WHOLE), amplitude)
    assert survey.notes == ()


@pytest.mark.parametrize("endian", ["big", "little"])
@pytest.mark.parametrize(
    ("code", "width", "zero"),
    [
        (10, 4, 2**31),
        (10, 4, 2**11),
        (11, 2, 2**15),
        (11, 2, 2**11),
        (12, 8, 2**40),
        (15, 3, 2**23),
        (16, 1, 128),
    ],
)
def test_unsigned_integers_lie_about_the_middle_of_their_range(
    tmp_path: Path, code: int, width: int, zero: int, endian: Endian
) -> None:
    path = tmp_path / "a.sgy"
    amplitude = stored(path, code, width, zero, endian)
    survey = open_survey(path)
    np.testing.assert_array_equal(survey.read(*WHOLE), amplitude)
    assert f"lie about {zero:,}, which is read as an amplitude of 0" in survey.notes[0]
    as_stored = open_survey(path, SurveyHints(allow=("velocity",)))
    expected = (amplitude.astype(np.float64) + zero).astype(np.float32)
    np.testing.assert_array_equal(as_stored.read(*WHOLE), expected)


@pytest.mark.parametrize("code", [10, 11, 12, 16])
def test_unsigned_integers_are_those_that_segyio_reads(tmp_path: Path, code: int) -> None:
    segyio = pytest.importorskip("segyio")
    path = tmp_path / "a.sgy"
    width = {10: 4, 11: 2, 12: 8, 16: 1}[code]
    stored(path, code, width, 2 ** (8 * width - 1) if width < 8 else 2**40, "big")
    with segyio.open(path) as file:
        cube = segyio.tools.cube(file)
    as_stored = open_survey(path, SurveyHints(allow=("velocity",)))
    np.testing.assert_array_equal(as_stored.read(*WHOLE), cube.astype(np.float32))


@pytest.mark.parametrize("stated", [1, 5])
@pytest.mark.parametrize("live", [6, 10, 40])
def test_a_wrong_float_format_is_noticed_from_few_samples(
    tmp_path: Path, stated: int, live: int
) -> None:
    path = tmp_path / "a.sgy"
    amplitude = np.zeros((5, 6, 40))
    amplitude[..., :live] = np.random.default_rng(1).normal(0, 500, (5, 6, live))
    code = {3225: struct.pack(">h", stated)}
    write_segy(path, amplitude, sample_format=6 - stated, binary=code)
    assert f"--sample-format {6 - stated}" in open_survey(path).notes[0]
    assert open_survey(path, SurveyHints(sample_format=6 - stated)).notes == ()


@pytest.mark.parametrize("sample_format", [1, 5])
@pytest.mark.parametrize("amplitude", [np.sign(CUBE + 0.5), np.round(CUBE / 100), CUBE])
def test_a_right_float_format_is_not_doubted(
    tmp_path: Path, sample_format: int, amplitude: np.ndarray
) -> None:
    write_segy(tmp_path / "a.sgy", amplitude, sample_format=sample_format)
    assert open_survey(tmp_path / "a.sgy").notes == ()
