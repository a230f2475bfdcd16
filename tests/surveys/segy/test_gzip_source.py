"""SEG-Y in gzip: read like the file in it, from a copy that does not stay."""

import gzip
import tempfile
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.surveys import open_survey, reopen
from diapir.surveys.segy import gzip_source
from tests.helpers.segy import write_segy
from tests.surveys.made import volume
from tests.surveys.survey_contract import SurveyContract

CUBE = volume((6, 8, 40))


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def packed(folder: Path, amplitude: NDArray[np.float32] = CUBE) -> Path:
    plain = write_segy(folder / "cube.sgy", amplitude)
    path = folder / "cube.sgy.gz"
    path.write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    return path


class TestGzip(SurveyContract):
    def write(self, folder: Path, amplitude: NDArray[np.float32]) -> Path:
        return packed(folder, amplitude)


def test_the_copy_is_removed_and_the_name_is_the_file_s(tmp_path: Path, scratch: Path) -> None:
    survey = open_survey(packed(tmp_path))
    assert (survey.name, survey.path) == ("cube", tmp_path / "cube.sgy.gz")
    assert len(list(scratch.iterdir())) == 1
    again = reopen(survey.spec())
    np.testing.assert_array_equal(again.read(slice(None), slice(None)), CUBE)
    survey.close()
    again.close()
    assert not list(scratch.iterdir())


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_file_is_refused_and_nothing_stays(
    tmp_path: Path, scratch: Path, damage: str
) -> None:
    path = packed(tmp_path)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[:-300]
    else:
        content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(SurveyError, match="damaged or truncated gzip"):
        open_survey(path)
    assert not list(scratch.iterdir())


def test_a_refusal_names_the_packed_file(tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "a.sgy.gz"
    path.write_bytes(gzip.compress(b"x" * 10))
    with pytest.raises(SurveyError) as refused:
        open_survey(path)
    assert str(path) in refused.value.found
    assert str(scratch) not in str(refused.value)
    assert not list(scratch.iterdir())


def test_no_more_is_unpacked_than_there_is_room(
    tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(
        gzip_source.shutil, "disk_usage", lambda path: usage(0, 0, gzip_source._SPARE + 5000)
    )
    with pytest.raises(SurveyError, match="gzip and holds more than") as refused:
        open_survey(packed(tmp_path))
    assert "gunzip -k" in refused.value.fix
    assert not list(scratch.iterdir())
