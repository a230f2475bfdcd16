"""Tables of numbers in text files, as programs for interpretation export them.

Columns may be separated by spaces, tabs, commas or semicolons, decimals by a point or a comma.
Headers may stand in comments (OpendTect, Petrel) or in the first line. The words of a CHARISMA file
name its columns. A blank line, or one that starts with `>`, begins a new part.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.text import listing, plural

MAX_BYTES = 2 * 1024**3
"""Largest text file that is read."""

_LARGE = 2**18
"""Bytes from which NumPy reads a table of plain numbers."""
_HEAD = 200
_SNIFFED = 4096
_COMMENT = ("#", "!", "//", "%", "*", "@")
_END = frozenset({"EOD", "EOF", "END"})
_MISSING = frozenset({"", "-", "*", "null", "none", "na", "n/a"})
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?$")
_SEPARATOR = {999.0}
"""A line of these ends a polygon in IRAP's format."""
_TOKEN = re.compile(r'"[^"]*"|\'[^\']*\'|\S+')
_WORD = re.compile(r"(?i)\b(inline|crossline|xline|cdp|trace)\s*:")
_LISTED = re.compile(r"^\s*(?:Field:\s*(\d+)|(\d+)\s*[:=])\s*(.+)$")

_MEANINGS: dict[str, tuple[str, ...]] = {
    "inline": ("inline", "iline", "inl", "il", "inlinenumber", "inlineno"),
    "crossline": ("crossline", "xline", "crl", "xl", "crosslinenumber", "xlineno", "crlno"),
    "cdp": ("cdp", "cmp", "trace", "tracenr", "traceno", "tracenumber", "cdpnumber", "trc"),
    "x": ("x", "easting", "xcoord", "xcoordinate", "cdpx", "xworld", "longitude"),
    "y": ("y", "northing", "ycoord", "ycoordinate", "cdpy", "yworld", "latitude"),
    "z": (
        "z",
        "twt",
        "time",
        "depth",
        "tvd",
        "tvdss",
        "zvalue",
        "twttime",
        "elevation",
        "twowaytime",
    ),
    "name": ("name", "horizon", "horizonname", "surface"),
    "line": ("line", "linename", "profile"),
    "part": ("polygon", "polygonid", "part", "segment", "poly", "ring", "id"),
    "class": ("class", "label", "kind"),
    "number": ("number", "crossing"),
    "body": ("body",),
}
_MEANING = {word: meaning for meaning, words in _MEANINGS.items() for word in words}
_UNITS = {
    "ms": "ms",
    "msec": "ms",
    "milliseconds": "ms",
    "s": "s",
    "sec": "s",
    "seconds": "s",
    "m": "m",
    "meter": "m",
    "meters": "m",
    "metre": "m",
    "metres": "m",
    "km": "km",
    "ft": "ft",
    "feet": "ft",
}


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of a text file.

    Attributes:
        path: the file.
        values: `float64 (rows, columns)`; NaN where a column holds words or nothing.
        words: columns that hold words, each with the word of every row.
        meanings: what each column is (`inline`, `x`, `z` …), empty where unknown; () without a
            header.
        z_unit: unit of z that a header gives.
        lines: `int64 (rows,)`, line number of each row, from 1.
        parts: `int64 (rows,)`, number of the part of each row, from 0.
    """

    path: Path
    values: NDArray[np.float64]
    words: dict[int, tuple[str, ...]]
    meanings: tuple[str, ...]
    z_unit: str | None
    lines: NDArray[np.int64]
    parts: NDArray[np.int64]

    def column(self, meaning: str) -> int | None:
        """The column that a header says is this; None where none does."""
        return self.meanings.index(meaning) if meaning in self.meanings else None

    def take(self, rows: NDArray[np.bool_]) -> Table:
        """Some of the rows."""
        kept = np.flatnonzero(rows).tolist()
        words = {column: tuple(all_[row] for row in kept) for column, all_ in self.words.items()}
        return Table(
            self.path,
            self.values[rows],
            words,
            self.meanings,
            self.z_unit,
            self.lines[rows],
            self.parts[rows],
        )


@dataclass
class _Rows:
    """Rows and header as they are met."""

    rows: list[Sequence[float]] = field(default_factory=list)
    words: list[dict[int, str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)
    header: list[str] = field(default_factory=list)
    listed: dict[int, str] = field(default_factory=dict)
    part: int = 0
    broken: bool = False

    def add(self, line: int, numbers: Sequence[float], words: dict[int, str] | None = None) -> None:
        if self.broken and self.rows:
            self.part += 1
        self.broken = False
        self.rows.append(numbers)
        self.lines.append(line)
        self.parts.append(self.part)
        if words:
            self.words.extend({} for _ in range(len(self.rows) - 1 - len(self.words)))
            self.words.append(words)


def read_table(path: Path, *, most: int | None = None) -> Table:
    """Read a text file of numbers.

    Args:
        path: the file.
        most: lines read at most, None for all.

    Raises:
        DataError: it cannot be read, holds no numbers, or a line that is unlike the others.
    """
    if most is None and path.exists() and path.stat().st_size > _LARGE:
        table = _bulk(path)
        if table is not None:
            return table
    found = _Rows()
    for number, line in enumerate(islice(_lines(path), most), 1):
        try:
            numbers = tuple(map(float, line.split()))
        except ValueError:
            _read_odd(found, path, number, line)
            continue
        if numbers and set(numbers) != _SEPARATOR:
            found.add(number, numbers)
        else:
            found.broken = True
    if not found.rows:
        raise DataError(
            f"{path} holds no numbers",
            expected="a text file of picks or vertices, one a line",
            fix="export the labels again",
        )
    return _table(path, found)


def _bulk(path: Path) -> Table | None:
    """A large table of plain numbers, read by NumPy: ten times as fast as line by line.

    Returns:
        None where a line is not plain, a header stands outside comments, or parts are told apart.
    """
    head = read_table(path, most=_HEAD)
    text = path.read_text(encoding=encoding_of(path), errors="replace")
    if head.words or re.search(r"^\s*(?:>|$)|^\s*999(?:\.0*)?\s", text.rstrip(), re.MULTILINE):
        return None
    if _WORD.search(text[:_SNIFFED]):
        text = _WORD.sub(" ", text)
    try:
        values = np.loadtxt(io.StringIO(text), ndmin=2)
    except ValueError:
        return None
    if values.shape[1] != head.values.shape[1]:
        return None
    first = int(head.lines[0])
    lines = np.arange(first, first + len(values), dtype=np.int64)
    return replace(head, values=values, lines=lines, parts=np.zeros(len(values), np.int64))


def _lines(path: Path) -> Iterator[str]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(
                f"{path} has more than {MAX_BYTES // 1024**3} GiB",
                expected="a text file of labels",
                fix="export fewer lines",
            )
        with path.open(encoding=encoding_of(path), errors="replace") as stream:
            yield from stream
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}",
            expected="a text file of labels",
            fix="correct the path",
        ) from None


def encoding_of(path: Path) -> str:
    """UTF-16 where a file begins with its mark, as some programs on Windows write; else UTF-8."""
    with path.open("rb") as stream:
        head = stream.read(2)
    return "utf-16" if head in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def _read_odd(found: _Rows, path: Path, number: int, line: str) -> None:
    """Take in a line that is not numbers between spaces."""
    if _special(found, line, number):
        return
    tokens = _tokens(line)
    numbers, words = _numbers(tokens)
    if np.isfinite(numbers).sum() + _missing(tokens) >= 2:
        found.add(number, numbers, words)
    elif found.rows:
        raise _unreadable(path, number, line)
    else:
        _header(found, _header_tokens(line.strip()))


def _header(found: _Rows, tokens: list[str]) -> None:
    if sum(bool(_meaning(token)) for token in tokens) >= 2:
        found.header = tokens


def _special(found: _Rows, line: str, number: int) -> bool:
    """Take in a line of no plain numbers: comment, separator, end mark, CHARISMA."""
    text = line.strip()
    if text.startswith(">"):
        found.broken = True
        return True
    if text.startswith(_COMMENT):
        _comment(found, text.lstrip("#!/%*@").strip())
        return True
    if text.upper() in _END:
        return True
    if _WORD.search(text):
        named = [word.lower() for word in _WORD.findall(text)]
        try:
            numbers = tuple(map(float, _WORD.sub(" ", text).split()))
        except ValueError:
            return False
        if len(numbers) <= len(named):
            return False
        found.add(number, numbers)
        rest = ["x", "y", "z"] if len(numbers) - len(named) >= 3 else ["z"]
        found.header = [*named, *rest]
        return True
    return False


def _comment(found: _Rows, text: str) -> None:
    """A column named in a comment: `3: Z (ms)`, `Field: 3 z ms`, or all of them in one line."""
    listed = _LISTED.match(text)
    if listed:
        name = listed[3].strip()
        if _meaning(name):
            found.listed[int(listed[1] or listed[2]) - 1] = name
        return
    _header(found, _header_tokens(text))


def _header_tokens(text: str) -> list[str]:
    """Names of columns; a unit in brackets stays with its name."""
    text = re.sub(r"\s+(?=[\[(][^\])]*[\])])", "", text)
    return _tokens(text)


def _tokens(line: str) -> list[str]:
    """The fields of a line, decimal commas made points."""
    text = line.strip()
    if ";" in text:
        return [_point(token) for token in text.rstrip(";").split(";")]
    if "\t" in text and "," not in text:
        return [token.strip().strip("\"'") for token in text.split("\t") if token.strip()]
    tokens = [token.strip("\"'") for token in _TOKEN.findall(text)]
    if "," not in text:
        return tokens
    commas = [token for token in tokens if "," in token]
    if len(tokens) > 1 and all(_DECIMAL_COMMA.match(token) for token in commas):
        return [_point(token) for token in tokens]
    try:
        fields = next(csv.reader([text.rstrip(",")]))
    except csv.Error:
        return tokens
    return [field_.strip().strip("\"'") for field_ in fields]


def _point(token: str) -> str:
    token = token.strip().strip("\"'")
    return token.replace(",", ".") if _DECIMAL_COMMA.match(token) else token


def _numbers(tokens: Sequence[str]) -> tuple[list[float], dict[int, str]]:
    """Numbers of a line, NaN for words; and the words by column."""
    numbers, words = [], {}
    for column, token in enumerate(tokens):
        try:
            numbers.append(float(token))
        except ValueError:
            numbers.append(np.nan)
            if token.lower() not in _MISSING:
                words[column] = token
    return numbers, words


def _missing(tokens: Sequence[str]) -> int:
    return sum(token.lower() in _MISSING or token.lower() == "nan" for token in tokens)


def _table(path: Path, found: _Rows) -> Table:
    counts = [len(row) for row in found.rows]
    width = max(set(counts), key=counts.count)
    for place, count in enumerate(counts):
        if count != width:
            raise DataError(
                f"{path}, line {found.lines[place]}: {plural(count, 'column')}, where most lines "
                f"have {width}",
                expected="the same columns in every line",
                fix="correct the line, or export the labels again",
            )
    words: dict[int, tuple[str, ...]] = {}
    for column in sorted({column for row in found.words for column in row}):
        texts = [row.get(column, "") for row in found.words]
        texts += [""] * (len(found.rows) - len(texts))
        empty = next((place for place, text in enumerate(texts) if not text), None)
        if empty is not None and _numeric(found.rows[empty][column]):
            odd = next(place for place, text in enumerate(texts) if text)
            raise DataError(
                f"{path}, line {found.lines[odd]}: {texts[odd]!r} is not a number",
                expected=f"a number in column {column + 1}, as in other lines",
                fix="correct the line, or export the labels again",
            )
        words[column] = tuple(texts)
    names = [found.listed.get(column, "") for column in range(width)]
    if not found.listed and len(found.header) == width:
        names = found.header
    elif not found.listed and found.header and len(found.header) < width and not words:
        names = [*found.header, *[""] * (width - len(found.header))]
    meanings = tuple(_meaning(name) for name in names)
    return Table(
        path=path,
        values=np.array(found.rows, np.float64).reshape(len(found.rows), width),
        words=words,
        meanings=_once(meanings) if any(meanings) else (),
        z_unit=_unit(names, meanings),
        lines=np.array(found.lines, np.int64),
        parts=np.array(found.parts, np.int64),
    )


def _numeric(value: float) -> bool:
    return not np.isnan(value)


def _once(meanings: Sequence[str]) -> tuple[str, ...]:
    """Meanings with repeats left out."""
    return tuple(
        meaning if meaning not in meanings[:place] else "" for place, meaning in enumerate(meanings)
    )


def _meaning(name: str) -> str:
    """What a column of this name is; empty where unknown."""
    bare = re.sub(r"[\[(].*", "", name.lower())
    words = re.findall(r"[a-z]+", bare)
    joined = "".join(words)
    if joined in _MEANING:
        return _MEANING[joined]
    last = words[-1] if words else ""
    return _MEANING.get(words[0], "") if len(words) > 1 and last in _UNITS else ""


def _unit(names: Sequence[str], meanings: Sequence[str]) -> str | None:
    for name, meaning in zip(names, meanings, strict=True):
        if meaning == "z":
            found = re.search(r"[\[(\s_]([a-z]+)[\])]?$", name.lower().strip())
            return _UNITS.get(found[1]) if found else None
    return None


def _unreadable(path: Path, number: int, line: str) -> DataError:
    text = line.strip()
    return DataError(
        f"{path}, line {number}: {text[:60]!r} cannot be read",
        expected="numbers in columns, such as: inline crossline X Y Z",
        fix="correct the line, put # before a comment, or export the labels again",
    )


def own_line(table: Table, line: str) -> Table:
    """The rows of a 2D line where a column names the lines.

    Args:
        table: any table.
        line: name of the line.

    Raises:
        DataError: a column of lines, none of which is this one.
    """
    for column, texts in table.words.items():
        own = np.array([text.strip().lower() == line.lower() for text in texts])
        if own.any():
            return table.take(own)
        if column == table.column("line"):
            raise DataError(
                f"{table.path} is of the lines {listing(sorted(set(texts)))}, not of {line}",
                expected=f"labels of the line {line}",
                fix="export this line, or name the survey's file as the line",
            )
    return table
