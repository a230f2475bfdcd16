"""`diapir data pseudo`: labels of unlabelled tiles, as far as models are sure."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from diapir.cli.options import SkipBad
from diapir.cli.output import Answer, Injected
from diapir.cli.running import AS_THE_MODEL_SAYS, Models, Running


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
    running: Running = AS_THE_MODEL_SAYS,
    output: Injected,
) -> Answer:
    """Label unlabelled tiles where models are sure, to learn from.

    A pixel is labelled by the models' mean probability, or ignored where that is
    undecided; a tile is left out where too much of it is. Train with
    --set data.extra=DIR. Scores of such a training are only honest on tiles that
    none of these models learnt from.

    Args:
        models: run folders and bundle folders; without one, the shipped model.
        data: Kaggle's zip as it is, unpacked, or any folder of images.
        out: folder to make.
        part: which tiles of Kaggle's layout.
        low: up to this probability a pixel is background.
        high: from this probability on a pixel is salt.
        confident: least share of a tile's pixels that are one or the other.
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
        f"{made.tiles} of {len(tiles)} tiles labelled in {made.out}: {shares}",
        f"left out: {made.unsure} of which the models are unsure, {made.repeated} repeated",
    )
    return Answer(made.to_json())
