"""The strokes drawn on each survey or picture: files that `diapir adapt` reads."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import ValidationError

from diapir.files import unwritable
from diapir.serving.library import Entry
from diapir.serving.request_errors import RequestError, bad_request
from diapir.surveys import Strokes, read_strokes, write_strokes

FOLDER = "labels"
"""Folder of strokes, below the folder of the service."""
MOST_STROKES = 20_000
MOST_POINTS = 400_000
_EMPTY = Strokes(sections=())


class StrokeFiles:
    """Reads and writes the strokes of each file.

    Args:
        out: folder of the service.
    """

    def __init__(self, out: Path) -> None:
        self._folder = out / FOLDER

    def path(self, entry: Entry) -> Path:
        """The file of strokes: named for the survey, and unique."""
        stem = "".join(c if c.isalnum() or c in "-_" else "_" for c in entry.path.stem)[:60]
        return self._folder / f"{stem}-{entry.id[:8]}.strokes.json"

    def read(self, entry: Entry) -> Strokes:
        """The strokes on a file; none where nothing was drawn.

        Raises:
            DataError: the file of strokes was changed and cannot be read.
        """
        path = self.path(entry)
        return read_strokes(path) if path.exists() else _EMPTY

    def write(self, entry: Entry, content: bytes, *, only_after: str | None = None) -> Strokes:
        """Replace the strokes on a file.

        Args:
            entry: the file.
            content: strokes in JSON.
            only_after: tag of the strokes that are replaced, or several; None for any.

        Raises:
            RequestError: they are no strokes, too many (400), or others were written since (412).
            DataError: the disk is full or not writable.
        """
        try:
            strokes = Strokes.model_validate_json(content)
        except (ValidationError, ValueError, RecursionError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else None
            where = ".".join(map(str, first["loc"])) if first else "JSON"
            raise bad_request(
                f"strokes that cannot be read, at {where or 'the top'}: "
                f"{first['msg'] if first else 'not JSON'}",
                "strokes as `diapir adapt` reads them",
            ) from None
        count = sum(len(section.strokes) for section in strokes.sections)
        points = sum(
            len(stroke.places) for section in strokes.sections for stroke in section.strokes
        )
        if count > MOST_STROKES or points > MOST_POINTS:
            raise bad_request(
                f"{count:,} strokes with {points:,} points",
                f"at most {MOST_STROKES:,} with {MOST_POINTS:,}",
            )
        if only_after is not None and tag_of(self.read(entry)) not in only_after:
            raise RequestError(
                412,
                "labels that were changed elsewhere since they were read",
                expected="changes to the newest labels",
                fix="load them, and change those",
            )
        path = self.path(entry)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_strokes(path, strokes)
        except OSError as error:
            raise unwritable(path, error) from None
        return strokes


def tag_of(strokes: Strokes) -> str:
    """Tag of strokes (ETag): equal for equal ones."""
    return f'"{hashlib.sha256(strokes.model_dump_json().encode()).hexdigest()[:32]}"'
