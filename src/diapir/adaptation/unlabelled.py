"""Sections without labels: to suggest one of them, or to train on pseudo-labels of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from diapir.adaptation.survey_sections import (
    are_surveys,
    open_one_of,
    section_image,
    survey_files,
)
from diapir.inference.sources import find_sources, on_one_scale
from diapir.surveys import PERCENTILE, Survey, SurveyHints, percentile
from diapir.surveys.labels.picture_masks import split_pictures
from diapir.surveys.prediction.blank_samples import BlankSamples, find_blank
from diapir.surveys.prediction.settle import NARROWEST
from diapir.tiles.files.picture_options import PictureOptions

_Item = TypeVar("_Item")


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """A section without labels.

    Attributes:
        name: inline 241, or the name of the line or picture.
        place: see `Section.place`.
        image: grey, `uint8 (samples, traces)`, without gaps.
    """

    name: str
    place: tuple[str, int] | None
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class Wanted:
    """Which sections are wanted.

    Attributes:
        most: sections of volumes, spread evenly.
        most_files: 2D lines or pictures, spread evenly; None for all.
        known: names of sections that are left out.
        clip: amplitude that is clipped; None for the survey's own percentile.
    """

    most: int
    most_files: int | None = None
    known: Collection[str] = ()
    clip: float | None = None


def unlabelled_sections(
    files: Sequence[Path],
    wanted: Wanted,
    *,
    out: Path,
    hints: SurveyHints | None,
    tell: Callable[[str], object],
    fail: Callable[[dict[str, str]], object],
) -> Iterator[tuple[Unlabelled | None, int]]:
    """Read sections without labels, one after the other.

    Args:
        files: surveys, 2D lines or a folder of them, or pictures.
        wanted: which of their sections.
        out: a folder that pictures must not lie in.
        hints: what is known of survey files.
        tell: called with each oddity of a survey's file.
        fail: called with what is wrong with a survey that cannot be used; see `failure`.

    Yields:
        A section and their number; None for one without live traces.

    Raises:
        DiapirError: inputs that cannot be used.
    """
    if not are_surveys(files):
        yield from _of_pictures(files, wanted, out)
        return
    paths = survey_files(files)
    alone = len(paths) == 1
    if not alone:
        paths = _spread([path for path in paths if path.stem not in wanted.known], wanted)
    for path in paths:
        opened = open_one_of(path, hints, alone=alone, fail=fail)
        if opened is None:
            continue
        with contextlib.closing(opened) as survey:
            for note in survey.notes:
                tell(f"{path.name}: {note}")
            clip = wanted.clip or percentile(survey, PERCENTILE)
            blank, told = find_blank(survey, clip)
            for note in told:
                tell(f"{path.name}: {note}")
            sections = list(_sections(survey, max(1, wanted.most // len(paths))))
            total = len(sections) * len(paths)
            for axis, index in sections:
                found = _read(survey, axis, index, blank, alone=alone, known=wanted.known)
                yield found, total


def _of_pictures(
    files: Sequence[Path], wanted: Wanted, out: Path
) -> Iterator[tuple[Unlabelled | None, int]]:
    sources = {source.path: source for source in find_sources(files, out)}
    pictures, _ = split_pictures(sources)
    scaled = on_one_scale([sources[path] for path in pictures], PictureOptions()).sources
    chosen = _spread([source for source in scaled if source.name not in wanted.known], wanted)
    for source in chosen:
        yield Unlabelled(source.name, None, source.read()), len(chosen)


def _spread(items: Sequence[_Item], wanted: Wanted) -> list[_Item]:
    count = min(len(items), wanted.most_files or len(items))
    return [items[index] for index in np.linspace(0, len(items) - 1, count).round().astype(int)]


def _sections(survey: Survey, most: int) -> Iterator[tuple[str, int]]:
    """Inlines and crosslines spread evenly; those of a view of narrow sections are left out."""
    shape = survey.grid.shape
    axes = [
        axis
        for axis, wide in (("inline", shape[1]), ("crossline", shape[0]))
        if wide >= NARROWEST or wide == max(shape[:2])
    ]
    for axis in axes:
        lines = shape[0 if axis == "inline" else 1]
        count = min(lines, max(1, most // len(axes)))
        for index in np.unique(np.linspace(0, lines - 1, count + 2).round().astype(int)[1:-1]):
            yield axis, int(index)


def _read(
    survey: Survey,
    axis: str,
    index: int,
    blank: BlankSamples,
    *,
    alone: bool,
    known: Collection[str],
) -> Unlabelled | None:
    one, every = slice(index, index + 1), slice(None)
    slices = (one, every) if axis == "inline" else (every, one)
    name, place = _named(survey, axis, index, alone=alone)
    if name in known or not survey.grid.live[slices].any():
        return None
    return Unlabelled(name, place, section_image(survey, slices, blank)[0])


def _named(
    survey: Survey, axis: str, index: int, *, alone: bool
) -> tuple[str, tuple[str, int] | None]:
    grid = survey.grid
    if grid.kind == "2d":
        return "line" if alone else survey.name, None
    number = (grid.inlines if axis == "inline" else grid.crosslines)[index]
    name = f"{axis} {number}"
    return name if alone else f"{survey.name} {name}", (f"{survey.name} {axis}", index)
