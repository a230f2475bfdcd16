"""Unpacking a downloaded zip, and the zips inside it, to a folder that `load_tiles` reads.

All is checked before the first tile is written. Files go to `OUT/.importing`, where an interrupted
import is taken up again, and get their final names once every byte has been checked: a folder
that is there is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from diapir.errors import DataError
from diapir.tiles.files.file_store import STAGING
from diapir.tiles.files.guarded_zip import GuardedZip, Member, check_plan

MARKER = ".diapir-import.json"
_DISK_BLOCK = 4096
"""Bytes that files are rounded up to on most disks."""


@dataclass(frozen=True)
class ImportSummary:
    """What an import did.

    Attributes:
        out: the folder.
        folders: number of files by folder below `out`, sorted; `.` is `out` itself.
        written: files unpacked now.
        kept: files found whole from an earlier import.
        bytes: size of all files together.
    """

    out: Path
    folders: dict[str, int]
    written: int
    kept: int
    bytes: int


def import_archive(
    archive: str | Path, out: str | Path, *, progress: Callable[[int, int], None] | None = None
) -> ImportSummary:
    """Unpack a zip, and the zips inside it; an interrupted import continues where it was.

    `train.zip` inside the archive becomes `OUT/train`, other files keep their places. What Macs
    and Windows strew about (`__MACOSX`, hidden files) is left out.

    Args:
        archive: a zip, such as Kaggle's download.
        out: a new or empty folder, or one that an import of the same archive wrote.
        progress: called with the number of files done and of all files.

    Raises:
        DataError: no zip, a damaged or dangerous one, a folder with other content, or a disk that
            is full or read-only.
    """
    archive, out = Path(archive), Path(out)
    try:
        if not archive.is_file():
            found = "is no file" if archive.exists() else "does not exist"
            raise DataError(
                f"{archive} {found}",
                expected="a zip of a tile set, such as Kaggle's download",
                fix="give the path of the zip; a folder needs no import, give it as --data",
            )
        with GuardedZip(archive, str(archive), archive.stem) as source:
            check_plan(source, source.members, source.members)
            created = not out.exists()
            fresh = _claim(out, archive.name, _fingerprint(source.members))
            try:
                return _unpack_all(source, out, progress, fresh=fresh)
            except DataError:
                if fresh:
                    _abandon(out, created)
                raise
    except OSError as error:
        raise DataError(
            f"{error.filename or out} cannot be read or written: {error.strerror or error}",
            expected="a readable zip, and a writable folder with enough space",
            fix="free space or fix the permissions, and import again: it resumes from here",
        ) from None


def _unpack_all(
    source: GuardedZip, out: Path, progress: Callable[[int, int], None] | None, *, fresh: bool
) -> ImportSummary:
    staging, staged = out / STAGING, out / STAGING / "files"
    with ExitStack() as stack:
        jobs = [(source, member) for member in source.members if not member.is_zip]
        inner = [member for member in source.members if member.is_zip]
        copies = [staging / "archives" / f"{number}.zip" for number in range(len(inner))]
        absent = [member for member, copy in zip(inner, copies, strict=True) if not copy.exists()]
        # the archives inside, and at first at least as much again for what they hold
        _require_space(source, out, [*absent, *(source.members if fresh else ())])
        for member, copy in zip(inner, copies, strict=True):
            if not member.is_at(copy):
                source.unpack(member, copy)
            folder = member.place.with_suffix("")
            nested = stack.enter_context(
                GuardedZip(copy, f"{source.name}: {member.place}", folder.name)
            )
            for file in nested.members:
                if file.is_zip:
                    raise nested.refusal(f"{file.place} is an archive inside an archive inside")
                jobs.append((nested, Member(file.info, folder / file.place)))

        files = [file for _, file in jobs]
        check_plan(source, [*files, *inner], files)
        missing = [
            (holder, file)
            for holder, file in jobs
            if not file.is_at(out / file.place) and not file.is_at(staged / file.place)
        ]
        _require_space(source, out, [file for _, file in missing])
        kept = len(files) - len(missing)
        for done, (holder, file) in enumerate(missing, start=kept + 1):
            holder.unpack(file, staged / file.place)
            if progress is not None:
                progress(done, len(files))
    if staged.exists():
        _flush(staged)
        _publish(staged, out)
    shutil.rmtree(staging, ignore_errors=True)
    folders = Counter(str(file.place.parent) for file in files)
    return ImportSummary(
        out=out,
        folders=dict(sorted(folders.items())),
        written=len(missing),
        kept=kept,
        bytes=sum(file.info.file_size for file in files),
    )


def _claim(out: Path, archive: str, fingerprint: str) -> bool:
    """Make `out` the folder of this archive; whether it was not so before.

    Raises:
        DataError: `out` is a file, or holds anything else.
    """
    marker = out / MARKER
    writing = out / f"{MARKER}.writing"
    if out.exists() and not out.is_dir():
        raise _occupied(out, "is a file")
    if marker.is_file():
        try:
            held = json.loads(marker.read_bytes())
            if held["fingerprint"] == fingerprint:
                return False
            raise _occupied(out, f"holds the import of another archive, {held['archive']}")
        except (ValueError, TypeError, KeyError):
            raise _occupied(out, f"has an unreadable {MARKER}") from None
    out.mkdir(parents=True, exist_ok=True)
    if any(path != writing for path in out.iterdir()):
        raise _occupied(out, "is not empty and was not made by an import")
    content = {"format": 1, "archive": archive, "fingerprint": fingerprint}
    writing.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(writing, marker)
    return True


def _occupied(out: Path, reason: str) -> DataError:
    return DataError(
        f"{out} {reason}",
        expected="a new or empty folder, or one that an import of the same archive wrote",
        fix="choose another --out, or move what is there away",
    )


def _abandon(out: Path, created: bool) -> None:
    """Leave no trace of an import that wrote nothing of use."""
    shutil.rmtree(out / STAGING, ignore_errors=True)
    (out / MARKER).unlink(missing_ok=True)
    if created:
        with suppress(OSError):  # something else has come into it
            out.rmdir()


def _fingerprint(members: Sequence[Member]) -> str:
    """Equal for archives that hold the same files."""
    listing = sorted((str(file.place), file.info.file_size, file.info.CRC) for file in members)
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def _require_space(source: GuardedZip, out: Path, files: Iterable[Member]) -> None:
    needed = sum(-(-file.info.file_size // _DISK_BLOCK) * _DISK_BLOCK for file in files)
    free = shutil.disk_usage(out).free
    if needed > free:
        raise DataError(
            f"the disk of {out} has {free / 1e6:,.0f} MB free",
            expected=f"{needed / 1e6:,.0f} MB for what {source.name} still has to unpack",
            fix="free space, or choose an --out on another disk",
        )


def _flush(folder: Path) -> None:
    """Have the system write the files to the disk, so that a power cut cannot empty named ones."""
    if hasattr(os, "sync"):
        os.sync()  # once, where a sync of each of thousands of files may take minutes
        return
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())


def _publish(staged: Path, final: Path) -> None:
    """Give staged files their final names, a whole folder at once where there is none yet."""
    if final.is_symlink():
        raise _occupied(final, "is a link, which an import never makes")
    if not final.exists():
        os.rename(staged, final)
    elif staged.is_dir():
        for path in sorted(staged.iterdir()):
            _publish(path, final / path.name)
    else:
        os.replace(staged, final)
