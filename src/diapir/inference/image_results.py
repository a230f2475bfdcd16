"""The files of a prediction of images: pictures, their table, and what an earlier one left."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.files import replace_file
from diapir.inference.left_out import PREDICTIONS as TABLE
from diapir.inference.overlay import overlay
from diapir.inference.sources import OUTPUTS
from diapir.text import csv_cell, plural

STARTED = ".predicting"
"""Marks a folder whose prediction is incomplete and may be repeated."""
COLUMNS = ("input", "name", "width", "height", "salt_share", "mean_probability", "error")
"""Columns of the table; sizes in pixels, shares in [0, 1]."""


def may_be_replaced(out: Path) -> bool:
    """Whether a folder contains a prediction, or nothing under the names of its results."""
    if (out / STARTED).exists() or not any((out / name).exists() for name in (*OUTPUTS, TABLE)):
        return True
    with (out / TABLE).open("rb") as table:
        return table.readline() == ",".join(COLUMNS).encode() + b"\n"


class EarlierImages:
    """The images of the prediction that a folder holds, which a new one replaces.

    Their names are kept in the folder until they are replaced, so that a prediction that is killed
    leaves none behind.

    Args:
        out: the folder, which may not exist.
        new: names of the images of the new prediction.

    Attributes:
        out: the folder.
    """

    def __init__(self, out: Path, new: Sequence[str]) -> None:
        self.out = out
        self._complete = _listed(out / TABLE)
        self._names = {*self._complete, *_started(out / STARTED)}
        self._new = new
        self._begun = False

    def begin(self) -> None:
        """Mark the folder as incomplete, before the first picture is written."""
        if self._begun:
            return
        self._begun = True
        self.out.mkdir(parents=True, exist_ok=True)
        names = sorted(name for name in {*self._names, *self._new} if "\n" not in name)
        replace_file(self.out / STARTED, "\n".join(names).encode(errors="surrogateescape"))

    def end(self, names: Iterable[str]) -> list[str]:
        """Remove images that the new prediction has not replaced, and the mark.

        Args:
            names: images that have been predicted.

        Returns:
            What was done, in words.
        """
        others = [self._remove(name) for name in sorted(self._names.difference(names))]
        (self.out / STARTED).unlink(missing_ok=True)
        notes = []
        if self._complete:
            count = plural(len(self._complete), "image")
            notes.append(f"replaces an earlier prediction of {count} in {self.out}")
        if removed := sum(others):
            others_are = f"{plural(removed, 'image')} of an earlier prediction"
            notes.append(f"removed from {self.out}: the results of {others_are}, not among these")
        return notes

    def _remove(self, name: str) -> bool:
        """Remove the pictures of an image; whether there were any."""
        removed = False
        for folder in OUTPUTS:
            place = self.out / folder
            path = place / f"{name}.png"
            with contextlib.suppress(OSError, ValueError):
                # a table that somebody changed may name any place
                if path.parent.resolve().is_relative_to(place.resolve()):
                    path.unlink()
                    removed = True
                    for parent in list(path.relative_to(place).parents)[:-1]:
                        (place / parent).rmdir()
        return removed


def _listed(table: Path) -> list[str]:
    """Names of the images in a table."""
    try:
        with table.open(encoding="utf-8", newline="") as stream:
            rows = csv.DictReader(stream)
            if tuple(rows.fieldnames or ()) != COLUMNS:
                return []
            names = [row["name"] or "" for row in rows if not row["error"]]
    except (OSError, ValueError, csv.Error):
        return []
    return [name[1:] if csv_cell(name[1:]) == name else name for name in names]


def _started(mark: Path) -> list[str]:
    """Names of the images that a killed prediction may have left."""
    try:
        return mark.read_bytes().decode(errors="surrogateescape").split("\n")
    except (OSError, ValueError):
        return []


def write_pictures(
    out: Path,
    name: str,
    image: NDArray[np.uint8],
    probability: NDArray[np.float32],
    mask: NDArray[np.uint8],
) -> None:
    """Write probability, mask and overlay of an image, each into its folder."""
    pictures = (
        np.rint(probability * np.float32(65535)).astype(np.uint16),
        mask * np.uint8(255),
        overlay(image, mask),
    )
    for folder, picture in zip(OUTPUTS, pictures, strict=True):
        content = io.BytesIO()
        Image.fromarray(picture).save(content, "PNG", compress_level=3)
        path = out / folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content.getbuffer())


def write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the table of all images; see `COLUMNS`."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    for row in rows:
        shares = {
            key: f"{row[key]:.6f}" for key in ("salt_share", "mean_probability") if row[key] != ""
        }
        names = {key: csv_cell(row[key]) for key in ("input", "name")}
        table.writerow(row | shares | names)
    replace_file(path, text.getvalue())
