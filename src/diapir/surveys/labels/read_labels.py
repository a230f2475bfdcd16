"""Read the labels of a survey: masks, horizons, polygons and strokes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from diapir.surveys.labels.combine import combine
from diapir.surveys.labels.horizon_labels import crossing_labels, horizon_labels
from diapir.surveys.labels.label_options import DEFAULTS, LabelKind, LabelOptions
from diapir.surveys.labels.picture_masks import is_image
from diapir.surveys.labels.placing import Placing
from diapir.surveys.labels.polygon_labels import polygon_labels
from diapir.surveys.labels.recognise import kind_of, label_files
from diapir.surveys.labels.section_images import image_labels
from diapir.surveys.labels.section_labels import SectionLabels, SurveyLabels
from diapir.surveys.labels.stroke_labels import stroke_labels
from diapir.surveys.labels.volume_masks import volume_labels
from diapir.surveys.survey import Survey
from diapir.text import listing


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
        MissingDependencyError: a Zarr store or an IRAP grid without the package that reads it.
    """
    paths = [paths] if isinstance(paths, Path) else list(paths)
    placing = Placing(survey.grid, survey.name)
    sections: list[SectionLabels] = []
    notes: list[str] = []
    files = label_files(paths, survey.name if placing.line else "")
    for kind, same in _by_kind(files, placing, options, notes).items():
        found, told = _read(kind, same, survey, placing, options)
        sections += found
        notes += told
    return combine(sections, survey, notes, listing(paths))


def _by_kind(
    files: Sequence[Path], placing: Placing, options: LabelOptions, notes: list[str]
) -> dict[LabelKind, list[Path]]:
    found: dict[LabelKind, list[Path]] = {}
    for file in files:
        kind = options.label_kind
        if kind == "auto":
            kind, note = kind_of(file, placing)
            notes += [note] if note else []
        found.setdefault(kind, []).append(file)
    if "horizons" in found and "crossings" in found:  # diapir writes the same salt as both
        left = found.pop("horizons")
        notes.append(f"{listing(left)} left out: the crossings beside say more")
    return found


def _read(
    kind: LabelKind,
    files: Sequence[Path],
    survey: Survey,
    placing: Placing,
    options: LabelOptions,
) -> tuple[list[SectionLabels], list[str]]:
    if kind == "horizons":
        return horizon_labels(files, placing, options)
    if kind == "crossings":
        return crossing_labels(files, placing, options)
    if kind == "polygons":
        return polygon_labels(files, placing, options)
    if kind == "strokes":
        return stroke_labels(files, placing)
    images = [file for file in files if is_image(file)]
    sections, notes = image_labels(images, placing, options) if images else ([], [])
    for file in files:
        if not is_image(file):
            found, told = volume_labels(file, survey, placing, options)
            sections, notes = [*sections, *found], [*notes, *told]
    return sections, notes
