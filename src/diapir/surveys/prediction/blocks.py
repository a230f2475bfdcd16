"""One block of a survey: read it, predict its sections, write the chunks that it owns.

A volume is seen twice. The inline pass predicts slabs of inlines and puts their probabilities and
grey levels into the store; the crossline pass takes columns of chunks from there, predicts its own
sections and averages. So the input is read once, in the order it lies in, and memory holds one
slab. A block's result depends on nothing but the survey and the options: any worker may compute
it, in any order, and again after it was lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from diapir.inference import EngineOptions, open_models
from diapir.surveys.prediction.amplitude import fill_gaps, missing, to_grey
from diapir.surveys.prediction.prediction_store import PredictionStore, decode, encode, open_store
from diapir.surveys.prediction.section_predictor import Polarity, SectionPredictor
from diapir.surveys.prediction.window_size import with_tile
from diapir.surveys.survey import Survey, open_survey

View = Literal["inline", "crossline"]
Average = Literal["arithmetic", "geometric"]

FIRST_VIEW, GREY = "first_view", "grey"
"""Arrays that stand between the two passes of a volume, and go at its end."""

Tick = Callable[[int], object]
"""Called with the pixels of sections that are done."""


@dataclass(frozen=True)
class Job:
    """All that a process needs to compute any block, as JSON can say it.

    Attributes:
        store: folder of the predictions.
        survey: what `open_survey` takes to open it again.
        models: run folders or bundles.
        model_options: fields of `EngineOptions`.
        tile: side of the windows; None leaves the models' own.
        overlap: of neighbouring windows, in [0, 1).
        polarity: sign in which amplitudes are shown.
        stretch: times the samples that a section is resampled to.
        scale: amplitude of full white.
        views: directions in which sections are cut, in order.
        average: how two views become one.
        block: inlines or crosslines of a block.
    """

    store: str
    survey: dict[str, Any]
    models: tuple[str, ...]
    model_options: dict[str, Any]
    tile: int | None
    overlap: float
    polarity: Polarity
    stretch: float
    scale: float
    views: tuple[View, ...]
    average: Average
    block: int


@dataclass(frozen=True)
class Workplace:
    """A job with everything open: what a process keeps from block to block."""

    job: Job
    survey: Survey
    store: PredictionStore
    sections: SectionPredictor


def block_count(shape: tuple[int, int, int], view: View, block: int) -> int:
    """Blocks of one pass over a grid `(inlines, crosslines, samples)`."""
    return -(-shape[0 if view == "inline" else 1] // block)


def marks(view: View) -> str:
    """Name of the array that says which blocks of a pass are done."""
    return f"done_{view}"


def prepare(store: PredictionStore, job: Job) -> None:
    """Make the arrays of a job that are not there yet."""
    chunks = (
        min(job.block, store.grid.shape[0]),
        min(job.block, store.grid.shape[1]),
        min(store.grid.samples, 512),
    )
    held = store.precision
    if len(job.views) == 2:
        store.add(GREY, chunks, "uint8", 0)
        store.add(FIRST_VIEW, chunks, held, store.fill)
        store.add("uncertainty", chunks, held, store.fill)
    store.add("probability", chunks, held, store.fill)
    for view in job.views:
        if marks(view) not in store.arrays:
            count = block_count(store.grid.shape, view, job.block)
            store.arrays.create(marks(view), (count,), "uint8", (1,), 0)


def finished(store: PredictionStore, view: View) -> set[int]:
    """Blocks of a pass that are done."""
    return {int(index) for index in np.flatnonzero(store.arrays.read(marks(view), (slice(None),)))}


def run_block(job: str, view: View, index: int) -> int:
    """Compute one block in whatever process this is; models and files are opened once in each.

    Args:
        job: a `Job`, written by `pack`.
        view: the pass.
        index: the block in it.

    Returns:
        The index.
    """
    compute_block(_workplace(job), view, index)
    return index


def pack(job: Job) -> str:
    """A job as text, which travels to other processes."""
    return json.dumps(asdict(job), sort_keys=True)


def unpack(text: str) -> Job:
    """The job of a text."""
    content = json.loads(text)
    for name in ("models", "views"):
        content[name] = tuple(content[name])
    return Job(**content)


@lru_cache(maxsize=1)
def _workplace(text: str) -> Workplace:
    job = unpack(text)
    marker = open_models(job.models, EngineOptions(**job.model_options))
    if job.tile is not None:
        marker = with_tile(marker, job.tile)
    sections = SectionPredictor(marker, job.overlap, job.polarity, job.stretch)
    store = open_store(Path(job.store), writable=True)
    return Workplace(job, open_survey(**job.survey), store, sections)


def compute_block(work: Workplace, view: View, index: int, tick: Tick | None = None) -> None:
    """Compute one block, write its chunks, and mark it as done.

    Args:
        work: the opened job.
        view: the pass.
        index: the block in it.
        tick: called as sections are done.
    """
    lines = work.store.grid.shape[0 if view == "inline" else 1]
    place = slice(index * work.job.block, min(lines, (index + 1) * work.job.block))
    if view != work.job.views[0]:
        _second_view(work, place, tick)
    else:
        _first_view(work, view, place, tick)
    work.store.arrays.write(marks(view), (slice(index, index + 1),), np.ones(1, np.uint8))


def _first_view(work: Workplace, view: View, place: slice, tick: Tick | None) -> None:
    """Predict a slab from the survey itself."""
    store, job = work.store, work.job
    whole = slice(None)
    cut = (place, whole) if view == "inline" else (whole, place)
    axis = 0 if view == "inline" else 1
    held = _empty_slab(store, place, axis)
    two = len(job.views) == 2
    grey = np.empty(held.shape, np.uint8) if two else None
    for part in _parts(place, work, axis):
        here = (part, whole) if view == "inline" else (whole, part)
        amplitude = np.moveaxis(work.survey.read(*here), axis, 0)
        gaps = [missing(section) for section in amplitude]
        levels = [to_grey(section, job.scale) for section in amplitude]
        del amplitude
        found = _predict(work.sections, levels, gaps)
        for offset, probability in enumerate(found, part.start - place.start):
            held[_line(axis, offset)] = encode(probability, store.precision)
            if grey is not None:
                grey[_line(axis, offset)] = levels[offset - (part.start - place.start)]
        if tick:
            tick(sum(level.size for level in levels))
    if grey is not None:
        store.write(GREY, *cut, grey)
        store.write(FIRST_VIEW, *cut, held)
    else:
        store.write("probability", *cut, held)


def _second_view(work: Workplace, place: slice, tick: Tick | None) -> None:
    """Predict a column of chunks across the first view, and average the two."""
    store, job = work.store, work.job
    cut = (slice(None), place)
    grey = store.raw(GREY, *cut)
    held = store.raw(FIRST_VIEW, *cut)
    uncertainty = np.empty_like(held)
    for part in _parts(place, work, 1):
        lines = range(part.start - place.start, part.stop - place.start)
        first = [decode(held[:, line]) for line in lines]
        gaps = [np.isnan(probability) for probability in first]
        second = _predict(work.sections, [grey[:, line] for line in lines], gaps)
        for line, one, other in zip(lines, first, second, strict=True):
            uncertainty[:, line] = encode(np.abs(one - other), store.precision)
            held[:, line] = encode(_mean(one, other, job.average), store.precision)
        if tick:
            tick(sum(one.size for one in first))
    store.write("uncertainty", *cut, uncertainty)
    store.write("probability", *cut, held)


def _predict(
    sections: SectionPredictor, levels: list[NDArray[np.uint8]], gaps: list[NDArray[np.bool_]]
) -> list[NDArray[np.float32]]:
    """Probabilities with NaN where amplitudes are missing."""
    filled = [fill_gaps(level, gap) for level, gap in zip(levels, gaps, strict=True)]
    live = [np.logical_not(gap.all(axis=1)) for gap in gaps]
    found = sections.probabilities(filled, live)
    for probability, gap in zip(found, gaps, strict=True):
        probability[gap] = np.nan
    return found


def _parts(place: slice, work: Workplace, axis: int) -> Iterator[slice]:
    """Runs of sections that are predicted together.

    They begin at multiples of their length, and so do blocks: what shares a batch does not depend
    on the size of blocks.
    """
    shape = work.store.grid.shape
    step = work.sections.together(shape[1 - axis], shape[2])
    for start in range(place.start, place.stop, step):
        yield slice(start, min(start + step, place.stop))


def _empty_slab(store: PredictionStore, place: slice, axis: int) -> NDArray[Any]:
    shape = list(store.grid.shape)
    shape[axis] = place.stop - place.start
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
    # one view is sure of salt and the other of none: neither is more right
    np.divide(salt, salt + none, out=result, where=salt + none != 0)
    result[salt + none == 0] = 0.5
    return result
