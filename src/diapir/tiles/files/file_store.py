"""The files of a tile set: in a folder, a zip, or Kaggle's zips inside a zip.

A store lists the names relative to its root, with forward slashes, and reads bytes. Kaggle's inner
`train.zip` and `test.zip` appear as the folders `train/` and `test/`; nothing is unpacked.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from diapir.errors import DataError
from diapir.text import listing
from diapir.tiles.files.guarded_zip import danger, is_folder, open_whole, plain_name

STAGING = ".importing"
"""Folder in which `diapir data import` collects the files until it is complete."""
MAX_FILE_BYTES = 256 * 1024**2
"""Maximum size of an image, mask or table in bytes."""
MAX_INNER_ZIP_BYTES = 4 * 1024**3
"""Maximum size of a zip inside a zip, which is read into memory, in bytes."""
MAX_FILES = 2_000_000
"""Maximum number of files; a folder with more is taken for a mistake."""


class Store:
    """Named files of a folder or a zip, read on demand and from several threads at once.

    Args:
        path: a folder, a zip, or a folder in a zip: `tiles.zip/train`.
        inner: stem of the zip inside that is listed as a folder (`train` for `train.zip`).

    Raises:
        DataError: the path does not exist, is neither a folder nor a complete zip, or holds no
            files; a zip has dangerous members; an import into the folder was interrupted.
    """

    def __init__(self, path: Path, *, inner: str) -> None:
        self.path = path
        self._archives: list[zipfile.ZipFile] = []
        self._members: dict[str, tuple[zipfile.ZipFile, zipfile.ZipInfo]] = {}
        names: list[str] = []
        outer, inside = folder_in_zip(path)
        if os.path.isdir(path / STAGING):  # noqa: PTH112
            raise DataError(
                f"{path} holds an interrupted import",
                expected="all tiles of the archive",
                fix=f"finish it: diapir data import ZIP --out {path}",
            )
        if os.path.isdir(path):  # noqa: PTH112 - False, not an error, without permission
            names += (name for name, _ in _walk(path))
        elif os.path.isfile(outer):  # noqa: PTH113
            names += self._add_zip(_open_zip(outer, str(outer)), str(outer), prefix="")
        else:
            raise DataError(
                f"there is no folder or zip {path}",
                expected="a folder of tiles, or Kaggle's zip",
                fix="correct the path; `diapir data synth --out DIR` makes tiles",
            )
        for name in [name for name in names if name.rsplit("/", 1)[-1] == f"{inner}.zip"]:
            prefix = name.removesuffix(".zip")
            if not any(other.startswith(prefix + "/") for other in names):  # not unpacked as well
                where = f"{name} in {path}"
                names += self._add_zip(self._open_inner(name, where), where, prefix=prefix)
        if inside:
            names = self._below(inside, names, outer)
        if not names:
            raise DataError(
                f"{path} is empty",
                expected="a folder with images/ and masks/, or Kaggle's zip",
                fix="correct the path; `diapir data synth --out DIR` makes tiles",
            )
        self.names = tuple(names)
        """Every file; a name appears twice if a zip holds it twice."""

    def _below(self, folder: str, names: list[str], outer: Path) -> list[str]:
        """The names below a folder of the zip, without it."""
        inside = [name for name in names if name.startswith(f"{folder}/")]
        if not inside:
            tops = sorted({name.split("/")[0] + "/" for name in names if "/" in name})
            raise DataError(
                f"there is no folder {folder} in {outer}",
                expected=f"one of its folders, such as {listing(tops) or '(it has none)'}",
                fix="correct the path below the zip, or give the zip itself",
            )
        self._members = {
            name.removeprefix(f"{folder}/"): member
            for name, member in self._members.items()
            if name.startswith(f"{folder}/")
        }
        return [name.removeprefix(f"{folder}/") for name in inside]

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        for archive in self._archives:
            archive.close()

    def read(self, name: str) -> bytes:
        """Bytes of one file.

        Raises:
            DataError: the file is too large, truncated, encrypted or unreadable.
        """
        try:
            if name in self._members:
                archive, member = self._members[name]
                _refuse_size(name, member.file_size, MAX_FILE_BYTES)
                return archive.read(member)
            file = self.path / name
            if not stat.S_ISREG(file.stat().st_mode):
                raise EOFError("it is a pipe, a socket or a device")
            _refuse_size(name, file.stat().st_size, MAX_FILE_BYTES)
            return file.read_bytes()
        # RuntimeError: an encrypted member; NotImplementedError: an unknown compression;
        # UnicodeError: a name that is not the UTF-8 that its flag says
        except (
            *(OSError, EOFError, RuntimeError, UnicodeError),
            *(zipfile.BadZipFile, zlib.error),
        ) as error:
            raise DataError(
                f"{name} in {self.path} cannot be read: {_reason(error)}",
                expected="a complete, readable file",
                fix="copy or download it again",
            ) from None

    def _open_inner(self, name: str, where: str) -> zipfile.ZipFile:
        if name not in self._members:
            return _open_zip(self.path / name, where)
        archive, member = self._members[name]
        _refuse_size(where, member.file_size, MAX_INNER_ZIP_BYTES)
        try:
            return _open_zip(io.BytesIO(archive.read(member)), where)
        except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise _broken_zip(where, error) from None

    def _add_zip(self, archive: zipfile.ZipFile, where: str, *, prefix: str) -> list[str]:
        # a zip of train/ may hold its files with or without that folder's name
        folder = prefix.rsplit("/", 1)[-1] + "/"
        self._archives.append(archive)
        names = []
        for member in archive.infolist():
            reason = danger(member)
            if reason is not None:
                raise DataError(
                    f"{where} is refused: {member.orig_filename!r} {reason}",
                    expected="plain files with names inside the folder, stored or deflated",
                    fix="download it again from its publisher",
                )
            inside = plain_name(member)
            if is_folder(member) or _hidden(inside):
                continue
            if prefix:
                inside = inside.removeprefix(folder)
            name = f"{prefix}/{inside}" if prefix else inside
            self._members[name] = (archive, member)
            names.append(name)
        return names


def folder_in_zip(path: Path) -> tuple[Path, str]:
    """The zip of a path such as `tiles.zip/train`, and the folder in it.

    Returns:
        The path itself and nothing, if it is there or leads through no file.
    """
    if not os.path.exists(path):  # noqa: PTH110 - False, not an error, without permission
        for parent in path.parents:
            if os.path.isfile(parent):  # noqa: PTH113
                return parent, path.relative_to(parent).as_posix()
    return path, ""


def fingerprint(path: Path) -> str:
    """SHA-256 that changes when a zip, or a file of a folder, is added, removed or changed.

    It covers names, sizes and modification times of a folder's files, or size and modification time
    of a zip. No file is read. A missing path gives the hash of nothing.
    """
    digest = hashlib.sha256()
    path, _ = folder_in_zip(path)
    if os.path.isdir(path):  # noqa: PTH112 - as above
        for name, status in sorted(_walk(path), key=lambda entry: entry[0]):
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    elif os.path.isfile(path):  # noqa: PTH113
        status = path.stat()
        digest.update(f"{status.st_size}\0{status.st_mtime_ns}".encode())
    return digest.hexdigest()


def _walk(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Names below `root` with their status; links to folders are followed, each folder once."""
    seen: set[str] = set()
    found = 0
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not _hidden(name))
        prefix = Path(folder).relative_to(root).as_posix()
        prefix = "" if prefix == "." else prefix + "/"
        for name in sorted(files):
            if _hidden(name):
                continue
            refuse_unreadable_name(root, prefix + name)
            found += 1
            if found > MAX_FILES:
                raise DataError(
                    f"{root} holds more than {MAX_FILES} files",
                    expected="a folder of tiles",
                    fix="name the folder that holds images/ and masks/",
                )
            try:
                status = (Path(folder) / name).stat()
            except OSError:  # a dangling link: reading it will raise an error
                status = (Path(folder) / name).lstat()
            yield prefix + name, status


def refuse_unreadable_name(root: Path, name: str) -> None:
    """Refuse a file name that is not UTF-8: tables, splits and reports could not store it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"{root} holds a file name that is not UTF-8: {name!a}",
            expected="file names in UTF-8",
            fix="rename it: convmv -f latin1 -t utf-8 renames whole folders",
        ) from None


def _hidden(name: str) -> bool:
    """Hidden files, such as incomplete ones, and clutter of macOS."""
    parts = name.split("/")
    return parts[0] == "__MACOSX" or any(part.startswith(".") for part in parts)


def _reason(error: Exception) -> str:
    """The error's reason, without the path that the message names already."""
    return getattr(error, "strerror", None) or str(error)


def _open_zip(file: Path | io.BytesIO, where: str) -> zipfile.ZipFile:
    if isinstance(file, Path) and not _starts_as_zip(file):
        raise DataError(
            f"{where} is not a complete zip: it is a file of another kind",
            expected="a folder of tiles, or a zip as Kaggle gives it",
            fix="name the folder that holds images/ and masks/, or the zip",
        )
    try:
        return open_whole(file)
    except (OSError, EOFError, NotImplementedError, ValueError, zipfile.BadZipFile) as error:
        raise _broken_zip(where, error) from None


def _broken_zip(where: str, error: Exception) -> DataError:
    return DataError(
        f"{where} is not a complete zip: {_reason(error)}",
        expected="a folder of tiles, or a zip as Kaggle gives it",
        fix="download it again: it may be truncated, or another format",
    )


def _starts_as_zip(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(2) == b"PK"
    except OSError:
        return True  # opening it as a zip will raise the error


def _refuse_size(name: str, size: int, limit: int) -> None:
    if size > limit:
        raise DataError(
            f"{name} has {size / 1024**2:.0f} MiB",
            expected=f"at most {limit / 1024**2:.0f} MiB",
            fix="make it smaller, or take it out of the tile set",
        )
