"""Horizons and bodies of many lines in one file each, with the name of the line in front."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from diapir.errors import DataError
from diapir.files import claim, replace_file, writing, writing_folder
from diapir.json_text import parse_json
from diapir.surveys.lines.line_table import LineRow, write_lines
from diapir.surveys.products.make import RECORD
from diapir.text import plural
from diapir.version import __version__

MERGED = "all-lines.products"
"""Folder of the files over all lines, beside those of the lines."""
HORIZONS = ("top", "base", "crossings")


def merge_lines(
    folder: Path, products: Sequence[tuple[str, Path]], rows: Sequence[LineRow]
) -> list[Path]:
    """Write the horizons and bodies of lines as one file each, and the table of the lines.

    OpendTect's format has the name of the line as first column, as its import of 2D horizons
    expects, and CSV has a column `line`. XYZ has no room for names, so that it is not merged.

    Args:
        folder: folder to write, replaced where it is an earlier one.
        products: name of each 2D line and folder of its products.
        rows: the table of the lines.

    Returns:
        The files.

    Raises:
        DataError: `folder` holds something else.
        OSError: the disk is full or not writable.
    """
    claim(folder, holds="a folder of merged lines", ours=_is_merged, fix="move it away")
    files: list[str] = []
    with writing_folder(folder) as scratch:
        (scratch / "horizons").mkdir()
        for name in HORIZONS:
            for merge, suffix in ((_merge_columns, ".dat"), (_merge_csv, ".csv")):
                inner = f"horizons/{name}{suffix}"
                if merge(scratch / inner, [(line, made / inner) for line, made in products]):
                    files.append(inner)
        tables = [(line, made / "bodies.csv") for line, made in products]
        if _merge_csv(scratch / "bodies.csv", tables):
            files.append("bodies.csv")
        write_lines(scratch / "lines.csv", rows)
        replace_file(scratch / "horizons/README.txt", _read_me(products))
        files += ["lines.csv", "horizons/README.txt"]
        record = {
            "diapir": __version__,
            "merged": {line: made.name for line, made in products},
            "files": files,
        }
        replace_file(scratch / RECORD, json.dumps(record, indent=2) + "\n")
    return [folder / name for name in files]


def line_word(name: str) -> str:
    """The name of a line as one word, as a file with columns needs it."""
    return "_".join(name.split()) or "line"


def _is_merged(folder: Path) -> bool:
    return "merged" in parse_json((folder / RECORD).read_bytes())


def _merge_columns(target: Path, parts: Sequence[tuple[str, Path]]) -> bool:
    """Merge files whose columns are separated by spaces; whether there are any."""
    parts = [(name, path) for name, path in parts if path.is_file()]
    if not parts:
        return False
    with writing(target) as stream:
        for name, path in parts:
            word = line_word(name)
            for row in path.read_text(encoding="utf-8").splitlines():
                stream.write(f"{word} {row}\n".encode())
    return True


def _merge_csv(target: Path, parts: Sequence[tuple[str, Path]]) -> bool:
    """Merge CSV files; columns that only some have are empty in the others."""
    rows: list[dict[str, str]] = []
    for name, path in parts:
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as stream:
                rows += [{"line": name} | row for row in csv.DictReader(stream)]
    if not rows:
        return False
    headings = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, headings, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    replace_file(target, text.getvalue())
    return True


def _read_me(products: Sequence[tuple[str, Path]]) -> str:
    renamed = [(name, line_word(name)) for name, _ in products if name != line_word(name)]
    words = [
        f"Salt horizons of {plural(len(products), 'line')}, one file for all.",
        "",
        "*.dat        line CDP X Y Z probability; crossings: line CDP X Y Z number body",
        "*.csv        the same with a header line, where --formats csv was given",
        "",
        "The README of each line's own products says more of the columns.",
        *(f"line {name!r} is written as {word}" for name, word in renamed),
    ]
    return "\n".join([*words, ""])


def refuse_same_names(names: Sequence[str]) -> None:
    """Refuse lines whose names are the same once they are one word each.

    Raises:
        DataError: two lines would be one in the merged files.
    """
    owners: dict[str, str] = {}
    for name in names:
        first = owners.setdefault(line_word(name), name)
        if first != name:
            raise DataError(
                f"the lines {first!r} and {name!r} would both be called {line_word(name)}",
                expected="lines whose names differ by more than spaces",
                fix="rename one of the folders of predictions",
            )
