"""The traces of a SEG-Y survey for the processes that read parts of it: a table in a file.

Without it, each process would read all trace headers to find its own traces, and a header is read
with its samples, which tell whether the trace is dead: the whole file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.npy_file import NpyFile
from diapir.surveys.segy.layout.segy_layout import SegyLayout
from diapir.surveys.segy.traces import TraceFile
from diapir.undefined import hide_undefined


@dataclass(frozen=True)
class TraceTable:
    """The traces of a survey, or of a part of one; it travels as JSON.

    Attributes:
        file: the SEG-Y file.
        table: `.npy` of `int64 (I, X)`, index of the live trace at each position; -1 for none.
        layout: where everything is in the file.
        zero: stored integer that stands for an amplitude of 0.
        undefined: stored values that stand for no value.
        first: index of the first sample that is used.
        samples: number of samples that are used.
    """

    file: str
    table: str
    layout: SegyLayout
    zero: int
    undefined: tuple[float, ...]
    first: int
    samples: int

    def read(self, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        """Read the amplitudes of a part of the grid; see `Survey.read`.

        Raises:
            SurveyError: the file or the table has become shorter.
            OSError: one of them cannot be read.
        """
        traces = NpyFile(Path(self.table))[inlines, crosslines]
        live = traces >= 0
        found = TraceFile(Path(self.file), self.layout, self.zero).samples(traces[live])
        hide_undefined(found, self.undefined)
        found = found[:, self.first : self.first + self.samples]
        if live.all():
            return np.ascontiguousarray(found).reshape(*live.shape, self.samples)
        amplitudes = np.full((*live.shape, self.samples), np.nan, np.float32)
        amplitudes[live] = found
        return amplitudes
