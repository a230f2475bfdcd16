"""Training all folds of a recipe, one after the other, resumable as one."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from diapir.bundle.starting import adopt
from diapir.config import RunConfig
from diapir.errors import ConfigError, DiapirError, RunError, SplitError
from diapir.files import unwritable
from diapir.run.folder import CONFIG, FOLDS, RESUME, SPLIT, RunFolder, resume_words
from diapir.run.folds import FoldsState, FoldState, fold_runs, saved_folds
from diapir.tiles import Split, load_tiles, make_folds
from diapir.training import TrainResult
from diapir.training.train_run import starting_from
from diapir.training.train_run import train as train_run

MOST = 100
"""Most folds that are trained."""


def train_folds(
    config: RunConfig,
    tiles_path: str | Path,
    folder: str | Path,
    *,
    folds: int,
    init: str | Path | None = None,
    resume: bool = False,
    budget_s: float | None = None,
    stream: TextIO = sys.stdout,
) -> Iterator[TrainResult]:
    """Train a network for each fold, and write a run folder for each into a folder.

    Args:
        config: the recipe; its `data.split` may name the folds.
        tiles_path: labelled tiles in any layout.
        folder: for `fold0`, `fold1` and so on.
        folds: number of folds, at least 2.
        init: as for `train`.
        resume: resume the folds in the folder; those that are done are not trained again.
        budget_s: time budget of all folds in seconds, shared out equally; None to resume with the
            budget from before.
        stream: where lines or the progress display go.

    Yields:
        The result of each fold in order, as soon as it is known.

    Raises:
        DiapirError: as for `train`, or folds that do not fit the recipe or the folder.
        Interrupted: SIGINT or SIGTERM came, and a checkpoint was saved.
    """
    folder = Path(folder)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "folds are trained in one process, and several were started",
            expected="diapir train --folds without torchrun",
            fix="train the folds one by one: --set data.folds=5 --set data.fold=0, and so on",
        )
    with RunFolder(folder, resume=resume, marker=FOLDS) as held:
        before = saved_folds(folder)
        config = starting_from(config, init, tiles_path)
        earlier = None if before is None else before.config()
        config = adopt(config, earlier).model_copy(
            update={"data": config.data.model_copy(update={"folds": folds, "fold": 0})}
        )
        if earlier is not None:
            held.check_config(config, earlier)
        split = _split(config, tiles_path, folds, folder / SPLIT)
        state = before or FoldsState({}, (FoldState(),) * folds)
        state = replace(state, recipe=config.model_dump(mode="json")).with_budget(budget_s)
        try:
            state.save(folder)
            split.save(folder / SPLIT)
            yield from _train(config, tiles_path, folder, state, stream)
        except OSError as error:
            raise unwritable(error.filename or folder, error, RunError, fix=RESUME) from error
        except DiapirError:
            if before is None and not (folder / "fold0" / CONFIG).exists():
                # refused before it began: the folder holds nothing
                for name in (FOLDS, SPLIT):
                    (folder / name).unlink(missing_ok=True)
            raise


def _train(
    config: RunConfig, tiles_path: str | Path, folder: Path, state: FoldsState, stream: TextIO
) -> Iterator[TrainResult]:
    split = str((folder / SPLIT).absolute())
    count = len(state.folds)
    for number, run in enumerate(fold_runs(folder, count)):
        fold = state.folds[number].settled(run)
        if not fold.done:
            print(f"Fold {number + 1} of {count}: {run}", file=stream, flush=True)
            fold = replace(fold, begun_at=time.time())
            state = state.with_fold(number, fold)
            state.save(folder)
            data = config.data.model_copy(update={"split": split, "folds": None, "fold": number})
            left = None if state.share_s is None else max(state.share_s - fold.spent_s, 1.0)
            try:
                result = train_run(
                    config.model_copy(update={"data": data}),
                    tiles_path,
                    run,
                    resume=True,
                    budget_s=left,
                    stream=stream,
                    resume_with=resume_words(folder),
                )
                fold = replace(
                    fold,
                    best_epoch=result.best_epoch,
                    best_val_loss=result.best_val_loss,
                    epochs=result.epochs,
                    stopped=result.stopped,
                )
            finally:
                state = state.with_fold(number, fold.ended())
                state.save(folder)
            fold = state.folds[number]
        assert fold.stopped  # noqa: S101 - it is done
        yield TrainResult(run, fold.best_epoch, fold.best_val_loss, fold.epochs, fold.stopped)


def _split(config: RunConfig, tiles_path: str | Path, folds: int, saved: Path) -> Split:
    """The folds from before, or those that the recipe names, or new ones."""
    if not 2 <= folds <= MOST:
        raise ConfigError(f"{folds} folds", expected=f"2 to {MOST} folds", fix="--folds 5")
    if config.data.use_all:
        raise ConfigError(
            "data.use_all trains on all tiles, and folds hold some out",
            expected="one of them",
            fix="--set data.use_all=false, or leave out --folds",
        )
    tiles = load_tiles(tiles_path, **config.data.reading())
    if saved.is_file():
        split = Split.load(saved)
    elif config.data.split is None:
        split = make_folds(tiles, folds=folds, seed=config.data.split_seed)
    else:
        split = Split.load(config.data.split)
        if len(split.parts) != folds or split.kind != "kfold":
            raise SplitError(
                f"data.split = {config.data.split} has the parts {', '.join(split.parts)}",
                expected=f"{folds} folds",
                fix=f"diapir data split PATH --out FILE --folds {folds}, or --set data.split=null",
            )
    split.verify(tiles)
    return split
