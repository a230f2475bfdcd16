"""`diapir data …`: tiles checked, unpacked, made, put together, split and labelled."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from diapir.cli.options import Encoding, SkipBad, Whole
from diapir.cli.output import Answer, Injected
from diapir.cli.pseudo import pseudo

app = App(
    name="data",
    help="Tiles: check, unpack, make, put together, split or label them.",
    help_epilogue="""Examples:

  diapir data check tgs.zip
  diapir data import tgs.zip --out tgs
  diapir data synth --out survey --tiles 400 --seed 7
  diapir data mosaic tgs.zip --out mosaic
  diapir data split tgs --out folds.json --folds 5 --groups mosaic/groups.csv
  diapir data pseudo runs/a runs/b --data tgs.zip --out pseudo

PATH is Kaggle's zip as it is, or a folder with images/ and masks/ of the same
names, train/images and train/masks, or trainSuper/images and trainSuper/masks.""",
)


@app.command
def check(path: Path, /, *, encoding: Encoding = "auto", output: Injected) -> Answer:
    """Say in one pass all that is wrong with labelled tiles.

    Pairs, sizes, modes, what the masks hold and the pixel share each class
    gets, empty and full masks, constant images, duplicates, missing partners,
    unreadable files. The exit code is 2 where one must not train on them.

    Args:
        path: labelled tiles.
        encoding: how the masks say salt, where it cannot be found out.
        output: where lines and the answer go.
    """
    from diapir.tiles import check_tiles

    report = check_tiles(path, encoding=encoding)
    output.say(*report.lines())
    return Answer(report.to_json(), exit_code=0 if report.ok else 2)


@app.command(name="import")
def import_(
    archive: Annotated[Path, Parameter(name="ZIP")], /, *, out: Path, output: Injected
) -> Answer:
    """Unpack Kaggle's download, the zips inside it too.

    Nothing is written outside the folder. Run again, it goes on where it stopped.

    Args:
        archive: the zip as it was downloaded.
        out: folder to unpack to.
        output: where lines and the answer go.
    """
    from diapir.tiles import import_archive

    with output.progress("unpacking") as progress:
        summary = import_archive(archive, out, progress=progress)
    for folder, files in summary.folders.items():
        output.say(f"{files:>7} files in {summary.out / folder}")
    kept = f", {summary.kept} were there already" if summary.kept else ""
    output.say(f"{summary.bytes / 1e6:.1f} MB in {summary.out}{kept}")
    return Answer(asdict(summary))


@app.command
def synth(
    *,
    out: Path,
    tiles: Annotated[Whole, Parameter(validator=Number(gt=0))] = 400,
    seed: Whole = 0,
    velocity: Annotated[Path | None, Parameter(show_default=False)] = None,
    salt_velocity: Annotated[float, Parameter(validator=Number(gt=0))] = 4500.0,
    output: Injected,
) -> Answer:
    """Make a synthetic survey: labelled sections with salt, cut into tiles.

    Layered reflections, folds, faults and a salt body with a strong top and a
    weak, chaotic interior. The same seed makes the same survey.

    Args:
        out: folder to make.
        tiles: how many tiles of 101 × 101 pixels.
        seed: any whole number from 0.
        velocity: velocity models (.npz) to take salt and layers from.
        salt_velocity: P-wave velocity in salt in these models, in m/s.
        output: where lines and the answer go.
    """
    from diapir.tiles import read_velocity, section_maker, synthesise
    from diapir.tiles.synthetic import make_section

    models = None if velocity is None else read_velocity(velocity, salt_velocity)
    make = make_section if models is None else section_maker(models)
    with output.progress("making tiles") as progress:
        summary = synthesise(out, tiles=tiles, seed=seed, make=make, progress=progress)
    output.say(
        f"{summary.tiles} tiles of {summary.sections} sections in {summary.path}, "
        f"{summary.salt:.1%} salt, {summary.empty} tiles without any"
    )
    return Answer(asdict(summary))


@app.command
def mosaic(
    path: Path,
    /,
    *,
    out: Path,
    encoding: Encoding = "auto",
    skip_bad: SkipBad = False,
    output: Injected,
) -> Answer:
    """Put tiles back into the sections they were cut from, edge to edge.

    Writes the sections with their labels, pictures of them, and groups.csv, by
    which a split keeps each section whole: a network judged beside what it has
    learnt looks better than it is. Kaggle's test tiles take part.

    Args:
        path: labelled tiles of one size.
        out: folder to make; a mosaic that is there is replaced.
        encoding: how the masks say salt, where it cannot be found out.
        skip_bad: leave out tiles that cannot be read, instead of stopping.
        output: where lines and the answer go.
    """
    from diapir.tiles import make_mosaic

    summary = make_mosaic(path, out, encoding=encoding, skip_bad=skip_bad)
    output.say(*summary.lines(), f"mosaic    {summary.out}")
    return Answer({"out": summary.out, "notes": summary.notes, **summary.figures})


@app.command
def split(
    path: Path,
    /,
    *,
    out: Path,
    val_fraction: float = 0.15,
    folds: Annotated[Whole | None, Parameter(show_default=False)] = None,
    seed: Whole = 42,
    groups: Annotated[Path | None, Parameter(show_default=False)] = None,
    encoding: Encoding = "auto",
    skip_bad: SkipBad = False,
    output: Injected,
) -> Answer:
    """Share tiles out to a training and a validation part, or to folds.

    Each part gets its share of every class of salt coverage. Tiles of one
    section stay together, and so do tiles with the same image.

    Args:
        path: labelled tiles.
        out: file to write, such as split.json.
        val_fraction: share of tiles in the validation part.
        folds: make this many folds instead.
        seed: any whole number; the same makes the same split.
        groups: groups.csv of `diapir data mosaic`, which says what adjoins.
        encoding: how the masks say salt, where it cannot be found out.
        skip_bad: leave out tiles that cannot be read, instead of stopping.
        output: where lines and the answer go.
    """
    from diapir.tiles import load_tiles, make_folds, make_split

    tiles = load_tiles(path, encoding=encoding, skip_bad=skip_bad, groups=groups)
    if folds is None:
        chosen = make_split(tiles, val_fraction=val_fraction, seed=seed)
    else:
        chosen = make_folds(tiles, folds=folds, seed=seed)
    chosen.save(out)
    parts = {}
    for name, ids in chosen.parts.items():
        part = tiles.select(ids)
        share = float(part.coverage.mean())
        parts[name] = {"tiles": len(part), "groups": len(set(part.groups)), "coverage": share}
        output.say(
            f"{name:<6} {len(part):>6} tiles, {parts[name]['groups']} groups, {share:.1%} salt"
        )
    output.say(f"split  {out}")
    return Answer({"out": out, "kind": chosen.kind, "hash": chosen.hash, "parts": parts})


app.command(pseudo)
