"""Run blocks in this process, in a pool of processes here, or on Dask workers anywhere.

Only the job (as JSON) and the number of a block are sent. A worker opens models and files itself,
once, and writes what it computes, so that nothing large passes the scheduler; a block that was lost
with its worker is computed again by another.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from diapir.errors import MissingDependencyError, SurveyError
from diapir.surveys.prediction.blocks import Job, Tick, Workplace
from diapir.surveys.prediction.compute import compute_blocks, run_block
from diapir.surveys.prediction.survey_options import SurveyOptions, View
from diapir.text import plural

TRIES = 3
"""Deaths of a pool without a finished block in between after which a pass is given up."""

ANSWERS_S = 10.0
"""Seconds that a scheduler has to answer."""


class Runner(Protocol):
    """Computes blocks of a job somewhere."""

    def run(self, view: View, blocks: Sequence[int], tick: Tick) -> None:
        """Compute some blocks of a pass; at least one.

        Args:
            view: the pass.
            blocks: indices of its blocks.
            tick: called with the section pixels just computed.

        Raises:
            SurveyError: workers died again and again, for instance for lack of memory.
            DiapirError: the error that a block met.
        """
        ...

    def close(self) -> None:
        """Release the workers."""
        ...


def choose_runner(work: Workplace, options: SurveyOptions) -> Runner:
    """The runner that the options ask for.

    Raises:
        MissingDependencyError: a scheduler is given and the package distributed is not installed.
        SurveyError: no scheduler answers, or it has no workers.
    """
    if options.scheduler:
        return DaskWorkers(work.job, options.scheduler)
    if options.workers > 1:
        return Pool(work.job, options.workers)
    return InProcess(work)


class InProcess:
    """This process alone.

    Args:
        work: the opened job.
    """

    def __init__(self, work: Workplace) -> None:
        self._work = work

    def run(self, view: View, blocks: Sequence[int], tick: Tick) -> None:
        """Compute some blocks; see `Runner.run`."""
        compute_blocks(self._work, view, blocks, tick)

    def close(self) -> None:
        """Do nothing."""


class Pool:
    """Processes of this machine.

    Args:
        job: the job.
        workers: number of processes.
    """

    def __init__(self, job: Job, workers: int) -> None:
        self._job = job.model_dump_json()
        self._workers = workers

    def run(self, view: View, blocks: Sequence[int], tick: Tick) -> None:
        """Compute some blocks; see `Runner.run`."""
        left = set(blocks)
        deaths = 0
        while left and deaths < TRIES:
            try:
                for block, pixels in self._round(view, sorted(left)):
                    left.remove(block)
                    tick(pixels)
                    deaths = 0
            except BrokenProcessPool:
                deaths += 1
        if left:
            raise _lost(view, len(left), f"{self._workers} processes on this machine")

    def close(self) -> None:
        """Do nothing: each round ends its processes."""

    def _round(self, view: View, blocks: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Finished blocks and their pixels, until all are done or a process dies."""
        # spawned, not forked: a fork would copy locks held by the threads of an engine
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(self._workers, len(blocks)), mp_context=context) as pool:
            futures = {pool.submit(run_block, self._job, view, block): block for block in blocks}
            try:
                for future in as_completed(futures):
                    yield futures[future], future.result()
            finally:
                for future in futures:
                    future.cancel()


class DaskWorkers:
    """The workers of a Dask scheduler.

    Args:
        job: the job.
        address: address of the scheduler, such as `tcp://10.0.0.1:8786`.

    Raises:
        MissingDependencyError: the package distributed is not installed.
        SurveyError: no scheduler answers there, or it has no workers.
    """

    def __init__(self, job: Job, address: str) -> None:
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            if error.name not in {"distributed", "dask"}:
                raise
            raise MissingDependencyError("distributed", "volume") from None
        self._job = job.model_dump_json()
        self.address = address
        try:
            self._client: Any = Client(address, timeout=ANSWERS_S, set_as_default=False)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            raise SurveyError(
                f"no Dask scheduler answers at {address}: {error}",
                expected="the address that `dask scheduler` prints, such as tcp://10.0.0.1:8786",
                fix="start `dask scheduler`, and `dask worker ADDRESS` on each machine",
            ) from None
        if not self.count:
            self.close()
            raise SurveyError(
                f"the Dask scheduler at {address} has no workers",
                expected="at least one worker",
                fix=f"start `dask worker {address} --nthreads 1` on each machine",
            )

    @property
    def count(self) -> int:
        """Threads of all workers, which is the number of blocks computed at a time."""
        return sum(self._client.nthreads().values())

    def run(self, view: View, blocks: Sequence[int], tick: Tick) -> None:
        """Compute some blocks; see `Runner.run`."""
        from distributed import as_completed as dask_as_completed
        from distributed.comm.core import CommClosedError
        from distributed.scheduler import KilledWorker

        # the scheduler itself gives the blocks of a lost worker to another one
        futures = self._client.map(
            _run_on_dask, blocks, job=self._job, view=view, pure=False, key=f"{view}-block"
        )
        try:
            ended = dask_as_completed(futures, loop=self._client.loop)  # type: ignore[no-untyped-call]
            for future in ended:
                tick(future.result())
                future.release()
        except KilledWorker:
            left = sum(not future.done() for future in futures)
            raise _lost(view, left, f"the Dask workers at {self.address}") from None
        except (CancelledError, CommClosedError):  # what futures of a lost scheduler raise
            raise SurveyError(
                f"the Dask scheduler at {self.address} was lost while predicting the {view} view",
                expected="a scheduler that runs until all blocks are done",
                fix="start it and its workers again; the same command resumes",
            ) from None
        finally:
            with contextlib.suppress(CancelledError, OSError, TimeoutError):
                self._client.cancel(futures)

    def close(self) -> None:
        """Disconnect; the scheduler and its workers keep running."""
        with contextlib.suppress(OSError, TimeoutError):  # CommClosedError is an OSError
            self._client.close()


def _run_on_dask(block: int, *, job: str, view: View) -> int:
    return run_block(job, view, block)


def _lost(view: View, left: int, where: str) -> SurveyError:
    return SurveyError(
        f"{where} died repeatedly; {plural(left, 'block')} of the {view} view are left",
        expected="workers with enough memory for a block and the model",
        fix="use fewer --workers or a smaller --block; the same command resumes",
    )
