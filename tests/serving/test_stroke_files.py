"""The strokes of the page are labels of every kind of data."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir.serving.byte_cache import ByteCache
from diapir.serving.library import Library
from diapir.serving.request_errors import RequestError
from diapir.serving.settings import Settings
from diapir.serving.stroke_files import MOST_STROKES, StrokeFiles
from diapir.surveys import open_survey, read_labels, read_picture_labels
from tests.helpers.segy import write_segy

SALT = {"label": "salt", "width": 4, "height": 4, "points": [[10, 12], [20, 12]]}
ROCK = {"label": "not salt", "width": 4, "height": 4, "points": [[10, 30], [20, 30]]}


def stored(path: Path, section: dict[str, object], tmp_path: Path) -> Path:
    """The file of strokes, as the service writes it."""
    library = Library(Settings(out=tmp_path / "out", shown=(path,)), ByteCache(1))
    (entry,) = library.entries()
    files = StrokeFiles(tmp_path / "out")
    content = {"sections": [section | {"strokes": [SALT, ROCK]}]}
    files.write(entry, json.dumps(content).encode())
    return files.path(entry)


def test_of_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (40, 50), np.uint8)).save(picture)
    labels = stored(picture, {"picture": "picture.png"}, tmp_path)
    (mask,) = read_picture_labels(labels, [picture]).values()
    assert mask[12, 15] == 1
    assert mask[30, 15] == 0
    assert mask[20, 15] == 255


def test_of_a_line(tmp_path: Path) -> None:
    amplitude = np.random.default_rng(1).normal(0, 9, (60, 50))
    line = write_segy(
        tmp_path / "line 1.sgy",
        amplitude,
        inlines=None,
        crosslines=np.arange(1, 61),
        interval_us=1000,
    )
    labels = stored(line, {"line": open_survey(line).name}, tmp_path)
    (section,) = read_labels([labels], open_survey(line))
    assert section.mask[12, 14] == 1
    assert section.mask[30, 14] == 0


def test_too_many_are_refused_and_what_was_there_is_kept(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    Image.fromarray(np.zeros((40, 50), np.uint8)).save(picture)
    path = stored(picture, {"picture": "picture.png"}, tmp_path)
    before = path.read_bytes()
    library = Library(Settings(out=tmp_path / "out", shown=(picture,)), ByteCache(1))
    many = {"sections": [{"picture": "picture.png", "strokes": [SALT] * (MOST_STROKES + 1)}]}
    with pytest.raises(RequestError) as caught:
        StrokeFiles(tmp_path / "out").write(library.entries()[0], json.dumps(many).encode())
    assert caught.value.status == 400
    assert path.read_bytes() == before
