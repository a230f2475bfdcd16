"""Labels of the sections of a survey, and of pictures: what every kind of label becomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.surveys.grid import Grid

Mask = NDArray[np.uint8]
"""`uint8 (H, W)`, or `(samples, traces)`: 0 not salt, 1 salt, 255 not labelled."""

Axis = Literal["inline", "crossline"]
"""The number that all traces of a section share; a 2D line is inline 0."""


@dataclass(frozen=True, eq=False)
class SectionLabels:
    """Labels of one section.

    Attributes:
        axis: number that all its traces share. Its traces run along the other axis.
        index: index (not number) of the section along that axis of the survey's grid; 0 for a 2D
            line.
        mask: `uint8 (samples, traces)` of {0 not salt, 1 salt, 255 not labelled}, of the whole
            section, in the order of the grid. Dead and missing traces are 255.
        source: files it was read from, for messages.
    """

    axis: Axis
    index: int
    mask: Mask
    source: str

    @property
    def slices(self) -> tuple[slice, slice]:
        """Arguments of `Survey.read` that give the amplitudes of this section."""
        one, every = slice(self.index, self.index + 1), slice(None)
        return (one, every) if self.axis == "inline" else (every, one)

    def name(self, grid: Grid) -> str:
        """The section in words: inline 241, crossline 327, line."""
        if grid.kind == "2d":
            return "line"
        numbers = grid.inlines if self.axis == "inline" else grid.crosslines
        return f"{self.axis} {numbers[self.index]}"


class SurveyLabels(Sequence[SectionLabels]):
    """The labelled sections of a survey: inlines by index, then crosslines by index.

    Each section stands there once.

    Args:
        sections: in any order.
        notes: guesses and oddities that the user should know.
    """

    def __init__(self, sections: Sequence[SectionLabels], notes: Sequence[str] = ()) -> None:
        order = sorted(sections, key=lambda section: (section.axis != "inline", section.index))
        self.sections = tuple(order)
        self.notes = tuple(notes)

    @overload
    def __getitem__(self, place: int) -> SectionLabels: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[SectionLabels]: ...

    def __getitem__(self, place: int | slice) -> SectionLabels | Sequence[SectionLabels]:
        return self.sections[place]

    def __len__(self) -> int:
        return len(self.sections)


class PictureLabels(Mapping[Path, Mask]):
    """Masks of the pictures that have labels, by the path of the picture, in the order given.

    Args:
        masks: each `uint8 (H, W)` of {0, 1, 255}, of the picture's size.
        notes: guesses and oddities that the user should know.
    """

    def __init__(self, masks: Mapping[Path, Mask], notes: Sequence[str] = ()) -> None:
        self._masks = dict(masks)
        self.notes = tuple(notes)

    def __getitem__(self, picture: Path) -> Mask:
        return self._masks[picture]

    def __iter__(self) -> Iterator[Path]:
        return iter(self._masks)

    def __len__(self) -> int:
        return len(self._masks)


def refuse_one_class(masks: Iterable[Mask], source: str) -> None:
    """Refuse labels that say nothing, or only one thing.

    Raises:
        DataError: no sample is labelled, or all of them are of one class.
    """
    classes = {int(value) for mask in masks for value in np.unique(mask)} - {255}
    if classes >= {0, 1}:
        return
    found = "no sample is labelled"
    if classes:
        found = f"every labelled sample is {'salt' if classes == {1} else 'not salt'}"
    raise DataError(
        f"{source}: {found}",
        expected="labels of salt and of what is not salt",
        fix="label both, in the same section or in another one",
    )
