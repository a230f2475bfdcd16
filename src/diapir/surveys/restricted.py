"""A part of a survey, or of its predictions, as if the file held nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.extent import Extent
from diapir.surveys.grid import Grid
from diapir.surveys.grid_part import Selection, part_words, select
from diapir.surveys.hints import SurveySpec
from diapir.surveys.survey import Survey


class RestrictedSurvey:
    """A part of a survey: reads only the traces that lie in it.

    Args:
        whole: the survey; closed with this one.
        extent: the part.

    Attributes:
        whole: the survey that this is a part of.
        selection: the part, as indices of the whole grid.

    Raises:
        SurveyError: the survey has nothing there.
    """

    def __init__(self, whole: Survey, extent: Extent) -> None:
        self.whole = whole
        self.extent = extent
        self.name: str = whole.name
        self.path: Path = whole.path
        self.selection: Selection = select(whole.grid, extent, str(whole.path))
        self.grid: Grid = self.selection.grid

    @property
    def notes(self) -> tuple[str, ...]:
        """Oddities of the file, and of the part."""
        return (*self.whole.notes, *self.selection.notes)

    @property
    def part(self) -> str:
        """The part in words."""
        return part_words(self.selection)

    def read(self, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        """Read the amplitudes of a part of the part; see `Survey.read`."""
        return self.selection.read(self.whole.read, inlines, crosslines)

    def spec(self) -> SurveySpec:
        """Argument of `reopen`, which restricts the survey again."""
        spec = self.whole.spec()
        return replace(spec, hints=replace(spec.hints, extents=(*spec.hints.extents, self.extent)))

    def close(self) -> None:
        """Close the survey."""
        self.whole.close()


def part_lines(survey: Survey, views: Iterable[str]) -> list[str]:
    """What to say about the part before it is predicted; nothing for a whole survey.

    Args:
        survey: the survey that is predicted.
        views: directions of the predicted sections.
    """
    if not isinstance(survey, RestrictedSurvey):
        return []
    lines = [f"part: {survey.part}"]
    every, across = skips(survey)
    if views == ("inline",) and every > 1 and across == 1:
        lines.append(f"inline view only: one inline in {every} is read, each with all its traces")
    elif views == ("crossline",) and across > 1 and every == 1:
        lines.append(f"crossline view only: one crossline in {across}, each with all its traces")
    else:
        thinned = [
            f"the {view} sections have one trace in {skip}"
            for view, skip in (("inline", across), ("crossline", every))
            if view in views and skip > 1
        ]
        lines += [f"{told}, which looks coarser to the network" for told in thinned]
    return lines


def restrict(survey: Survey, extents: Iterable[Extent]) -> Survey:
    """A part of a survey, each extent within the one before; the survey itself for none.

    Raises:
        SurveyError: the survey has nothing there; it is closed.
    """
    try:
        for extent in extents:
            if extent:
                survey = RestrictedSurvey(survey, extent)
    except BaseException:
        survey.close()
        raise
    return survey


def skips(survey: Survey) -> tuple[int, int]:
    """Lines of the file per inline and per crossline of a survey; 1 unless it is a part."""
    if not isinstance(survey, RestrictedSurvey):
        return 1, 1
    outer, own = skips(survey.whole), survey.selection.skips
    return outer[0] * own[0], outer[1] * own[1]


def whole_survey(survey: Survey) -> Survey:
    """The survey of the file itself."""
    while isinstance(survey, RestrictedSurvey):
        survey = survey.whole
    return survey


def first_sample(survey: Survey) -> int:
    """Index of a survey's first sample in its file."""
    if not isinstance(survey, RestrictedSurvey):
        return 0
    return first_sample(survey.whole) + survey.selection.first


def places(survey: Survey) -> tuple[NDArray[np.int64], NDArray[np.int64], bool]:
    """Where a survey lies in its file's grid.

    Returns:
        Indices of its inlines and crosslines there, and whether samples are left out.
    """
    if not isinstance(survey, RestrictedSurvey):
        rows, columns, _ = survey.grid.shape
        return np.arange(rows), np.arange(columns), False
    rows_, columns_, cut = places(survey.whole)
    chosen = survey.selection
    cut |= survey.grid.samples != survey.whole.grid.samples
    return rows_[chosen.rows], columns_[chosen.columns], cut
