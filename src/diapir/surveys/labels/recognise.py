"""Which kind of labels a file holds, by its content."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from diapir.errors import DataError
from diapir.surveys.labels.columns import find_columns
from diapir.surveys.labels.label_options import LabelKind
from diapir.surveys.labels.picks import is_irap
from diapir.surveys.labels.picture_masks import FOLDERS, is_image
from diapir.surveys.labels.placing import Floats, Placing
from diapir.surveys.labels.polygon_files import is_json, positions
from diapir.surveys.labels.strokes import KIND, read_json
from diapir.surveys.labels.text_table import Table, encoding_of, own_line, read_table
from diapir.surveys.zarr_source import is_zarr

_ARRAYS = frozenset({".npy", ".zarr", ".mdio"})
_SEGY = frozenset({".sgy", ".segy", ".seg"})
_TEXT = frozenset(
    {".dat", ".txt", ".xyz", ".asc", ".charisma", ".irap", ".csv", ".hor", ".pol", ".plg", ".tsv"}
)
_JSON = frozenset({".json", ".geojson"})
_SNIFFED = 4096
_OF_LINE = re.compile(r"[_\-. ](salt|mask|label|top|base|bottom|horizon|polygon|stroke|crossing)")
_TRIED = 5000
"""Lines of a text file from which its kind is told."""
_FEW = 30
"""Picks below which a horizon may be a polygon after all."""
_READ_ME = "readme"


def label_files(paths: Sequence[Path], line: str = "") -> list[Path]:
    """Files of labels among paths; of a folder, those whose suffix may be one, and in `masks`.

    Args:
        paths: files and folders.
        line: name of a 2D line. Where files of a folder are named for it, they alone are meant.

    Raises:
        DataError: a path that does not exist, or a folder without such files.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise DataError(
                f"{path} does not exist",
                expected="a file or folder of labels",
                fix="correct the path",
            )
        if not (path.is_dir() or path.is_file()):
            raise DataError(
                f"{path} is neither a file nor a folder",
                expected="a file or folder of labels, not a pipe, socket or device",
                fix="write the labels to a file, and give that",
            )
        if not path.is_dir() or is_zarr(path):
            found[path] = None
            continue
        inner = [file for file in _of_folder(path) if _may_be_labels(file)]
        if not inner:
            raise DataError(
                f"{path} holds no labels",
                expected="masks, horizons, polygons or strokes",
                fix="correct the path",
            )
        own = [file for file in inner if line and _is_of(file, line)]
        found |= dict.fromkeys(own or inner)
    return list(found)


def kind_of(path: Path, placing: Placing) -> tuple[LabelKind, str]:
    """The kind of labels of a file.

    Args:
        path: an existing file or Zarr store.
        placing: the survey, which tells horizons from polygons.

    Returns:
        The kind, and a note where it was guessed.

    Raises:
        DataError: it cannot be read.
    """
    if path.is_dir() or is_image(path) or path.suffix.lower() in _ARRAYS | _SEGY:
        return "mask", ""
    if _is_binary(path):
        return "mask", ""  # SEG-Y under another suffix; its reader says what is wrong
    if is_json(path):
        content = read_json(path)
        strokes = isinstance(content, dict) and (
            content.get("kind") == KIND or "sections" in content
        )
        return ("strokes" if strokes else "polygons"), ""
    if is_irap(path):
        return "horizons", ""
    return _kind_of_text(path, placing)


def _kind_of_text(path: Path, placing: Placing) -> tuple[LabelKind, str]:
    table = read_table(path, most=_TRIED)
    if placing.line:
        table = own_line(table, placing.name)
    if table.column("number") is not None or path.stem.lower().startswith("crossings"):
        return "crossings", ""
    if table.column("part") is not None or "polygon" in path.stem.lower():
        return "polygons", ""
    if _turns_back(table, placing):
        return "polygons", f"{path.name} is read as polygons; otherwise: --label-kind horizons"
    few = len(table.values) < _FEW
    note = f"{path.name} is read as a horizon; otherwise: --label-kind polygons" if few else ""
    return "horizons", note


def _turns_back(table: Table, placing: Placing) -> bool:
    """Whether the traces of a table go forth and back on each section, as around a polygon."""
    columns = find_columns(table, placing, vertices=True)
    vertices = positions(table, columns, placing)
    z = table.values[:, columns.z]
    ways = [(vertices.inline, vertices.crossline), (vertices.crossline, vertices.inline)]
    for along, across in ways[: 1 if placing.line else 2]:
        changed = (np.diff(table.parts) != 0) | (np.abs(np.diff(along)) > 0.5)
        pieces = np.split(np.arange(len(z)), np.flatnonzero(changed) + 1)
        turning = sum(len(rows) for rows in pieces if _is_ring(across[rows], z[rows]))
        if 2 * turning > len(z):
            return True
    return False


def _is_ring(across: Floats, z: Floats) -> bool:
    if len(across) < 3:
        return False
    if across[0] == across[-1] and z[0] == z[-1]:
        return True
    steps = np.sign(np.diff(across))
    return bool((steps > 0).any() and (steps < 0).any())


def _of_folder(path: Path) -> list[Path]:
    folders = [path, *(path / name for name in FOLDERS)]
    return sorted(file for folder in folders if folder.is_dir() for file in folder.iterdir())


def _may_be_labels(path: Path) -> bool:
    if path.name.startswith(".") or path.stem.lower() == _READ_ME:
        return False
    if path.is_dir():
        return is_zarr(path)
    if not path.is_file():
        return False
    return is_image(path) or path.suffix.lower() in _ARRAYS | _SEGY | _TEXT | _JSON


def _is_of(file: Path, line: str) -> bool:
    """Whether a file is named for a line: L1.png, L1_mask.png, L1_top.dat, but not L1_2.png."""
    stem = file.stem.lower()
    rest = stem.removeprefix(line.lower())
    return rest != stem and (not rest or _OF_LINE.match(rest) is not None)


def _is_binary(path: Path) -> bool:
    """Whether a file is not text: it holds bytes of 0, or begins with a header in EBCDIC."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_SNIFFED)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}",
            expected="a file of labels",
            fix="correct the path",
        ) from None
    if encoding_of(path) == "utf-16":
        return False
    return b"\0" in head or head[:1] == b"\xc3"
