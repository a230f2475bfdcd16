"""A training from start to end: open the device and the run folder, read the tiles, train."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from diapir.bundle.starting import adopt
from diapir.config import RunConfig
from diapir.errors import RunError
from diapir.files import unwritable
from diapir.models.device_choice import enough_memory
from diapir.run.folder import CONFIG, LOG, RESUME, RunFolder, resume_words, saved_config
from diapir.tiles import TileSet, load_tiles
from diapir.training.device import Device, close_device, open_device, settled
from diapir.training.display.console import Console
from diapir.training.from_python.parts import NO_PARTS, Parts
from diapir.training.loop import Loop, TrainResult
from diapir.training.prepare import PreparedRun, prepare
from diapir.training.stopping import Stopping
from diapir.training.tracking.tracker import Tracking

_LESS = (
    "a smaller --batch into another --out; train.accumulate keeps the number of images of a step"
)
"""What needs less memory of a GPU."""


def train(
    config: RunConfig,
    tiles_path: str | Path | TileSet,
    run: str | Path,
    *,
    init: str | Path | None = None,
    resume: bool = False,
    budget_s: float | None = None,
    stream: TextIO = sys.stdout,
    resume_with: Sequence[str] | None = None,
    parts: Parts = NO_PARTS,
    origin: str = "",
) -> TrainResult:
    """Train a network, and write a run folder.

    When several processes train together, each of them calls this alike; the main one writes.

    Args:
        config: the recipe.
        tiles_path: labelled tiles in any layout, or a set that was read already.
        run: the run folder.
        init: a run, bundle or bundled model to start from, as `train.start`. Keys of `model` and
            `preprocess` that the recipe leaves out are taken from it.
        resume: resume the run in the folder, if there is one.
        budget_s: time budget in seconds, after which the run is validated, saved and ended.
        stream: where lines or the progress display go.
        resume_with: words of the command that resumes the run, for the message after a signal; None
            for `diapir train --resume RUN`, with the rest of the budget.
        parts: a network, a loss and callbacks from Python.
        origin: where the configuration comes from, for the log.

    Raises:
        DiapirError: unusable tiles, recipe, device, model or folder; a loss that stays non-finite.
        Interrupted: SIGINT or SIGTERM came, and a checkpoint was saved.
    """
    run, config = Path(run), parts.recorded(config)
    earlier = saved_config(run) if resume else None
    config = adopt(starting_from(config, init, tiles_path), earlier)
    config, line = _with_precision(config, earlier)
    with (
        Stopping(budget_s) as stopping,
        enough_memory(_LESS),
        _opened(config, run, resume=resume) as (device, folder),
    ):
        tiles = load_tiles(tiles_path, **config.data.reading())
        prepared = prepare(config, tiles, folder, device, parts)
        with _shown(prepared, stream) as (console, tracking):
            began = time.strftime("%Y-%m-%d %H:%M:%S")
            console.note(f"Configuration: {origin or 'given'}, all keys in {run / CONFIG}, {began}")
            places = tracking.places() if tracking else []
            for each in [*prepared.introduction(), *filter(None, [line]), *places]:
                console.note(each)

            def command() -> str:
                if isinstance(tiles_path, TileSet) or parts != NO_PARTS:
                    return f"diapir.train(…, out={str(run)!r}, resume=True)"
                own = [*resume_words(run), *stopping.budget_words()]
                return shlex.join(own if resume_with is None else resume_with)

            return Loop(prepared, stopping, console, tracking, resume_with=command).run()


def starting_from(
    config: RunConfig, init: str | Path | None, tiles_path: str | Path | TileSet
) -> RunConfig:
    """The recipe with the model to start from and the place of the tiles, for resuming."""
    # absolute, so that the run can be resumed from any folder
    given = tiles_path.path if isinstance(tiles_path, TileSet) else tiles_path
    path = str(Path(given).absolute())
    data = config.data.model_copy(update={"path": path})
    start = config.train.start if init is None else str(init)
    train = config.train.model_copy(update={"start": start})
    return config.model_copy(update={"data": data, "train": train})


def _with_precision(config: RunConfig, earlier: RunConfig | None) -> tuple[RunConfig, str]:
    """The recipe with the precision that `auto` stands for, and a line on a choice of bfloat16."""
    device = settled(config.device, earlier.device if earlier else None)
    line = (
        "Precision: bfloat16, which this hardware computes faster (device.precision = auto); "
        "for float32: --set device.precision=fp32"
    )
    chosen = earlier is None and config.device.precision == "auto" and device.precision == "bf16"
    return config.model_copy(update={"device": device}), line if chosen else ""


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
