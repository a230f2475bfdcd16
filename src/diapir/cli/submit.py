"""`diapir submit`: the masks of the test tiles in Kaggle's submission format."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from diapir.cli.options import SkipBad
from diapir.cli.output import Answer, Injected
from diapir.cli.running import (
    DEFAULT_POST_PROCESSING,
    DEFAULT_RUNNING,
    Models,
    Opening,
    PostProcessing,
    Running,
)
from diapir.text import plural

app = App(
    name="submit",
    help_epilogue="""Examples:

  diapir submit --data tgs.zip --out submission.csv    with the bundled model
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
    post_processing: PostProcessing = DEFAULT_POST_PROCESSING,
    running: Running = DEFAULT_RUNNING,
    output: Injected,
) -> Answer:
    """Write submission.csv for the test tiles of Kaggle's zip.

    The predictions of several models are averaged. Each line has the id of a
    tile and its salt as run-length encoding: pixels are numbered from 1 down
    the columns, and the field is empty for a tile without salt.

    Args:
        models: run folders and bundle folders; by default the bundled model.
        data: Kaggle's zip, the same unpacked, or any folder of images.
        out: the file to write.
        skip_bad: leave out tiles that cannot be read, instead of stopping.
        post_processing: what is predicted as salt.
        running: how the network runs.
        output: where lines and the answer go.
    """
    from diapir.inference.submission import write_submission
    from diapir.tiles import load_tiles

    post_processing.check()
    tiles = load_tiles(data, labelled=False, part="test", skip_bad=skip_bad)
    opening = Opening(running, post_processing, pixels=sum(image.size for image, _ in tiles))
    predictor = opening(models or [])
    with output.progress("predicting") as progress:
        made = write_submission(
            predictor,
            tiles,
            out,
            threshold=post_processing.threshold,
            min_area=post_processing.min_area,
            progress=progress,
        )
    output.say(*opening.lines)
    notes = [*tiles.notes]
    if made.replaced:
        notes.append(f"replaces an earlier submission of the same tiles in {made.out}")
    output.note(*notes)
    output.say(
        f"{plural(made.tiles, 'tile')} written to {made.out}: {made.empty} without salt, "
        f"{made.salt_share:.1%} of all pixels predicted as salt",
    )
    return Answer(made.to_json() | {"models": opening.used, "notes": notes})
