"""An opened file, a survey or a picture, and what is read of both in the same way."""

from __future__ import annotations

import hashlib
from pathlib import Path

from diapir.serving.opened_picture import OpenedPicture
from diapir.serving.opened_section import Axis, number_or_none
from diapir.serving.opened_survey import OpenedSurvey
from diapir.serving.request_errors import bad_request
from diapir.serving.section_levels import COLUMNS

Opened = OpenedSurvey | OpenedPicture


def value_at(opened: Opened, axis: Axis, index: int, row: int, column: int) -> float | None:
    """The amplitude, or the grey level, of a pixel; None where there is none.

    Raises:
        RequestError: a pixel outside the section.
    """
    rows, columns = opened.shape(axis)
    if not (0 <= row < rows and 0 <= column < columns):
        raise bad_request(
            f"row {row}, column {column}", f"a pixel of a section of {rows} × {columns}"
        )
    block = opened.amplitudes(axis, index, column // COLUMNS)
    return number_or_none(block[row, column % COLUMNS])


def version_of(path: Path) -> str:
    """A text that changes when the file changes."""
    found = path.stat()
    return hashlib.sha256(f"{path} {found.st_mtime_ns} {found.st_size}".encode()).hexdigest()[:12]
