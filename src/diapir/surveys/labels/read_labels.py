"""Read the labels of a survey: masks, horizons, polygons and strokes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from diapir.surveys.labels.label_options import DEFAULTS, LabelOptions
from diapir.surveys.labels.section_labels import SurveyLabels
from diapir.surveys.survey import Survey


def read_labels(
    paths: Path | Sequence[Path], survey: Survey, options: LabelOptions = DEFAULTS
) -> SurveyLabels:
    """Read labels of a survey's sections.

    Args:
        paths: files, or folders of files, that are read together: mask images, masks as SEG-Y,
            `.npy` or Zarr, horizons, polygons, strokes.
        survey: the survey they belong to.
        options: how to read them; everything that is not given is found from the files, and every
            guess is a note of the result.

    Returns:
        The labelled sections, a sequence of `SectionLabels` with `notes`.

    Raises:
        DataError: unreadable files, labels of another grid or outside the survey, crossing
            horizons, labels that contradict each other, or a single class in all of them.
    """
    raise NotImplementedError
