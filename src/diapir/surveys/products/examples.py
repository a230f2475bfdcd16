"""Example sections of a predicted survey: choosing them, cutting them out and drawing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.files import writing
from diapir.inference.overlay import overlay
from diapir.surveys.grid import Grid
from diapir.surveys.prediction.amplitude import to_grey
from diapir.surveys.prediction.survey_options import PERCENTILE
from diapir.surveys.products.bodies import Bodies
from diapir.surveys.products.horizons import SaltMaps
from diapir.surveys.products.interval_file import IntervalFile
from diapir.surveys.products.intervals import Block, Predictions, draw_salt
from diapir.surveys.survey import Survey

Axis = Literal["inline", "crossline", "line"]

SECTIONS = 4
"""Number of sections chosen from a volume."""


@dataclass(frozen=True)
class ExampleSection:
    """A vertical section; rows are samples, columns are traces.

    Attributes:
        axis: along an inline, a crossline, or a 2D line.
        number: its inline or crossline number; 0 for a line.
        traces: crossline or inline numbers, or CDPs, `int64 (traces,)`.
        grey: amplitudes, `uint8 (samples, traces)`; None where the survey was not given.
        probability: `float32 (samples, traces)`, NaN where there is no prediction.
        salt: `bool (samples, traces)`, kept bodies only, after filling.
    """

    axis: Axis
    number: int
    traces: NDArray[np.int64]
    grey: NDArray[np.uint8] | None
    probability: NDArray[np.float32]
    salt: NDArray[np.bool_]

    @property
    def name(self) -> str:
        """File name without its ending, such as `inline-1201`."""
        return self.axis if self.axis == "line" else f"{self.axis}-{self.number}"

    def picture(self) -> NDArray[np.uint8]:
        """Salt drawn over the amplitudes or the probability, `uint8 (samples, traces, 3)`."""
        grey = self.grey
        if grey is None:
            share = np.nan_to_num(self.probability, nan=0.0)
            grey = np.rint(255 - 255 * share).astype(np.uint8)
        return overlay(grey, self.salt.astype(np.uint8))


def choose(grid: Grid, maps: SaltMaps, bodies: Bodies) -> list[tuple[Axis, int]]:
    """Choose the sections to look at first, as axis and grid index.

    In a volume: the inline and the crossline with most salt, and those through the centres of the
    largest bodies. Otherwise the only section there is.
    """
    if grid.kind == "2d":
        return [("line", 0)]
    if len(grid.inlines) == 1:
        return [("inline", 0)]
    if len(grid.crosslines) == 1:
        return [("crossline", 0)]
    wanted: list[tuple[Axis, int]] = [
        ("inline", int(np.argmax(maps.thickness.sum(axis=1)))),
        ("crossline", int(np.argmax(maps.thickness.sum(axis=0)))),
    ]
    for body in bodies.table[1:]:
        wanted.append(("inline", int(body["inline0"] + body["inline1"]) // 2))
        wanted.append(("crossline", int(body["crossline0"] + body["crossline1"]) // 2))
    chosen: list[tuple[Axis, int]] = []
    for axis, place in wanted:
        apart = max(2, len(grid.inlines if axis == "inline" else grid.crosslines) // 10)
        if all(other != axis or abs(place - there) >= apart for other, there in chosen):
            chosen.append((axis, place))
        if len(chosen) == SECTIONS:
            break
    return chosen


def cut(
    wanted: Sequence[tuple[Axis, int]],
    predictions: Predictions,
    intervals: IntervalFile,
    survey: Survey | None,
    scale: float | None,
) -> list[ExampleSection]:
    """Cut sections out of a survey.

    Args:
        wanted: axis and grid index of each, from `choose`.
        predictions: array `probability` of the survey.
        intervals: labelled intervals.
        survey: the amplitudes; None if not available.
        scale: amplitude drawn white; None means the 98th percentile of each section.
    """
    return [_cut(axis, place, predictions, intervals, survey, scale) for axis, place in wanted]


def _cut(
    axis: Axis,
    place: int,
    predictions: Predictions,
    intervals: IntervalFile,
    survey: Survey | None,
    scale: float | None,
) -> ExampleSection:
    grid = predictions.grid
    inlines, crosslines, samples = grid.shape
    across = axis == "crossline"
    whole = (
        Block(0, inlines, place, place + 1) if across else Block(place, place + 1, 0, crosslines)
    )
    found = intervals.within(whole)
    salt = draw_salt(found[found["body"] > 0], whole, samples)
    grey = None
    if survey is not None:
        amplitude = survey.read(*whole.slices).reshape(-1, samples)
        known = np.abs(amplitude[np.isfinite(amplitude)])
        largest = scale or (float(np.percentile(known, PERCENTILE)) if known.size else 0.0) or 1.0
        grey = to_grey(amplitude, largest).T
    return ExampleSection(
        axis=axis,
        number=0 if axis == "line" else int((grid.crosslines if across else grid.inlines)[place]),
        traces=grid.inlines if across else grid.crosslines,
        grey=grey,
        probability=predictions.read("probability", *whole.slices).reshape(-1, samples).T,
        salt=salt.reshape(-1, samples).T,
    )


def write_picture(folder: Path, section: ExampleSection) -> Path:
    """Write a section as PNG, one pixel per sample."""
    path = folder / f"{section.name}.png"
    with writing(path) as stream:
        Image.fromarray(np.ascontiguousarray(section.picture())).save(stream, format="PNG")
    return path
