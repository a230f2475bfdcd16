"""One block of a survey in memory: read, predicted section by section, written to its chunks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.prediction.blocks import FIRST_VIEW, GREY, Workplace, done_name
from diapir.surveys.prediction.levels import Gapped, levels_and_gaps
from diapir.surveys.prediction.prediction_store import NOTHING, decode, encode
from diapir.surveys.prediction.survey_options import Average, View


class Slab(Protocol):
    """A block in memory.

    Attributes:
        count: number of its sections.
    """

    count: int

    def groups(self) -> Iterator[Gapped]:
        """Grey levels and gaps of its sections, in groups that share batches."""
        ...

    def put(self, line: int, probability: NDArray[np.float32]) -> None:
        """Keep the result of a section, by its number in the block."""
        ...

    def write(self) -> None:
        """Write the chunks of the block, and flag it as finished."""
        ...


class _Block:
    """What the blocks of both passes share: the lines, and the flag."""

    def __init__(self, work: Workplace, view: View, index: int) -> None:
        self.work, self.view, self.index = work, view, index
        self.lines = work.blocks.lines(view, index)
        self.count = self.lines.stop - self.lines.start
        self.axis = 0 if view == "inline" else 1
        self.cut = self._cut(self.lines)

    def _cut(self, lines: slice) -> tuple[slice, slice]:
        """Some lines, as a part of the grid."""
        return (lines, slice(None)) if self.axis == 0 else (slice(None), lines)

    def _parts(self) -> Iterator[slice]:
        """Groups of lines that are predicted together.

        Groups and blocks both begin at multiples of the group's length, so that the sections that
        share a batch do not depend on the size of blocks.
        """
        shape = self.work.store.grid.shape
        step = self.work.sections.together(shape[1 - self.axis], shape[2])
        for start in range(self.lines.start, self.lines.stop, step):
            yield slice(start, min(start + step, self.lines.stop))

    def _section(self, line: int) -> tuple[Any, ...]:
        """A line of the block, as a part of its arrays."""
        return (line,) if self.axis == 0 else (slice(None), line)

    def _flag(self) -> None:
        place = (slice(self.index, self.index + 1),)
        self.work.store.arrays.write(done_name(self.view), place, np.ones(1, np.uint8))


class FirstView(_Block):
    """A slab of the survey."""

    def __init__(self, work: Workplace, view: View, index: int) -> None:
        super().__init__(work, view, index)
        shape = list(work.store.grid.shape)
        shape[self.axis] = self.count
        self._stored = np.empty(shape, work.store.precision)
        two = len(work.job.record.views) == 2
        self._grey = np.empty(shape, np.uint8) if two else None

    def groups(self) -> Iterator[Gapped]:
        """Read it, some sections at a time."""
        for part in self._parts():
            amplitude = np.moveaxis(self.work.survey.read(*self._cut(part)), self.axis, 0)
            levels, gaps = levels_and_gaps(amplitude, self.work.job.record)
            del amplitude
            if self._grey is not None:
                for line, level in enumerate(levels, part.start - self.lines.start):
                    self._grey[self._section(line)] = level
            yield levels, gaps

    def put(self, line: int, probability: NDArray[np.float32]) -> None:
        """Keep the result of a section."""
        self._stored[self._section(line)] = encode(probability, self.work.store.precision)

    def write(self) -> None:
        """Write grey levels and the first view; the result itself where there is only one view."""
        store = self.work.store
        if self._grey is not None:
            store.write(GREY, *self.cut, self._grey)
        store.write("probability" if self._grey is None else FIRST_VIEW, *self.cut, self._stored)
        self._flag()


class SecondView(_Block):
    """A column of chunks, predicted along crosslines and averaged with the inline view."""

    def __init__(self, work: Workplace, view: View, index: int) -> None:
        super().__init__(work, view, index)
        self._grey = work.store.raw(GREY, *self.cut)
        self._stored = work.store.raw(FIRST_VIEW, *self.cut)
        same = self._stored.dtype == self._grey.dtype
        # the grey levels of a section are not needed any more when it is done
        self._uncertainty = self._grey if same else np.empty_like(self._stored)

    def groups(self) -> Iterator[Gapped]:
        """Its sections, without data where the first view has none."""
        for part in self._parts():
            places = [line - self.lines.start for line in range(part.start, part.stop)]
            gaps = [self._stored[self._section(line)] for line in places]
            yield (
                [self._grey[self._section(line)] for line in places],
                [_is_nothing(stored) for stored in gaps],
            )

    def put(self, line: int, probability: NDArray[np.float32]) -> None:
        """Average a section with its first view, and keep how far they differ."""
        place, precision = self._section(line), self.work.store.precision
        one = decode(self._stored[place])
        self._uncertainty[place] = encode(np.abs(one - probability), precision)
        mean = _mean(one, probability, self.work.job.average)
        self._stored[place] = encode(mean, precision)

    def write(self) -> None:
        """Write the result."""
        store = self.work.store
        store.write("uncertainty", *self.cut, self._uncertainty)
        store.write("probability", *self.cut, self._stored)
        self._flag()


def _is_nothing(stored: NDArray[Any]) -> NDArray[np.bool_]:
    """Mask of the stored values that mean no value."""
    nothing: NDArray[np.bool_] = stored == NOTHING if stored.dtype == np.uint8 else np.isnan(stored)
    return nothing


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
