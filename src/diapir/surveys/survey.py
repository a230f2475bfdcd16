"""A survey, whatever file it comes from: its geometry, and amplitudes by inline and crossline."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.surveys.grid import Domain, Grid
from diapir.surveys.segy import refusals

Endian = Literal["big", "little"]
Allowance = Literal["velocity", "truncated", "sparse"]
"""A refusal that the user may override: all-positive samples, a cut last trace, mostly gaps."""

SAMPLE_TRACES = 4096
"""Traces that a percentile is taken from at most."""
ONE_SIDED = 0.005
"""Share of samples of the rarer sign below which they are no reflections."""
_SAMPLE_VALUES = 2**24
"""Samples that are held at most to take a percentile from."""
_CHECKED_TRACES = 512
_RUN = 64
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

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd about it, for the user."""
        ...

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
    progress: Callable[[int, int], None] | None = None,
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
        progress: called with how much of the headers is read and how much there is.

    Raises:
        SurveyError: no survey, one that cannot be used, or one whose geometry is ambiguous.
    """
    path = Path(path)
    if interval is not None and not 0 < interval < float("inf"):
        raise SurveyError(
            f"--interval {interval:g} is no distance between samples",
            expected="milliseconds or metres above 0",
            fix="give it in ms or m, such as --interval 4",
        )
    if not path.exists():
        raise SurveyError(
            f"there is no {path}",
            expected="a SEG-Y file, a Zarr store or an .npy array",
            fix="correct the path",
        )
    allowed = frozenset(allow)
    if path.is_dir() or path.suffix.lower() == ".npy":
        segy_only = (inline_byte, crossline_byte, x_byte, y_byte, endian, sample_format)
        if any(option is not None for option in segy_only):
            raise SurveyError(
                f"{path} is no SEG-Y file, so that it has no header bytes and formats to choose",
                expected="these options with SEG-Y alone",
                fix="leave them out, or give the SEG-Y file",
            )
        return _open_array(path, domain, interval, allowed, progress)
    from diapir.surveys.segy.segy_source import SegySurvey

    return SegySurvey(
        path,
        inline_byte=inline_byte,
        crossline_byte=crossline_byte,
        x_byte=x_byte,
        y_byte=y_byte,
        endian=endian,
        sample_format=sample_format,
        domain=domain,
        interval=interval,
        allow=allowed,
        progress=progress,
    )


def _open_array(
    path: Path,
    domain: Domain | None,
    interval: float | None,
    allow: Collection[Allowance],
    progress: Callable[[int, int], None] | None,
) -> Survey:
    from diapir.surveys.array_source import ArraySurvey, Frame, open_numpy
    from diapir.surveys.zarr_source import is_zarr, open_zarr

    if not path.is_dir():
        values, frame = open_numpy(path), Frame()
    elif is_zarr(path):
        values, frame = open_zarr(path)
    else:
        raise SurveyError(
            f"{path} is a folder and no Zarr store",
            expected="a SEG-Y file, a Zarr store or an .npy array",
            fix="give the file itself",
        )
    return ArraySurvey(
        path, values, frame, domain=domain, interval=interval, allow=allow, progress=progress
    )


def percentile(survey: Survey, q: float = 98.0, *, seed: int = 0) -> float:
    """Percentile of the absolute amplitude of live samples.

    At most `SAMPLE_TRACES` traces are read, in short runs spread over the survey, so that time and
    memory do not grow with it. The same seed reads the same traces.

    Args:
        survey: any survey.
        q: percent, above 0 up to 100.
        seed: of the choice of traces.

    Returns:
        The percentile; above 0 unless no sample differs from 0, then 0.
    """
    traces = sample_traces(survey, seed=seed)
    amplitudes = np.abs(traces[np.isfinite(traces)])
    return float(np.percentile(amplitudes, q)) if amplitudes.size else 0.0


def sample_traces(
    survey: Survey, *, most: int = SAMPLE_TRACES, seed: int = 0
) -> NDArray[np.float32]:
    """Live traces spread over the survey; all of them where it is small.

    Args:
        survey: any survey.
        most: traces that are read at most, in runs of neighbours.
        seed: of the choice of runs.

    Returns:
        `float32 (traces, samples)`; samples that are not finite are NaN.
    """
    live = survey.grid.live
    starts = np.arange(0, live.shape[1], _RUN)
    runs = np.argwhere(np.logical_or.reduceat(live, starts, axis=1))
    most = max(1, min(most, _SAMPLE_VALUES // survey.grid.samples))
    wanted = max(1, most // min(_RUN, live.shape[1]))
    if len(runs) > wanted:
        chosen = np.random.default_rng(seed).choice(len(runs), wanted, replace=False)
        runs = runs[np.sort(chosen)]
    found = [np.empty((0, survey.grid.samples), np.float32)]
    for inline, run in runs.tolist():
        part = slice(inline, inline + 1), slice(run * _RUN, (run + 1) * _RUN)
        found.append(survey.read(*part)[live[part]][:most])
    return np.concatenate(found)


def check_amplitudes(survey: Survey, allow: Collection[Allowance]) -> None:
    """Refuse a survey of dead traces, and one whose samples do not swing about zero.

    Args:
        survey: just opened.
        allow: "velocity" lets all-positive samples pass.

    Raises:
        SurveyError: it is one of these.
    """
    traces = sample_traces(survey, most=_CHECKED_TRACES)
    values = traces[np.isfinite(traces)]
    values = values[values != 0]
    if not values.size:
        raise refusals.all_dead(survey.path, survey.grid.live.size)
    negative = np.count_nonzero(values < 0) / values.size
    if "velocity" not in allow and not ONE_SIDED < negative < 1 - ONE_SIDED:
        raise refusals.all_positive(survey.path, float(values.min()), float(values.max()))
