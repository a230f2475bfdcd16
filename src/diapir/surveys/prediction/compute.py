"""Compute blocks: one is read and one is written while the network runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Self

from diapir.inference import open_models
from diapir.memory import free_at_once
from diapir.surveys.open import reopen
from diapir.surveys.prediction.blocks import Job, Tick, Workplace
from diapir.surveys.prediction.levels import Gapped, predict_stream
from diapir.surveys.prediction.prediction_store import open_store
from diapir.surveys.prediction.section_predictor import SectionPredictor
from diapir.surveys.prediction.slabs import FirstView, SecondView, Slab
from diapir.surveys.prediction.survey_options import View


def run_block(job: str, view: View, index: int) -> int:
    """Compute one block in this process, which opens model and files once.

    Args:
        job: a `Job` as JSON.
        view: the pass.
        index: the block in it.

    Returns:
        Section pixels of the block.
    """
    work = _workplace(job)
    compute_blocks(work, view, [index])
    return work.blocks.pixels(view, [index])


@lru_cache(maxsize=1)
def _workplace(text: str) -> Workplace:
    job = Job.model_validate_json(text)
    record = job.record
    if "torch" not in record.engines:  # whose tensors are large, and made and freed all the time
        free_at_once()
    segmenter = open_models(job.models, job.engine, engines=record.engines)
    segmenter = segmenter.with_grids(record.windows)
    sections = SectionPredictor(segmenter, record.polarity, record.stretch)
    store = open_store(Path(job.store), writable=True, maps=False)
    survey = reopen(record.survey) if job.traces is None else job.traces
    return Workplace(job, survey, store, sections)


def compute_blocks(
    work: Workplace, view: View, indices: Iterable[int], tick: Tick | None = None
) -> None:
    """Compute some blocks; write the chunks of each, and flag it as finished.

    A block is written while the next one is computed, and read before the one before it is done.

    Args:
        work: the opened job.
        view: the pass.
        indices: the blocks in it.
        tick: called as sections are done.
    """
    kind = FirstView if view == work.job.record.views[0] else SecondView
    reading: deque[Slab] = deque()
    with ExitStack() as stack:
        writer = stack.enter_context(_Writer())

        def groups() -> Iterator[Gapped]:
            for index in indices:
                writer.wait()  # so that no more than two blocks are held at a time
                reading.append(kind(work, view, index))
                yield from reading[-1].groups()

        found = stack.enter_context(closing(predict_stream(work.sections, groups())))
        for first in found:
            slab = reading.popleft()
            for line, probability in enumerate(chain([first], islice(found, slab.count - 1))):
                slab.put(line, probability)
                if tick:
                    tick(probability.size)
            writer.write(slab.write)


class _Writer:
    """A thread that writes one block at a time."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="diapir-writer")
        self._pending: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Wait until everything is written, and raise what went wrong unless something else did."""
        self._pool.shutdown()
        if error is None:
            self.wait()

    def wait(self) -> None:
        """Wait for the block being written.

        Raises:
            OSError: the disk is full or not writable.
        """
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.result()

    def write(self, work: Callable[[], None]) -> None:
        """Write a block in the background, after the one before it."""
        self.wait()
        self._pending = self._pool.submit(work)
