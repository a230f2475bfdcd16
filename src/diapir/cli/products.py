"""`diapir products`: horizons, salt bodies and meshes from predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter, Token

from diapir.cli.options import Whole
from diapir.cli.output import Answer, Injected, Output
from diapir.cli.survey import PART, WHOLE
from diapir.errors import ConfigError, DataError, failure, install_command
from diapir.surveys.extent import Extent
from diapir.text import plural

if TYPE_CHECKING:
    from diapir.surveys.lines.line_table import LineRow
    from diapir.surveys.products.make import ProductOptions, Products

app = App(
    name="products",
    help_epilogue="""Examples:

  diapir predict line.sgy --out salt
  diapir products salt
  diapir products salt --fill body --velocity 4500
  diapir products salt/block.zarr --bodies 1,3 --merge 2+5
  diapir products salt --smooth median --snap peak --snap-window 16
  diapir products salt --formats opendtect --formats charisma --formats vtk

The folder NAME.products holds horizons/ (top.dat, base.dat, crossings.dat),
bodies.csv, meshes/, sections/ and report.html.""",
)

_Quiet = Parameter(show_default=False)
Formats = Annotated[
    tuple[Literal["opendtect", "charisma", "xyz", "csv", "irap", "ply", "obj", "vtk", "segy"], ...]
    | None,
    Parameter(negative="", show_default=False),
]


def _numbers(text: str, between: str) -> tuple[int, ...]:
    """Body numbers in a text such as `1,3`.

    Raises:
        ValueError: it is not a list of whole numbers above 0.
    """
    words = [word.strip() for word in text.split(between)]
    if not all(word.isdigit() and int(word) for word in words):
        raise ValueError(f"{text!r} is not a list of body numbers such as 2{between}5")
    return tuple(int(word) for word in words)


def _bodies(hint: Any, tokens: Sequence[Token]) -> tuple[int, ...]:
    return tuple(number for token in tokens for number in _numbers(token.value, ","))


def _merges(hint: Any, tokens: Sequence[Token]) -> tuple[tuple[int, ...], ...]:
    return tuple(_numbers(token.value, "+") for token in tokens)


Bodies = Annotated[
    tuple[int, ...], Parameter(converter=_bodies, n_tokens=1, negative="", show_default=False)
]
"""Body numbers, as `1,3`; may be given more than once."""
Merges = Annotated[
    tuple[tuple[int, ...], ...],
    Parameter(converter=_merges, n_tokens=1, negative="", show_default=False),
]
"""Groups of body numbers, as `2+5`; may be given more than once."""


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
    bodies: Bodies = (),
    merge: Merges = (),
    smooth: Annotated[Literal["median", "gaussian"] | None, _Quiet] = None,
    smooth_radius: Whole = 2,
    snap: Annotated[Literal["peak", "trough", "zero"] | None, _Quiet] = None,
    snap_window: Annotated[float | None, _Quiet] = None,
    part: Annotated[Extent, Parameter(name="*", group=PART)] = WHOLE,
    output: Injected,
) -> Answer:
    """Extract horizons (top salt, base salt), salt bodies and meshes from predictions.

    Top salt is the first entry of each trace into salt, base salt the last
    exit; crossings lists every entry and exit, for overhangs.

    Args:
        folders: folders written by `diapir predict`, or single NAME.zarr or NAME.prediction.
        threshold: probability at which a sample is salt; default: the threshold of the prediction.
        fill: fill between top and base: of each body, or of the whole trace.
        min_cells: minimum size of a body in samples; default: 1000 in a volume, 100 in a section.
        velocity: P-wave velocity of salt in m/s, for volumes in m³ of surveys in time.
        formats: horizons as opendtect, charisma, xyz, csv or irap; meshes as ply, obj or vtk; body
            numbers as segy. Default: opendtect, and ply for a volume. May be repeated.
        meshes: number of bodies to mesh, the largest first.
        bodies: keep only these bodies, such as 1,3: numbers as in bodies.csv without this option.
        merge: make these bodies one, such as 2+5, named by the smallest number. May be repeated.
        smooth: smooth top and base over neighbouring traces of a body, never across a gap.
        smooth_radius: traces on each side that smoothing covers.
        snap: move top and base, after smoothing, to the nearest peak, trough or zero crossing of
            the seismic trace, between samples.
        snap_window: furthest move in ms or m; default: 5 samples.
        part: the part of the prediction that is used.
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
        bodies=bodies,
        merge=merge,
        smooth=smooth,
        smooth_radius=smooth_radius,
        snap=snap,
        snap_window=snap_window,
    )
    content = extract_products(folders, options, output, part=part)
    return Answer(content, exit_code=2 if content.get("failed") else 0)


def extract_products(
    paths: Sequence[Path],
    options: ProductOptions,
    output: Output,
    *,
    part: Extent = WHOLE,
) -> dict[str, Any]:
    """Make the products of predictions and their pages, and print a summary of each.

    Args:
        paths: stores, or folders with stores.
        options: how to make them.
        output: where lines go.
        part: the part of each prediction that is used.

    Returns:
        The JSON object: `products` of each store, and of a folder what `LineProducts.extract` adds.
    """
    from diapir.surveys.products.from_prediction import find_stores

    stores = find_stores(paths)
    if len(stores) > 1 and (options.bodies or options.merge):
        raise ConfigError(
            f"--bodies or --merge is given for {plural(len(stores), 'prediction')}",
            expected="one prediction: each has bodies of its own numbers",
            fix=f"give one of them, such as {stores[0]}",
        )
    if len(paths) > 1 or len(stores) == 1:
        return {"products": [_extract(store, options, output, part)[1] for store in stores]}
    job = LineProducts(paths[0], options, output, part)
    return job.extract(_names(stores, paths[0]), [])[0]


@dataclass(frozen=True)
class LineProducts:
    """Products of many lines, and files over all 2D lines.

    Attributes:
        out: folder of the predictions.
        options: how to make the products.
        output: where lines go.
        part: the part of each prediction that is used.
    """

    out: Path
    options: ProductOptions
    output: Output
    part: Extent = WHOLE

    def extract(
        self, stores: Mapping[str, Path], rows: Sequence[LineRow]
    ) -> tuple[dict[str, Any], list[LineRow]]:
        """Make the products of each line; one that cannot be made does not stop the others.

        Args:
            stores: the prediction of each line, by the name of the line.
            rows: the table of the lines as far as it is known.

        Returns:
            The JSON object (`products`, `failed`, and `merged` with the files over all lines), and
            the table with the figures of the products.
        """
        from diapir.surveys.lines.line_table import LineRow
        from diapir.surveys.lines.merged_lines import MERGED, merge_lines, refuse_same_names

        refuse_same_names(list(stores))
        table = {row.line: row for row in rows}
        content: dict[str, Any] = {"products": [], "failed": []}
        lines = []
        for name, store in stores.items():
            try:
                made, answer = _extract(store, self.options, self.output, self.part)
            except DataError as error:
                row = table.get(name) or LineRow(line=name, file=str(store))
                table[name] = replace(row, error=error.found)
                content["failed"].append(failure(name, store, error))
                self.output.say(f"failed: {name} ({store}): {error.found}")
                continue
            report = answer["report"]
            shown = report.relative_to(self.out).as_posix() if report else ""
            row = table.get(name) or LineRow.of_survey(name, made)
            table[name] = row.with_products(made, shown)
            content["products"].append(answer)
            if made.grid.kind == "2d":
                lines.append((name, made.out))
        if len(lines) > 1:
            files = merge_lines(self.out / MERGED, lines, list(table.values()))
            content["merged"] = [str(path) for path in files]
            self.output.say(f"all {plural(len(lines), 'line')}  → {self.out / MERGED}")
        return content, list(table.values())


def _names(stores: Sequence[Path], folder: Path) -> dict[str, Path]:
    """Stores by the name of their line: the file's, or its place where two have the same."""
    from diapir.surveys.lines.find_lines import unique_names

    places = []
    for store in stores:
        place = store.relative_to(folder).with_suffix("")
        own_folder = place.parent.name in (place.name, *_with_suffixes(place.name))
        places.append(place.parent if own_folder else place)
    return dict(zip(unique_names(places), stores, strict=True))


def _with_suffixes(name: str) -> list[str]:
    """Names of the folders of two files that differ in their suffix alone."""
    from diapir.surveys.lines.find_lines import SUFFIXES

    return [f"{name}_{suffix.removeprefix('.')}" for suffix in SUFFIXES]


def _extract(
    store: Path, options: ProductOptions, output: Output, part: Extent
) -> tuple[Products, dict[str, Any]]:
    """Make the products of a store and their page, and print a summary."""
    from diapir.surveys.products.from_prediction import store_products

    with output.progress(f"products of {store.stem}") as progress:
        made = store_products(store, options, part=part, progress=progress)
    report = _report(made)
    output.say(*_summary(made, report))
    return made, made.to_json() | {"out": made.out, "report": report}


def _report(made: Products) -> Path | None:
    """The page; None where the packages that draw it are not installed."""
    try:
        from diapir.reports import write_products_report

        return write_products_report(made)
    except ModuleNotFoundError as error:
        if error.name not in {"matplotlib", "jinja2", "markupsafe"}:
            raise
        return None


def _summary(made: Products, report: Path | None) -> list[str]:
    """The lines that are printed for one survey."""
    lines = [f"{made.name}  → {made.out}", *_salt_lines(made)]
    if made.bodies.left_out:
        lines.append(
            f"  {plural(made.bodies.left_out, 'body')} of fewer than "
            f"{plural(made.options.min_cells, 'sample')} removed (--min-cells)"
        )
    lines += [f"  {note}" for note in made.notes]
    lines.append(
        f"  report  {report}" if report else f"  no report: it needs {install_command('report')}"
    )
    return lines


def _salt_lines(made: Products) -> list[str]:
    """Bodies and horizons; nothing where there is no salt."""
    grid, table = made.grid, made.bodies.table
    if not len(table):
        return []
    samples = int(table["cells"].sum())
    largest = table[table["cells"].argmax()]
    size = f", {made.size(int(largest['cells']))}" if made.cell else ""
    top, base = (grid.start + float(largest[end]) * grid.interval for end in ("top", "base"))
    lines = [
        f"  {plural(len(table), 'salt body')}, {plural(samples, 'sample')} "
        f"(probability ≥ {made.threshold:g})",
        f"  largest body: {top:,.0f}–{base:,.0f} {grid.unit}{size}",
    ]
    lines += [
        f"  {name}: {plural(count, 'pick')}"
        for name, count in made.picks.items()
        if name != "crossings"
    ]
    if made.maps.overhangs:
        verb = "enters" if made.maps.overhangs == 1 else "enter"
        lines.append(
            f"  {plural(made.maps.overhangs, 'trace')} {verb} salt more than once: see crossings"
        )
    return lines
