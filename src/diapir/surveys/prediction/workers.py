"""Blocks done by this process, by a pool of processes here, or by Dask workers anywhere.

What travels is a job's text and the number of a block. A worker opens models and files itself,
once, and writes what it computes, so that nothing large passes the scheduler; a block that was
lost with its worker is computed again by another.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from diapir.errors import MissingDependencyError, SurveyError
from diapir.surveys.prediction.blocks import View, run_block

TRIES = 3
"""A pass is given up when processes have died so many times without a block done in between."""

ANSWERS_S = 10.0
"""Seconds in which a scheduler must answer."""

Finished = Callable[[int], object]
"""Called with the index of each block that is done."""


def run_in_pool(
    job: str, view: View, blocks: Sequence[int], workers: int, finished: Finished
) -> None:
    """Compute blocks in processes of this machine.

    Args:
        job: text of the job.
        view: the pass.
        blocks: which of its blocks.
        workers: processes.
        finished: called with each block that is done.

    Raises:
        SurveyError: processes died over and over, such as for want of memory.
        DiapirError: what a block met.
    """
    left = set(blocks)
    deaths = 0
    while left and deaths < TRIES:
        try:
            for block in _pool_round(job, view, sorted(left), workers):
                left.remove(block)
                finished(block)
                deaths = 0
        except BrokenProcessPool:
            deaths += 1
    if not left:
        return
    raise _lost(view, len(left), f"{workers} processes on this machine")


def _pool_round(job: str, view: View, blocks: Sequence[int], workers: int) -> Iterator[int]:
    # spawned, not forked: a fork would copy the threads' locks of an engine that has run
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(blocks)), mp_context=context) as pool:
        futures = [pool.submit(run_block, job, view, block) for block in blocks]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


class DaskWorkers:
    """The workers of a Dask scheduler.

    Args:
        address: of the scheduler, such as `tcp://10.0.0.1:8786`.

    Raises:
        MissingDependencyError: the package distributed is not installed.
        SurveyError: no scheduler answers there, or it has no workers.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            if error.name not in {"distributed", "dask"}:
                raise
            raise MissingDependencyError("distributed", "volume") from None
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
                expected="at least one",
                fix=f"start `dask worker {address} --nthreads 1` on each machine",
            )

    @property
    def count(self) -> int:
        """Threads of all workers: blocks that are computed at a time."""
        return sum(self._client.nthreads().values())

    def run(self, job: str, view: View, blocks: Sequence[int], finished: Finished) -> None:
        """Compute blocks; see `run_in_pool`."""
        from distributed import as_completed as dask_as_completed
        from distributed.scheduler import KilledWorker

        # the scheduler gives the blocks of a lost worker to another by itself
        futures = self._client.map(
            _of_dask, blocks, job=job, view=view, pure=False, key=f"{view}-block"
        )
        try:
            ended = dask_as_completed(futures, loop=self._client.loop)  # type: ignore[no-untyped-call]
            for future in ended:
                finished(future.result())
                future.release()
        except KilledWorker:
            left = sum(not future.done() for future in futures)
            raise _lost(view, left, f"the Dask workers of {self.address}") from None
        finally:
            self._client.cancel(futures)

    def close(self) -> None:
        """Leave the scheduler; it and its workers go on."""
        self._client.close()


def _of_dask(block: int, *, job: str, view: View) -> int:
    return run_block(job, view, block)


def _lost(view: View, left: int, where: str) -> SurveyError:
    return SurveyError(
        f"{where} died again and again; {left} blocks of the {view} view are left",
        expected="workers with enough memory for a block and the model",
        fix="give fewer workers or a smaller --block; the same command goes on from here",
    )
