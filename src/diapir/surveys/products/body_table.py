"""The table of salt bodies."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from diapir.files import replace_file
from diapir.surveys.grid import Grid
from diapir.surveys.products.bins import Bins
from diapir.surveys.products.bodies import Bodies

_DIGITS = 3


def rows(
    bodies: Bodies, grid: Grid, bins: Bins | None, cell: tuple[float, str] | None
) -> list[dict[str, Any]]:
    """The rows of the table, one per body.

    Args:
        bodies: the largest first.
        grid: geometry of the survey.
        bins: its bins; None leaves areas empty.
        cell: volume (or area) of a sample and its unit; None leaves volumes empty.
    """
    unit = "" if grid.domain == "unknown" else f"_{grid.unit}"
    across = "cdp" if grid.kind == "2d" else "crossline"
    area = bins.area if bins else 0.0
    table = []
    for number, body in zip(bodies.numbers, bodies.table, strict=True):
        row: dict[str, Any] = {
            "body": number,
            "cells": int(body["cells"]),
            "cells_filled": int(body["cells"] - body["found"]),
            "traces": int(body["traces"]),
            "mean_probability": round(float(body["weight"] / body["found"]), 4),
        }
        if grid.kind == "3d":
            row |= _between("inline", grid.inlines[[body["inline0"], body["inline1"] - 1]])
        row |= _between(across, grid.crosslines[[body["crossline0"], body["crossline1"] - 1]])
        row |= {
            f"top{unit}": round(grid.start + float(body["top"]) * grid.interval, _DIGITS),
            f"base{unit}": round(grid.start + float(body["base"]) * grid.interval, _DIGITS),
        }
        if grid.kind == "3d":
            row["map_area_m2"] = round(row["traces"] * area) if area else None
        size = round(row["cells"] * cell[0]) if cell else None
        row["area_m2" if grid.kind == "2d" or (cell and cell[1] == "m²") else "volume_m3"] = size
        row["cut_by_edge"] = "yes" if body["cut"] else "no"
        table.append(row)
    return table


def _between(name: str, ends: Any) -> dict[str, int]:
    return {f"{name}_min": int(ends.min()), f"{name}_max": int(ends.max())}


def write_table(
    path: Path, bodies: Bodies, grid: Grid, bins: Bins | None, cell: tuple[float, str] | None
) -> Path:
    """Write the table as CSV; unknown values are empty. Without salt the file is empty."""
    table = rows(bodies, grid, bins, cell)
    stream = io.StringIO()
    if table:
        writer = csv.DictWriter(stream, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    replace_file(path, stream.getvalue())
    return path
