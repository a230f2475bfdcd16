"""Files and folders are complete or as they were, and nothing of anybody else's is overwritten."""

from __future__ import annotations

import errno
import os
import stat
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from diapir import files
from diapir.errors import BundleError, DataError, DiapirError, RunError
from diapir.files import (
    check_writable,
    claim,
    disk_errors,
    flush_folder,
    give_usual_mode,
    previous,
    replace_file,
    unwritable,
    writing,
    writing_folder,
)
from diapir.scratch import scratch_name
from tests.helpers.faults import forks, killed_at, moments
from tests.helpers.scratch import abandoned

linked = pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")


def content(folder: Path) -> dict[str, str]:
    """Every file below a folder, hidden ones too."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def stop(_: object, error: type[BaseException]) -> None:
    """Raise, once the first argument has been computed."""
    raise error


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# single files


def test_bytes_and_text_replace_an_existing_file(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    replace_file(path, "Zechstein – Salz")
    assert path.read_text(encoding="utf-8") == "Zechstein – Salz"
    replace_file(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    replace_file(path, memoryview(b"view"))
    assert path.read_bytes() == b"view"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "note.txt"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, "new")
    assert content(tmp_path) == {"note.txt": "old"}


def test_a_missing_folder_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "none" / "note.txt", "text")


def test_a_folder_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "note.txt").mkdir()
    with pytest.raises(OSError):  # noqa: PT011 - its kind differs between systems
        replace_file(tmp_path / "note.txt", "text")
    assert (tmp_path / "note.txt").is_dir()
    assert content(tmp_path) == {}


def test_a_file_has_its_name_only_once_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    with writing(path) as stream:
        stream.write(b"one ")
        assert not path.exists()
        stream.write(b"two")
    assert content(tmp_path) == {"note.txt": "one two"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "note.txt"
    path.write_text("old")
    with pytest.raises(error), writing(path) as stream:
        stop(stream.write(b"new"), error)
    assert content(tmp_path) == {"note.txt": "old"}


@linked
def test_a_link_is_replaced_and_its_target_unchanged(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("theirs")
    (tmp_path / "note.txt").symlink_to(tmp_path / "target")
    replace_file(tmp_path / "note.txt", "mine")
    assert not (tmp_path / "note.txt").is_symlink()
    assert content(tmp_path) == {"note.txt": "mine", "target": "theirs"}


@linked
def test_scratch_is_opened_exclusively_and_follows_no_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "target").write_text("theirs")
    planted = tmp_path / ".note.txt.planted.writing"
    planted.symlink_to(tmp_path / "target")
    monkeypatch.setattr(files, "scratch_name", lambda path: planted)
    with pytest.raises(FileExistsError):
        replace_file(tmp_path / "note.txt", "mine")
    assert content(tmp_path)["target"] == "theirs"
    assert not (tmp_path / "note.txt").exists()


@pytest.mark.parametrize("name", ["a" * 251 + ".txt", "岩" * 83 + ".txt"])
def test_a_name_as_long_as_the_disk_allows_can_be_written(tmp_path: Path, name: str) -> None:
    abandoned(tmp_path / name).write_text("half")
    replace_file(tmp_path / name, "whole")
    assert content(tmp_path) == {name: "whole"}


# whole folders


def fill(folder: Path, text: str) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "a.txt").write_text(text)
    (folder / "b.txt").write_text(text)


FILLED = {"b.txt": "new", "sub/a.txt": "new"}


@pytest.mark.parametrize("before", ["absent", "empty", "full", "file"])
def test_a_folder_appears_complete_and_replaces_an_existing_one(
    tmp_path: Path, before: str
) -> None:
    out = tmp_path / "some" / "out"
    if before != "absent":
        out.parent.mkdir()
        out.write_text("old") if before == "file" else out.mkdir()
    if before == "full":
        (out / "old.txt").write_text("old")
    with writing_folder(out) as scratch:
        fill(scratch, "new")
        assert scratch.parent == out.parent
        assert not (out / "b.txt").exists()
    assert content(out) == FILLED
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("exists", [False, True])
def test_an_exception_leaves_the_old_folder_and_nothing_else(
    tmp_path: Path, error: type[BaseException], exists: bool
) -> None:
    out = tmp_path / "out"
    if exists:
        out.mkdir()
        (out / "old.txt").write_text("old")
    with pytest.raises(error), writing_folder(out) as scratch:
        stop(fill(scratch, "new"), error)
    assert content(tmp_path) == ({"out/old.txt": "old"} if exists else {})
    assert list(tmp_path.iterdir()) == ([out] if exists else [])


def test_a_failed_last_rename_puts_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "old.txt").write_text("old")
    rename = os.rename

    def fails_for_scratch(source: Path, target: Path) -> None:
        if source.suffix == ".writing":
            full()
        rename(source, target)

    monkeypatch.setattr(os, "rename", fails_for_scratch)
    with pytest.raises(OSError, match="No space left"), writing_folder(out) as scratch:
        fill(scratch, "new")
    assert content(tmp_path) == {"out/old.txt": "old"}
    assert list(tmp_path.iterdir()) == [out]


def test_a_kill_between_the_renames_loses_nothing_and_is_cleaned_up(tmp_path: Path) -> None:
    out = tmp_path / "out"
    aside = previous(out)
    aside.mkdir()
    (aside / "old.txt").write_text("old")
    with writing_folder(out) as scratch:
        fill(scratch, "new")
        assert (out / "old.txt").exists()  # put back, until the new folder is complete
    assert content(tmp_path) == {f"out/{name}": text for name, text in FILLED.items()}
    assert not aside.exists()


def test_a_folder_of_an_ended_process_is_cleaned_up(tmp_path: Path) -> None:
    out = tmp_path / "out"
    half = abandoned(out)
    half.mkdir()
    fill(half, "half")
    with writing_folder(out) as scratch:
        fill(scratch, "new")
    assert list(tmp_path.iterdir()) == [out]


def test_a_disk_that_fails_on_flushing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"), writing_folder(tmp_path / "out") as scratch:
        fill(scratch, "new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "sync"), reason="the system has no sync of all disks")
@pytest.mark.parametrize(("count", "syncs"), [(3, 0), (64, 1)])
def test_many_files_are_flushed_at_once(
    tmp_path: Path, count: int, syncs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(count):
        (tmp_path / f"{number}.txt").write_text("a")
    calls: dict[str, list[object]] = {"sync": [], "fsync": []}
    monkeypatch.setattr(os, "sync", lambda: calls["sync"].append(None))
    monkeypatch.setattr(os, "fsync", calls["fsync"].append)
    flush_folder(tmp_path)
    assert len(calls["sync"]) == syncs
    assert len(calls["fsync"]) == (0 if syncs else count + 1)  # the files and the folder


# what may be overwritten


def is_ours(out: Path) -> bool:
    return (out / "marker").read_text() == "ours"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A place to claim; nothing in it changes."""
    yield tmp_path / "out"
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {"out", "elsewhere"}


def test_a_new_and_an_empty_folder_may_be_used(place: Path) -> None:
    assert not claim(place)
    claim(place / "below")
    claim(place, folder=False)
    place.mkdir()
    claim(place)
    assert not claim(place, holds="a mosaic", ours=is_ours)


def test_a_folder_with_only_what_a_killed_process_left_may_be_used(place: Path) -> None:
    place.mkdir()
    scratch_name(place / "scores.json").touch()
    claim(place)
    (place / "other").touch()
    with pytest.raises(DataError, match="is not empty"):
        claim(place)


def test_an_earlier_result_may_be_replaced(place: Path) -> None:
    place.mkdir()
    (place / "marker").write_text("ours")
    assert claim(place, holds="a mosaic", ours=is_ours)
    (place / "marker").unlink()
    (place / "table.csv").write_text("ours")
    claim(
        place / "table.csv",
        holds="a table",
        ours=lambda file: file.read_text() == "ours",
        folder=False,
    )


@pytest.mark.parametrize("error", [OSError, ValueError, TypeError, KeyError, BundleError])
def test_a_result_that_cannot_be_read_is_not_ours(place: Path, error: type[Exception]) -> None:
    place.mkdir()
    (place / "a.txt").write_text("theirs")

    def unreadable(out: Path) -> bool:
        if error is BundleError:
            raise BundleError("broken", expected="", fix="")
        raise error

    with pytest.raises(DataError) as caught:
        claim(place, holds="a bundle", ours=unreadable)
    assert caught.value.found == f"{place} already exists and is not a bundle"


def make_folder(out: Path) -> None:
    out.mkdir()
    (out / "a.txt").write_text("theirs")


def make_file(out: Path) -> None:
    out.write_text("theirs")


def make_link(out: Path) -> None:
    (out.parent / "elsewhere").mkdir()
    out.symlink_to(out.parent / "elsewhere")


def make_dangling_link(out: Path) -> None:
    out.symlink_to(out.parent / "elsewhere")


@pytest.mark.parametrize(
    ("make", "folder", "holds", "found", "expected"),
    [
        (make_folder, True, None, "already exists and is not empty", "a new or empty folder"),
        (
            make_folder, True, "a mosaic", "already exists and is not a mosaic",
            "a new or empty folder, or a mosaic, which is replaced",
        ),
        (make_file, True, None, "is a file", "a new or empty folder"),
        (make_file, False, None, "already exists", "a new file"),
        (
            make_file, False, "a table", "already exists and is not a table",
            "a new file, or a table, which is replaced",
        ),
        (make_folder, False, None, "is a folder", "a new file"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(
    place: Path,
    make: Callable[[Path], None],
    folder: bool,
    holds: str | None,
    found: str,
    expected: str,
) -> None:
    make(place)
    with pytest.raises(RunError) as caught:
        claim(place, holds=holds, kind=RunError, folder=folder)
    assert caught.value.found == f"{place} {found}"
    assert caught.value.expected == expected
    assert "--out" in caught.value.fix


@linked
@pytest.mark.parametrize("make", [make_link, make_dangling_link])
@pytest.mark.parametrize("folder", [True, False])
def test_a_link_is_refused_even_to_ours(
    place: Path, make: Callable[[Path], None], folder: bool
) -> None:
    make(place)
    with pytest.raises(DataError, match="is a link"):
        claim(place, holds="a mosaic", ours=lambda out: True, folder=folder)


# kills and full disks


def write_folder(out: Path) -> None:
    with writing_folder(out) as scratch:
        fill(scratch, "new")


@forks
@pytest.mark.parametrize("before", ["absent", "full"])
def test_a_killed_folder_is_whole_or_absent_and_the_next_call_completes_it(
    tmp_path: Path, before: str
) -> None:
    kills = 0
    for moment in moments():
        parent = tmp_path / str(moment)
        out = parent / "out"
        parent.mkdir()
        if before == "full":
            out.mkdir()
            (out / "old.txt").write_text("old")
        killed = killed_at(moment, parent, lambda out=out: write_folder(out))
        kept = out if out.exists() else previous(out)
        if before == "full":
            assert content(kept) in ({"old.txt": "old"}, FILLED)
        elif out.exists():
            assert content(out) == FILLED
        write_folder(out)
        assert content(parent) == {f"out/{name}": text for name, text in FILLED.items()}
        assert list(parent.iterdir()) == [out]
        if not killed:
            break
        kills += 1
    assert kills > 5


@forks
def test_what_a_killed_check_of_a_place_leaves_is_removed_by_the_next(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    assert killed_at(2, tmp_path, lambda: check_writable(out))
    assert len(list(tmp_path.iterdir())) == 1
    check_writable(out)
    assert list(tmp_path.iterdir()) == []


def test_a_kill_between_the_renames_keeps_what_is_carried_over(tmp_path: Path) -> None:
    out = tmp_path / "out"
    previous(out).mkdir()
    (previous(out) / "theirs.txt").write_text("theirs")
    with writing_folder(out) as scratch:
        (scratch / "theirs.txt").write_bytes((out / "theirs.txt").read_bytes())
    assert content(tmp_path) == {"out/theirs.txt": "theirs"}


def test_one_process_writes_a_folder_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with writing_folder(out) as scratch:
        fill(scratch, "new")
        with (
            pytest.raises(DataError, match=f"out is in use by process {os.getpid()} on ") as caught,
            disk_errors(out),
            writing_folder(out),
        ):
            pass
        assert "wait" in caught.value.fix
    assert content(out) == FILLED
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_says_what_is_needed_and_what_is_free(tmp_path: Path, number: int) -> None:
    usage = namedtuple("usage", "total used free")

    def fill_up(part: Any, path: Path) -> None:
        if path.suffix:
            part.write(bytes(20_000))
            part.flush()
        else:
            (part / "a.bin").write_bytes(bytes(20_000))
        raise OSError(number, "No space")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("shutil.disk_usage", lambda path: usage(9, 9, 3_000))
        for path, kind in ((tmp_path / "a.bin", writing), (tmp_path / "out", writing_folder)):
            with pytest.raises(DataError) as caught, disk_errors(tmp_path), kind(path) as part:
                fill_up(part, path)
            assert caught.value.found == (
                f"{path} cannot be written: No space: more than 20 kB needed, 3 kB free"
            )
    assert content(tmp_path) == {}


@pytest.mark.parametrize(("free", "reason"), [(9_000, "No space left"), (10**9, "encoder error")])
def test_a_writer_that_gives_no_reason_met_a_full_disk_if_nothing_is_left(
    tmp_path: Path, free: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(free, 0, free))
    with (
        pytest.raises(DataError) as caught,
        disk_errors(tmp_path),
        writing_folder(tmp_path / "out"),
    ):
        raise OSError("encoder error -2 when writing image file")
    assert reason in caught.value.found


def test_an_error_of_another_file_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, writing_folder(tmp_path / "out"):
        (tmp_path / "input.csv").read_bytes()
    assert caught.value.filename == str(tmp_path / "input.csv")


# errors of the disk


def test_an_error_of_the_disk_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught, disk_errors(tmp_path / "out", RunError):
        full()
    found = f"{tmp_path / 'out'} cannot be written: No space left on device: "
    assert caught.value.found.startswith(found)
    assert caught.value.found.endswith(" free")
    assert "--out" in caught.value.fix
    assert caught.value.__cause__ is None


def test_the_file_that_the_system_names_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught, disk_errors(tmp_path):
        (tmp_path / "none" / "a.txt").write_text("text")
    assert str(tmp_path / "none" / "a.txt") in caught.value.found


def test_scratch_is_not_named(tmp_path: Path) -> None:
    out = tmp_path / "none" / "a.txt"
    with pytest.raises(DataError) as caught, disk_errors(out):
        replace_file(out, "text")
    assert caught.value.found.startswith(f"{out} cannot be written: ")


def test_a_command_has_its_own_way_out(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught, disk_errors(tmp_path, fix="import again"):
        full()
    assert caught.value.fix == "import again"
    error = unwritable("a.txt", OSError("no disk"), RunError, fix="wait")
    assert (type(error), error.found) == (RunError, "a.txt cannot be written: no disk")
    assert error.fix == "wait"


def test_other_errors_pass(tmp_path: Path) -> None:
    with pytest.raises(DiapirError, match="mine"), disk_errors(tmp_path):
        raise BundleError("mine", expected="", fix="")
    with pytest.raises(ValueError, match="mine"), disk_errors(tmp_path):
        raise ValueError("mine")


def test_a_folder_is_probed_without_a_trace(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "out")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be written"):
        check_writable(tmp_path / "file" / "out", RunError)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o002, 0o664)])
def test_a_file_gets_the_permissions_of_a_new_one(tmp_path: Path, umask: int, mode: int) -> None:
    file = tmp_path / "weights"
    file.touch(0o600)
    before = os.umask(umask)
    try:
        give_usual_mode(file)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == mode
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]
