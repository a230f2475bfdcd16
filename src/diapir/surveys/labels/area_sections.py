"""Which sections stand for labels that cover an area: horizons and mask volumes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.labels.section_labels import Axis
from diapir.text import integer, plural

_ONE_WAY = 0.9
"""Share of labelled traces that one axis must have to be the only one."""


@dataclass(frozen=True, eq=False)
class ChosenSection:
    """A section, and which of its traces are labelled there.

    Attributes:
        axis: its axis.
        index: index along that axis.
        traces: `bool (traces,)`.
    """

    axis: Axis
    index: int
    traces: NDArray[np.bool_]


def choose_sections(
    labelled: NDArray[np.bool_], most: int
) -> tuple[list[ChosenSection], tuple[str, ...]]:
    """The sections along which labels were made.

    A trace belongs to the axis along which its nearest labelled neighbour is nearer: labels of
    every tenth inline give inlines, a grid of lines gives inlines and crosslines, an area inlines.

    Args:
        labelled: `bool (I, X)`, traces with labels.
        most: sections at most; of more, an even choice along each axis.

    Returns:
        The sections, and notes for the user.
    """
    by_axis: dict[Axis, NDArray[np.bool_]] = {"inline": labelled}
    if labelled.shape[1] == 1 and labelled.shape[0] > 1:
        by_axis = {"crossline": labelled}
    elif min(labelled.shape) > 1:
        inline = labelled & (_gap(labelled) <= _gap(labelled.T).T)
        share = inline.sum() / max(1, labelled.sum())
        if share < 1 - _ONE_WAY:
            by_axis = {"crossline": labelled}
        elif share < _ONE_WAY:
            by_axis = {"inline": inline, "crossline": labelled & ~inline}
    sections = [
        ChosenSection(axis, int(index), along[index])
        for axis, traces in by_axis.items()
        for along in [traces if axis == "inline" else traces.T]
        for index in np.flatnonzero(along.any(axis=1))
    ]
    if len(sections) <= most:
        return sections, ()
    kept = np.unique(np.rint(np.linspace(0, len(sections) - 1, most)).astype(int))
    note = (
        f"{integer(len(kept))} of {plural(len(sections), 'labelled section')} are used, spread "
        "evenly; another number: --label-sections"
    )
    return [sections[place] for place in kept.tolist()], (note,)


def _gap(labelled: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Traces to the nearest other labelled trace of the same row; without one, the longer side."""
    rows, columns = labelled.shape
    far = max(labelled.shape)
    places = np.arange(columns)
    before = np.where(labelled, places, -far)
    before = np.maximum.accumulate(before, axis=1)
    before = np.concatenate([np.full((rows, 1), -far), before[:, :-1]], axis=1)
    after = np.where(labelled, places, 2 * far)
    after = np.minimum.accumulate(after[:, ::-1], axis=1)[:, ::-1]
    after = np.concatenate([after[:, 1:], np.full((rows, 1), 2 * far)], axis=1)
    gap: NDArray[np.int64] = np.minimum(np.minimum(places - before, after - places), far)
    return gap
