"""A training from start to end: open the device and the run folder, read the tiles, train."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from diapir.config import RunConfig
from diapir.errors import RunError
from diapir.files import unwritable
from diapir.run.folder import CONFIG, LOG, RESUME, RunFolder
from diapir.tiles import load_tiles
from diapir.training.device import Device, close_device, open_device
from diapir.training.display.console import Console
from diapir.training.loop import Loop, TrainResult
from diapir.training.prepare import PreparedRun, prepare
from diapir.training.stopping import Stopping
from diapir.training.tracking.tracker import Tracking


def train(
    config: RunConfig,
    tiles_path: str | Path,
    run: Path,
    *,
    resume: bool = False,
    budget_s: float | None = None,
    stream: TextIO = sys.stdout,
    origin: str = "",
) -> TrainResult:
    """Train a network, and write a run folder.

    When several processes train together, each of them calls this alike; the main one writes.

    Args:
        config: the recipe.
        tiles_path: labelled tiles in any layout.
        run: the run folder.
        resume: resume the run in the folder, if there is one.
        budget_s: time budget in seconds, after which the run is validated, saved and ended.
        stream: where lines or the progress display go.
        origin: where the configuration comes from, for the log.

    Raises:
        DiapirError: unusable tiles, recipe, device or folder; a loss that stays non-finite.
        Interrupted: SIGINT or SIGTERM came, and a checkpoint was saved.
    """
    with Stopping(budget_s) as stopping, _opened(config, run, resume=resume) as (device, folder):
        tiles = load_tiles(tiles_path, **config.data.reading())
        prepared = prepare(config, tiles, folder, device)
        with _shown(prepared, stream) as (console, tracking):
            began = time.strftime("%Y-%m-%d %H:%M:%S")
            console.note(f"Configuration: {origin or 'given'}, all keys in {run / CONFIG}, {began}")
            for line in [*prepared.introduction(), *(tracking.places() if tracking else [])]:
                console.note(line)
            command = resume_command(tiles_path, run)
            return Loop(prepared, stopping, console, tracking, resume_with=command).run()


def resume_command(tiles_path: str | Path, run: Path) -> str:
    """The command line that resumes a run, for people to copy."""
    recipe = ("--recipe", str(run / CONFIG), "--data", str(tiles_path))
    return shlex.join(["diapir", "train", *recipe, "--out", str(run), "--resume"])


@contextmanager
def _opened(config: RunConfig, run: Path, *, resume: bool) -> Iterator[tuple[Device, RunFolder]]:
    """The device, and the run folder, which the main process holds for all."""
    device = open_device(config.device)
    folder = RunFolder(run, resume=resume)
    with ExitStack() as stack:
        stack.callback(close_device, device)
        try:
            if device.is_main:
                stack.enter_context(folder)
            yield device, folder
        except OSError as error:
            # saving weights has its own messages; this is for the small files beside them
            raise unwritable(error.filename or run, error, RunError, fix=RESUME) from error


@contextmanager
def _shown(run: PreparedRun, stream: TextIO) -> Iterator[tuple[Console, Tracking | None]]:
    """The console and, in the main process, the trackers of a run; closed whatever happens."""
    main, cursor = run.device.is_main, run.session.cursor
    nowhere = Path(os.devnull)
    with ExitStack() as stack:
        if not main:
            stream = stack.enter_context(nowhere.open("w"))
        console = stack.enter_context(
            Console(
                run.folder / LOG if main else nowhere,
                epochs=run.config.train.epochs,
                batches=run.batches,
                stream=stream,
                resumed=run.state is not None,
                best_loss=cursor.best_val_loss if cursor.best_epoch else None,
            )
        )
        tracking = None
        if main:
            tracking = Tracking(
                run.folder,
                run.config,
                epochs_done=cursor.epoch - 1,
                state=run.state["trackers"] if run.state else None,
                note=console.note,
            )
            stack.callback(lambda: tracking.finish(run.best if run.best.is_dir() else None))
        yield console, tracking
