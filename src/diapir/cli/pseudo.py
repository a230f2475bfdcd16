"""`diapir data pseudo`: pseudo-labels of unlabelled tiles, where models are confident."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from diapir.cli.options import SkipBad
from diapir.cli.output import Answer, Injected
from diapir.cli.running import DEFAULT_RUNNING, Models, Running
from diapir.text import plural


def pseudo(
    models: Models = None,
    /,
    *,
    data: Path,
    out: Path,
    part: Literal["test", "train"] = "test",
    low: float = 0.2,
    high: float = 0.8,
    confident: float = 0.9,
    skip_bad: SkipBad = False,
    running: Running = DEFAULT_RUNNING,
    output: Injected,
) -> Answer:
    """Pseudo-label unlabelled tiles, as further training tiles.

    A pixel is labelled from the models' mean probability, or ignored if that is
    between --low and --high; a tile with too many ignored pixels is left out.
    Train with --set data.extra=DIR. Scores of such a training are optimistic on
    tiles that any of these models was trained on.

    Args:
        models: run folders and bundle folders; by default the bundled model.
        data: Kaggle's zip, the same unpacked, or any folder of images.
        out: folder to write.
        part: part of Kaggle's layout to label.
        low: a pixel of up to this probability is labelled background.
        high: a pixel of at least this probability is labelled salt.
        confident: minimum share of labelled pixels in a tile.
        skip_bad: leave out tiles that cannot be read, instead of stopping.
        running: how the network runs.
        output: where lines and the answer go.
    """
    from diapir.inference.pseudo import write_pseudo_labels
    from diapir.tiles import load_tiles

    predictor = running.open(models or [])
    tiles = load_tiles(data, labelled=False, part=part, skip_bad=skip_bad)
    with output.progress("labelling") as progress:
        made = write_pseudo_labels(
            predictor, tiles, out, low=low, high=high, confident=confident, progress=progress
        )
    shares = ", ".join(f"{name} {share:.1%}" for name, share in made.shares.items())
    output.say(
        f"{made.tiles} of {plural(len(tiles), 'tile')} labelled in {made.out}: {shares}",
        f"left out: {made.unsure} low-confidence, {made.repeated} with a repeated image",
    )
    return Answer(made.to_json())
