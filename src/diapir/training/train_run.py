"""A run: the device and the folder opened, the tiles read, and the loop let go."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from diapir.config import RunConfig
from diapir.errors import RunError
from diapir.run.folder import RunFolder
from diapir.tiles import load_tiles
from diapir.training.device import Device, close_device, open_device
from diapir.training.loop import Loop, TrainResult
from diapir.training.stopping import Stopping


def train(
    config: RunConfig,
    tiles_path: str | Path,
    run: Path,
    *,
    resume: bool = False,
    budget_s: float | None = None,
    stream: TextIO = sys.stdout,
) -> TrainResult:
    """Train a network and leave a run folder.

    In a launch of several processes every process calls this alike; the main one writes.

    Args:
        config: the recipe.
        tiles_path: labelled tiles in any layout.
        run: the run folder.
        resume: continue the run in the folder, if there is one.
        budget_s: seconds after which the run ends cleanly, validated and saved.
        stream: where lines or the progress display go.

    Raises:
        DiapirError: unusable tiles, recipe, device or folder; a loss that stays non-finite.
        Interrupted: SIGINT or SIGTERM came; the run has saved itself.
    """
    with Stopping(budget_s) as stopping, _opened(config, run, resume=resume) as (device, folder):
        tiles = load_tiles(
            tiles_path,
            encoding=config.data.mask_encoding,
            skip_bad=config.data.skip_bad,
            groups=config.data.groups,
        )
        return Loop(config, tiles, folder, device, stopping).run(stream)


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
            # the saves of weights have their own messages; this is for the small files beside them
            raise RunError(
                f"{error.filename or run} cannot be written: {error.strerror or error}",
                expected="a writable run folder on a disk that is not full",
                fix="free space or fix the permissions, then run again with --resume",
            ) from error
