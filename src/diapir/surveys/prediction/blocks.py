"""The blocks of a survey, and what a process needs to compute them.

A volume is predicted in two passes. The inline pass predicts slabs of inlines and stores their
probabilities and grey levels; the crossline pass takes columns of chunks from the store, predicts
their crossline sections and averages the two. So the input is read once, in file order, and memory
holds one slab. The result of a block depends only on the survey and the options: any worker can
compute it, in any order, and again if a worker was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from diapir.inference import EngineOptions
from diapir.surveys.prediction.prediction_store import PredictionStore
from diapir.surveys.prediction.record import PredictionRecord
from diapir.surveys.prediction.section_predictor import SectionPredictor
from diapir.surveys.prediction.survey_options import Average, View
from diapir.surveys.segy.trace_table import TraceTable

FIRST_VIEW, GREY = "first_view", "grey"
"""Arrays kept between the two passes of a volume, and removed at the end."""

_SHARD_LINES = 64
"""Lines of a file along the sections of the view that writes it."""

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
        traces: where the traces of a SEG-Y file are; None to open the survey again.
    """

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    store: str
    models: tuple[str, ...]
    engine: EngineOptions
    average: Average
    record: PredictionRecord
    traces: TraceTable | None = None


class Readable(Protocol):
    """What amplitudes are read from."""

    def read(self, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        """Read the amplitudes of a part of the grid; see `Survey.read`."""
        ...


@dataclass(frozen=True)
class Workplace:
    """A job with its survey, store and model open: kept by a process from block to block."""

    job: Job
    survey: Readable
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
    first, last = (shards(shape, chunks, view) for view in (record.views[0], record.views[-1]))
    if len(record.views) == 2:
        store.add(GREY, chunks, "uint8", 0, first)
        store.add(FIRST_VIEW, chunks, store.precision, store.fill, first)
        store.add("uncertainty", chunks, store.precision, store.fill, last)
    store.add("probability", chunks, store.precision, store.fill, last)
    for view in record.views:
        if done_name(view) not in store.arrays:
            count = Blocks(shape, record.block).count(view)
            store.arrays.create(done_name(view), (count,), "uint8", (1,), 0)


def shards(
    shape: tuple[int, int, int], chunks: tuple[int, int, int], view: View
) -> tuple[int, int, int] | None:
    """Chunks that share a file: neighbours that a block of a view writes together.

    Small chunks, which large sections have, would make files by the million, and to make these
    takes longer than to compress what they hold.

    Args:
        shape: of the grid.
        chunks: shape of a chunk.
        view: that writes the array.

    Returns:
        Shape of a file's part; None for a file for each chunk, where these are large.
    """
    along = 1 if view == "inline" else 0
    whole = [-(-length // chunk) for length, chunk in zip(shape, chunks, strict=True)]
    together = min(_SHARD_LINES // chunks[along], whole[along])
    if together < 2:
        return None
    lines = [chunks[0], chunks[1]]
    lines[along] *= together
    return lines[0], lines[1], chunks[2] * whole[2]


def finished(store: PredictionStore, view: View) -> set[int]:
    """Finished blocks of a pass; none where the pass has not begun."""
    if done_name(view) not in store.arrays:
        return set()
    return set(np.flatnonzero(store.arrays.read(done_name(view), (slice(None),))).tolist())
