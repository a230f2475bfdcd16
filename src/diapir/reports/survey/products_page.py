"""The page of a survey's products: its salt from above, in space, in sections and in figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diapir.reports.page import common, write_page
from diapir.reports.survey import products_figures as figures
from diapir.surveys.products.body_table import rows
from diapir.surveys.products.make import Products
from diapir.text import decimal, integer, percent, plural

TEMPLATE = "products.html.j2"
MOST_BODIES = 20
"""Bodies in the page's table; `bodies.csv` has all."""


def write_products_report(products: Products) -> Path:
    """Write `report.html` into the folder of the products.

    Args:
        products: as `make_products` gives them.

    Returns:
        the page.

    Raises:
        RunError: it cannot be written; one that was there is kept.
    """
    volume = min(products.grid.live.shape) > 1
    found = len(products.bodies) > 0
    page: dict[str, Any] = common() | {
        "sheets": ["products.css.j2"],
        "kind": "Salt in a survey",
        "title": products.name,
        "lead": _lead(products),
        "headline": _headline(products),
        "space": figures.bodies_in_space(products),
        "maps": [figures.map_of_top(products), figures.map_of_thickness(products)]
        if volume and found
        else [],
        "sections": [figures.section_plot(products, shown) for shown in products.sections],
        "columns": _columns(products),
        "bodies": _table(products),
        "swatches": [figures.body_colour(number + 1) for number in range(MOST_BODIES)],
        "more_bodies": max(0, len(products.bodies) - MOST_BODIES),
        "notes": products.notes,
        "facts": _facts(products),
        "files": [path.relative_to(products.out).as_posix() for path in products.files],
    }
    return write_page(products.out / "report.html", TEMPLATE, page)


def _lead(products: Products) -> str:
    grid = products.grid
    if grid.kind == "2d":
        shape = f"A line of {plural(len(grid.crosslines), 'trace')}"
    else:
        shape = (
            f"{plural(len(grid.inlines), 'inline')} by {plural(len(grid.crosslines), 'crossline')}"
        )
    found = (
        f"salt from a probability of {products.threshold:g}"
        if len(products.bodies)
        else "no salt found"
    )
    return f"{shape}, {plural(grid.samples, 'sample')} down: {found}."


def _headline(products: Products) -> list[tuple[str, str, str]]:
    """Name, value and remark of the figures at the head."""
    grid, table, maps = products.grid, products.bodies.table, products.maps
    cells = int(table["cells"].sum())
    live = int(grid.live.sum())
    cards = [
        ("Salt bodies", integer(len(table)), f"of at least {products.options.min_cells:,} cells"),
        (
            "Salt",
            percent(cells / max(1, live * grid.samples), 1),
            f"of the cells of live traces; {integer(cells)} cells",
        ),
        (
            "Traces with salt",
            percent(int(maps.salt.sum()) / max(1, live)),
            f"{integer(int((maps.intervals > 1).sum()))} enter it more than once",
        ),
    ]
    if products.cell:
        size, unit = products.cell[0] * cells, products.cell[1]
        if unit == "m³":
            cards.append(("Volume", f"{size / 1e9:.3g} km³", "of all bodies"))
        else:
            cards.append(("Area", f"{size / 1e6:.3g} km²", "in the section"))
    return cards


def _columns(products: Products) -> list[str]:
    """Heads of the page's table; `bodies.csv` says more."""
    grid = products.grid
    lines = ["CDPs"] if grid.kind == "2d" else ["Inlines", "Crosslines"]
    size = [f"Size, {products.cell[1]}"] if products.cell else []
    vertical = {"time": "Time, ms", "depth": "Depth, m"}.get(grid.domain, "Top to base")
    return ["Body", "Cells", "Mean probability", *lines, vertical, *size, "Cut by an edge"]


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
        size = [f"{row['cells'] * products.cell[0]:.3g}"] if products.cell else []
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


def _facts(products: Products) -> list[tuple[str, str]]:
    options, grid = products.options, products.grid
    filled = {
        "none": "no",
        "body": "between top and base of each body",
        "trace": "between first top and last base of each trace",
    }
    facts = [
        ("Survey", products.origin.get("survey") or products.name),
        ("Model", products.origin.get("model") or "not recorded"),
        ("Threshold", f"{products.threshold:g}"),
        ("Filled", filled[options.fill]),
        (
            "Left out",
            f"bodies of fewer than {options.min_cells:,} cells: "
            f"{integer(products.bodies.left_out)}, with "
            f"{integer(products.bodies.left_out_cells)} cells in all",
        ),
        ("Connected", "cells that share a face"),
        ("Vertical", f"{figures.vertical_name(grid)}, {grid.interval:g} {grid.unit} a sample"),
    ]
    if options.velocity and grid.domain == "time":
        facts.append(("Velocity in salt", f"{options.velocity:g} m/s, given by the user"))
    if products.bins and products.bins.area:
        facts.append(("Bin", f"{products.bins.area:,.0f} m², coordinates taken as metres"))
    facts += [
        (name.capitalize(), f"{integer(count)} picks") for name, count in products.picks.items()
    ]
    return facts
