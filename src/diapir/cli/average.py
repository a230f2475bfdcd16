"""`diapir average`: the weights of several trainings as one model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from diapir.cli.options import DeviceName
from diapir.cli.output import Answer, Injected
from diapir.errors import DiapirError, RunError

if TYPE_CHECKING:
    from diapir.bundle import Bundle
    from diapir.tiles import TileSet

app = App(
    name="average",
    help_epilogue="""Examples:

  diapir average runs/a runs/b --data tgs.zip --out averaged
  diapir evaluate averaged --data tgs.zip --split runs/a/split.json:val""",
)

MADE_OF = "average of"
"""Key of a bundle's `training` by which an averaged one is known."""


@app.default
def average(
    runs: Annotated[list[Path], Parameter(name="RUN", negative="")],
    /,
    *,
    out: Path,
    data: Annotated[Path | None, Parameter(show_default=False)] = None,
    device: DeviceName = "auto",
    output: Injected,
) -> Answer:
    """Average the weights of trainings of one recipe.

    The average costs as much as one of them. Whether it is as good as their
    ensemble, or of any use, only judging it shows: it is where they began from
    the same weights and ended close to each other.

    Args:
        runs: run folders or bundle folders of one architecture.
        out: folder of the new bundle.
        data: the tiles they were trained on, to measure batch norm's statistics anew.
        device: where they are measured.
        output: where lines and the answer go.
    """
    from diapir import bundle as bundles
    from diapir.inference.ensemble import refuse_repeated
    from diapir.tiles import load_tiles
    from diapir.training.average import average_weights, measure_statistics

    _refuse_used(out)
    members = [bundles.load(run) for run in runs]
    refuse_repeated(members)
    tensors = average_weights(members)
    info = members[0].info
    tiles = None
    if data is not None:
        tiles = _learnt_from(load_tiles(data, labelled=False), runs)
        with output.progress("measuring batch norm") as progress:
            tensors = measure_statistics(info, tensors, tiles, device=device, progress=progress)
    out.parent.mkdir(parents=True, exist_ok=True)
    count = len(members)
    made = bundles.save(
        out,
        tensors,
        name=f"average of {count} × {info.name}",
        model=info.model,
        preprocess=info.preprocess,
        tile=info.tile,
        classes=info.classes,
        threshold=sum(member.info.threshold for member in members) / count,
        tta=info.tta,
        min_area=round(sum(member.info.min_area for member in members) / count),
        training=_origin(members, tiles),
    )
    output.say(f"the average of {count} models is {made.path}")
    if tiles is not None:
        output.say(f"batch norm's statistics measured on {len(tiles)} tiles")
    else:
        output.say("batch norm's statistics are their mean; --data measures them anew")
    output.say(f"judge it: diapir evaluate {out} --data PATH --split {runs[0]}/split.json:val")
    return Answer({"out": made.path, "name": made.info.name, "training": made.info.training})


def _learnt_from(tiles: TileSet, runs: Sequence[Path]) -> TileSet:
    """The tiles that no run kept for its validation; all of them where that leaves none."""
    from diapir.tiles import Split

    kept: set[str] = set()
    for run in runs:
        if (run / "split.json").is_file():
            kept |= set(Split.load(run / "split.json").part("val"))
    return tiles.select([tile for tile in tiles.ids if tile not in kept] or tiles.ids)


def _origin(members: Sequence[Bundle], tiles: TileSet | None) -> dict[str, Any]:
    """What the members' trainings have in common, and what was done to them."""
    trainings = [member.info.training for member in members]
    shared = {
        key: value
        for key, value in trainings[0].items()
        if all(training.get(key) == value for training in trainings)
    }
    hashes = ", ".join(member.info.weights_sha256[:12] for member in members)
    measured = {} if tiles is None else {"batch norm measured on": f"{len(tiles)} tiles"}
    return shared | {MADE_OF: hashes} | measured


def _refuse_used(out: Path) -> None:
    """Refuse to replace anything but an average."""
    from diapir import bundle as bundles

    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        if MADE_OF in bundles.load(out).info.training and (out / bundles.INFO).is_file():
            return
    except DiapirError:
        pass
    raise RunError(
        f"{out} is there, and is no average of models",
        expected="a new folder, or an earlier average",
        fix="choose another --out",
    )
