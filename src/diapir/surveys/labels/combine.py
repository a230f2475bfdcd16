"""Labels from several files put together: one mask for each section, and what cannot be used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from diapir.config import IGNORE
from diapir.errors import DataError
from diapir.surveys.labels.section_labels import (
    Axis,
    Mask,
    SectionLabels,
    SurveyLabels,
    refuse_one_class,
)
from diapir.surveys.survey import Survey
from diapir.text import integer, listing, percent

_ROUNDING = 0.01
"""Share of the samples labelled twice that may differ: labels round to samples differently."""


def combine(
    sections: Iterable[SectionLabels], survey: Survey, notes: Sequence[str], source: str
) -> SurveyLabels:
    """One mask for each section; dead and missing traces are not labelled.

    Args:
        sections: of one survey; several may be of the same section.
        survey: that survey.
        notes: what readers noted.
        source: the labels in words, for errors.

    Raises:
        DataError: two labels of a section contradict each other, nothing is labelled, or all
            labelled samples are of one class.
    """
    notes = list(notes)
    found: dict[tuple[Axis, int], list[SectionLabels]] = {}
    for section in sections:
        found.setdefault((section.axis, section.index), []).append(section)
    merged = [_merge(same, survey, notes) for same in found.values()]
    merged = [_live(section, survey) for section in merged]
    refuse_one_class((section.mask for section in merged), source)
    kept = [section for section in merged if (section.mask != IGNORE).any()]
    return SurveyLabels(kept, list(dict.fromkeys(notes)))


def _merge(same: list[SectionLabels], survey: Survey, notes: list[str]) -> SectionLabels:
    first = same[0]
    mask = first.mask
    sources = [first.source]
    for other in same[1:]:
        both = (mask != IGNORE) & (other.mask != IGNORE)
        differ = both & (mask != other.mask)
        if differ.any():
            what = _difference(first, other, differ, survey)
            if differ.sum() > _ROUNDING * both.sum():
                raise DataError(
                    f"{' and '.join([listing(sources), other.source])} contradict each other on "
                    f"{what}",
                    expected="labels of a section that agree where both label it",
                    fix="correct one of them, or give only one",
                )
            notes.append(f"{listing(sources)} and {other.source} differ on {what}; left out")
        mask = np.where(mask == IGNORE, other.mask, mask)
        mask[differ] = IGNORE
        if other.source not in sources:
            sources.append(other.source)
    return SectionLabels(first.axis, first.index, mask, ", ".join(sources))


def _difference(first: SectionLabels, other: SectionLabels, differ: Mask, survey: Survey) -> str:
    """Where two masks differ, in words."""
    grid = survey.grid
    sample, trace = np.argwhere(differ)[0].tolist()
    across = grid.crosslines if first.axis == "inline" else grid.inlines
    along = "CDP" if grid.kind == "2d" else "crossline" if first.axis == "inline" else "inline"
    both = (first.mask != IGNORE) & (other.mask != IGNORE)
    return (
        f"{first.name(grid)}: {integer(differ.sum())} samples "
        f"({percent(differ.sum() / both.sum(), 1)} of those both label), the first at {along} "
        f"{across[trace]}, {grid.start + grid.interval * sample:g} {grid.unit}"
    )


def _live(section: SectionLabels, survey: Survey) -> SectionLabels:
    live = survey.grid.live
    dead = ~(live[section.index] if section.axis == "inline" else live[:, section.index])
    if not dead.any():
        return section
    mask = section.mask.copy()
    mask[:, dead] = IGNORE
    return SectionLabels(section.axis, section.index, mask, section.source)
