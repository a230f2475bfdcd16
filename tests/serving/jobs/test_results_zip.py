"""A zip that is written while it is sent."""

import io
import zipfile
from pathlib import Path

import pytest

from diapir.serving.jobs.job import RESULT
from diapir.serving.jobs.job_results import files_of
from diapir.serving.jobs.results_zip import zip_of


def test_files_come_back_and_no_piece_is_large(tmp_path: Path) -> None:
    large = bytes(range(256)) * 20_000
    made = {"a.sgy": large, "ä b/c.txt": b"", "d.zarr/.zarray": b"{}"}
    files = []
    for number, (name, content) in enumerate(made.items()):
        path = tmp_path / str(number)
        path.write_bytes(content)
        files.append((name, path))
    pieces = list(zip_of(files))
    assert max(map(len, pieces)) < 2**21 < len(large)
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as found:
        assert found.testzip() is None
        assert {name: found.read(name) for name in found.namelist()} == made


def test_a_file_that_has_gone_ends_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(zip_of([("a", tmp_path / "a")]))


def test_stores_are_whole_and_what_is_hidden_or_a_checkpoint_is_left_out(tmp_path: Path) -> None:
    result = tmp_path / RESULT
    for name in ("a.sgy", ".lock", "s.prediction.zarr/p/.zarray", "last/weights", "best/weights"):
        (result / name).parent.mkdir(parents=True, exist_ok=True)
        (result / name).write_bytes(b"x")
    (result / "link").symlink_to("/etc/passwd")
    assert [name for name, _ in files_of(tmp_path)] == ["a.sgy", "best/weights"]
    every = [name for name, _ in files_of(tmp_path, stores=True)]
    assert every == ["a.sgy", "best/weights", "s.prediction.zarr/p/.zarray"]
