"""A run before its first step: everything that can be refused is refused here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from diapir.architectures import OtherConfig
from diapir.config import RunConfig
from diapir.errors import RunError
from diapir.models import build
from diapir.run.folder import BEST, SPLIT, RunFolder, noted_settings, saved_config
from diapir.text import plural
from diapir.tiles import TileSet
from diapir.training.batches.input_sizes import auto_size, input_notes, with_size
from diapir.training.batches.tile_batches import epoch_batches
from diapir.training.batches.tile_crops import Indices
from diapir.training.checkpoint import Checkpoints, State
from diapir.training.device import Device
from diapir.training.from_python.epoch_state import Callback
from diapir.training.from_python.parts import NO_PARTS, Parts
from diapir.training.run_tiles import RunTiles
from diapir.training.session import Session
from diapir.training.start import seen_note


@dataclass(frozen=True)
class PreparedRun:
    """A run that is ready to train: a new one, or one restored from its last checkpoint.

    Attributes:
        config: the recipe.
        folder: the run folder.
        device: where it trains.
        tiles: what it trains and validates on.
        session: the network in training.
        checkpoints: the resume states.
        batches: batches of each epoch.
        state: the checkpoint that the run was restored from; None for a new run.
        notes: lines for the log.
        callbacks: told of each epoch.
    """

    config: RunConfig
    folder: Path
    device: Device
    tiles: RunTiles
    session: Session
    checkpoints: Checkpoints
    batches: int
    state: State | None = None
    notes: list[str] = field(default_factory=list)
    callbacks: tuple[Callback, ...] = ()

    @property
    def best(self) -> Path:
        """Where the best model is saved."""
        return self.folder / BEST

    def introduction(self) -> Iterator[str]:
        """The first lines of the log."""
        tiles, cursor = self.tiles, self.session.cursor
        yield from self.notes
        if self.state:
            yield f"Resumed at epoch {cursor.epoch}, batch {cursor.batch}/{self.batches}"
        yield (
            f"Tiles: {tiles.labelled.name}, {len(tiles.training)} for training, "
            f"{len(tiles.validation)} for validation, masks {tiles.labelled.encoding}"
        )
        for skipped, reason in tiles.labelled.skipped:
            yield f"Skipped {skipped}: {reason}"
        yield f"Network: {self.session.describe()}"
        if self.session.started.line:
            yield self.session.started.line
        for change in self.session.changes:
            yield (
                f"NOTE: changed on resuming: {change}; from there on the run differs from an "
                "undisturbed one"
            )
        yield f"Optimiser: {_optimiser_text(self.config)}"
        yield (
            "Dice Score is the soft Dice of the training batches; Dice, IoU and Kaggle mAP are of "
            "the validation tiles at threshold 0.5"
        )


def prepare(
    config: RunConfig,
    labelled: TileSet,
    folder: RunFolder,
    device: Device,
    parts: Parts = NO_PARTS,
) -> PreparedRun:
    """Check and set up all that a run needs, and restore it where it was begun.

    Args:
        config: the recipe.
        labelled: the labelled tiles.
        folder: the run folder, which the main process holds.
        device: where to train.
        parts: what Python code adds to it.

    Raises:
        DiapirError: something that the run cannot be started or resumed with.
    """
    divisor, auto = _divisor(config), config.preprocess.size == "auto"
    config = _with_input_size(config, labelled, folder.path, divisor)
    notes = folder.check_config(config) if device.is_main else []
    checkpoints = Checkpoints(folder.path, notes.append)
    tiles = RunTiles.choose(config, labelled, folder.path / SPLIT)
    notes += tiles.notes
    if config.train.start is not None and not checkpoints.exist:
        notes += filter(None, [seen_note(config.train.start, tiles)])
    notes += input_notes(tiles.training.shapes, divisor, config.preprocess, auto=auto)
    batches = len(batches_of(config, tiles, device, epoch=1))
    session = Session(
        config,
        device,
        pretrained=not checkpoints.exist,
        steps=batches * config.train.epochs,
        windows=tiles.windows,
        parts=parts,
    )
    if device.is_main:
        folder.check_space(session.save_bytes())
    device.wait()  # until the main process has claimed the folder
    state = checkpoints.load()
    if state and (earlier := saved_config(folder.path)):
        # checkpoints did not always hold them
        state = {"settings": noted_settings(earlier)} | state
    run = PreparedRun(
        config,
        folder.path,
        device,
        tiles,
        session,
        checkpoints,
        batches,
        state,
        notes,
        tuple(parts.callbacks),
    )
    if state:
        _restore(run, state)
    elif run.best.exists():
        raise RunError(
            f"{run.folder} holds a best model, but {checkpoints.folder} holds no checkpoint",
            expected="the checkpoints of the run, to resume it",
            fix="restore last/ from a copy, or train into another --out",
        )
    if device.is_main:  # nothing is left to refuse: from here on the folder holds a run
        folder.save_config(config)
        tiles.split.save(run.folder / SPLIT)
    return run


def batches_of(config: RunConfig, tiles: RunTiles, device: Device, *, epoch: int) -> list[Indices]:
    """The batches of the optimiser steps of an epoch (from 1); each epoch has the same number.

    With `train.epoch_steps` they are the first ones of a pass over all images in random order.
    """
    batches = tiles.windows.epoch_batches if tiles.windows else epoch_batches
    drawn = batches(
        tiles.images,
        config.train.batch * config.train.accumulate,
        seed=config.seed,
        epoch=epoch,
        processes=device.world,
    )
    return [tiles.indices(batch) for batch in drawn[: config.train.epoch_steps]]


def _divisor(config: RunConfig) -> int:
    """The divisor of the network, which is not initialised for it; 32 where it is not known yet."""
    if isinstance(config.model, OtherConfig):
        return config.model.divisor or 32
    with torch.device("meta"):
        return build(config.model).divisor


def _with_input_size(config: RunConfig, labelled: TileSet, run: Path, divisor: int) -> RunConfig:
    """The configuration with a number for `preprocess.size`; a resumed run keeps its own."""
    if config.preprocess.size != "auto":
        return config
    earlier = saved_config(run)
    if earlier is not None and earlier.preprocess.size != "auto":
        return with_size(config, earlier.preprocess.side)
    return with_size(config, auto_size(labelled.shapes, divisor, config.preprocess))


def _restore(run: PreparedRun, state: State) -> None:
    with run.checkpoints.fitting():
        same_tiles = bool(state["tiles"] == run.tiles.hash)
        dict(state["trackers"])
        run.session.restore(state)
    if not same_tiles:
        raise RunError(
            f"the training tiles of {run.folder} have changed since the run was started",
            expected="the same tiles and sections, including those of data.extra",
            fix="restore them, or train into another --out",
        )


def _optimiser_text(config: RunConfig) -> str:
    """Optimiser, learning rates and schedule, for the log."""
    optimiser, schedule = config.optimizer, config.schedule
    encoder = "" if optimiser.encoder_lr is None else f" (encoder {optimiser.encoder_lr:g})"
    how = f", factor {schedule.factor:g}, patience {plural(schedule.patience, 'epoch')}"
    return (
        f"{optimiser.name}, learning rate {optimiser.lr:g}{encoder}, "
        f"weight decay {optimiser.weight_decay:g}, schedule {schedule.name}"
        + (how if schedule.name == "plateau" else "")
    )
