"""The files that may be opened: those named at the start, below the folders named, and uploads.

A file is known by its real path, so that no link leads out of the folders. Its id is a hash of that
path: addresses name no paths.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from diapir.errors import DataError
from diapir.inference.left_out import masks_beside
from diapir.serving.byte_cache import ByteCache
from diapir.serving.opened import Opened, version_of
from diapir.serving.opened_picture import OpenedPicture
from diapir.serving.opened_survey import OpenedSurvey
from diapir.serving.request_errors import RequestError, not_found
from diapir.serving.settings import Settings
from diapir.surveys import open_survey
from diapir.surveys.lines.find_lines import is_survey
from diapir.surveys.zarr_source import is_zarr
from diapir.tiles.files.decode import FORMATS

UPLOADS = "uploads"
"""Folder of dropped files, below the folder of the service."""
MOST_LISTED = 2000
"""Files that are listed at most."""
MOST_OPEN = 16
"""Files that are kept open."""
_DEEPEST = 6
"""Folders below a folder that are searched."""


@dataclass(frozen=True)
class Entry:
    """A file that may be opened.

    Attributes:
        id: stands for it in addresses.
        path: its real path.
        place: where it is, as shown: below the folder that was named.
        kind: a survey or a picture.
    """

    id: str
    path: Path
    place: str
    kind: str

    def to_json(self) -> dict[str, object]:
        """The JSON object."""
        size = self.path.stat().st_size if self.path.is_file() else None
        return {"id": self.id, "name": self.place, "kind": self.kind, "bytes": size}


class Library:
    """Finds and opens files; safe for threads.

    Args:
        settings: names the files and folders.
        cache: keeps what is read.
    """

    def __init__(self, settings: Settings, cache: ByteCache) -> None:
        self._settings = settings
        self._cache = cache
        self._uploads = (settings.out / UPLOADS).resolve()
        self._roots = [path.resolve() for path in (*settings.shown, *settings.folders)]
        self._roots.append(self._uploads)
        self._known: dict[str, Entry] = {}
        self._open: dict[str, Opened] = {}
        self._lock = threading.Lock()
        self._opening: dict[str, threading.Lock] = {}
        self._reserved: set[Path] = set()

    def entries(self) -> list[Entry]:
        """The files that the page lists: those named, those in folders named, and uploads.

        They are `MOST_LISTED` at most; `find` finds further ones by their path.
        """
        found: dict[str, Entry] = {}
        for root in (*self._settings.shown, self._uploads):
            for path in _within(root, _DEEPEST) if root.exists() else ():
                if len(found) == MOST_LISTED:
                    break
                entry = self._entry(path, root)
                if entry is not None:
                    found.setdefault(entry.id, entry)
        masks = masks_beside([entry.path for entry in found.values()])
        return [entry for entry in found.values() if entry.path not in masks]

    def find(self, path: str) -> Entry:
        """The file of a path.

        Args:
            path: absolute, or relative to one of the folders.

        Raises:
            RequestError: it lies outside the folders (403), does not exist (404), or is not data.
        """
        for root in self._roots:
            base = root if root.is_dir() else root.parent
            entry = self._entry(base / path, root) if _is_plain(path) else None
            if entry is not None:
                return entry
        real = Path(path).resolve() if _is_plain(path) else None
        if real is not None and self._allowed(real):
            if real.exists():
                raise RequestError(
                    422,
                    f"{path} is neither a survey nor a picture",
                    expected="SEG-Y, Zarr, .npy or a picture",
                    fix="choose another file",
                )
            raise not_found(f"file {path}")
        raise RequestError(
            403,
            f"{path!r} is not below a folder that the service may read",
            expected="a file below one of the files and folders named at the start",
            fix="start the service again with --folder FOLDER, or drop the file on the page",
        )

    def get(self, identity: str) -> Opened:
        """An opened file; opened, or opened again where it has changed.

        Raises:
            RequestError: no such file.
            DiapirError: it cannot be read.
        """
        entry = self._known.get(identity)
        if entry is None:
            self.entries()
            entry = self._known.get(identity)
        if entry is None or not self._allowed(entry.path.resolve()):
            raise not_found(f"file with the id {identity[:40]}")
        with self._lock:
            alone = self._opening.setdefault(entry.id, threading.Lock())
        with alone:  # a large file that is being opened stops no other
            return self._opened(entry)

    def _opened(self, entry: Entry) -> Opened:
        try:
            version = version_of(entry.path)
        except OSError as error:
            raise DataError(
                f"{entry.path.name}: {error.strerror or error}",
                expected="a file that can be read",
                fix="correct its permissions, or choose another file",
            ) from None
        with self._lock:
            held = self._open.pop(entry.id, None)
            if held is not None and held.version == version:
                self._open[entry.id] = held  # used last
                return held
        if held is not None:
            held.forget()
        opened: Opened
        if entry.kind == "survey":
            survey = open_survey(entry.path, self._settings.hints)
            opened = OpenedSurvey(entry.id, survey, version, self._cache)
        else:
            most = self._settings.limits.picture_megapixels
            opened = OpenedPicture.of(entry.path, entry.id, version, self._cache, most)
        with self._lock:
            self._open[entry.id] = opened
            while len(self._open) > MOST_OPEN:
                self._open.pop(next(iter(self._open))).forget()
        return opened

    def entry(self, identity: str) -> Entry:
        """The file of an id.

        Raises:
            RequestError: no such file.
        """
        if identity not in self._known:
            self.entries()
        if identity not in self._known:
            raise not_found(f"file with the id {identity[:40]}")
        return self._known[identity]

    def add(self, path: Path) -> Entry:
        """A file that was just uploaded.

        Raises:
            RequestError: it is not a survey or picture.
        """
        entry = self._entry(path, self._uploads)
        if entry is None:
            raise not_found(f"data in {path.name}")
        return entry

    def reserve(self, name: str) -> Path:
        """A place for an upload that nothing has and no other upload is given."""
        with self._lock:
            path, number = self._uploads / name, 1
            while path in self._reserved or path.exists():
                number += 1
                path = self._uploads / f"{Path(name).stem}-{number}{Path(name).suffix}"
            self._reserved.add(path)
            return path

    def release(self, path: Path) -> None:
        """End a reservation."""
        self._reserved.discard(path)

    def uploaded_bytes(self) -> int:
        """Bytes of all uploads."""
        return sum(entry.stat().st_size for entry in os.scandir(self._uploads) if entry.is_file())

    @property
    def uploads(self) -> Path:
        """Folder of dropped files."""
        return self._uploads

    def _entry(self, path: Path, root: Path) -> Entry | None:
        try:
            real = path.resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            return None
        kind = _kind(real)
        if kind is None or not self._allowed(real):
            return None
        identity = hashlib.sha256(str(real).encode()).hexdigest()[:16]
        base = root.resolve()
        place = str(real.relative_to(base)) if real != base and _below(real, base) else real.name
        entry = Entry(identity, real, place, kind)
        self._known.setdefault(identity, entry)
        return entry

    def _allowed(self, real: Path) -> bool:
        return any(real == root or _below(real, root) for root in self._roots)


def _below(path: Path, folder: Path) -> bool:
    return folder.is_dir() and path.is_relative_to(folder)


def _is_plain(path: str) -> bool:
    return 0 < len(path) < 4096 and path.isprintable()


def _kind(path: Path) -> str | None:
    if path.is_dir():
        return "survey" if is_zarr(path) and path.suffix != ".prediction" else None
    if not path.is_file():
        return None
    if path.suffix.lower() in FORMATS:
        return "picture"
    return "survey" if path.suffix.lower() != ".zip" and is_survey(path) else None


def _within(root: Path, deep: int) -> Iterator[Path]:
    """Files and Zarr stores in a folder and its sub-folders, without hidden ones."""
    if root.is_file() or is_zarr(root):
        yield root
        return
    try:
        inside = sorted(os.scandir(root), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in inside:
        path = Path(entry.path)
        if entry.name.startswith(".") or path.suffix in {".prediction", ".products"}:
            continue
        if entry.is_dir(follow_symlinks=False) and not is_zarr(path):
            yield from _within(path, deep - 1) if deep else ()
        else:
            yield path
