"""Where the metrics of a run go: always metrics.csv, and TensorBoard and W&B where chosen.

Reports and resuming read metrics.csv only, and no tracker can delay or end a run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from diapir.config import RunConfig
from diapir.errors import MissingDependencyError
from diapir.run.folder import METRICS
from diapir.training.epoch_metrics import Row
from diapir.training.tracking.metrics_file import MetricsFile


class Tracker(Protocol):
    """A service that draws curves and examples. Where it raises, `Tracking` drops it."""

    title: str
    """The tracker's name in notes."""

    @property
    def place(self) -> str:
        """A line that says where it writes and how to look at it; "" where that was said."""

    def epoch(self, row: Row) -> None:
        """Record the metrics of an epoch."""

    def examples(
        self,
        epoch: int,
        ids: Sequence[str],
        images: NDArray[np.uint8],
        masks: NDArray[np.uint8],
        probabilities: NDArray[np.float32],
    ) -> None:
        """Record the example tiles of an epoch, as `Tracking.examples` describes them."""

    def state(self) -> dict[str, Any]:
        """What a resumed run needs to continue the same curves, as JSON values."""

    def finish(self, best: Path | None) -> None:
        """Close, and keep the best bundle where the tracker stores models."""

    def abandon(self) -> None:
        """Close after an error, without waiting."""


class Tracking:
    """metrics.csv and the chosen trackers of one run; belongs to the main process.

    Args:
        run: the run folder; each tracker writes into a folder of its own name in it.
        config: the run's configuration; `config.track` chooses.
        epochs_done: finished epochs that a resumed run starts from; later rows are dropped.
        state: what `state` of the interrupted run returned.
        note: prints a line.

    Raises:
        RunError: metrics.csv cannot be written, or cannot be read by a resumed run.
        MissingDependencyError: a chosen tracker is not installed.
    """

    def __init__(
        self,
        run: Path,
        config: RunConfig,
        *,
        epochs_done: int = 0,
        state: dict[str, Any] | None = None,
        note: Callable[[str], None],
    ) -> None:
        self._note = note
        self._state = dict(state or {})
        self._metrics = MetricsFile(run / METRICS, epochs_done=epochs_done)
        self._trackers: list[Tracker] = []
        for name in dict.fromkeys(config.track.trackers):
            try:
                tracker = self._start(name, run, config, epochs_done)
            except MissingDependencyError:
                raise
            except Exception as error:  # no tracker may end a run
                note(f"{name} cannot start ({_said(error)}); continuing without it")
            else:
                self._trackers.append(tracker)
                self._state[name] = tracker.state()

    def places(self) -> list[str]:
        """Lines that say where the trackers write, and how to look at it."""
        if not self._trackers:
            return [
                "Tracking: metrics.csv (TensorBoard, W&B: --set 'track.trackers=[tensorboard]')"
            ]
        return [tracker.place for tracker in self._trackers if tracker.place]

    def epoch(self, row: Row) -> None:
        """Record an epoch: a row with exactly the columns `metrics.COLUMNS`.

        Raises:
            RunError: metrics.csv cannot be written.
        """
        self._metrics.append(row)
        self._tell(lambda tracker: tracker.epoch(dict(row)))

    def examples(
        self,
        epoch: int,
        ids: Sequence[str],
        images: NDArray[np.uint8],
        masks: NDArray[np.uint8],
        probabilities: NDArray[np.float32],
    ) -> None:
        """Record the example tiles of an epoch.

        Args:
            epoch: the epoch, from 1.
            ids: names of the n tiles, the same in each epoch.
            images: uint8 (n, H, W), grey.
            masks: uint8 (n, H, W) of {0 background, 1 salt, 255 ignore}.
            probabilities: float32 (n, H, W) of salt, in [0, 1].
        """
        self._tell(lambda tracker: tracker.examples(epoch, ids, images, masks, probabilities))

    def state(self) -> dict[str, Any]:
        """What a resumed run passes as `state`: JSON values by tracker."""
        return dict(self._state)

    def finish(self, best: Path | None) -> None:
        """Close all trackers; may be repeated.

        W&B stores the best bundle as an artifact. Where its server does not answer, this does not
        wait, and what was not uploaded stays in the run folder.

        Args:
            best: the best bundle; None where there is none yet.
        """
        self._tell(lambda tracker: tracker.finish(best))
        self._trackers = []

    def _start(self, name: str, run: Path, config: RunConfig, epochs_done: int) -> Tracker:
        if name == "tensorboard":
            from diapir.training.tracking.tensorboard_tracker import TensorBoardTracker

            return TensorBoardTracker(run, config, epochs_done=epochs_done)
        from diapir.training.tracking.wandb_tracker import WandbTracker

        return WandbTracker(run, config, state=self._state.get(name), note=self._note)

    def _tell(self, message: Callable[[Tracker], object]) -> None:
        for tracker in list(self._trackers):
            try:
                message(tracker)
            except Exception as error:  # no tracker may end a run
                self._note(f"{tracker.title} failed ({_said(error)}); continuing without it")
                self._trackers.remove(tracker)
                with contextlib.suppress(Exception):
                    tracker.abandon()


def _said(error: Exception) -> str:
    """The message of an error, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
