"""`diapir submit`: the test tiles' masks as Kaggle takes them."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from diapir.cli.options import SkipBad
from diapir.cli.output import Answer, Injected
from diapir.cli.running import (
    AS_THE_MODEL_SAYS,
    MARKED_AS_THE_MODEL_SAYS,
    Marking,
    Models,
    Running,
)

app = App(
    name="submit",
    help_epilogue="""Examples:

  diapir submit --data tgs.zip --out submission.csv          by the shipped model
  diapir submit runs/fold* --data tgs.zip --out submission.csv --tta flip""",
)


@app.default
def submit(
    models: Models = None,
    /,
    *,
    data: Path,
    out: Path,
    skip_bad: SkipBad = False,
    marking: Marking = MARKED_AS_THE_MODEL_SAYS,
    running: Running = AS_THE_MODEL_SAYS,
    output: Injected,
) -> Answer:
    """Write submission.csv for the test tiles of Kaggle's zip.

    Several models are averaged. A line holds a tile's id and its salt as
    run-length encoding: pixels from 1 down the columns, nothing where there is
    no salt.

    Args:
        models: run folders and bundle folders; without one, the shipped model.
        data: Kaggle's zip as it is, unpacked, or any folder of images.
        out: the file to write.
        skip_bad: leave out tiles that cannot be read, instead of stopping.
        marking: what counts as salt.
        running: how the network runs.
        output: where lines and the answer go.
    """
    from diapir.inference.submission import write_submission
    from diapir.tiles import load_tiles

    marking.check()
    predictor = running.open(models or [])
    tiles = load_tiles(data, labelled=False, part="test", skip_bad=skip_bad)
    with output.progress("predicting") as progress:
        made = write_submission(
            predictor,
            tiles,
            out,
            threshold=marking.threshold,
            min_area=marking.min_area,
            progress=progress,
        )
    output.say(
        f"{made.tiles} tiles in {made.out}, {made.empty} of them without salt, "
        f"{made.salt_share:.1%} salt"
    )
    return Answer(made.to_json())
