"""The folder of a run: one process at a time, writable, big enough, and the same run at resume."""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path
from types import TracebackType

import yaml
from filelock import FileLock, Timeout

from diapir.config import RunConfig, config_diff, parse_config
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
"""Keys (or sections, ending in a dot) that a resumed run may change: they move no weight."""


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

    def __enter__(self) -> RunFolder:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            replace_file(self.path / ".probe", b"")
            (self.path / ".probe").unlink()
            self._lock.acquire(blocking=False)
        except Timeout:
            raise RunError(
                f"{self.path} is in use by {_owner(self.path)}",
                expected="a run folder that no other process trains in",
                mend="wait for that run to end, stop it, or choose another --out",
            ) from None
        except OSError as error:
            raise RunError(
                f"{self.path} cannot be written: {error.strerror or error}",
                expected="a folder this user may write in",
                mend="choose another --out, or change the folder's permissions",
            ) from None
        try:
            owner = {"pid": os.getpid(), "host": socket.gethostname()}
            replace_file(self.path / _OWNER, json.dumps(owner))
            self._check_content()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        (self.path / _OWNER).unlink(missing_ok=True)
        self._lock.release()

    def _check_content(self) -> None:
        content = {path.name for path in self.path.iterdir()} - {_LOCK, _OWNER}
        if content and CONFIG not in content:
            raise RunError(
                f"{self.path} holds {', '.join(sorted(content)[:3])} and is no run folder",
                expected="an empty or new folder, or the folder of a run",
                mend="choose another --out",
            )
        if content and not self._resume:
            raise RunError(
                f"{self.path} already holds a run",
                expected="an empty or new folder for a new run",
                mend="--resume to continue it, or another --out",
            )

    def settle_config(self, config: RunConfig) -> list[str]:
        """Save the configuration, or check it against the one of the run that is continued.

        Returns:
            One line for each changed key.

        Raises:
            RunError: a key that decides about the weights has changed.
        """
        saved = saved_config(self.path)
        changes: dict[str, tuple[object, object]] = {}
        if saved is not None:
            changes = config_diff(saved, config)
            refused = {
                key: values for key, values in changes.items() if not key.startswith(CHANGEABLE)
            }
            if refused:
                raise RunError(
                    f"the recipe has changed since {self.path} began: " + _listing(refused),
                    expected="the same recipe; only these may change: "
                    + ", ".join(key.rstrip(".") for key in CHANGEABLE),
                    mend="set these keys back, or train into a new --out",
                )
        replace_file(self.path / CONFIG, config.to_yaml())
        return [f"Changed at resume: {_listing(changes)}"] if changes else []

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
                mend="free space or choose an --out on another disk",
            )


def saved_config(run: Path) -> RunConfig | None:
    """The configuration of the run in a folder; None where there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    path = run / CONFIG
    if not path.is_file():
        return None
    return parse_config(yaml.safe_load(path.read_text(encoding="utf-8")), source=str(path))


def _owner(run: Path) -> str:
    try:
        owner = json.loads((run / _OWNER).read_bytes())
        return f"process {owner['pid']} on {owner['host']}"
    except (OSError, ValueError, KeyError):
        return "another process"


def _listing(changes: dict[str, tuple[object, object]]) -> str:
    return "; ".join(f"{key}: {old!r} → {new!r}" for key, (old, new) in changes.items())
