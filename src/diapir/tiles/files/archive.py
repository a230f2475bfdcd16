"""Unpacking a downloaded zip, and the zips inside it, to a folder that `load_tiles` reads.

Everything is checked before the first tile is written. Files are unpacked to `OUT/.importing`,
where an interrupted import resumes, and get their final names once every byte has been checked.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from diapir.errors import DataError
from diapir.files import claim, disk_errors, flush_folder, replace_file
from diapir.json_text import parse_json
from diapir.locks import lock_beside, locked
from diapir.scratch import remove_stale
from diapir.text import size
from diapir.tiles.files.file_store import STAGING
from diapir.tiles.files.guarded_zip import GuardedZip, Member, check_plan

MARKER = ".diapir-import.json"
_DISK_BLOCK = 4096
"""Bytes that most disks round file sizes up to."""


@dataclass(frozen=True)
class ImportSummary:
    """The result of an import.

    Attributes:
        out: the folder.
        folders: number of files by folder below `out`, sorted; `.` is `out` itself.
        written: files unpacked now.
        kept: files kept from an earlier import.
        bytes: size of all files together.
    """

    out: Path
    folders: dict[str, int]
    written: int
    kept: int
    bytes: int


class _Packed(NamedTuple):
    """A file and the zip that holds it."""

    zip: GuardedZip
    member: Member


def import_archive(
    archive: str | Path, out: str | Path, *, progress: Callable[[int, int], None] | None = None
) -> ImportSummary:
    """Unpack a zip, and the zips inside it; an interrupted import resumes.

    `train.zip` inside the archive becomes `OUT/train`, other files keep their places. Clutter of
    macOS and Windows (`__MACOSX`, hidden files) is left out.

    Args:
        archive: a zip, such as Kaggle's download.
        out: a new or empty folder, or one that an import of the same archive wrote.
        progress: called with the number of files done and of all files.

    Raises:
        DataError: not a zip, a damaged or dangerous one, a folder with other content, or a disk
            that is full or read-only.
    """
    archive, out = Path(archive), Path(out)
    if not os.path.isfile(archive):  # noqa: PTH113 - False, not an error, without permission
        found = "is not a file" if os.path.exists(archive) else "does not exist"  # noqa: PTH110
        raise DataError(
            f"{archive} {found}",
            expected="a zip of a tile set, such as Kaggle's download",
            fix="give the path of the zip; a folder needs no import, give it as --data",
        )
    resume = "free space or fix the permissions, and import again: it resumes from here"
    with (
        disk_errors(out, fix=resume),
        locked(lock_beside(out), out),
        GuardedZip(archive, str(archive), archive.stem) as source,
    ):
        check_plan(source, source.members, source.members)
        with _claimed(out, archive.name, _fingerprint(source.members)) as fresh:
            return _import(source, out, progress, fresh=fresh)


@contextmanager
def _claimed(out: Path, archive: str, fingerprint: str) -> Iterator[bool]:
    """Make `out` the folder of this archive; after a `DataError` it is as it was before.

    Yields:
        whether the import is a new one.

    Raises:
        DataError: `out` holds anything else.
    """
    created = not out.exists()
    fresh = _claim(out, archive, fingerprint)
    try:
        yield fresh
    except DataError:
        if fresh:
            shutil.rmtree(out / STAGING, ignore_errors=True)
            (out / MARKER).unlink(missing_ok=True)
        if fresh and created:
            with suppress(OSError):  # another process has put something there
                out.rmdir()
        raise


def _claim(out: Path, archive: str, fingerprint: str) -> bool:
    remove_stale(out / MARKER)
    claim(out, ours=lambda out: all(_read_marker(out)))
    if (out / MARKER).is_file():
        held, other = _read_marker(out)
        if held == fingerprint:
            return False
        raise DataError(
            f"{out} holds the import of another archive, {other}",
            expected="a new or empty folder, or an import of the same archive",
            fix="choose another --out",
        )
    out.mkdir(parents=True, exist_ok=True)
    content = {"format": 1, "archive": archive, "fingerprint": fingerprint}
    replace_file(out / MARKER, json.dumps(content, indent=2) + "\n")
    return True


def _read_marker(out: Path) -> tuple[str, str]:
    """Fingerprint and name of the archive that was imported to `out`."""
    marker = parse_json((out / MARKER).read_bytes())
    return marker["fingerprint"], marker["archive"]


def _import(
    source: GuardedZip, out: Path, progress: Callable[[int, int], None] | None, *, fresh: bool
) -> ImportSummary:
    archives, staged = out / STAGING / "archives", out / STAGING / "files"
    inner = _copies(source, archives)
    # the zips inside, and for a new import at least as much again for their content
    absent = [member for member, copy in inner if not copy.exists()]
    _require_space(source, out, [*absent, *(source.members if fresh else ())])
    with ExitStack() as stack:
        packed = list(_flatten(source, inner, stack))
        files = [member for _, member in packed]
        check_plan(source, [*files, *(member for member, _ in inner)], files)
        missing = [one for one in packed if not _is_there(one.member, (out, staged))]
        _require_space(source, out, [member for _, member in missing])
        for done, (holder, file) in enumerate(missing, start=len(packed) - len(missing) + 1):
            holder.unpack(file, staged / file.place)
            if progress is not None:
                progress(done, len(packed))
    if staged.exists():
        flush_folder(staged)
        _publish(staged, out)
    shutil.rmtree(out / STAGING, ignore_errors=True)
    folders = Counter(str(file.place.parent) for file in files)
    return ImportSummary(
        out=out,
        folders=dict(sorted(folders.items())),
        written=len(missing),
        kept=len(packed) - len(missing),
        bytes=sum(file.info.file_size for file in files),
    )


def _copies(source: GuardedZip, folder: Path) -> list[tuple[Member, Path]]:
    """The zips inside a zip, and where each is copied to."""
    inner = [member for member in source.members if member.is_zip]
    return [(member, folder / f"{number}.zip") for number, member in enumerate(inner)]


def _flatten(
    source: GuardedZip, inner: Iterable[tuple[Member, Path]], stack: ExitStack
) -> Iterator[_Packed]:
    """All files of a zip and of the zips inside it, each with its place in the finished folder."""
    for member in source.members:
        if not member.is_zip:
            yield _Packed(source, member)
    for member, copy in inner:
        if not member.is_at(copy):
            source.unpack(member, copy)
        folder = member.place.with_suffix("")
        nested = stack.enter_context(
            GuardedZip(copy, f"{source.name}: {member.place}", folder.name)
        )
        for file in nested.members:
            if file.is_zip:
                raise nested.refusal(f"{file.place} is an archive inside an archive inside")
            yield _Packed(nested, Member(file.info, folder / file.place))


def _is_there(file: Member, folders: Iterable[Path]) -> bool:
    return any(file.is_at(folder / file.place) for folder in folders)


def _fingerprint(members: Sequence[Member]) -> str:
    """Equal for archives that hold the same files."""
    files = sorted((str(file.place), file.info.file_size, file.info.CRC) for file in members)
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()


def _require_space(source: GuardedZip, out: Path, files: Iterable[Member]) -> None:
    needed = sum(-(-file.info.file_size // _DISK_BLOCK) * _DISK_BLOCK for file in files)
    free = shutil.disk_usage(out).free
    if needed > free:
        raise DataError(
            f"the disk of {out} has {size(free)} free",
            expected=f"{size(needed)} for the files of {source.name} that are still to be unpacked",
            fix="free space, or choose an --out on another disk",
        )


def _publish(staged: Path, final: Path) -> None:
    """Move staged files to their final names; a new folder in one step."""
    if final.is_symlink():
        raise DataError(
            f"{final} is a link, which an import never makes",
            expected="the folder as the import left it",
            fix="remove the link, or choose another --out",
        )
    if not final.exists():
        os.rename(staged, final)
    elif staged.is_dir():
        for path in sorted(staged.iterdir()):
            _publish(path, final / path.name)
    else:
        os.replace(staged, final)
