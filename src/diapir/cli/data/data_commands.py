"""`diapir data …`: check, show, import, synth, mosaic, split and pseudo."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

from diapir.cli.data.pseudo_labels import THERE, pseudo
from diapir.cli.loading import loading
from diapir.cli.options import Encoding, SkipBad, Whole, examples
from diapir.cli.output import Answer, Injected
from diapir.errors import ConfigError
from diapir.text import plural, size

if TYPE_CHECKING:
    from diapir.tiles.synthetic.generate import SectionMaker

app = App(
    name="data",
    help="Check, show, import, generate, reassemble and split tile sets.",
    help_epilogue="""Examples:

  diapir data check tgs.zip
  diapir data show tgs.zip
  diapir data split tgs.zip --out split.json

Tiles are read from Kaggle's zip as downloaded, or a folder with images/ and
masks/ of the same names, train/images and train/masks, or trainSuper/images
and trainSuper/masks. `diapir data COMMAND --help` shows more examples.""",
)


@app.command(
    help_epilogue=examples(
        "diapir data check tgs.zip",
        "diapir data check tiles/ --out check      a report with a contact sheet",
    )
)
def check(
    path: Path,
    /,
    *,
    out: Annotated[Path | None, Parameter(show_default=False)] = None,
    encoding: Encoding = "auto",
    output: Injected,
) -> Answer:
    """Check labelled tiles before training.

    Reports pairs, sizes, modes, mask values and the pixel share of each class,
    empty and full masks, constant images, duplicates, images or masks without
    a partner, and unreadable files. The exit code is 2 if the tiles are not OK
    to train on.

    Args:
        path: labelled tiles.
        out: folder for a report with a contact sheet; nothing is written by default.
        encoding: mask encoding, if it cannot be recognised.
        output: where lines and the answer go.
    """
    with loading():
        from diapir.tiles import check_tiles

    if out is not None:
        from diapir.reports.data_page import claim_report, write_data_report

        claim_report(out)
    report = check_tiles(path, encoding=encoding)
    output.say(*report.lines())
    content = report.to_json()
    if out is not None:
        page = write_data_report(report, out)
        output.say(f"report  {page}")
        content |= {"report": page}
    return Answer(content, exit_code=0 if report.ok else 2)


@app.command(
    help_epilogue=examples(
        "diapir data show tgs.zip",
        "diapir data show tiles/ --out sheet.png --per-row 12",
    )
)
def show(
    path: Path,
    /,
    *,
    out: Annotated[Path | None, Parameter(show_default=False)] = None,
    per_row: Annotated[Whole, Parameter(validator=Number(gte=1, lte=40))] = 8,
    encoding: Encoding = "auto",
    skip_bad: SkipBad = False,
    output: Injected,
) -> Answer:
    """Draw a contact sheet of labelled tiles: images, masks and overlays.

    It has tiles of each class of salt coverage, and those to look at twice:
    constant images, one image with different masks, and masks that are mostly
    ignored or all salt.

    Args:
        path: labelled tiles.
        out: PNG file to write; by default NAME_tiles.png in the current folder.
        per_row: most tiles of each class.
        encoding: mask encoding, if it cannot be recognised.
        skip_bad: leave out tiles that cannot be read, instead of stopping.
        output: where lines and the answer go.
    """
    from diapir.inference.contact_sheet import claim_sheet, contact_sheet, flags, save_sheet
    from diapir.tiles import load_tiles

    out = out or Path(f"{path.resolve().stem}_tiles.png")
    claim_sheet(out)
    tiles = load_tiles(path, encoding=encoding, skip_bad=skip_bad)
    save_sheet(contact_sheet(tiles, per_row=per_row), out)
    flagged = {tiles.ids[index]: reason for index, reason in flags(tiles).items()}
    output.say(tiles.describe())
    output.note(*tiles.notes)
    for reason, count in Counter(flagged.values()).items():
        output.say(f"to look at: {plural(count, 'tile')}, {reason}")
    output.say(f"sheet  {out}")
    return Answer({"out": out, "tiles": len(tiles), "flagged": flagged, "notes": list(tiles.notes)})


@app.command(name="import", help_epilogue=examples("diapir data import tgs.zip --out tgs"))
def import_(
    archive: Annotated[Path, Parameter(name="ZIP")], /, *, out: Path, output: Injected
) -> Answer:
    """Unpack Kaggle's download and the zips inside it.

    Nothing is written outside the folder. An interrupted import resumes when
    the command is run again.

    Args:
        archive: the zip as downloaded.
        out: folder to unpack to.
        output: where lines and the answer go.
    """
    from diapir.tiles import import_archive

    with output.progress("unpacking") as progress:
        summary = import_archive(archive, out, progress=progress)
    for folder, files in summary.folders.items():
        output.say(f"{files:>7} files in {summary.out / folder}")
    kept = f", {plural(summary.kept, 'file')} kept from an earlier import" if summary.kept else ""
    output.say(f"{size(summary.bytes)} in {summary.out}{kept}")
    return Answer(asdict(summary))


@app.command(
    help_epilogue=examples(
        "diapir data synth --out survey --tiles 400 --seed 7",
        "diapir data synth --out varied --style varied",
    )
)
def synth(
    *,
    out: Path,
    tiles: Annotated[Whole, Parameter(validator=Number(gt=0))] = 400,
    seed: Whole = 0,
    velocity: Annotated[Path | None, Parameter(show_default=False)] = None,
    salt_velocity: Annotated[float, Parameter(validator=Number(gt=0))] = 4500.0,
    style: Literal["plain", "varied"] = "plain",
    output: Injected,
) -> Answer:
    """Make a synthetic survey: labelled sections with salt, cut into tiles.

    Layered reflections, folds, faults and salt bodies with a strong top and a
    weak, chaotic interior. The same seed makes the same survey.

    Args:
        out: new folder, or one that holds the same survey.
        tiles: number of tiles of 101 × 101 pixels.
        seed: any whole number from 0.
        velocity: velocity models (.npz) that give the salt and the layers.
        salt_velocity: P-wave velocity in salt in these models, in m/s.
        style: one style for all sections, or one drawn for each: salt, beds, noise, gain.
        output: where lines and the answer go.
    """
    from diapir.tiles import read_velocity, section_maker, synthesise
    from diapir.tiles.synthetic import make_section

    varied = style == "varied"
    make: SectionMaker = partial(make_section, varied=varied)
    if velocity is not None:
        make = section_maker(read_velocity(velocity, salt_velocity), varied=varied)
    with output.progress("making tiles") as progress:
        summary = synthesise(out, tiles=tiles, seed=seed, make=make, progress=progress)
    output.say(
        f"{plural(summary.tiles, 'tile')} of {plural(summary.sections, 'section')} in "
        f"{summary.path}: {summary.salt:.1%} salt, {plural(summary.empty, 'tile')} without salt"
        + (THERE if summary.kept else "")
    )
    return Answer(asdict(summary))


@app.command(
    help_epilogue=examples(
        "diapir data mosaic tgs.zip --out mosaic",
    )
)
def mosaic(
    path: Path,
    /,
    *,
    out: Path,
    encoding: Encoding = "auto",
    skip_bad: SkipBad = False,
    output: Injected,
) -> Answer:
    """Reassemble the sections that tiles were cut from by matching their edges.

    Writes the sections with their labels, images of them, and groups.csv. With
    this table a split keeps each section in one part; otherwise scores are
    optimistic, as validation tiles adjoin training tiles. Kaggle's test tiles
    are included.

    Args:
        path: labelled tiles of one size.
        out: new folder; an earlier mosaic is replaced.
        encoding: mask encoding, if it cannot be recognised.
        skip_bad: leave out tiles that cannot be read, instead of stopping.
        output: where lines and the answer go.
    """
    from diapir.tiles import make_mosaic

    summary = make_mosaic(path, out, encoding=encoding, skip_bad=skip_bad)
    output.say(*summary.lines(), f"mosaic    {summary.out}")
    return Answer({"out": summary.out, "notes": summary.notes, **summary.figures})


@app.command(
    help_epilogue=examples(
        "diapir data split tgs.zip --out split.json",
        "diapir data split tgs --out folds.json --folds 5 --groups mosaic/groups.csv",
    )
)
def split(
    path: Path,
    /,
    *,
    out: Path,
    val_fraction: Annotated[float | None, Parameter(show_default=False)] = None,
    folds: Annotated[Whole | None, Parameter(show_default=False)] = None,
    seed: Whole = 42,
    groups: Annotated[Path | None, Parameter(show_default=False)] = None,
    encoding: Encoding = "auto",
    skip_bad: SkipBad = False,
    output: Injected,
) -> Answer:
    """Split tiles into training and validation, or into folds.

    Parts have about the same distribution of salt coverage. Tiles of one
    section stay together, and so do tiles with the same image.

    Args:
        path: labelled tiles.
        out: file to write, such as split.json.
        val_fraction: share of tiles in the validation part; by default 0.15.
        folds: number of folds, instead of training and validation.
        seed: any whole number; the same seed makes the same split.
        groups: groups.csv of `diapir data mosaic`, with the section of each tile.
        encoding: mask encoding, if it cannot be recognised.
        skip_bad: leave out tiles that cannot be read, instead of stopping.
        output: where lines and the answer go.
    """
    from diapir.tiles import load_tiles, make_folds, make_split

    if folds is not None and val_fraction is not None:
        raise ConfigError(
            f"--folds {folds} and --val-fraction {val_fraction:g} are both given",
            expected="folds, or a training and a validation part",
            fix="leave one of them out",
        )
    tiles = load_tiles(path, encoding=encoding, skip_bad=skip_bad, groups=groups)
    notes = list(tiles.notes)
    if tiles.held_out:
        notes.append(
            "all tiles are divided anew, those of the set's own folder val as well; without a "
            "split, `diapir train` keeps that folder apart"
        )
    if folds is None:
        fraction = 0.15 if val_fraction is None else val_fraction
        chosen = make_split(tiles, val_fraction=fraction, seed=seed)
    else:
        chosen = make_folds(tiles, folds=folds, seed=seed)
    chosen.save(out)
    output.note(*notes)
    parts = {}
    for name, ids in chosen.parts.items():
        part = tiles.select(ids)
        count, share = len(set(part.groups)), float(part.coverage.mean())
        parts[name] = {"tiles": len(part), "groups": count, "coverage": share}
        output.say(f"{name:<6} {len(part):>6} tiles, {plural(count, 'group')}, {share:.1%} salt")
    output.say(f"split  {out}")
    return Answer(
        {"out": out, "kind": chosen.kind, "hash": chosen.hash, "parts": parts, "notes": notes}
    )


app.command(
    pseudo,
    help_epilogue=examples(
        "diapir data pseudo runs/a runs/b --data tgs.zip --out pseudo",
        "diapir data pseudo salt general --data tgs.zip --mosaic mosaic --out labelled",
    ),
)
