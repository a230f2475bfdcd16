"""A job: one command of diapir in a folder of its own, and its state as JSON."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from diapir.files import replace_file
from diapir.json_text import parse_json

Kind = Literal["predict", "products", "adapt", "suggest"]
Status = Literal["waiting", "running", "done", "failed", "cancelled"]
STATE, ANSWER, LOG, PROGRESS, LOCK = "job.json", "answer.json", "log.txt", "progress.json", "lock"
"""Files of a job's folder: its state, what the command answered, its text, progress, lock."""
RESULT = "result"
"""Folder of what a job makes."""
_LOG_TAIL = 4000


class Job(BaseModel):
    """A job.

    Attributes:
        id: name of its folder.
        kind: what it does.
        title: the same in words.
        words: the command without `diapir`; the same words resume it.
        data: id of the file that it works on.
        model: name of the model that it uses.
        source: id of the job whose result it works on, or empty.
        folder: folder of what it makes.
        status: where it stands.
        cancelled: whether it was asked to stop.
        created: Unix time, and the two below.
        started: of the last start, or 0.
        ended: when it ended, or 0.
        exit_code: of the command; None while unknown.
    """

    model_config = ConfigDict(extra="ignore")

    id: str
    kind: Kind
    title: str
    words: tuple[str, ...]
    data: str
    model: str = ""
    source: str = ""
    folder: str = RESULT
    status: Status = "waiting"
    cancelled: bool = False
    created: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    exit_code: int | None = None

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.status in ("waiting", "running")


def save_job(place: Path, job: Job) -> None:
    """Write the state of a job.

    Raises:
        OSError: the disk is full or not writable.
    """
    replace_file(place / STATE, job.model_dump_json(indent=1))


def load_job(place: Path) -> Job | None:
    """The job of a folder; None where there is none that can be read."""
    try:
        job = Job.model_validate_json((place / STATE).read_bytes())
    except (OSError, ValidationError, ValueError):
        return None
    return job if job.id == place.name else None


def answer_of(place: Path) -> dict[str, Any] | None:
    """What the command answered; None while it has not."""
    with contextlib.suppress(OSError, ValueError):
        found = parse_json((place / ANSWER).read_bytes())
        return found if isinstance(found, dict) else None
    return None


def progress_of(place: Path) -> dict[str, Any] | None:
    """How far the command is; None where it has not said."""
    with contextlib.suppress(OSError, ValueError):
        found = parse_json((place / PROGRESS).read_bytes())
        return found if isinstance(found, dict) else None
    return None


def log_of(place: Path) -> str:
    """The end of the command's text."""
    with contextlib.suppress(OSError), (place / LOG).open("rb") as stream:
        stream.seek(max(0, stream.seek(0, 2) - _LOG_TAIL))
        return stream.read().decode("utf-8", "replace")
    return ""


def finish(job: Job, place: Path, exit_code: int | None) -> Job:
    """The job after its command has ended.

    Args:
        job: as it ran.
        place: its folder.
        exit_code: None where another process had started the command.

    Returns:
        Done, failed or cancelled; waiting where it was interrupted and can be resumed.
    """
    answer = answer_of(place)
    changes: dict[str, Any] = {"ended": time.time(), "exit_code": exit_code}
    if answer is not None and "error" not in answer:
        changes["status"] = "done"
    elif job.cancelled:
        changes["status"] = "cancelled"
    elif exit_code is None and answer is None:
        changes["status"] = "waiting"
    else:
        changes["status"] = "failed"
    return job.model_copy(update=changes)
