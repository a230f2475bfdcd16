"""Polygons drawn on sections, read from text and from JSON like GeoJSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.surveys.labels.columns import Columns, coordinates, find_columns
from diapir.surveys.labels.label_options import LabelOptions
from diapir.surveys.labels.placing import WHOLE, Floats, Indices, Placing, span
from diapir.surveys.labels.raster import Points
from diapir.surveys.labels.section_labels import Axis
from diapir.surveys.labels.strokes import read_json
from diapir.surveys.labels.text_table import Table, own_line, read_table
from diapir.surveys.labels.vertical_units import to_samples, vertical_unit, without_nulls
from diapir.text import listing

_OFF_LINE = 0.5
"""Spacings by which coordinates of vertices may miss the line they are drawn on."""
_FEWEST = 3
_NOT_SALT = frozenset({"not salt", "notsalt", "not_salt", "background", "no salt", "0"})
_SALT = frozenset({"salt", "1", ""})


@dataclass(frozen=True, eq=False)
class Polygon:
    """A polygon on a section.

    Attributes:
        axis: axis of the section.
        index: its index along that axis.
        ring: `float64 (n, 2)`, fractional index of the trace, and fractional sample.
        holes: likewise, each a ring.
        salt: whether it outlines salt; otherwise what is not salt.
        source: file and place in it, for messages.
    """

    axis: Axis
    index: int
    ring: Points
    holes: tuple[Points, ...]
    salt: bool
    source: str


@dataclass(frozen=True, eq=False)
class Vertices:
    """Vertices before they are split into rings.

    Attributes:
        inline: `float64 (n,)`, fractional index along the inline axis.
        crossline: likewise.
        z: as in the file.
    """

    inline: Floats
    crossline: Floats
    z: Floats


def read_polygons(
    path: Path, placing: Placing, options: LabelOptions
) -> tuple[list[Polygon], list[str]]:
    """Read the polygons of a file.

    Text: one vertex a line, as inline, crossline and z, as CDP and z, or as X, Y and z. A new
    polygon begins after a blank line, a line with `>`, another value in a column named polygon, a
    vertex that closes the ring, and where the section changes. JSON: GeoJSON features, each with
    the number of its section in `properties`.

    Returns:
        The polygons, and notes.

    Raises:
        DataError: the file cannot be read, or a polygon lies on no section of the survey.
    """
    if is_json(path):
        return _from_json(path, placing, options)
    return _from_text(path, placing, options)


def is_json(path: Path) -> bool:
    """Whether a file begins as JSON does."""
    with path.open("rb") as stream:
        return stream.read(256).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def _from_text(
    path: Path, placing: Placing, options: LabelOptions
) -> tuple[list[Polygon], list[str]]:
    table = read_table(path)
    if placing.line:
        table = own_line(table, placing.name)
    columns = find_columns(table, placing, vertices=True)
    z = without_nulls(table.values[:, columns.z])
    unit = vertical_unit(z, placing.grid, options.z_unit or table.z_unit, [path])
    notes = [note for note in (columns.note, unit.note) if note]
    vertices = positions(table, columns, placing)
    off = np.flatnonzero(~np.isfinite(vertices.inline + vertices.crossline))
    if len(off):
        raise DataError(
            f"{path}, line {table.lines[off[0]]}: the vertex is not near a trace of the survey",
            expected=f"vertices in a survey with {placing.extent()}",
            fix="give the labels of this survey, or vertices by number of the trace",
        )
    samples = to_samples(z * unit.factor, placing.grid)
    parts = _parts(table, columns)
    found: list[Polygon] = []
    for rows in _runs(parts, vertices):
        source = f"{path}, line {table.lines[rows[0]]}"
        axis, index = _section(vertices, rows, placing, source)
        across = vertices.crossline if axis == "inline" else vertices.inline
        points = np.stack([across[rows], samples[rows]], axis=1)
        salt = _class_of(table, int(rows[0]), source)
        for ring in _rings(points):
            if len(ring) < _FEWEST or not np.isfinite(ring).all():
                raise _too_few(source, len(ring))
            found.append(Polygon(axis, index, ring, (), salt, source))
    return found, notes


def positions(table: Table, columns: Columns, placing: Placing) -> Vertices:
    """Fractional indices of the vertices along both axes, NaN where no trace is near."""
    z = table.values[:, columns.z]
    if columns.crossline is not None:
        crossline = placing.position("crossline", table.values[:, columns.crossline])
        if columns.inline is None:
            return Vertices(np.zeros(len(z)), crossline, z)
        return Vertices(placing.position("inline", table.values[:, columns.inline]), crossline, z)
    xy = coordinates(table, columns)
    assert xy is not None  # noqa: S101 - columns have numbers or coordinates
    if placing.line:
        _, across, _ = placing.at(*xy)
        return Vertices(np.zeros(len(z)), np.where(across < 0, np.nan, across), z)
    return Vertices(*placing.fractional(*xy), z)


def _parts(table: Table, columns: Columns) -> Indices:
    """Number of the part of each row: by blank lines and by a column of polygons."""
    keys: list[NDArray[Any]] = [table.parts]
    column = table.column("part")
    if column is None and not table.meanings and columns.z + 1 < table.values.shape[1]:
        column = columns.z + 1  # a number after z, where nothing says what it is
    if column is not None and column in table.words:
        keys.append(np.unique(np.array(table.words[column]), return_inverse=True)[1])
    elif column is not None:
        keys.append(table.values[:, column])
    changed = np.zeros(len(table.values), np.bool_)
    for key in keys:
        changed[1:] |= key[1:] != key[:-1]
    return np.cumsum(changed)


def _runs(parts: Indices, vertices: Vertices) -> Iterator[Indices]:
    """Rows of each part; of a part over several sections, the rows of each section."""
    for part in range(int(parts[-1]) + 1):
        rows = np.flatnonzero(parts == part)
        for along in (vertices.inline, vertices.crossline):
            changes = np.flatnonzero(np.abs(np.diff(along[rows])) > _OFF_LINE) + 1
            runs = np.split(rows, changes)
            if all(len(run) >= _FEWEST for run in runs):
                yield from runs
                break
        else:
            yield rows


def _section(vertices: Vertices, rows: Indices, placing: Placing, source: str) -> tuple[Axis, int]:
    """The section that vertices are drawn on.

    Raises:
        DataError: they lie on no single section, or on one that the survey does not have.
    """
    if placing.line:
        return "inline", 0
    axes: tuple[Axis, ...] = ("inline", "crossline")
    for axis in axes:
        along = (vertices.inline if axis == "inline" else vertices.crossline)[rows]
        if not np.isfinite(along).all() or np.ptp(along) > _OFF_LINE:
            continue
        index = round(float(np.median(along)))
        count = len(placing.numbers(axis))
        if not 0 <= index < count or np.abs(along - index).max() > _OFF_LINE:
            raise DataError(
                f"{source}: the polygon is on no {axis} of the survey",
                expected=f"polygons on sections of a survey with {placing.extent()}",
                fix="give the labels of this survey",
            )
        return axis, index
    flat = np.ptp(vertices.z[rows]) == 0
    raise DataError(
        f"{source}: the polygon is drawn on "
        + ("a time or depth slice" if flat else "neither one inline nor one crossline"),
        expected="polygons on an inline or a crossline",
        fix="draw the polygons on inlines or crosslines; separate polygons by a blank line",
    )


def _rings(points: Points) -> Iterator[Points]:
    """Split vertices where they return to the first one of a ring."""
    start = 0
    place = 1
    while place < len(points):
        if place - start >= _FEWEST and np.array_equal(points[place], points[start]):
            yield points[start:place]
            start = place + 1
            place = start
        place += 1
    if start < len(points):
        yield points[start:]


def _class_of(table: Table, row: int, source: str) -> bool:
    column = table.column("class")
    if column is None:
        return True
    if column in table.words:
        return is_salt(table.words[column][row], source)
    return is_salt(f"{table.values[row, column]:g}", source)


def is_salt(name: object, source: str) -> bool:
    """Whether the class of a polygon is salt.

    Raises:
        DataError: it is neither salt nor not salt.
    """
    text = str(name).strip().lower()
    if text in _SALT:
        return True
    if text in _NOT_SALT:
        return False
    raise DataError(
        f"{source}: class {name!r} is unknown",
        expected="salt or not salt",
        fix="correct the class, or leave the polygon out",
    )


def _from_json(
    path: Path, placing: Placing, options: LabelOptions
) -> tuple[list[Polygon], list[str]]:
    features = list(_features(read_json(path), path))
    raw = [_feature(feature, f"{path}, feature {place}", placing) for place, feature in features]
    polygons = [polygon for some in raw for polygon in some]
    if not polygons:
        raise DataError(
            f"{path} holds no polygon of {placing.name or 'the survey'}",
            expected="GeoJSON features with Polygon or MultiPolygon geometries",
            fix="correct the file",
        )
    z = np.concatenate([ring[:, 1] for one in polygons for ring in (one.ring, *one.holes)])
    unit = vertical_unit(z, placing.grid, options.z_unit, [path])

    def scaled(ring: Points) -> Points:
        return np.stack([ring[:, 0], to_samples(ring[:, 1] * unit.factor, placing.grid)], axis=1)

    found = [
        replace(one, ring=scaled(one.ring), holes=tuple(map(scaled, one.holes))) for one in polygons
    ]
    return found, [unit.note] if unit.note else []


def _features(content: object, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if isinstance(content, dict) and content.get("type") == "Feature":
        content = [content]
    elif isinstance(content, dict):
        content = content.get("features")
    if not isinstance(content, list):
        raise DataError(
            f"{path} has no list of features",
            expected='GeoJSON: {"type": "FeatureCollection", "features": […]}',
            fix="correct the file",
        )
    for place, feature in enumerate(content, 1):
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        if not isinstance(geometry, dict) or not isinstance(feature.get("properties", {}), dict):
            raise DataError(
                f"{path}, feature {place} has no geometry",
                expected='{"type": "Feature", "properties": {"inline": 241}, "geometry": '
                '{"type": "Polygon", "coordinates": [[[300, 812], …]]}}',
                fix="correct the file",
            )
        yield place, feature


def _feature(feature: Mapping[str, Any], source: str, placing: Placing) -> list[Polygon]:
    """Polygons of a feature, z as in the file; none where it is of another line."""
    geometry, properties = feature["geometry"], feature.get("properties") or {}
    line = properties.get("line")
    if placing.line and isinstance(line, str) and line.lower() != placing.name.lower():
        return []
    coordinates_ = geometry.get("coordinates")
    polygons = [coordinates_] if geometry.get("type") == "Polygon" else coordinates_
    if geometry.get("type") not in ("Polygon", "MultiPolygon") or not polygons:
        raise DataError(
            f"{source} is a {geometry.get('type')}",
            expected="a Polygon or a MultiPolygon",
            fix="leave it out, or close it to a polygon",
        )
    salt = is_salt(properties.get("class", properties.get("label", "salt")), source)
    found = []
    for rings in polygons:
        if not isinstance(rings, list) or not rings:
            raise DataError(
                f"{source}: {str(rings)[:40]} is not a list of rings",
                expected="[outer ring, hole, …], each a list of vertices",
                fix="correct the file",
            )
        read = [_ring(ring, properties, placing, source) for ring in rings]
        axis, index, outer = read[0]
        if any(one[:2] != (axis, index) for one in read):
            raise DataError(
                f"{source}: its rings are on different sections",
                expected="a polygon and its holes on one section",
                fix="correct the file",
            )
        found.append(Polygon(axis, index, outer, tuple(one[2] for one in read[1:]), salt, source))
    return found


def _ring(
    ring: object, properties: Mapping[str, Any], placing: Placing, source: str
) -> tuple[Axis, int, Points]:
    """Section and vertices of one ring."""
    try:
        points = np.array(ring, np.float64)
    except (TypeError, ValueError):
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1] not in (2, 3) or not np.isfinite(points).all():
        raise DataError(
            f"{source}: a ring is not a list of points of two or three numbers",
            expected="[trace number, time or depth], or [inline, crossline, time or depth]",
            fix="correct the file",
        )
    if len(points) and np.array_equal(points[0], points[-1]):
        points = points[:-1]
    if len(points) < _FEWEST:
        raise _too_few(source, len(points))
    if points.shape[1] == 3:
        vertices = Vertices(
            placing.position("inline", points[:, 0]),
            placing.position("crossline", points[:, 1]),
            points[:, 2],
        )
        axis, index = _section(vertices, np.arange(len(points)), placing, source)
        across = vertices.crossline if axis == "inline" else vertices.inline
    else:
        axis, index = _property_section(properties, placing, source)
        along: Axis = "crossline" if axis == "inline" else "inline"
        across = placing.position(along, points[:, 0])
    return axis, index, np.stack([across, points[:, -1]], axis=1)


def _property_section(
    properties: Mapping[str, Any], placing: Placing, source: str
) -> tuple[Axis, int]:
    if placing.line:
        return "inline", 0
    named = {
        axis: properties[axis]
        for axis in ("inline", "crossline")
        if properties.get(axis) is not None
    }
    if len(named) != 1:
        raise DataError(
            f"{source} does not say its section; its properties are {listing(sorted(properties))}",
            expected='"properties": {"inline": NUMBER} or {"crossline": NUMBER}',
            fix="add the number of the section",
        )
    ((name, number),) = named.items()
    axis: Axis = "inline" if name == "inline" else "crossline"
    index = -1
    if isinstance(number, int | float) and abs(number - round(number)) <= WHOLE:
        index = int(placing.index(axis, np.array([number], np.float64))[0])
    if index < 0:
        raise DataError(
            f"{source}: the survey has no {axis} {number}",
            expected=f"sections of a survey with {axis}s {span(placing.numbers(axis))}",
            fix="give the labels of this survey",
        )
    return axis, index


def _too_few(source: str, count: int) -> DataError:
    return DataError(
        f"{source}: a polygon of {count} vertices",
        expected="three vertices or more, each with a position and a time or depth",
        fix="correct the polygon, or leave it out",
    )
