"""A survey, whatever file it comes from: its geometry, and amplitudes by inline and crossline."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.grid import Domain, Grid

Endian = Literal["big", "little"]
Allowance = Literal["velocity", "truncated", "sparse"]
"""A refusal that the user may override: all-positive samples, a cut last trace, mostly gaps."""

PERCENTILE_TRACES = 4096
"""Traces that a percentile is taken from at most."""
_PIECE = 64
"""Neighbouring traces that are read at once."""


class Survey(Protocol):
    """Seismic amplitudes on a grid.

    Attributes:
        name: what results are called after, without suffix.
        path: file or folder it is read from; never written to.
        grid: its geometry.
    """

    name: str
    path: Path
    grid: Grid

    def read(self, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        """Amplitudes of a part of the grid.

        Args:
            inlines: places (not numbers) along the inline axis, step 1.
            crosslines: places along the crossline axis, step 1.

        Returns:
            `float32 (inlines, crosslines, samples)`. Missing and dead traces, and samples that are
            not finite, are NaN. It is the caller's own to change.
        """
        ...

    def spec(self) -> dict[str, Any]:
        """JSON-able arguments with which `open_survey` opens it again in another process."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


def open_survey(
    path: Path | str,
    *,
    inline_byte: int | None = None,
    crossline_byte: int | None = None,
    x_byte: int | None = None,
    y_byte: int | None = None,
    endian: Endian | None = None,
    sample_format: int | None = None,
    domain: Domain | None = None,
    interval: float | None = None,
    allow: Iterable[Allowance] = (),
) -> Survey:
    """Open a SEG-Y file, a Zarr store or a NumPy array.

    Args:
        path: a SEG-Y file; a Zarr store; or an `.npy` of `(inlines, crosslines, samples)` or
            `(traces, samples)`.
        inline_byte: byte of the trace header (counted from 1) where the inline number begins; 0
            for a line without any. Found out from the values where not given.
        crossline_byte: likewise for the crossline number or the CDP; 0 for the order of traces.
        x_byte: byte where the easting begins; 0 for no coordinates.
        y_byte: byte where the northing begins; 0 for no coordinates.
        endian: byte order, instead of what the file shows.
        sample_format: format code of SEG-Y (1, 2, 3, 5, 6, 8), instead of the file's own.
        domain: what runs down the traces.
        interval: between samples, in ms or m, instead of the file's own.
        allow: refusals that do not apply.

    Raises:
        SurveyError: no survey, one that cannot be used, or one whose geometry is ambiguous.
    """
    raise NotImplementedError


def percentile(survey: Survey, q: float = 98.0, *, seed: int = 0) -> float:
    """Percentile of the absolute amplitude of live samples.

    At most `PERCENTILE_TRACES` traces are read, in short runs spread over the survey, so that time
    and memory do not grow with it. The same seed reads the same traces.

    Args:
        survey: any survey.
        q: percent, above 0 up to 100.
        seed: of the choice of traces.

    Returns:
        The percentile; above 0 unless no sample differs from 0, then 0.
    """
    amplitudes = np.abs(sample_amplitudes(survey, seed=seed))
    return float(np.percentile(amplitudes, q)) if amplitudes.size else 0.0


def sample_amplitudes(survey: Survey, *, seed: int = 0) -> NDArray[np.float32]:
    """Finite amplitudes of live traces spread over the survey, one after the other `float32 (n,)`.

    Short surveys are read whole; from larger ones `PERCENTILE_TRACES` traces are drawn in runs.
    """
    live = survey.grid.live
    pieces = [
        (inline, start)
        for inline in range(live.shape[0])
        for start in range(0, live.shape[1], _PIECE)
        if live[inline, start : start + _PIECE].any()
    ]
    most = max(1, PERCENTILE_TRACES // min(_PIECE, live.shape[1]))
    if len(pieces) > most:
        chosen = np.random.default_rng(seed).choice(len(pieces), most, replace=False)
        pieces = [pieces[place] for place in np.sort(chosen)]
    found = []
    for inline, start in pieces:
        values = survey.read(slice(inline, inline + 1), slice(start, start + _PIECE))
        found.append(values[np.isfinite(values)])
    return np.concatenate(found) if found else np.empty(0, np.float32)
