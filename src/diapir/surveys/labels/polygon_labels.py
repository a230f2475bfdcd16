"""Labels from polygons: salt inside, and outside what the interpreter left out.

Who outlines salt on a section outlines all of it, so the rest of the section is not salt unless the
user says that it is unknown, or polygons say themselves what is not salt.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE
from diapir.errors import DataError
from diapir.surveys.labels.label_options import LabelOptions
from diapir.surveys.labels.placing import Placing, span
from diapir.surveys.labels.polygon_files import Polygon, read_polygons
from diapir.surveys.labels.raster import Points, Shape, fill_polygon
from diapir.surveys.labels.section_labels import Axis, SectionLabels
from diapir.text import integer


def polygon_labels(
    paths: Sequence[Path], placing: Placing, options: LabelOptions
) -> tuple[list[SectionLabels], list[str]]:
    """Read polygons as labels.

    All polygons of a section count together, whichever file they are from. A polygon inside another
    one of the same class is a hole in it; overlapping ones are one body.

    Raises:
        DataError: a file that cannot be read, a polygon on no section or outside it, or polygons of
            salt and of not salt that overlap.
    """
    notes: list[str] = []
    by_section: dict[tuple[Axis, int], list[Polygon]] = {}
    for path in paths:
        polygons, told = read_polygons(path, placing, options)
        notes += told
        for polygon in polygons:
            by_section.setdefault((polygon.axis, polygon.index), []).append(polygon)
    sections = [
        _section(axis, index, polygons, placing, options)
        for (axis, index), polygons in by_section.items()
    ]
    outlined = [all(one.salt for one in polygons) for polygons in by_section.values()]
    if options.outside is None and any(outlined):
        notes.append("outside the polygons nothing is salt; otherwise: --outside unknown")
    return sections, notes


def _section(
    axis: Axis, index: int, polygons: Sequence[Polygon], placing: Placing, options: LabelOptions
) -> SectionLabels:
    grid = placing.grid
    shape = grid.samples, len(grid.crosslines if axis == "inline" else grid.inlines)
    salt, rest = (
        fill_nested([one for one in polygons if one.salt is kind], shape) for kind in (True, False)
    )
    sources = list(dict.fromkeys(one.source.partition(", ")[0] for one in polygons))
    labels = SectionLabels(axis, index, np.empty(0, np.uint8), ", ".join(sources))
    both = int((salt & rest).sum())
    if both:
        raise DataError(
            f"polygons of salt and of not salt overlap on {labels.name(grid)}, in {integer(both)} "
            f"samples ({labels.source})",
            expected="polygons of different classes side by side",
            fix="cut one of them back",
        )
    outside = options.outside or ("background" if all(one.salt for one in polygons) else "unknown")
    mask = np.full(shape, 0 if outside == "background" else IGNORE, np.uint8)
    mask[salt], mask[rest] = 1, 0
    return SectionLabels(axis, index, mask, labels.source)


def fill_nested(polygons: Sequence[Polygon], shape: Shape) -> NDArray[np.bool_]:
    """The pixels of polygons of one class.

    Args:
        polygons: of one section; one inside another is a hole, one inside a hole an island.
        shape: samples and traces.

    Raises:
        DataError: a polygon that holds no sample of the section.
    """
    filled = np.zeros(shape, np.bool_)
    depths = [_depth(one, polygons) for one in polygons]
    for depth, one in sorted(zip(depths, polygons, strict=True), key=lambda pair: pair[0]):
        inside = fill_polygon((one.ring, *one.holes), shape)
        if not inside.any():
            x, y = one.ring.T
            raise DataError(
                f"{one.source}: the polygon holds no sample of its section (traces {span(x)}, "
                f"samples {span(y)}, counted from 0, of {shape[1]} × {shape[0]})",
                expected="a polygon that covers part of the section",
                fix="give the labels of this survey, and the unit of times or depths (--z-unit)",
            )
        filled = filled & ~inside if depth % 2 else filled | inside
    return filled


def _depth(one: Polygon, polygons: Sequence[Polygon]) -> int:
    """Number of polygons that a polygon lies in."""
    return sum(
        other is not one
        and bool(contains(other.ring, one.ring).all())
        and not np.array_equal(one.ring, other.ring)
        for other in polygons
    )


def contains(ring: Points, points: Points) -> NDArray[np.bool_]:
    """Which points lie inside a ring (even-odd rule), `bool (n,)`."""
    x, y = points.T
    inside = np.zeros(len(points), np.bool_)
    for (x0, y0), (x1, y1) in zip(ring.tolist(), np.roll(ring, -1, axis=0).tolist(), strict=True):
        if x0 == x1:
            continue
        spans = (min(x0, x1) <= x) & (x < max(x0, x1))
        above = y0 + (y1 - y0) * ((x - x0) / (x1 - x0)) <= y
        inside ^= spans & above
    return inside
