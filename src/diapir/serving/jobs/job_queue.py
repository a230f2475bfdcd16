"""The queue of jobs: one runs at a time, a few may wait, and a restart finds them all again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from diapir.files import unwritable
from diapir.scratch import remove_folder
from diapir.serving.jobs.job import Job, answer_of, finish, load_job, log_of, progress_of, save_job
from diapir.serving.jobs.job_process import JobProcess
from diapir.serving.request_errors import RequestError, busy, not_found
from diapir.serving.settings import Limits

JOBS = "jobs"
"""Folder of the jobs, below the folder of the service."""
_LOOK_S = 0.2
PATIENCE_S = 30.0
"""Seconds that a command has to save before it is killed."""
_RETRY_S = 60

log = logging.getLogger("diapir.serving")


class JobQueue:
    """Runs jobs one after the other; all of its methods run in the event loop.

    Args:
        out: folder of the service.
        limits: how many jobs may wait, and how long one may take.
    """

    def __init__(self, out: Path, limits: Limits) -> None:
        self._folder = out / JOBS
        self._limits = limits
        self._jobs: dict[str, Job] = {}
        self._process: tuple[str, JobProcess] | None = None
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._load()

    def _load(self) -> None:
        for place in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            job = load_job(place)
            if job is not None:
                self._jobs[job.id] = job

    async def start(self) -> None:
        """Find the jobs of an earlier server, and begin to run."""
        for job in list(self._jobs.values()):
            place = self.place(job.id)
            if job.status != "running":
                continue
            process = JobProcess.find(place)
            if process is None or self._process is not None:
                self._set(finish(job, place, None))  # done meanwhile, or to be resumed
            else:
                self._process = job.id, process
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop the running job so that the next server resumes it."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._process is not None:
            identity, process = self._process
            await _end(process)
            self._set(self._ended(self._jobs[identity], process, stopped=True))

    def place(self, identity: str) -> Path:
        """Folder of a job."""
        return self._folder / identity

    def all(self) -> list[Job]:
        """All jobs, the newest first."""
        return sorted(self._jobs.values(), key=lambda job: -job.created)

    def get(self, identity: str) -> Job:
        """A job.

        Raises:
            RequestError: there is none of this id.
        """
        if identity not in self._jobs:
            raise not_found(f"job {identity[:40]}")
        return self._jobs[identity]

    def describe(self, job: Job) -> dict[str, Any]:
        """A job with its progress and answer, as JSON values."""
        place = self.place(job.id)
        answer = answer_of(place) if not job.active else None
        content = job.model_dump(exclude={"words"}) | {
            "command": shlex.join(("diapir", *job.words)),
            "progress": progress_of(place) if job.status == "running" else None,
            "answer": answer if job.kind != "predict" or answer is None else _short(answer),
            "error": None,
        }
        if job.status == "failed":
            told = (answer or {}).get("error") or {}
            content["error"] = {
                "found": told.get("found", f"the command ended with exit code {job.exit_code}"),
                "expected": told.get("expected", ""),
                "fix": told.get("fix") or told.get("mend") or log_of(place)[-600:],
            }
        return content

    def new_id(self, kind: str) -> str:
        """The id of a new job."""
        return f"{kind}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"

    def refuse_full(self) -> None:
        """Refuse another job where too many wait, or too many are kept.

        Raises:
            RequestError: that is so (503).
        """
        waiting = sum(job.status == "waiting" for job in self._jobs.values())
        if waiting >= self._limits.jobs:
            raise busy(f"the queue of {self._limits.jobs} jobs", _RETRY_S)
        if len(self._jobs) >= self._limits.jobs_kept:
            raise RequestError(
                503,
                f"{len(self._jobs)} jobs are kept",
                expected=f"fewer than {self._limits.jobs_kept}",
                fix="remove jobs that are no longer needed",
                retry_s=_RETRY_S,
            )

    def add(self, job: Job, prepare: Callable[[Path], None] = lambda place: None) -> Job:
        """Put a job into the queue.

        Args:
            job: the job, with an id of `new_id`.
            prepare: writes what the command needs into the folder of the job.

        Raises:
            RequestError: the queue is full (503).
            DataError: the folder cannot be written.
        """
        self.refuse_full()
        place = self.place(job.id)
        job = job.model_copy(update={"created": time.time()})
        try:
            place.mkdir(parents=True)
            prepare(place)
            save_job(place, job)
        except OSError as error:
            raise unwritable(place, error) from None
        self._jobs[job.id] = job
        self._wake.set()
        return job

    def cancel(self, identity: str) -> Job:
        """Ask a job to stop; one that waits leaves the queue."""
        job = self.get(identity)
        if job.status == "waiting":
            self._set(job.model_copy(update={"status": "cancelled", "ended": time.time()}))
        elif job.status == "running":
            self._set(job.model_copy(update={"cancelled": True}))
            self._wake.set()
        return self._jobs[identity]

    def resume(self, identity: str) -> Job:
        """Put a failed or cancelled job into the queue again; its command resumes.

        Raises:
            RequestError: it waits, runs or is done (409), or the queue is full (503).
        """
        job = self.get(identity)
        if job.status not in ("failed", "cancelled"):
            raise _wrong_state(job, "failed or cancelled")
        self.refuse_full()
        changes = {"status": "waiting", "cancelled": False, "ended": 0.0, "exit_code": None}
        self._set(job.model_copy(update=changes))
        self._wake.set()
        return self._jobs[identity]

    async def remove(self, identity: str) -> None:
        """Remove a job and what it made.

        Raises:
            RequestError: it waits or runs, or a job that does needs it (409).
        """
        job = self.get(identity)
        if job.active:
            raise _wrong_state(job, "ended")
        place = self.place(identity)
        for other in self._jobs.values():
            if other.active and any(word.startswith(str(place)) for word in other.words):
                raise RequestError(
                    409,
                    f"the job {other.id}, which is {other.status}, needs {identity}",
                    expected="a job that no other one needs",
                    fix="wait until that has ended, or cancel it",
                )
        del self._jobs[identity]
        try:
            await asyncio.to_thread(remove_folder, place)
        except OSError as error:
            self._jobs.setdefault(identity, job)
            raise unwritable(place, error) from None

    def _set(self, job: Job) -> None:
        self._jobs[job.id] = job
        try:
            save_job(self.place(job.id), job)
        except OSError as error:
            raise unwritable(self.place(job.id), error) from None

    async def _run(self) -> None:
        """Run one job after the other, for ever."""
        while True:
            if self._process is None and not self._start_next():
                self._wake.clear()
                await self._wake.wait()
                continue
            if self._process is not None:
                await self._follow(*self._process)

    def _start_next(self) -> bool:
        """Start the job that has waited longest; False where none waits."""
        waiting = [job for job in self._jobs.values() if job.status == "waiting"]
        if not waiting:
            return False
        job = min(waiting, key=lambda one: one.created)
        job = job.model_copy(update={"status": "running", "started": time.time()})
        try:
            self._set(job)
            self._process = job.id, JobProcess.start(self.place(job.id), job)
        except Exception:  # a job that cannot start stops no other
            log.exception("%s cannot be started", job.id)
            self._jobs[job.id] = job.model_copy(update={"status": "failed", "ended": time.time()})
        return True

    async def _follow(self, identity: str, process: JobProcess) -> None:
        """Wait until the running job has ended."""
        asked = 0.0
        while process.alive():
            job = self._jobs[identity]
            late = time.time() - job.started > 3600 * self._limits.job_hours
            if (job.cancelled or late) and not asked:
                process.ask_to_stop()
                asked = time.monotonic()
            elif asked and time.monotonic() - asked > PATIENCE_S:
                process.kill()
            await asyncio.sleep(_LOOK_S)
        self._process = None
        with contextlib.suppress(Exception):  # a full disk: the state in memory still counts
            self._set(self._ended(self._jobs[identity], process, stopped=False))

    def _ended(self, job: Job, process: JobProcess, *, stopped: bool) -> Job:
        ended = finish(job, self.place(job.id), process.exit_code)
        if stopped and ended.status == "failed":  # by us: the next server resumes it
            ended = ended.model_copy(update={"status": "waiting"})
        return ended


async def _end(process: JobProcess) -> None:
    """Ask a command to stop, and kill it if it does not."""
    process.ask_to_stop()
    until = time.monotonic() + PATIENCE_S
    while process.alive():
        if time.monotonic() > until:
            process.kill()
        await asyncio.sleep(_LOOK_S)


def _wrong_state(job: Job, wanted: str) -> RequestError:
    return RequestError(
        409,
        f"the job {job.id} is {job.status}",
        expected=f"a job that is {wanted}",
        fix="wait until it has ended, or cancel it",
    )


def _short(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer of a prediction without its long plan."""
    return {key: value for key, value in answer.items() if key not in ("plan", "files")}
