"""The folder of a run: one process at a time, writable, big enough, and the same run at resume."""

from __future__ import annotations

import json
import os
import shutil
import socket
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from diapir.config import RunConfig, config_diff, load_recipe
from diapir.errors import RunError
from diapir.files import replace_file

CONFIG = "config.yaml"
SPLIT = "split.json"
LOG = "log.txt"
BEST = "best"
_LOCK = ".lock"
_OWNER = ".owner.json"

CHANGEABLE = (
    "name",
    "data.split",
    "device.threads",
    "train.epochs",
    "train.early_stopping",
    "train.log_every",
    "train.save_minutes",
    "track.",
)
"""Keys (or sections, ending in a dot) that a resumed run may change: they move no weight. (The
number of epochs does where something follows the whole run's steps, and may not change there.)"""


class RunFolder:
    """A run folder that this process holds while it is entered as a context manager.

    Args:
        path: the folder; made where it is missing.
        resume: whether an earlier run in it is continued.

    Raises:
        RunError: the folder is in use, not writable, or holds a run that is not to be resumed.
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        self.path = path
        self._resume = resume
        self._lock = FileLock(path / _LOCK)
        self._made = False

    def __enter__(self) -> RunFolder:
        owner = {"pid": os.getpid(), "host": socket.gethostname()}
        try:
            self._refuse_foreign()
            self._made = not self.path.exists()
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(blocking=False)
            replace_file(self.path / _OWNER, json.dumps(owner))
        except Timeout:
            raise RunError(
                f"{self.path} is in use by {_owner(self.path)}",
                expected="a run folder that no other process trains in",
                fix="wait for that run to end, stop it, or choose another --out",
            ) from None
        except OSError as error:
            self._leave()
            raise RunError(
                f"{self.path} cannot be written: {error.strerror or error}",
                expected="a folder this user may write in, on a disk that is not full",
                fix="choose another --out, free space, or change the folder's permissions",
            ) from None
        try:
            self._refuse_foreign()
            self._refuse_earlier()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        """Give the folder back; one in which nothing was begun is left as it was found."""
        with suppress(OSError):
            (self.path / _OWNER).unlink(missing_ok=True)
            if not self._content():
                (self.path / _LOCK).unlink(missing_ok=True)  # before the release: nobody has it yet
        self._lock.release()
        if self._made:
            with suppress(OSError):  # a run has begun in it
                self.path.rmdir()

    def _content(self) -> set[str]:
        return {path.name for path in self.path.iterdir()} - {_LOCK, _OWNER}

    def _refuse_foreign(self) -> None:
        """Refuse what is no run folder, before anything is written there."""
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise RunError(
                f"{self.path} is a file",
                expected="an empty or new folder, or the folder of a run",
                fix="choose another --out",
            )
        content = self._content()
        if content and CONFIG not in content:
            raise RunError(
                f"{self.path} holds {', '.join(sorted(content)[:3])} and is no run folder",
                expected="an empty or new folder, or the folder of a run",
                fix="choose another --out",
            )

    def _refuse_earlier(self) -> None:
        """Refuse an earlier run that was not asked for."""
        if self._content() and not self._resume:
            raise RunError(
                f"{self.path} already holds a run",
                expected="an empty or new folder for a new run",
                fix="--resume to continue it, or another --out",
            )

    def check_config(self, config: RunConfig) -> list[str]:
        """Check the configuration against the one of the run that is continued, if there is one.

        Returns:
            One line for each changed key.

        Raises:
            RunError: a key that decides about the weights has changed.
        """
        saved = saved_config(self.path)
        changes: dict[str, tuple[object, object]] = {}
        if saved is not None:
            changes = config_diff(saved, config)
            changeable = tuple(
                key for key in CHANGEABLE if key != "train.epochs" or not _follows_steps(saved)
            )
            refused = {
                key: values for key, values in changes.items() if not key.startswith(changeable)
            }
            if refused:
                raise RunError(
                    f"the recipe has changed since {self.path} began: " + _listing(refused),
                    expected="the same recipe; only these may change: "
                    + ", ".join(key.rstrip(".") for key in changeable),
                    fix="set these keys back, or train into a new --out",
                )
        return [f"Changed at resume: {_listing(changes)}"] if changes else []

    def save_config(self, config: RunConfig) -> None:
        """Save the configuration: from now on the folder holds a run."""
        replace_file(self.path / CONFIG, config.to_yaml())

    def check_space(self, needed: int) -> None:
        """Refuse to start where the disk cannot hold the saves.

        Raises:
            RunError: fewer than `needed` bytes are free.
        """
        free = shutil.disk_usage(self.path).free
        if free < needed:
            raise RunError(
                f"the disk of {self.path} has {free / 1e6:.0f} MB free",
                expected=f"{needed / 1e6:.0f} MB for the resume states and the best model",
                fix="free space or choose an --out on another disk",
            )


def _follows_steps(config: RunConfig) -> bool:
    """Whether the number of epochs decides what each step does."""
    ramped = any(
        isinstance(value, tuple) for value in (config.loss.ce, config.loss.dice, config.loss.lovasz)
    )
    return config.schedule.name != "plateau" or ramped or bool(config.train.progressive)


def saved_config(run: Path) -> RunConfig | None:
    """The configuration of the run in a folder; None where there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    path = run / CONFIG
    return load_recipe(path) if path.is_file() else None


def _owner(run: Path) -> str:
    try:
        owner = json.loads((run / _OWNER).read_bytes())
        return f"process {owner['pid']} on {owner['host']}"
    except (OSError, ValueError, KeyError):
        return "another process"


def _listing(changes: dict[str, tuple[object, object]]) -> str:
    return "; ".join(f"{key}: {old!r} → {new!r}" for key, (old, new) in changes.items())
