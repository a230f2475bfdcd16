"""`diapir products`: horizons, bodies and meshes of what was predicted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from diapir.cli.options import Whole
from diapir.cli.output import Answer, Injected, Output

if TYPE_CHECKING:
    from diapir.surveys.products.make import ProductOptions, Products

app = App(
    name="products",
    help_epilogue="""Examples:

  diapir predict line.sgy --out salt
  diapir products salt
  diapir products salt --fill body --velocity 4500
  diapir products salt --formats opendtect --formats charisma --formats vtk

NAME.products then holds horizons/ (top.dat, base.dat, crossings.dat), bodies.csv,
meshes/, sections/ and report.html.""",
)

_Quiet = Parameter(show_default=False)
Formats = Annotated[
    tuple[Literal["opendtect", "charisma", "xyz", "irap", "ply", "obj", "vtk", "segy"], ...] | None,
    Parameter(negative="", show_default=False),
]


@app.default
def products(
    folders: Annotated[list[Path], Parameter(name="FOLDER", negative="")],
    /,
    *,
    threshold: Annotated[float | None, _Quiet] = None,
    fill: Literal["none", "body", "trace"] = "none",
    min_cells: Annotated[Whole | None, _Quiet] = None,
    velocity: Annotated[float | None, _Quiet] = None,
    formats: Formats = None,
    meshes: Whole = 20,
    output: Injected,
) -> Answer:
    """Make horizons, salt bodies and meshes of predicted lines and volumes.

    Top is the first entry of a trace into salt, base the last exit; crossings
    has all of them, for overhangs. Salt that is filled is what lies between
    top and base: within one body, or of the whole trace.

    Args:
        folders: folders that `diapir predict` wrote, or single NAME.zarr or NAME.prediction.
        threshold: probability from which a cell is salt, instead of the model's own.
        fill: fill what lies between top and base of a body or of a trace.
        min_cells: leave out bodies of fewer cells; else 1000 of a volume, 100 of a section.
        velocity: of sound in salt in m/s, for volumes in m³ of surveys in time.
        formats: of horizons opendtect, charisma, xyz, irap; of meshes ply, obj, vtk; segy for
            body numbers. Else opendtect, and ply of a volume. May be given more than once.
        meshes: of how many of the largest bodies.
        output: where lines and the answer go.
    """
    from diapir.surveys.products.make import ProductOptions

    options = ProductOptions(
        threshold=threshold,
        fill=fill,
        min_cells=min_cells,
        velocity=velocity,
        formats=formats,
        meshes=meshes,
    )
    made = products_of(folders, options, output)
    return Answer({"products": made})


def products_of(
    paths: Sequence[Path], options: ProductOptions, output: Output
) -> list[dict[str, Any]]:
    """Make the products of predictions, and say what they are.

    Args:
        paths: stores, or folders that hold some.
        options: how.
        output: where lines go.

    Returns:
        of each store the JSON object of its products.
    """
    from diapir.surveys.products.from_prediction import find_stores, store_products

    answers = []
    for store in find_stores(paths):
        with output.progress(f"products of {store.stem}") as progress:
            made = store_products(store, options, progress=progress)
        report = _report(made)
        output.say(*_lines(made, report))
        answers.append(made.to_json() | {"out": made.out, "report": report})
    return answers


def _report(made: Products) -> Path | None:
    """The page, where the packages that draw it are installed."""
    try:
        from diapir.reports import write_products_report

        return write_products_report(made)
    except ModuleNotFoundError as error:
        if error.name not in {"matplotlib", "jinja2", "markupsafe"}:
            raise
        return None


def _lines(made: Products, report: Path | None) -> list[str]:
    from diapir.surveys.products.body_table import rows

    grid, table = made.grid, made.bodies.table
    lines = [f"{made.name}  → {made.out}"]
    if len(table):
        lines.append(
            f"  {_count(len(table), 'body', 'bodies')} of salt, {int(table['cells'].sum()):,} "
            f"cells from a probability of {made.threshold:g}"
        )
        largest = rows(made.bodies, grid, made.bins, made.cell)[0]
        size = f", {made.cell[0] * largest['cells']:.3g} {made.cell[1]}" if made.cell else ""
        top, base = (grid.start + float(table[0][end]) * grid.interval for end in ("top", "base"))
        lines.append(f"  the largest from {top:,.0f} to {base:,.0f} {grid.unit}{size}")
        lines += [
            f"  {name}: {count:,} picks"
            for name, count in made.picks.items()
            if name != "crossings"
        ]
        overhangs = int((made.maps.intervals > 1).sum())
        if overhangs:
            lines.append(f"  {overhangs:,} traces enter salt more than once: see crossings")
    if made.bodies.left_out:
        lines.append(
            f"  left out {_count(made.bodies.left_out, 'body', 'bodies')} of fewer than "
            f"{made.options.min_cells:,} cells (--min-cells)"
        )
    lines += [f"  {note}" for note in made.notes]
    if report:
        lines.append(f"  report  {report}")
    else:
        lines.append('  no report: it needs pip install "diapir[report]"')
    return lines


def _count(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
