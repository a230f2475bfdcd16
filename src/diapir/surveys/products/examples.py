"""Example sections of a predicted survey: which are worth a look, and their pictures."""

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
from diapir.surveys.products.interval_file import RunFile
from diapir.surveys.products.intervals import Block, Predictions, salt_mask
from diapir.surveys.survey import Survey

Axis = Literal["inline", "crossline", "line"]

SECTIONS = 4
"""Sections shown of a volume."""


@dataclass(frozen=True)
class Section:
    """A vertical section; rows go down in time or depth, columns are traces.

    Attributes:
        axis: what it follows; "line" of a 2D survey.
        number: of its inline or crossline; 0 of a line.
        traces: crossline or inline numbers, or CDPs, `int64 (traces,)`.
        grey: amplitudes `uint8 (samples, traces)`; None where the survey was not given.
        probability: `float32 (samples, traces)`, NaN where there is none.
        salt: `bool (samples, traces)`, of kept bodies, filled where that was asked for.
    """

    axis: Axis
    number: int
    traces: NDArray[np.int64]
    grey: NDArray[np.uint8] | None
    probability: NDArray[np.float32]
    salt: NDArray[np.bool_]

    @property
    def name(self) -> str:
        """Such as `inline-1201`."""
        return self.axis if self.axis == "line" else f"{self.axis}-{self.number}"

    def picture(self) -> NDArray[np.uint8]:
        """Salt over the amplitudes, or over the probability, `uint8 (samples, traces, 3)`."""
        grey = self.grey
        if grey is None:
            share = np.nan_to_num(self.probability, nan=0.0)
            grey = np.rint(255 - 255 * share).astype(np.uint8)
        return overlay(grey, self.salt.astype(np.uint8))


def choose(grid: Grid, maps: SaltMaps, bodies: Bodies) -> list[tuple[Axis, int]]:
    """The sections to look at first, as axis and position.

    Of a volume those with most salt along each axis, and those through the middle of the largest
    bodies; of a line itself; of a volume of one inline or crossline that one.
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
    runs: RunFile,
    survey: Survey | None,
    scale: float | None,
) -> list[Section]:
    """Cut sections out of a survey.

    Args:
        wanted: as `choose` gives them.
        predictions: their array `probability`.
        runs: with their bodies.
        survey: the amplitudes; None where they are not at hand.
        scale: amplitude of full white; None takes the 98th percentile of each section.
    """
    return [_cut(axis, place, predictions, runs, survey, scale) for axis, place in wanted]


def _cut(
    axis: Axis,
    place: int,
    predictions: Predictions,
    runs: RunFile,
    survey: Survey | None,
    scale: float | None,
) -> Section:
    grid = predictions.grid
    inlines, crosslines, samples = grid.shape
    across = axis == "crossline"
    whole = (
        Block(0, inlines, place, place + 1) if across else Block(place, place + 1, 0, crosslines)
    )
    found = runs.within(whole)
    salt = salt_mask(found[found["body"] > 0], whole, samples)
    grey = None
    if survey is not None:
        amplitude = survey.read(*whole.slices).reshape(-1, samples)
        known = np.abs(amplitude[np.isfinite(amplitude)])
        largest = scale or (float(np.percentile(known, PERCENTILE)) if known.size else 0.0) or 1.0
        grey = to_grey(amplitude, largest).T
    return Section(
        axis=axis,
        number=0 if axis == "line" else int((grid.crosslines if across else grid.inlines)[place]),
        traces=grid.inlines if across else grid.crosslines,
        grey=grey,
        probability=predictions.read("probability", *whole.slices).reshape(-1, samples).T,
        salt=salt.reshape(-1, samples).T,
    )


def write_picture(folder: Path, section: Section) -> Path:
    """Write a section as PNG, a pixel for each sample of each trace."""
    path = folder / f"{section.name}.png"
    with writing(path) as stream:
        Image.fromarray(np.ascontiguousarray(section.picture())).save(stream, format="PNG")
    return path
