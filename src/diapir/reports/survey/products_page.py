"""The page of a survey's products: 3D view, map view, sections and the table of bodies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diapir.reports.page import common, write_page
from diapir.reports.survey import products_figures as figures
from diapir.reports.survey.axes import vertical_name
from diapir.surveys.products.body_table import rows
from diapir.surveys.products.make import REPORT, Products
from diapir.text import decimal, integer, percent, plural

TEMPLATE = "products.html.j2"
MOST_BODIES = 20
"""Number of bodies in the table of the page; `bodies.csv` has all."""


_HORIZONS = {"top": "Top salt", "base": "Base salt", "crossings": "Crossings"}


def write_products_report(products: Products) -> Path:
    """Write `report.html` into the folder of the products.

    Args:
        products: from `make_products`.

    Returns:
        The page.

    Raises:
        RunError: it cannot be written; an earlier one is kept.
    """
    volume = min(products.grid.live.shape) > 1
    found = len(products.bodies) > 0
    page: dict[str, Any] = common() | {
        "sheets": ["products.css.j2"],
        "kind": "Salt horizons and bodies",
        "title": products.name,
        "lead": _lead(products),
        "headline": _headline(products),
        "view": figures.bodies_in_3d(products),
        "maps": [figures.map_of_top(products), figures.map_of_thickness(products)]
        if volume and found
        else [],
        "sections": [figures.section_plot(products, shown) for shown in products.sections],
        "columns": _columns(products),
        "bodies": _table(products),
        # the colours mean nothing in a section, where all salt is drawn alike
        "swatches": [
            figures.body_colour(number) for number in products.bodies.numbers[:MOST_BODIES]
        ]
        if volume
        else [],
        "more_bodies": max(0, len(products.bodies) - MOST_BODIES),
        "notes": products.notes,
        "facts": _facts(products),
        "files": [path.relative_to(products.out).as_posix() for path in products.files],
    }
    return write_page(products.out / REPORT, TEMPLATE, page)


def _lead(products: Products) -> str:
    grid = products.grid
    if grid.kind == "2d":
        shape = f"2D line of {plural(len(grid.crosslines), 'trace')}"
    else:
        shape = (
            f"{plural(len(grid.inlines), 'inline')} × {plural(len(grid.crosslines), 'crossline')}"
        )
    found = (
        f"salt where the probability is at least {products.threshold:g}"
        if len(products.bodies)
        else "no salt found"
    )
    return f"{shape}, {plural(grid.samples, 'sample')} per trace: {found}."


def _headline(products: Products) -> list[tuple[str, str, str]]:
    """Name, value and remark of the headline figures."""
    grid, table, maps = products.grid, products.bodies.table, products.maps
    cells = int(table["cells"].sum())
    live = int(grid.live.sum())
    cards = [
        (
            "Salt bodies",
            integer(len(table)),
            f"of at least {plural(products.options.min_cells, 'sample')}",
        ),
        (
            "Salt fraction",
            percent(cells / max(1, live * grid.samples), 1),
            f"{integer(cells)} of the live samples",
        ),
        (
            "Traces with salt",
            percent(int(maps.salt.sum()) / max(1, live)),
            f"{integer(maps.overhangs)} with more than one salt interval",
        ),
    ]
    if products.cell:
        size, unit = products.cell[0] * cells, products.cell[1]
        if unit == "m³":
            cards.append(("Volume", f"{size / 1e9:.3g} km³", "all bodies"))
        else:
            cards.append(("Area", f"{size / 1e6:.3g} km²", "all bodies, in the section"))
    return cards


def _columns(products: Products) -> list[str]:
    """Headings of the table; `bodies.csv` has more columns."""
    grid = products.grid
    lines = ["CDPs"] if grid.kind == "2d" else ["Inlines", "Crosslines"]
    size = ["Size"] if products.cell else []
    vertical = {"time": "TWT, ms", "depth": f"Depth, {grid.depth_unit}"}.get(
        grid.domain, "Top to base"
    )
    return ["Body", "Samples", "Mean probability", *lines, vertical, *size, "Touches survey edge"]


def _table(products: Products) -> list[list[str]]:
    grid = products.grid
    lines = ["cdp"] if grid.kind == "2d" else ["inline", "crossline"]
    table = []
    for row, body in zip(
        rows(products.bodies, grid, products.bins, products.cell)[:MOST_BODIES],
        products.bodies.table,
        strict=False,
    ):
        top, base = (grid.start + float(body[end]) * grid.interval for end in ("top", "base"))
        size = [products.size(row["cells"])] if products.cell else []
        table.append(
            [
                str(row["body"]),
                integer(row["cells"]),
                decimal(row["mean_probability"], 2),
                *(f"{row[f'{name}_min']}–{row[f'{name}_max']}" for name in lines),
                f"{top:.0f}–{base:.0f}",
                *size,
                row["cut_by_edge"],
            ]
        )
    return table


def _units(products: Products) -> str:
    """The units of coordinates, depths and sizes, and the options that change them."""
    grid = products.grid
    told = []
    if products.bins is not None:
        told.append(f"coordinates in {grid.xy_unit}")
    if grid.domain != "time":
        told.append(f"depths in {grid.depth_unit}")
    if products.cell is not None or products.bins is not None:
        told.append("areas and volumes in m² and m³")
    options = "--coordinate-unit and --depth-unit of diapir predict"
    return ", ".join([*told, f"({options})"]) if told else f"times in ms ({options})"


def _facts(products: Products) -> list[tuple[str, str]]:
    options, grid = products.options, products.grid
    filled = {
        "none": "none",
        "body": "between top and base of each body",
        "trace": "between first top and last base of each trace",
    }
    facts = [
        ("Survey", products.origin.get("survey") or products.name),
        ("Model", products.origin.get("model") or "not recorded"),
        *([("Prediction", settings)] if (settings := products.origin.get("settings")) else []),
        ("Threshold", f"{products.threshold:g}"),
        ("Filling", filled[options.fill]),
        (
            "Minimum size",
            f"{plural(options.min_cells, 'sample')}; removed: "
            f"{plural(products.bodies.left_out, 'body')}, "
            f"{plural(products.bodies.left_out_cells, 'sample')}",
        ),
        ("Connectivity", f"{4 if 1 in grid.shape[:2] else 6}-neighbour"),
        ("Vertical axis", f"{vertical_name(grid)}, interval {grid.interval:g} {grid.unit}"),
    ]
    if options.smooth:
        radius = plural(options.smooth_radius, "trace")
        facts.append(("Smoothing of top and base", f"{options.smooth}, radius {radius}"))
    if options.snap:
        facts.append(("Snapping of top and base", f"to the nearest {options.snap}"))
    if options.velocity and grid.domain == "time":
        facts.append(("P-wave velocity of salt", f"{options.velocity:g} m/s (--velocity)"))
    if products.bins and products.bins.area:
        facts.append(("Bin area", f"{integer(products.bins.area)} m²"))
    facts.append(("Units", _units(products)))
    facts += [(_HORIZONS[name], plural(count, "pick")) for name, count in products.picks.items()]
    return facts
