"""Training as Python calls it: one run, or all folds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO, overload

from diapir.config import RunConfig
from diapir.training.loop import TrainResult
from diapir.training.train_folds import train_folds
from diapir.training.train_run import train as train_run


@overload
def train(
    config: RunConfig,
    tiles_path: str | Path,
    run: str | Path,
    *,
    init: str | Path | None = None,
    folds: None = None,
    resume: bool = False,
    budget_s: float | None = None,
    stream: TextIO = sys.stdout,
) -> TrainResult: ...


@overload
def train(
    config: RunConfig,
    tiles_path: str | Path,
    run: str | Path,
    *,
    init: str | Path | None = None,
    folds: int,
    resume: bool = False,
    budget_s: float | None = None,
    stream: TextIO = sys.stdout,
) -> tuple[TrainResult, ...]: ...


def train(
    config: RunConfig,
    tiles_path: str | Path,
    run: str | Path,
    *,
    init: str | Path | None = None,
    folds: int | None = None,
    resume: bool = False,
    budget_s: float | None = None,
    stream: TextIO = sys.stdout,
) -> TrainResult | tuple[TrainResult, ...]:
    """Train a network, or one for each fold, and write a run folder.

    When several processes train together, each of them calls this alike; the main one writes.

    Args:
        config: the recipe.
        tiles_path: labelled tiles in any layout.
        run: the run folder; with folds, the folder of their runs, which stands for all of them
            wherever several models may be given.
        init: a run, bundle or bundled model to start from, as `train.start`. Keys of `model` and
            `preprocess` that the recipe leaves out are taken from it.
        folds: train this many networks, each on the tiles of all folds but one; None for one run.
        resume: resume the run or folds in the folder, if there are any.
        budget_s: time budget in seconds, of all folds together; training ends cleanly after it.
        stream: where lines or the progress display go.

    Returns:
        How the run ended; with folds, how each of them did.

    Raises:
        DiapirError: unusable tiles, recipe, device, model or folder; a loss that stays non-finite.
        Interrupted: SIGINT or SIGTERM came, and a checkpoint was saved.
    """
    if folds is None:
        return train_run(
            config, tiles_path, run, init=init, resume=resume, budget_s=budget_s, stream=stream
        )
    return tuple(
        train_folds(
            config,
            tiles_path,
            run,
            folds=folds,
            init=init,
            resume=resume,
            budget_s=budget_s,
            stream=stream,
        )
    )
