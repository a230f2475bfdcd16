"""One block of a survey: read it, predict its sections, write its own chunks of the store.

A volume is predicted in two passes. The inline pass predicts slabs of inlines and stores their
probabilities and grey levels; the crossline pass takes columns of chunks from the store, predicts
their crossline sections and averages the two. So the input is read once, in file order, and memory
holds one slab. The result of a block depends only on the survey and the options: any worker can
compute it, in any order, and again if a worker was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from diapir.inference import EngineOptions, open_models
from diapir.surveys.open import reopen
from diapir.surveys.prediction.amplitude import fill_gaps, missing, to_grey
from diapir.surveys.prediction.blank_samples import BlankSamples
from diapir.surveys.prediction.prediction_store import PredictionStore, decode, encode, open_store
from diapir.surveys.prediction.record import PredictionRecord
from diapir.surveys.prediction.section_predictor import SectionPredictor
from diapir.surveys.prediction.survey_options import Average, View
from diapir.surveys.survey import Survey

FIRST_VIEW, GREY = "first_view", "grey"
"""Arrays kept between the two passes of a volume, and removed at the end."""

Tick = Callable[[int], object]
"""Called with the number of section pixels just computed."""


@dataclass(frozen=True)
class Blocks:
    """The blocks of a grid: groups of neighbouring lines, one task each.

    Attributes:
        shape: inlines, crosslines, samples.
        size: lines per block; the last block of a pass may have fewer.
    """

    shape: tuple[int, int, int]
    size: int

    def count(self, view: View) -> int:
        """Number of blocks of a pass."""
        return -(-self._lines(view) // self.size)

    def lines(self, view: View, index: int) -> slice:
        """Indices of the lines of a block."""
        return slice(index * self.size, min(self._lines(view), (index + 1) * self.size))

    def pixels(self, view: View, indices: Iterable[int]) -> int:
        """Section pixels of some blocks of a pass."""
        total = self._lines(view)
        lines = sum(min(self.size, total - index * self.size) for index in indices)
        return lines * (self.shape[0] * self.shape[1] * self.shape[2] // total)

    def left(self, store: PredictionStore, view: View) -> list[int]:
        """Blocks of a pass that are not in the store yet."""
        return sorted(set(range(self.count(view))) - finished(store, view))

    def _lines(self, view: View) -> int:
        return self.shape[0 if view == "inline" else 1]


class Job(BaseModel):
    """Everything that a process needs to compute any block; it travels as JSON.

    Attributes:
        store: folder of the predictions.
        models: run folders or bundles.
        engine: how the networks run.
        average: average of the two views.
        record: survey, scale, windows, views and block, as in the store.
    """

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    store: str
    models: tuple[str, ...]
    engine: EngineOptions
    average: Average
    record: PredictionRecord


@dataclass(frozen=True)
class Workplace:
    """A job with its survey, store and model open: kept by a process from block to block."""

    job: Job
    survey: Survey
    store: PredictionStore
    sections: SectionPredictor

    @property
    def blocks(self) -> Blocks:
        """The blocks of the job."""
        return Blocks(self.store.grid.shape, self.job.record.block)


def done_name(view: View) -> str:
    """Name of the array that flags the finished blocks of a pass."""
    return f"done_{view}"


def prepare(store: PredictionStore, record: PredictionRecord) -> None:
    """Create the arrays that the predictions need and the store does not have yet."""
    shape = store.grid.shape
    chunks = min(record.block, shape[0]), min(record.block, shape[1]), min(shape[2], 512)
    if len(record.views) == 2:
        store.add(GREY, chunks, "uint8", 0)
        store.add(FIRST_VIEW, chunks, store.precision, store.fill)
        store.add("uncertainty", chunks, store.precision, store.fill)
    store.add("probability", chunks, store.precision, store.fill)
    for view in record.views:
        if done_name(view) not in store.arrays:
            count = Blocks(shape, record.block).count(view)
            store.arrays.create(done_name(view), (count,), "uint8", (1,), 0)


def finished(store: PredictionStore, view: View) -> set[int]:
    """Finished blocks of a pass; none where the pass has not begun."""
    if done_name(view) not in store.arrays:
        return set()
    return set(np.flatnonzero(store.arrays.read(done_name(view), (slice(None),))).tolist())


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
    compute_block(work, view, index)
    return work.blocks.pixels(view, [index])


@lru_cache(maxsize=1)
def _workplace(text: str) -> Workplace:
    job = Job.model_validate_json(text)
    record = job.record
    segmenter = open_models(job.models, job.engine, engines=record.engines)
    segmenter = segmenter.with_grids(record.windows)
    sections = SectionPredictor(segmenter, record.polarity, record.stretch)
    store = open_store(Path(job.store), writable=True)
    return Workplace(job, reopen(record.survey), store, sections)


def compute_block(work: Workplace, view: View, index: int, tick: Tick | None = None) -> None:
    """Compute one block, write its chunks, and flag it as finished.

    Args:
        work: the opened job.
        view: the pass.
        index: the block in it.
        tick: called as sections are done.
    """
    lines = work.blocks.lines(view, index)
    if view != work.job.record.views[0]:
        _second_view(work, lines, tick)
    else:
        _first_view(work, view, lines, tick)
    work.store.arrays.write(done_name(view), (slice(index, index + 1),), np.ones(1, np.uint8))


def _first_view(work: Workplace, view: View, lines: slice, tick: Tick | None) -> None:
    """Predict a slab of the survey."""
    store, record = work.store, work.job.record
    whole = slice(None)
    cut = (lines, whole) if view == "inline" else (whole, lines)
    axis = 0 if view == "inline" else 1
    stored = _empty_slab(store, lines, axis)
    grey = np.empty(stored.shape, np.uint8) if len(record.views) == 2 else None
    for part in _parts(lines, work, axis):
        here = (part, whole) if view == "inline" else (whole, part)
        amplitude = np.moveaxis(work.survey.read(*here), axis, 0)
        levels, gaps = levels_and_gaps(amplitude, record)
        del amplitude
        found = predict_levels(work.sections, levels, gaps)
        for offset, probability in enumerate(found, part.start - lines.start):
            stored[_line(axis, offset)] = encode(probability, store.precision)
            if grey is not None:
                grey[_line(axis, offset)] = levels[offset - (part.start - lines.start)]
        if tick:
            tick(sum(level.size for level in levels))
    if grey is not None:
        store.write(GREY, *cut, grey)
        store.write(FIRST_VIEW, *cut, stored)
    else:
        store.write("probability", *cut, stored)


def levels_and_gaps(
    amplitude: NDArray[np.float32], record: PredictionRecord
) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.bool_]]]:
    """Some sections as the network gets them, and where they have no data.

    Args:
        amplitude: `float32 (sections, traces, samples)`; NaN where there are no data.
        record: scale, and what is no data.

    Returns:
        Grey levels `uint8` and gaps `bool` of each, `(traces, samples)`.
    """
    blank = BlankSamples(record.scale, record.equal_runs, record.quiet_top)
    gaps = [missing(section) | blank.mask(section) for section in amplitude]
    return [to_grey(section, record.scale) for section in amplitude], gaps


def _second_view(work: Workplace, lines: slice, tick: Tick | None) -> None:
    """Predict a column of chunks along crosslines, and average it with the inline view."""
    store, job = work.store, work.job
    cut = (slice(None), lines)
    grey = store.raw(GREY, *cut)
    stored = store.raw(FIRST_VIEW, *cut)
    uncertainty = np.empty_like(stored)
    for part in _parts(lines, work, 1):
        places = range(part.start - lines.start, part.stop - lines.start)
        first = [decode(stored[:, line]) for line in places]
        gaps = [np.isnan(probability) for probability in first]
        second = predict_levels(work.sections, [grey[:, line] for line in places], gaps)
        for line, one, other in zip(places, first, second, strict=True):
            uncertainty[:, line] = encode(np.abs(one - other), store.precision)
            stored[:, line] = encode(_mean(one, other, job.average), store.precision)
        if tick:
            tick(sum(one.size for one in first))
    store.write("uncertainty", *cut, uncertainty)
    store.write("probability", *cut, stored)


def predict_levels(
    sections: SectionPredictor,
    levels: list[NDArray[np.uint8]],
    gaps: list[NDArray[np.bool_]],
) -> list[NDArray[np.float32]]:
    """Probabilities of some sections, NaN where there are no data."""
    filled = [fill_gaps(level, gap) for level, gap in zip(levels, gaps, strict=True)]
    live = [np.logical_not(gap.all(axis=1)) for gap in gaps]
    found = sections.probabilities(filled, live)
    for probability, gap in zip(found, gaps, strict=True):
        probability[gap] = np.nan
    return found


def _parts(lines: slice, work: Workplace, axis: int) -> Iterator[slice]:
    """Groups of sections that are predicted together.

    Groups and blocks both begin at multiples of the group's length, so that the sections that share
    a batch do not depend on the size of blocks.
    """
    shape = work.store.grid.shape
    step = work.sections.together(shape[1 - axis], shape[2])
    for start in range(lines.start, lines.stop, step):
        yield slice(start, min(start + step, lines.stop))


def _empty_slab(store: PredictionStore, lines: slice, axis: int) -> NDArray[Any]:
    shape = list(store.grid.shape)
    shape[axis] = lines.stop - lines.start
    return np.empty(shape, store.precision)


def _line(axis: int, offset: int) -> tuple[Any, ...]:
    return (offset,) if axis == 0 else (slice(None), offset)


def _mean(
    one: NDArray[np.float32], other: NDArray[np.float32], average: Average
) -> NDArray[np.float32]:
    if average == "arithmetic":
        return (one + other) * np.float32(0.5)
    salt, none = np.sqrt(one * other), np.sqrt((1 - one) * (1 - other))
    result: NDArray[np.float32] = np.zeros_like(one)
    # one view is certain of salt and the other of none: 0.5, as neither is more right
    np.divide(salt, salt + none, out=result, where=salt + none != 0)
    result[salt + none == 0] = 0.5
    return result
