"""Labels from strokes: what is not stroked is not labelled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from diapir.config import IGNORE
from diapir.errors import DataError
from diapir.surveys.labels.placing import Placing, span
from diapir.surveys.labels.raster import Points, Shape, fill_polygon, paint_stroke
from diapir.surveys.labels.section_labels import Axis, Mask, SectionLabels
from diapir.surveys.labels.strokes import Area, Drawn, Strokes, StrokeSection, names, read_strokes
from diapir.surveys.labels.vertical_units import to_samples

_VALUES = {"salt": 1, "not salt": 0, "unknown": IGNORE}


def stroke_labels(paths: Sequence[Path], placing: Placing) -> tuple[list[SectionLabels], list[str]]:
    """Read strokes on the sections of a survey.

    Args:
        paths: files of strokes.
        placing: the survey; of a file for several 2D lines, its own line is used.

    Raises:
        DataError: a file that cannot be read, sections that the survey does not have, or a stroke
            outside its section.
    """
    found = []
    notes: list[str] = []
    for path in paths:
        strokes = read_strokes(path)
        drawn: dict[tuple[Axis, int], list[StrokeSection]] = {}
        for section in strokes.sections:
            place = _place(section, placing, path)
            if place is not None:
                drawn.setdefault(place, []).append(section)
        if not drawn:
            raise _none(path, strokes, f"strokes on a survey with {placing.extent()}", placing.name)
        for (axis, index), sections in drawn.items():
            mask = _draw(sections, axis, placing, path)
            found.append(SectionLabels(axis, index, mask, str(path)))
    return found, notes


def picture_strokes(path: Path, shapes: dict[Path, Shape]) -> dict[Path, Mask]:
    """Read strokes on pictures.

    Args:
        path: file of strokes.
        shapes: height and width of each picture.

    Returns:
        Mask by picture, for those that were drawn on.

    Raises:
        DataError: as `stroke_labels`.
    """
    strokes = read_strokes(path)
    named = {picture.name: picture for picture in shapes}
    named |= {picture.stem: picture for picture in shapes}
    found: dict[Path, Mask] = {}
    for section in strokes.sections:
        picture = named.get(section.picture or "")
        if picture is None:
            continue
        mask = found.setdefault(picture, np.full(shapes[picture], IGNORE, np.uint8))
        for drawn in section.strokes:
            _paint(mask, drawn, _points(drawn), 1.0, section, path)
    if not found:
        raise _none(path, strokes, "strokes on these pictures, by name", "")
    return found


def _place(section: StrokeSection, placing: Placing, path: Path) -> tuple[Axis, int] | None:
    """Axis and index of a section; None where it belongs to another line or a picture."""
    if section.picture is not None:
        return None
    if section.line is not None:
        same = section.line.lower() == placing.name.lower()
        return ("inline", 0) if placing.line and same else None
    axis: Axis = "inline" if section.inline is not None else "crossline"
    number = section.inline if section.inline is not None else section.crossline
    index = -1
    if not placing.line:
        index = int(placing.index(axis, np.array([number], np.float64))[0])
    if index < 0:
        raise DataError(
            f"{path}: the survey has no {section.name}",
            expected=f"sections of a survey with {placing.extent()}",
            fix="give the strokes of this survey",
        )
    return axis, index


def _draw(sections: Sequence[StrokeSection], axis: Axis, placing: Placing, path: Path) -> Mask:
    """The mask of one section of the survey."""
    grid = placing.grid
    across: Axis = "crossline" if axis == "inline" else "inline"
    mask = np.full((grid.samples, len(placing.numbers(across))), IGNORE, np.uint8)
    for section in sections:
        for drawn in section.strokes:
            x, z = _points(drawn).T
            points = np.stack([placing.position(across, x), to_samples(z, grid)], axis=1)
            _paint(mask, drawn, points, grid.interval, section, path)
    return mask


def _points(drawn: Drawn) -> Points:
    """Its points or corners in data coordinates, `float64 (n, 2)`."""
    return np.array(drawn.places, np.float64)


def _paint(
    mask: Mask,
    drawn: Drawn,
    points: Points,
    interval: float,
    section: StrokeSection,
    path: Path,
) -> None:
    """Draw one stroke or area over a mask.

    Args:
        mask: is drawn over.
        drawn: the stroke or area.
        points: its points in pixels.
        interval: height of a pixel, in the unit of a stroke's height.
        section: where it is drawn, for messages.
        path: its file, for messages.

    Raises:
        DataError: no pixel of it lies in the section.
    """
    if isinstance(drawn, Area):
        painted = fill_polygon([points], mask.shape)
    else:
        painted = paint_stroke(points, (drawn.width, drawn.height / interval), mask.shape)
    if not painted.any():
        area = isinstance(drawn, Area)
        what = f"{'an area' if area else 'a stroke'} of {drawn.label}"
        where = f"{'covers no sample of' if area else 'lies outside'} {section.name}"
        x, y = _points(drawn).T
        raise DataError(
            f"{path}: {what} {where}: {span(x)}, {span(y)}",
            expected="points on the section: number of the trace, and time or depth"
            if section.picture is None
            else "points on the picture, in pixels",
            fix="correct it, or give the strokes of this survey",
        )
    mask[painted] = _VALUES[drawn.label]


def _none(path: Path, strokes: Strokes, expected: str, line: str) -> DataError:
    drawn = names(strokes)
    here = f", none of which is {line}" if line and drawn else ""
    return DataError(
        f"{path} has strokes on {drawn or 'no section'}{here}",
        expected=expected,
        fix="give the strokes of these data",
    )
