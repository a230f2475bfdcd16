"""Labels of surveys: horizons, crossings, polygons and strokes in the formats of other programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from diapir.surveys import LabelOptions, read_labels
from diapir.surveys.labels.label_options import LABEL_KINDS, LABEL_UNITS
from diapir.surveys.labels.strokes import KIND
from tests.fuzz.mutate import hostile_json, pick, spoil_bytes, spoil_text, spoil_tree, to_json
from tests.fuzz.target import Rng, later
from tests.surveys.labels.made_labels import Geometry
from tests.surveys.made_salt import line_grid, volume_grid, without_coordinates


class Inputs:
    def __init__(self, home: Path) -> None:
        grid = volume_grid((8, 9, 40), domain="time")
        self._surveys = (
            Geometry(grid), Geometry(without_coordinates(grid)), Geometry(line_grid(20, 40)),
        )  # fmt: skip

    def make(self, rng: Rng, folder: Path) -> Callable[[], object]:
        survey = pick(rng, self._surveys)
        for name in pick(rng, (("made_top",), ("made_top", "made_base"), ("made_polygon",))):
            kind = int(rng.integers(4))
            if kind == 3:
                path = folder / f"{name}{pick(rng, ('.json', '.geojson'))}"
                _write_json(rng, path, pick(rng, (_strokes(), _geojson(survey))))
                continue
            suffix = pick(rng, (".dat", ".xyz", ".csv", ".txt", ".irap", ".charisma", ".pol"))
            text = _table(rng, survey, below=20 * ("base" in name))
            if rng.random() < 0.6:
                text = spoil_text(rng, text, most=5)
            content = text.encode(pick(rng, ("utf-8", "utf-8", "utf-16", "utf-8-sig")), "replace")
            if rng.random() < 0.2:
                content = spoil_bytes(rng, content)
            (folder / f"{name}{suffix}").write_bytes(content)
        options = LabelOptions(
            label_kind=pick(rng, ("auto", "auto", "auto", *LABEL_KINDS)),
            z_unit=pick(rng, (None, None, *LABEL_UNITS)),
            salt_thickness=pick(rng, (None, 40.0, 40.0, 1e9)),
            unpicked=pick(rng, ("unknown", "background")),
            label_sections=pick(rng, (64, 1)),
        )
        return lambda: [section.mask for section in read_labels(folder, survey, options)]


def _table(rng: Rng, survey: Geometry, *, below: int) -> str:
    """Picks of a horizon, with the columns and the header of some program."""
    grid = survey.grid
    rows = []
    parts = ("header", "xyz", "bins", "all", "polygon")
    kind = pick(rng, parts)
    if kind == "header":
        rows.append(
            pick(rng, ("x,y,z", "inline crossline time", "# X Y TWT", "line\tx\ty\tz", "x;y;z"))
        )
    comma = pick(rng, (" ", ",", "\t", ";", "   "))
    for i, inline in enumerate(grid.inlines[:4]):
        for x, crossline in enumerate(grid.crosslines[:9]):
            z = grid.start + grid.interval * (10 + below + np.sin(i + x))
            at = (f"{grid.easting[i, x]:.2f}", f"{grid.northing[i, x]:.2f}")
            columns = {
                "bins": (inline, crossline, f"{z:.2f}"),
                "all": ("made", inline, crossline, *at, f"{z:.2f}"),
                "polygon": (*at, f"{z + 8 * (x % 2):.2f}", i),
            }.get(kind, (*at, f"{z:.2f}"))
            rows.append(comma.join(map(str, columns)))
    if pick(rng, (False, False, True)):
        head = ("-996 4 12.5 25", "500000 500100 6000000 6000200", "9 0 500000 6000000")
        rows = [*head, "0 0 0 0 0 0 0", *rows]
    return "\n".join(rows) + "\n"


def _strokes() -> Any:
    stroke = {"label": "salt", "points": [[301, 220.0], [304, 260.0], [302, 300.0]], "width": 3}
    return {
        "kind": KIND, "format": 1,
        "sections": [{"inline": 104, "strokes": [stroke, stroke | {"label": "not salt"}]}],
    }  # fmt: skip


def _geojson(survey: Geometry) -> Any:
    east, north = survey.grid.easting[0, :3], survey.grid.northing[0, :3]
    ring = [
        [float(x), float(y), 220.0 + 30 * n]
        for n, (x, y) in enumerate(zip(east, north, strict=True))
    ]
    feature = {
        "type": "Feature", "properties": {"inline": 104, "label": "salt"},
        "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
    }  # fmt: skip
    return {"type": "FeatureCollection", "features": [feature]}


def _write_json(rng: Rng, path: Path, tree: Any) -> None:
    if (own := later(rng, 0.2)) is not None:
        path.write_bytes(hostile_json(own, tree))
    elif rng.random() < 0.2:
        path.write_bytes(spoil_bytes(rng, json.dumps(tree).encode()))
    else:
        path.write_text(to_json(spoil_tree(rng, tree) if rng.random() < 0.9 else tree))
