"""NumPy arrays as surveys: which axis holds the samples, and the survey with them last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diapir.inference.sections.wavelet import FEWEST_SAMPLES, first_zero
from diapir.progress import Progress
from diapir.surveys.array_source import AmplitudeArray, ArraySurvey, Frame, SamplesAxis
from diapir.surveys.hints import SurveyHints
from diapir.surveys.npy_file import NpyFile
from diapir.undefined import find_undefined, hide_undefined

PLAIN = 1.5
"""Factor between the correlation lengths of two axes from which the shorter is plainly that of the
samples: wavelets are short, and reflections continue from trace to trace."""
SURE = 3.0
"""The same for the smoothness of axes too short to measure a correlation length."""
FEWEST = 8
"""Values along an axis from which neighbours are compared."""
_MOST = 2048
"""Values along an axis that are looked at."""
_AXES: dict[SamplesAxis, tuple[str, str]] = {
    "first": ("(samples, traces)", "(samples, inlines, crosslines)"),
    "last": ("(traces, samples)", "(inlines, crosslines, samples)"),
}


class _Axis(NamedTuple):
    """The axis of the samples, and what it was taken from."""

    axis: SamplesAxis
    note: str


def open_numpy(path: Path, hints: SurveyHints, *, progress: Progress | None = None) -> ArraySurvey:
    """Open an `.npy` array as a survey, without reading it whole.

    Args:
        path: real numbers of two or three axes; samples along the last or the first.
        hints: what is known of it.
        progress: called with the inlines searched for dead traces and the number there are.

    Raises:
        SurveyError: it is damaged, holds Python objects, or cannot be used.
    """
    values = NpyFile(path)
    numbers = np.dtype(values.dtype).kind in "fiu" and 0 not in values.shape
    if not numbers or len(values.shape) not in (2, 3):
        return ArraySurvey(path, values, Frame(), hints, progress=progress)  # which refuses it
    found = _axis(values, hints.samples_axis)
    turned: AmplitudeArray = values if found.axis == "last" else _SamplesLast(values)
    frame = Frame(notes=(found.note,) if found.note else ())
    return ArraySurvey(path, turned, frame, hints, progress=progress, samples_axis=found.axis)


class _SamplesLast:
    """An array of samples along its first axis, seen with them along its last."""

    def __init__(self, values: NpyFile) -> None:
        self._values = values
        self.shape = (*values.shape[1:], values.shape[0])
        self.dtype = values.dtype

    def __getitem__(self, place: tuple[slice, ...]) -> NDArray[Any]:
        lines, samples = place[: len(self.shape) - 1], place[len(self.shape) - 1 :]
        lines = (*lines, *[slice(None)] * (len(self.shape) - 1 - len(lines)))
        return np.moveaxis(self._values[(*(samples or (slice(None),)), *lines)], 0, -1)


def _axis(values: NpyFile, asked: SamplesAxis | None) -> _Axis:
    """Which axis holds the samples: as asked for, or the one of the shorter correlation."""
    shapes = {axis: names[len(values.shape) - 2] for axis, names in _AXES.items()}
    if asked is not None:
        return _Axis(asked, f"read as {shapes[asked]}, as --samples-axis asks")
    known: dict[SamplesAxis, str] = {
        axis: f"--samples-axis {axis} reads it as {shape}" for axis, shape in shapes.items()
    }
    sections = list(_sections(values))
    first, last = _lengths(sections)
    if last * PLAIN < first:
        return _Axis("last", "")
    why = f"the sign changes after {first:.1f} and {last:.1f} values"
    plain = first * PLAIN < last
    if not np.isfinite(first + last):  # too short to measure
        first, last = _smoothness(sections)
        why = f"smoothness is {first:.2g} and {last:.2g}"
        plain = first * SURE < last and values.shape[0] >= FEWEST_SAMPLES
    if plain:
        return _Axis(
            "first",
            f"read as {shapes['first']}: {why} along the first and the last axis ({known['last']})",
        )
    return _Axis(
        "last",
        f"read as {shapes['last']}, though the data do not show it plainly ({known['first']})",
    )


def _lengths(sections: Sequence[NDArray[np.float32]]) -> tuple[float, float]:
    """First zeros of the autocorrelation along the first and the last axis; NaN where unknown."""
    lengths = [(first_zero(part.T), first_zero(part)) for part in sections]
    return _median([first for first, _ in lengths]), _median([last for _, last in lengths])


def _smoothness(sections: Sequence[NDArray[np.float32]]) -> tuple[float, float]:
    """The same for axes too short for that: smoothness from value to value, larger is smoother.

    The inverse is the variance of differences of neighbours, over the variance of the values.
    """
    found = []
    for part in sections:
        if min(part.shape) < FEWEST:
            continue
        part = part.astype(np.float64)  # squares of large values overflow in float32
        spread = float(part.var())
        if spread > 0:
            rough = [float(np.diff(part, axis=axis).var()) / spread for axis in (0, 1)]
            found.append(tuple(1 / max(one, 1e-9) for one in rough))
    return _median([first for first, _ in found]), _median([last for _, last in found])


def _sections(values: NpyFile) -> Iterator[NDArray[np.float32]]:
    """Parts of the array along its first and last axis; of a volume, three of them."""
    shape = values.shape
    rows, columns = _middle(shape[0]), _middle(shape[-1])
    between = (
        [(slice(place, place + 1),) for place in _places(shape[1])] if len(shape) > 2 else [()]
    )
    for place in between:
        # what does not fit becomes infinite, and is not known; nor is a signalling NaN
        with np.errstate(over="ignore", invalid="ignore"):
            part = values[(rows, *place, columns)].astype(np.float32)
        part = part.reshape(part.shape[0], part.shape[-1])
        hide_undefined(part, find_undefined(part))
        known = np.isfinite(part) & (part != 0)
        part[~known] = 0
        # mutes, water and gaps are as long as they are, whatever the wavelet
        yield part[known.mean(axis=1) > 0.5][:, known.mean(axis=0) > 0.5]


def _places(length: int) -> list[int]:
    places: list[int] = np.unique(np.linspace(0, length - 1, 5).astype(int)[1:-1]).tolist()
    return places


def _middle(length: int) -> slice:
    start = max(0, (length - _MOST) // 2)
    return slice(start, start + _MOST)


def _median(lengths: list[float]) -> float:
    known = [one for one in lengths if np.isfinite(one)]
    return float(np.median(known)) if known else float("nan")
