"""Reading untrusted zips: names, kinds and sizes of all members are checked before any is used."""

from __future__ import annotations

import errno
import os
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO

from diapir.errors import DataError

MAX_FILES = 200_000
"""Maximum number of files in an archive and the archives inside it; TGS has 26,000."""
MAX_BYTES = 16 * 2**30
"""Maximum bytes that they may unpack to, archives inside included; TGS has 0.6 GB."""
MAX_RATIO = 200
"""Maximum unpacked bytes per packed byte, beyond a file's first MiB. Deflate can reach 1,032."""
MAX_DEPTH = 64
"""Maximum number of folders that a file may lie in."""

_CHUNK = 2**20
_END_MARK, _END_BYTES = b"PK\x05\x06", 22
_SPANNED_MARK = b"PK00"  # some programs write it at the start of every zip
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 0x1 | 0x40 | 0x2000  # the file, strongly, the directory (APPNOTE 4.4.4)
_LITTER = {"__MACOSX", "Thumbs.db", "desktop.ini"}
# what zipfile is known to raise for bytes that are not a zip, or a damaged one
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True)
class Member:
    """A file in a zip.

    Attributes:
        info: its entry in the zip's directory.
        place: its path below the folder that the zip is unpacked to.
    """

    info: zipfile.ZipInfo
    place: PurePosixPath

    @property
    def is_zip(self) -> bool:
        """Whether it is itself a zip, by its name."""
        return self.place.suffix.lower() == ".zip"

    def is_at(self, path: Path) -> bool:
        """Whether the file at `path` is this member, by size and CRC."""
        if path.is_symlink() or not path.is_file() or path.stat().st_size != self.info.file_size:
            return False
        checksum = 0
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                checksum = zlib.crc32(chunk, checksum)
        return checksum == self.info.CRC


class GuardedZip:
    """A zip whose directory has been checked.

    Args:
        path: the file.
        name: its name in messages; for a zip inside a zip, both names.
        stem: if all members are in a folder of this name, their places leave it out.

    Attributes:
        members: its files, without folders and the clutter of macOS and Windows.

    Raises:
        DataError: not a zip, a truncated one, or a member that must not be unpacked.
    """

    def __init__(self, path: Path, name: str, stem: str) -> None:
        self.name = name
        try:
            with self._reporting_damage(_describe_start(path)):
                self._zip = open_whole(path)
        except OSError as error:
            raise DataError(
                f"{name} cannot be read: {error.strerror or error}",
                expected="a readable zip",
                fix="fix its permissions, or copy it again",
            ) from None
        try:
            self.members = self._checked(stem, path.stat().st_size)
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> GuardedZip:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()

    def unpack(self, member: Member, target: Path) -> None:
        """Write a member to `target` and make its folders; size and CRC are checked.

        Raises:
            DataError: the member is damaged, or larger than the zip's directory says.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            target.open("wb") as out,
            self._reporting_damage(f"{member.info.filename} is damaged"),
            self._zip.open(member.info) as stream,
        ):
            written = self._copy(stream, out, member.info)
            if written != member.info.file_size:
                raise EOFError(f"{written} of {member.info.file_size} bytes")

    def _copy(self, stream: IO[bytes], out: IO[bytes], info: zipfile.ZipInfo) -> int:
        """Copy and count the bytes; until here, only the directory's claimed sizes were checked."""
        written = 0
        while chunk := stream.read(_CHUNK):
            written += len(chunk)
            if written > info.file_size:
                raise self.refusal(f"{info.filename} unpacks to more than it claims")
            out.write(chunk)
        return written

    def _checked(self, stem: str, packed_size: int) -> list[Member]:
        members = []
        for info in self._zip.infolist():
            reason = danger(info)
            if reason is not None:
                raise self.refusal(f"{info.orig_filename!r} {reason}")
            place = PurePosixPath(plain_name(info))
            litter = any(part.startswith(".") or part in _LITTER for part in place.parts)
            if not is_folder(info) and not litter:
                members.append(Member(info, place))
        if not members:
            raise DataError(
                f"{self.name} holds no files",
                expected="a zip of a tile set, such as Kaggle's download",
                fix="download it again, or give another zip",
            )
        if sum(member.info.compress_size for member in members) > packed_size:
            raise self.refusal("its members overlap, or claim more bytes than it has")
        if all(len(member.place.parts) > 1 and member.place.parts[0] == stem for member in members):
            return [Member(one.info, one.place.relative_to(stem)) for one in members]
        return members

    def refusal(self, reason: str) -> DataError:
        """The error for content that must not be unpacked."""
        return DataError(
            f"{self.name} is refused: {reason}",
            expected="plain files with names inside the folder, stored or deflated, at most "
            f"{MAX_FILES:,} files and {MAX_BYTES / 2**30:.0f} GiB, archives inside included",
            fix="download it again from its publisher; if you trust it, unpack it yourself "
            "and give the folder as --data",
        )

    @contextmanager
    def _reporting_damage(self, what: str) -> Iterator[None]:
        try:
            yield
        except _BROKEN as error:
            if isinstance(error, OSError) and error.errno != errno.EINVAL:
                raise  # a disk error; EINVAL is an offset before the file's start
            raise DataError(
                f"{self.name}: {what} ({error})",
                expected="a complete zip",
                fix="download or copy it again; the transfer may have stopped early",
            ) from None


def open_whole(file: Path | IO[bytes]) -> zipfile.ZipFile:
    """Open a zip whose members and directory fill its file.

    zipfile looks for the directory in the last 64 KiB. In a truncated download it can find the
    directory of a zip inside there, and would open that zip instead.

    Raises:
        zipfile.BadZipFile: something follows the directory, or precedes the first member.
    """
    archive = zipfile.ZipFile(file)
    try:
        stream = archive.fp
        if stream is None:
            raise zipfile.BadZipFile("it was closed")
        stream.seek(-_END_BYTES - len(archive.comment), os.SEEK_END)
        if stream.read(4) != _END_MARK:
            raise zipfile.BadZipFile("its directory is not at its end")
        first = min((info.header_offset for info in archive.infolist()), default=0)
        if first > len(_SPANNED_MARK):
            raise zipfile.BadZipFile(f"{first} bytes precede its first member")
    except BaseException:
        archive.close()
        raise
    return archive


def check_plan(archive: GuardedZip, members: Iterable[Member], places: Iterable[Member]) -> None:
    """Refuse too many files or bytes, and two files of one name.

    Args:
        archive: the outermost zip, which errors name.
        members: everything that is unpacked, archives inside included.
        places: the files of the finished folder.

    Raises:
        DataError: too many files or bytes, or names that are the same where case is ignored.
    """
    members = list(members)
    if len(members) > MAX_FILES:
        raise archive.refusal(f"it holds {len(members):,} files")
    total = sum(member.info.file_size for member in members)
    if total > MAX_BYTES:
        raise archive.refusal(f"it unpacks to {total / 2**30:,.1f} GiB")
    files: set[str] = set()
    folders: set[str] = set()
    for member in places:
        key = _same_place(member.place)
        if key in files:
            raise archive.refusal(f"it holds two files for {member.place}")
        files.add(key)
        folders.update(_same_place(folder) for folder in member.place.parents)
    for both in sorted(files & folders):
        raise archive.refusal(f"{both} is both a file and a folder")


def plain_name(info: zipfile.ZipInfo) -> str:
    """The name of a member with forward slashes.

    Old .NET and PowerShell separate folders by backslashes, against the format's definition.
    """
    return info.filename.replace("\\", "/")


def is_folder(info: zipfile.ZipInfo) -> bool:
    """Whether a member is a folder."""
    return plain_name(info).endswith("/")


def danger(info: zipfile.ZipInfo) -> str | None:
    """Why a member must not be unpacked or read, if there is a reason."""
    name = info.orig_filename  # filename ends at a NUL
    kind = stat.S_IFMT(info.external_attr >> 16)
    slashed = name.replace("\\", "/")
    if ":" in name or slashed.startswith("/") or ".." in slashed.split("/"):
        return "leads out of the folder"
    if not PurePosixPath(plain_name(info)).parts and not is_folder(info):
        return "has no name"
    if not name.isprintable():
        return "has unprintable characters in its name"
    if name.count("/") > MAX_DEPTH:
        return f"lies {name.count('/')} folders deep"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link" if kind == stat.S_IFLNK else "is not a regular file"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in _METHODS:
        return f"is compressed by method {info.compress_type}, not stored or deflated"
    if info.file_size > _CHUNK and info.file_size > MAX_RATIO * info.compress_size:
        return f"unpacks to more than {MAX_RATIO} times its size"
    return None


def _same_place(place: PurePosixPath) -> str:
    """Equal for names that are the same file on macOS or Windows."""
    return unicodedata.normalize("NFC", str(place)).casefold()


def _describe_start(path: Path) -> str:
    with path.open("rb") as stream:
        start = stream.read(4)
    return "it is truncated or damaged" if start == b"PK\x03\x04" else "it is not a zip"
