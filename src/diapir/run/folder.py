"""The folder of a run: what its files are called, its recipe, and the process that holds it."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from diapir.errors import RunError
from diapir.files import replace_file, unwritable
from diapir.locks import locked
from diapir.scratch import is_scratch
from diapir.text import listing, size

if TYPE_CHECKING:
    from diapir.config import RunConfig

CONFIG = "config.yaml"
SPLIT = "split.json"
METRICS = "metrics.csv"
LOG = "log.txt"
LAST = "last"
"""Folder of the resume states."""
BEST = "best"
"""Folder of the best model, a bundle."""
EVALUATION = "evaluation"
"""Folder of the evaluation of the best model."""
REPORT = "report.html"
FOLDS = "folds.json"
"""What makes a folder that of the folds of `diapir train --folds`, see `folds`."""
RESUME = "free space or fix the permissions, then resume the run"
"""How to fix a run folder that cannot be written any more."""
_LOCK = ".lock"

CHANGEABLE = (
    "name",
    "data.path",
    "data.split",
    "device.threads",
    "train.epochs",
    "train.early_stopping",
    "train.log_every",
    "train.save_minutes",
    "track.",
)
"""Keys (or sections, ending in a dot) that may change when a run is resumed, because the weights do
not depend on them. Where something is scheduled over all steps, `train.epochs` may not change."""

NOTED = (
    "optimizer.lr",
    "optimizer.encoder_lr",
    "optimizer.weight_decay",
    "optimizer.clip_norm",
    "schedule.factor",
    "schedule.patience",
)
"""Keys that may change when a run is resumed although the weights depend on them; the run notes
when."""


def noted_settings(config: RunConfig) -> dict[str, float | None]:
    """The values of `NOTED`."""
    values = config.model_dump(include={"optimizer", "schedule"})
    return {key: values[key.partition(".")[0]][key.partition(".")[2]] for key in NOTED}


def changes_text(changes: Mapping[str, tuple[object, object]]) -> str:
    """Keys with the value before and now: train.batch: 8 → 16."""
    return "; ".join(f"{key}: {old!r} → {new!r}" for key, (old, new) in changes.items())


def saved_config(run: Path) -> RunConfig | None:
    """The configuration of the run in a folder; None where there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    from diapir.config import load_recipe  # not needed for the names of files

    path = run / CONFIG
    return load_recipe(path) if path.is_file() else None


def run_config(run: Path) -> RunConfig:
    """The configuration of the run in a folder.

    Raises:
        RunError: the folder is not a run folder.
        ConfigError: its configuration cannot be read.
    """
    config = saved_config(run)
    if config is None:
        raise RunError(
            f"{run} is not a run folder: it has no {CONFIG}",
            expected="a folder that `diapir train --out` wrote",
            fix="name the --out of a training",
        )
    return config


def resume_words(run: Path) -> list[str]:
    """The command line that resumes a run."""
    name = str(run)
    return ["diapir", "train", "--resume", f"./{name}" if name.startswith("-") else name]


class RunFolder:
    """A run folder that this process holds exclusively, as a context manager.

    Args:
        path: the folder; created where it is missing.
        resume: whether to resume a run that the folder holds.
        marker: the file that makes a folder that of a run.
        wait_s: seconds to wait for another process to leave the folder.

    Raises:
        RunError: the folder is in use, not writable, or holds a run that is not to be resumed.
    """

    def __init__(
        self, path: Path, *, resume: bool, marker: str = CONFIG, wait_s: float = 0.0
    ) -> None:
        self.path = path
        self._resume = resume
        self._marker = marker
        self._wait_s = wait_s
        self._held = ExitStack()

    def __enter__(self) -> RunFolder:
        try:
            self._refuse_foreign()
            self._held.enter_context(locked(self.path / _LOCK, self.path, wait_s=self._wait_s))
        except BlockingIOError as error:
            raise RunError(
                f"{self.path} is {error.strerror}",
                expected="a run folder that no other process uses",
                fix="wait until that run ends, stop it, or choose another --out",
            ) from None
        except OSError as error:
            raise unwritable(self.path, error, RunError) from None
        try:
            self._refuse_foreign()
            self._refuse_earlier()
        except BaseException:
            self._held.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()

    def _content(self) -> set[str]:
        """Names in the folder, without what this class, or a kill while it wrote, leaves there."""
        names = {path.name for path in self.path.iterdir() if not is_scratch(path.name)}
        return names - {_LOCK}

    def _refuse_foreign(self) -> None:
        """Refuse a folder of something else, before anything is written there."""
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise RunError(
                f"{self.path} is a file",
                expected="an empty or new folder, or the folder of a run",
                fix="choose another --out",
            )
        content = self._content()
        if FOLDS in content and self._marker != FOLDS:
            raise RunError(
                f"{self.path} holds the folds of a training, each a run of its own",
                expected="an empty or new folder, or the folder of a run",
                fix=f"resume all folds: {shlex.join(resume_words(self.path))}; or choose another "
                "--out",
            )
        if content and self._marker not in content:
            raise RunError(
                f"{self.path} is not a run folder: it holds {listing(sorted(content))}",
                expected="an empty or new folder, or the folder of a run",
                fix="choose another --out",
            )

    def _refuse_earlier(self) -> None:
        """Refuse an earlier run unless it is to be resumed."""
        if self._content() and not self._resume:
            raise RunError(
                f"{self.path} already holds a run",
                expected="an empty or new folder for a new run",
                fix="add --resume to resume it, or choose another --out",
            )

    def check_config(self, config: RunConfig, saved: RunConfig | None = None) -> list[str]:
        """Compare the configuration with that of the run to resume, if there is one.

        Args:
            config: the configuration.
            saved: that of the run; None for that of its `config.yaml`, if it exists.

        Returns:
            A line for the log if keys have changed, else nothing.

        Raises:
            RunError: a key has changed that the weights depend on.
        """
        saved = saved or saved_config(self.path)
        changes: dict[str, tuple[object, object]] = {}
        if saved is not None:
            from diapir.config import config_diff

            changes = config_diff(saved, config)
            changeable = tuple(
                key for key in CHANGEABLE if key != "train.epochs" or not _follows_steps(saved)
            )
            refused = {
                key: values
                for key, values in changes.items()
                if not key.startswith(changeable) and not _may_change(key, values)
            }
            if refused:
                raise RunError(
                    f"the recipe has changed since the run in {self.path} was started: "
                    + changes_text(refused),
                    expected="the same recipe; only these keys may change: "
                    + ", ".join(key.rstrip(".") for key in (*changeable, *NOTED)),
                    fix="restore the values of these keys, or train a new run from these weights: "
                    f"--init {self.path} with another --out",
                )
        return [f"Changed since the last start: {changes_text(changes)}"] if changes else []

    def save_config(self, config: RunConfig) -> None:
        """Save the configuration, which makes the folder a run folder."""
        replace_file(self.path / CONFIG, config.to_yaml())

    def check_space(self, needed: int) -> None:
        """Check that the disk has space for the resume states and the best model.

        Raises:
            RunError: fewer than `needed` bytes are free.
        """
        free = shutil.disk_usage(self.path).free
        if free < needed:
            raise RunError(
                f"the disk of {self.path} has {size(free)} free",
                expected=f"{size(needed)} for the resume states and the best model",
                fix="free space or choose an --out on another disk",
            )


def _follows_steps(config: RunConfig) -> bool:
    """Whether something is scheduled over all steps, so that the number of epochs matters."""
    ramped = config.loss.ramped
    return config.schedule.name != "plateau" or ramped or bool(config.train.progressive)


def _may_change(key: str, values: tuple[object, object]) -> bool:
    """Whether a key of `NOTED` has changed to what the optimiser's state still fits."""
    # with a rate of its own, the encoder is a group of its own
    return key in NOTED and not (key == "optimizer.encoder_lr" and None in values)
