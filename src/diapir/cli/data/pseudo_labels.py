"""`diapir data pseudo`: pseudo-labels of unlabelled tiles, where models are confident."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from diapir.cli.options import SkipBad
from diapir.cli.output import Answer, Injected
from diapir.cli.running import DEFAULT_RUNNING, Models, Running
from diapir.text import plural

if TYPE_CHECKING:
    from diapir.inference import Segmenter
    from diapir.inference.pseudo import Limits

THERE = "; they were there already and are unchanged"
"""What is said of tiles that a command would have made."""


def pseudo(
    models: Models = None,
    /,
    *,
    data: Path,
    out: Path,
    part: Literal["test", "train"] = "test",
    low: float = 0.2,
    high: float = 0.8,
    confident: Annotated[float | None, Parameter(show_default=False)] = None,
    mosaic: Annotated[Path | None, Parameter(show_default=False)] = None,
    skip_bad: SkipBad = False,
    running: Running = DEFAULT_RUNNING,
    output: Injected,
) -> Answer:
    """Pseudo-label unlabelled tiles, alone or in the sections of a mosaic.

    A pixel is labelled from the models' mean probability, or ignored if that is
    between --low and --high; a tile with too many ignored pixels is left out.
    Train with --set data.extra=DIR, or for a mosaic with --set data.mosaic=DIR.
    In a mosaic, models trained on tiles predict each tile alone, and models
    trained on windows predict whole sections. Scores of such a training are
    optimistic on tiles that any of these models was trained on.

    Args:
        models: run folders and bundle folders; by default the bundled model.
        data: Kaggle's zip, the same unpacked, or any folder of images.
        out: folder to write; the same pseudo-labels in it are kept.
        part: part of Kaggle's layout to label.
        low: a pixel of up to this probability is labelled background.
        high: a pixel of at least this probability is labelled salt.
        confident: minimum share of labelled pixels in a tile; by default 0.9, in a mosaic 0.
        mosaic: folder of `diapir data mosaic`; label the unlabelled tiles in a copy of it.
        skip_bad: leave out tiles that cannot be read, instead of stopping.
        running: how the network runs.
        output: where lines and the answer go.
    """
    from diapir.inference.ensemble import engine_notes
    from diapir.inference.pseudo import CONFIDENT, Limits, write_pseudo_labels
    from diapir.tiles import load_tiles

    if confident is None:
        confident = CONFIDENT if mosaic is None else 0.0
    limits = Limits(low=low, high=high, confident=confident)
    if mosaic is not None:
        predictor = running.open(models or [])
        return _in_sections(predictor, data, mosaic, out, limits, skip_bad, output)
    tiles = load_tiles(data, labelled=False, part=part, skip_bad=skip_bad)
    predictor = running.open(models or [], sum(image.size for image, _ in tiles))
    output.say(*engine_notes(predictor))
    with output.progress("labelling") as progress:
        made = write_pseudo_labels(
            predictor, tiles, out, low=low, high=high, confident=confident, progress=progress
        )
    output.note(*tiles.notes)
    output.say(
        f"{made.tiles} of {plural(len(tiles), 'tile')} labelled in {made.out}: "
        f"{_listed(made.shares)}" + (THERE if made.kept else ""),
        f"left out: {made.unsure} low-confidence, {made.repeated} with a repeated image",
    )
    return Answer(made.to_json() | {"notes": tiles.notes})


def _in_sections(
    predictor: Segmenter,
    data: Path,
    mosaic: Path,
    out: Path,
    limits: Limits,
    skip_bad: bool,
    output: Injected,
) -> Answer:
    from diapir.inference.pseudo_sections import write_pseudo_sections
    from diapir.tiles import load_tiles

    tiles = load_tiles(data, skip_bad=skip_bad)
    with output.progress("labelling") as progress:
        made = write_pseudo_sections(
            predictor, tiles, mosaic, out, limits=limits, progress=progress
        )
    output.note(*tiles.notes)
    output.say(
        f"{made.tiles} of {plural(made.tiles + made.unsure, 'unlabelled tile')} in "
        f"{plural(made.sections, 'section')} labelled in {made.out}: {_listed(made.shares)}"
        + (THERE if made.kept else ""),
        f"left out: {made.unsure} low-confidence; {made.labelled} have labels",
    )
    return Answer(made.to_json() | {"notes": tiles.notes})


def _listed(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
