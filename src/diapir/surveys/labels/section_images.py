"""Masks of single sections of a survey: images and arrays of (samples, traces)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.surveys.labels.label_options import LabelOptions
from diapir.surveys.labels.mask_values import classes, known_values, salt_of
from diapir.surveys.labels.picture_masks import read_masks
from diapir.surveys.labels.placing import Placing
from diapir.surveys.labels.section_labels import Axis, SectionLabels

_NAMED = re.compile(r"(?i)(?:^|[^a-z])(inline|iline|inl|il|crossline|xline|crl|xl)[_\-. ]*(\d+)")


def image_labels(
    paths: Sequence[Path], placing: Placing, options: LabelOptions
) -> tuple[list[SectionLabels], list[str]]:
    """Read images of masks, one pixel per sample and trace.

    An image names its section: `inline_241.png`, `xl_327_salt.png`. That of a 2D line needs no
    name.

    Raises:
        DataError: an image that cannot be read or names no section, or of another size.
    """
    masks, notes = read_masks(paths, options)
    sections = []
    for path, mask in masks.items():
        axis, index = _section_of(path, placing, options)
        shape = _shape(axis, placing)
        if mask.shape != shape:
            raise _other_size(path, mask.shape, shape, axis, placing)
        sections.append(SectionLabels(axis, index, mask, str(path)))
    return sections, list(notes)


def array_section(
    path: Path, values: NDArray[np.float32], placing: Placing, options: LabelOptions
) -> tuple[list[SectionLabels], list[str]]:
    """Read a mask of one section in an array, `(samples, traces)` or `(traces, samples)`.

    Raises:
        DataError: it names no section, has another size, or values that may mean several things.
    """
    axis, index = _section_of(path, placing, options)
    shape = _shape(axis, placing)
    notes = []
    if values.shape == shape[::-1]:
        values = values.T
        if shape[0] == shape[1]:
            notes.append(f"{path.name} is square and read as (traces, samples)")
    if values.shape != shape:
        raise _other_size(path, values.shape, shape, axis, placing)
    salt, note = salt_of(known_values(values, str(path)), options, str(path))
    mask = classes(values, salt)
    return [SectionLabels(axis, index, mask, str(path))], [*notes, *([note] if note else [])]


def named_section(name: str) -> tuple[Axis, int] | None:
    """The section that a file's name says: inline_241 → inline 241."""
    found = _NAMED.search(name)
    if found is None:
        return None
    return ("inline" if found[1].lower().startswith("i") else "crossline"), int(found[2])


def _section_of(path: Path, placing: Placing, options: LabelOptions) -> tuple[Axis, int]:
    if placing.line:
        return "inline", 0
    named = options.named_section or named_section(path.stem)
    if named is None:
        raise DataError(
            f"{path} does not say which section of the survey it is",
            expected="a name such as inline_241 or crossline_327",
            fix="rename it, or name the section: --section inline:NUMBER",
        )
    axis, number = named
    index = int(placing.index(axis, np.array([number], np.float64))[0])
    if index < 0:
        raise DataError(
            f"{path}: the survey has no {axis} {number}",
            expected=f"a section of a survey with {placing.extent()}",
            fix="give the labels of this survey, or correct --section",
        )
    return axis, index


def _shape(axis: Axis, placing: Placing) -> tuple[int, int]:
    across: Axis = "crossline" if axis == "inline" else "inline"
    return placing.grid.samples, len(placing.numbers(across))


def _other_size(
    path: Path, found: tuple[int, ...], shape: tuple[int, int], axis: Axis, placing: Placing
) -> DataError:
    turned = "; it may be transposed" if found == shape[::-1] else ""
    section = "the line" if placing.line else f"an {axis}" if axis == "inline" else f"a {axis}"
    return DataError(
        f"{path} has {' × '.join(map(str, found))} pixels{turned}",
        expected=f"the size of {section}: {shape[0]} samples × {shape[1]} traces",
        fix="draw or export the mask with one pixel per sample and trace",
    )
