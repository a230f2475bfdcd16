"""A place belongs to one process, which may end in any way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from diapir.locks import lock_beside, locked


def test_a_lock_names_its_holder_and_leaves_nothing(tmp_path: Path) -> None:
    place = tmp_path / "new" / "out"
    with locked(lock_beside(place), place):
        with (
            pytest.raises(BlockingIOError, match=f"in use by process {os.getpid()} on ") as caught,
            locked(lock_beside(place), place),
        ):
            pass
        assert caught.value.filename == str(place)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_filled_stays(tmp_path: Path) -> None:
    place = tmp_path / "new" / "out"
    with locked(lock_beside(place), place):
        place.mkdir()
    assert list((tmp_path / "new").iterdir()) == [place]


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    code = (
        "import sys, pathlib; from diapir.locks import locked\n"
        "with locked(pathlib.Path(sys.argv[1]), pathlib.Path('out')): print(1, flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    with holder:
        assert holder.stdout.readline() == b"1\n"
        with pytest.raises(BlockingIOError, match=f"process {holder.pid} on "), locked(lock, lock):
            pass
        holder.send_signal(signal.SIGKILL)
    with locked(lock, lock):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("theirs")
    place = tmp_path / "file" / "out"
    with (
        pytest.raises(NotADirectoryError, match="Not a directory"),
        locked(lock_beside(place), place),
    ):
        pass


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("theirs")
    (tmp_path / ".lock").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="out"), locked(tmp_path / ".lock", tmp_path / "out"):
        pass
    assert (tmp_path / "target").read_text() == "theirs"
