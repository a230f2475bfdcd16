"""Strokes of a brush and areas on sections: the file format, its reader and its writer.

A stroke says of the pixels under it that they are salt, not salt or unknown, and an area of those
inside its polygon. They are drawn one after the other: a later one covers an earlier one, and
`unknown` is the eraser. Positions are data
coordinates, so that strokes do not depend on how a section was shown: numbers of traces (crossline
numbers on an inline, inline numbers on a crossline, CDPs on a line) and time in ms or depth in m.
On a picture, which has neither, they are pixels from the centre of the top left one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    computed_field,
    model_validator,
)

from diapir.errors import DataError
from diapir.files import replace_file
from diapir.json_text import parse_json
from diapir.text import listing

FORMAT: Literal[2] = 2
"""Latest version of the format, with areas; files without areas are written in version 1."""
KIND: Literal["diapir strokes"] = "diapir strokes"

StrokeLabel = Literal["salt", "not salt", "unknown"]

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Size = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Point = tuple[_Finite, _Finite]
_MODEL = ConfigDict(frozen=True, extra="ignore", strict=False)


class Stroke(BaseModel):
    """One stroke.

    Attributes:
        label: what it says.
        width: width of the brush in traces (not trace numbers), or in pixels.
        height: height of the brush in ms or m, or in pixels.
        points: trace number, and time or depth; x and y in pixels on a picture. The brush moves
            along straight lines between them.
    """

    model_config = _MODEL

    label: StrokeLabel
    width: _Size
    height: _Size
    points: Annotated[tuple[_Point, ...], Field(min_length=1)]

    @property
    def places(self) -> tuple[_Point, ...]:
        """Its points."""
        return self.points


class Area(BaseModel):
    """A filled polygon: the pixels whose centres lie inside it.

    Attributes:
        label: what it says.
        polygon: corners, as the points of a stroke; closed by itself. Where it crosses itself, the
            even-odd rule holds. It may leave the section.
    """

    model_config = _MODEL

    label: StrokeLabel
    polygon: Annotated[tuple[_Point, ...], Field(min_length=3)]

    @property
    def places(self) -> tuple[_Point, ...]:
        """Its corners."""
        return self.polygon


def _drawn_kind(drawn: Any) -> str:
    has = "polygon" in drawn if isinstance(drawn, dict) else isinstance(drawn, Area)
    return "area" if has else "stroke"


Drawn = Annotated[
    Annotated[Stroke, Tag("stroke")] | Annotated[Area, Tag("area")], Discriminator(_drawn_kind)
]
"""A stroke, or an area."""


class StrokeSection(BaseModel):
    """The strokes and areas on one section, in the order drawn.

    Attributes:
        inline: number of the inline, or None.
        crossline: number of the crossline, or None.
        line: name of the 2D line, its file without suffix, or None.
        picture: name of the picture, its file with or without suffix, or None.
        strokes: the strokes and areas.
    """

    model_config = _MODEL

    inline: int | None = None
    crossline: int | None = None
    line: str | None = None
    picture: str | None = None
    strokes: tuple[Drawn, ...]

    @model_validator(mode="after")
    def _one_section(self) -> Self:
        keys = [key for key in ("inline", "crossline", "line", "picture") if self._has(key)]
        if len(keys) != 1:
            found = " and ".join(keys) if keys else "none of them"
            raise ValueError(f"one of inline, crossline, line and picture is needed, not {found}")
        return self

    def _has(self, key: str) -> bool:
        return getattr(self, key) is not None

    @property
    def name(self) -> str:
        """The section in words: inline 241, picture test1_0."""
        return next(
            f"{key} {getattr(self, key)}"
            for key in ("inline", "crossline", "line", "picture")
            if self._has(key)
        )


class Strokes(BaseModel):
    """A file of strokes.

    Attributes:
        kind: what the file is.
        sections: one for each section that was drawn on; a section may occur more than once.
    """

    model_config = _MODEL

    kind: Literal["diapir strokes"] = KIND
    sections: tuple[StrokeSection, ...]

    @model_validator(mode="before")
    @classmethod
    def _known_format(cls, content: Any) -> Any:
        if isinstance(content, dict) and content.get("format", FORMAT) not in range(1, FORMAT + 1):
            raise ValueError(f"format {str(content['format'])[:40]} is not 1 or {FORMAT}")
        return content

    @computed_field  # type: ignore[prop-decorator]
    @property
    def format(self) -> int:
        """Version of the format: 2 where there are areas, which readers of version 1 ignore."""
        drawn = (one for section in self.sections for one in section.strokes)
        return 2 if any(isinstance(one, Area) for one in drawn) else 1


def write_strokes(path: Path, strokes: Strokes) -> None:
    """Write strokes as JSON, one stroke a line.

    Raises:
        OSError: the disk is full or not writable.
    """
    sections = []
    for section in strokes.sections:
        content = section.model_dump(mode="json", exclude_none=True)
        drawn = ",\n".join(f"      {json.dumps(stroke)}" for stroke in content.pop("strokes"))
        head = json.dumps(content, ensure_ascii=False)[:-1]
        sections.append(f'    {head}, "strokes": [\n{drawn}\n    ]}}')
    listed = ",\n".join(sections)
    replace_file(
        path,
        f'{{\n  "format": {strokes.format},\n  "kind": "{strokes.kind}",\n'
        f'  "sections": [\n{listed}\n  ]\n}}\n',
    )


def read_strokes(path: Path) -> Strokes:
    """Read strokes.

    Raises:
        DataError: not such a file, or of a later format; the error names the place in it.
    """
    content = read_json(path)
    version = content.get("format") if isinstance(content, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise DataError(
            f"{path} has format {version} of strokes, which is newer than this diapir",
            expected=f'"format": {FORMAT}',
            fix="update diapir",
        )
    try:
        return Strokes.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part not in ("stroke", "area"))
        wrong = str(first["msg"]).removeprefix("Value error, ")
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise DataError(
            f"{path} at {place or 'its top'}: {wrong}{more}",
            expected=f'strokes: "format": 1, "kind": "{KIND}", "sections": [{{"inline": 9, '
            '"strokes": [{"label": "salt", "width": 3, "height": 12, "points": [[300, 812.5]]}]}]',
            fix="correct the file",
        ) from None


def read_json(path: Path) -> object:
    """The content of a JSON file.

    Raises:
        DataError: it cannot be read, or is not JSON.
    """
    try:
        return parse_json(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}",
            expected="a JSON file of labels",
            fix="correct the path",
        ) from None
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {error.lineno}, column {error.colno}: {error.msg}",
            expected="JSON",
            fix="correct the file, or write it again",
        ) from None
    except ValueError as error:
        raise DataError(
            f"{path} is not JSON: {error}",
            expected="JSON in UTF-8",
            fix="write the file again",
        ) from None


def names(strokes: Strokes) -> str:
    """The first few sections in words."""
    return listing([section.name for section in strokes.sections])
