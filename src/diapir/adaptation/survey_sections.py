"""The labelled sections of a survey or of pictures, as grey images with masks."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE
from diapir.errors import DataError, failure
from diapir.inference.sources import find_sources, on_one_scale
from diapir.surveys import PERCENTILE, Survey, SurveyHints, open_survey, percentile
from diapir.surveys.labels.label_options import LabelOptions
from diapir.surveys.labels.picture_labels import read_picture_labels
from diapir.surveys.labels.picture_masks import picture_stem, split_pictures
from diapir.surveys.labels.read_labels import read_labels
from diapir.surveys.labels.section_labels import refuse_one_class
from diapir.surveys.lines.find_lines import is_survey
from diapir.surveys.prediction.amplitude import fill_gaps, missing, to_grey
from diapir.surveys.prediction.blank_samples import BlankSamples, find_blank
from diapir.text import listing, plural
from diapir.tiles.files.picture_options import PictureOptions

SURVEY_SUFFIXES = frozenset({".sgy", ".segy", ".seg", ".zarr", ".mdio", ".npy"})
"""Suffixes of surveys; everything else is pictures."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Section:
    """A labelled section.

    Attributes:
        name: in words: inline 241, or the name of the picture.
        image: grey, `uint8 (samples, traces)`, without gaps.
        mask: `uint8 (samples, traces)` of {0, 1, 255}.
        place: what it lies on and its index there, such as ("block inline", 40); sections of one
            kind with near indices show nearly the same rock. None where that is unknown.
    """

    name: str
    image: Bytes
    mask: Bytes
    place: tuple[str, int] | None = None

    @property
    def has_salt(self) -> bool:
        """Whether any of its labels is salt."""
        return bool((self.mask == 1).any())

    @property
    def labelled_traces(self) -> NDArray[np.bool_]:
        """`bool (traces,)`: traces with a label."""
        labelled: NDArray[np.bool_] = (self.mask != IGNORE).any(axis=0)
        return labelled


@dataclass(frozen=True, eq=False)
class LabelledSections:
    """What a model is adapted to.

    Attributes:
        name: of the survey or the folder of pictures.
        kind: a survey (amplitudes) or pictures (grey values).
        sections: those with labels; at least one.
        clip: amplitude that is clipped to full white; None for pictures.
        notes: guesses and oddities that the user should know.
        failed: surveys that cannot be used, as `failure` describes them.
    """

    name: str
    kind: Literal["survey", "pictures"]
    sections: tuple[Section, ...]
    clip: float | None
    notes: tuple[str, ...] = ()
    failed: tuple[dict[str, str], ...] = ()

    @property
    def hash(self) -> str:
        """SHA-256 over images and masks."""
        digest = hashlib.sha256()
        for section in self.sections:
            digest.update(f"{section.name} {section.image.shape}".encode())
            digest.update(section.image.tobytes() + section.mask.tobytes())
        return digest.hexdigest()

    def describe(self) -> str:
        """One line: the sections, their labelled traces and the share of salt."""
        traces = sum(int(section.labelled_traces.sum()) for section in self.sections)
        known = sum(int((section.mask != IGNORE).sum()) for section in self.sections)
        salt = sum(int((section.mask == 1).sum()) for section in self.sections)
        return (
            f"{listing([section.name for section in self.sections])}: "
            f"{plural(traces, 'labelled trace')}, {100 * salt / known:.1f} % of labels are salt"
        )


def image_hash(images: Sequence[Bytes]) -> str:
    """SHA-256 over images and their shapes."""
    digest = hashlib.sha256()
    for image in images:
        digest.update(f"{image.shape}".encode())
        digest.update(image.tobytes())
    return digest.hexdigest()


def are_surveys(inputs: Sequence[Path]) -> bool:
    """Whether the inputs are surveys rather than pictures: files, or folders of such files.

    Raises:
        DataError: some are and some are not, or one of them does not exist.
    """
    kinds = {_is_survey(path) for path in inputs}
    if len(kinds) > 1:
        raise DataError(
            "some of the inputs are surveys and some are pictures",
            expected="surveys only, or pictures only",
            fix="adapt to them in two commands, each with its own --out",
        )
    return kinds == {True}


def survey_files(inputs: Sequence[Path]) -> list[Path]:
    """The survey files of the inputs; those of a folder are sorted by name."""
    found: list[Path] = []
    for path in inputs:
        within = path.is_dir() and path.suffix.lower() not in SURVEY_SUFFIXES
        found += sorted(_surveys_in(path)) if within else [path]
    return found


def read_sections(
    inputs: Sequence[Path],
    labels: Sequence[Path],
    out: Path,
    *,
    options: LabelOptions | None = None,
    hints: SurveyHints | None = None,
) -> LabelledSections:
    """Read the labelled sections of surveys or pictures.

    Args:
        inputs: survey files, folders of 2D lines, image files, folders of images.
        labels: their labels; see `read_labels` and `read_picture_labels`. Labels of several lines
            are named as the lines.
        out: the run folder, which pictures must not lie in.
        options: how to read the labels.
        hints: what is known of the survey files.

    Raises:
        DiapirError: inputs or labels that cannot be used.
    """
    options = options or LabelOptions()
    if are_surveys(inputs):
        return _of_surveys(survey_files(inputs), labels, options, hints)
    return _of_pictures(inputs, labels, out, options)


def _of_pictures(
    inputs: Sequence[Path], labels: Sequence[Path], out: Path, options: LabelOptions
) -> LabelledSections:
    if len(labels) != 1:
        raise DataError(
            f"{plural(len(labels), 'path')} of labels for pictures",
            expected="one folder of masks, one mask, or strokes",
            fix="put the masks of all pictures into one folder",
        )
    everything = {source.path: source for source in find_sources(inputs, out)}
    pictures, _ = split_pictures(everything)
    scaled, notes = on_one_scale([everything[path] for path in pictures], PictureOptions())
    sources = {source.path: source for source in scaled}
    found = read_picture_labels(labels[0], pictures, options)
    sections = [
        Section(sources[path].name, sources[path].read(), mask) for path, mask in found.items()
    ]
    folder = inputs[0] if inputs[0].is_dir() else inputs[0].parent
    return LabelledSections(
        folder.resolve().name, "pictures", tuple(sections), None, (*found.notes, *notes)
    )


def _of_surveys(
    files: Sequence[Path],
    labels: Sequence[Path],
    options: LabelOptions,
    hints: SurveyHints | None,
) -> LabelledSections:
    _refuse_same_names(files)
    sections: list[Section] = []
    notes: list[str] = []
    clips: list[float] = []
    failed: list[dict[str, str]] = []
    silent: list[str] = []
    for path in files:
        own = labels if len(files) == 1 else _labels_of(path, labels)
        if not own:
            continue
        opened = open_one_of(path, hints, alone=len(files) == 1, fail=failed.append)
        if opened is None:
            continue
        with contextlib.closing(opened) as survey:
            clip = percentile(survey, PERCENTILE)
            blank, told = find_blank(survey, clip)
            found = read_labels(own, survey, options)
            notes += [f"{path.name}: {note}" for note in (*survey.notes, *told, *found.notes)]
            alone = len(files) == 1
            for each in found:
                name = each.name(survey.grid)
                image, gaps = section_image(survey, each.slices, blank)
                mask = np.where(gaps, np.uint8(IGNORE), each.mask)
                if (mask == IGNORE).all() and (each.mask != IGNORE).any():
                    silent.append(name)
                    continue
                sections.append(
                    Section(
                        name if alone else f"{survey.name} {name}".removesuffix(" line"),
                        image,
                        mask,
                        (f"{survey.name} {each.axis}", each.index) if name != "line" else None,
                    )
                )
        clips.append(clip)
    if silent and not sections:
        raise DataError(
            f"all labels lie where there is no signal: {listing(silent)}",
            expected="labels in samples other than mutes, water, padding and gaps",
            fix="label sections that have signal, or check the file with `diapir survey`",
        )
    if not sections:
        raise DataError(
            f"no labels of {listing([path.name for path in files])} in {listing(labels)}",
            expected="labels named as the lines they belong to",
            fix="rename the labels, or give the line they belong to alone",
        )
    refuse_one_class([section.mask for section in sections], listing(labels))
    name = files[0].stem if len(files) == 1 else files[0].resolve().parent.name
    return LabelledSections(
        name, "survey", tuple(sections), float(np.median(clips)), tuple(dict.fromkeys(notes)),
        tuple(failed),
    )  # fmt: skip


def open_one_of(
    path: Path, hints: SurveyHints | None, *, alone: bool, fail: Callable[[dict[str, str]], object]
) -> Survey | None:
    """Open one of several surveys; None for one that cannot be used, which stops no other.

    Args:
        path: the survey.
        hints: what is known of it.
        alone: whether it is the only one, so that it is refused instead.
        fail: called with what is wrong with it; see `failure`.

    Raises:
        DiapirError: it is the only one, and cannot be used.
    """
    try:
        return open_survey(path, hints)
    except DataError as error:
        if alone:
            raise
        fail(failure(path.stem, path, error))
        return None


def section_image(
    survey: Survey, slices: tuple[slice, slice], blank: BlankSamples
) -> tuple[Bytes, NDArray[np.bool_]]:
    """A section as a prediction shows it to the network.

    Args:
        survey: an open survey.
        slices: of one inline or crossline, as `Survey.read` takes them.
        blank: which samples have no signal, and the scale.

    Returns:
        Grey values without gaps, `uint8 (samples, traces)`, and where the gaps were, `bool`.
    """
    amplitude = survey.read(*slices).reshape(-1, survey.grid.samples)
    gaps = missing(amplitude) | blank.mask(amplitude)
    image = np.ascontiguousarray(fill_gaps(to_grey(amplitude, blank.scale), gaps).T)
    return image, np.ascontiguousarray(gaps.T)


def _labels_of(survey: Path, labels: Sequence[Path]) -> list[Path]:
    """The labels named as one of several lines: files, or files of the folders given."""
    candidates = [
        file
        for path in labels
        for file in (sorted(path.iterdir()) if path.is_dir() else [path])
        if file.resolve() != survey.resolve()
    ]
    return [file for file in candidates if survey.stem in (file.stem, picture_stem(file))]


def _refuse_same_names(files: Sequence[Path]) -> None:
    named: dict[str, Path] = {}
    for path in files:
        other = named.setdefault(path.stem, path)
        if other is not path:
            raise DataError(
                f"{other} and {path} have the same name",
                expected="lines with different names, so that each has its own labels",
                fix="rename one of them",
            )


def _is_survey(path: Path) -> bool:
    if not path.exists():
        raise DataError(
            f"{path} does not exist",
            expected="a survey, a folder of 2D lines, or pictures",
            fix="correct the path",
        )
    if is_survey(path):
        return True
    return path.is_dir() and any(_surveys_in(path))


def _surveys_in(folder: Path) -> Iterator[Path]:
    """Survey files of a folder of 2D lines; labels beside them are named as a line and more."""
    for path in folder.iterdir():
        if path.suffix.lower() in SURVEY_SUFFIXES and picture_stem(path) == path.stem:
            yield path
