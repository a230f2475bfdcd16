"""Labels from horizons: salt between a top and a base, or below a top down to a stated depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE
from diapir.errors import DataError
from diapir.surveys.labels.area_sections import ChosenSection, choose_sections
from diapir.surveys.labels.label_options import LabelOptions
from diapir.surveys.labels.picks import Picks, joined_names, pair_name, read_picks, role_of
from diapir.surveys.labels.placing import Floats, Placing
from diapir.surveys.labels.section_labels import Mask, SectionLabels
from diapir.surveys.labels.vertical_units import to_samples, vertical_unit
from diapir.text import integer, plural

_EXACT = 1e-3
"""Samples by which a pick may miss a sample because its file rounds it."""


@dataclass(frozen=True, eq=False)
class _Salt:
    """Salt of one pair of horizons, in samples, `float64 (I, X)`.

    NaN where it is not known where salt begins or ends; infinity where it goes on to the end.
    """

    top: Floats
    base: Floats
    source: str

    @property
    def picked(self) -> NDArray[np.bool_]:
        picked: NDArray[np.bool_] = ~np.isnan(self.top) | ~np.isnan(self.base)
        return picked


def horizon_labels(
    paths: Sequence[Path], placing: Placing, options: LabelOptions
) -> tuple[list[SectionLabels], list[str]]:
    """Read horizons as labels.

    A top and a base whose names agree otherwise belong together. In a trace with both, salt is
    between them and nothing else is salt. Below a top without a base file, salt reaches down to
    `salt_down_to`, by `salt_thickness`, or to the end of the trace. Where only one of a pair is
    picked, the side that it leaves open is not labelled.

    Args:
        paths: text files or IRAP grids.
        placing: the survey.
        options: units, where salt ends, and how many sections.

    Returns:
        The sections, and notes.

    Raises:
        DataError: files that cannot be read, another grid, outside the survey, a base without top,
            or a base above its top.
    """
    picks = [one for path in paths for one in read_picks(path, placing)]
    notes = [note for one in picks for note in one.notes]
    pairs = _pair(picks, notes)
    samples = _samples(picks, placing, options, notes)
    salts = [_salt(top, base, samples, placing, options, notes) for top, base in pairs]
    sections = _sections(salts, joined_names(picks), placing, options, notes)
    return sections, notes


def crossing_labels(
    paths: Sequence[Path], placing: Placing, options: LabelOptions
) -> tuple[list[SectionLabels], list[str]]:
    """Read crossings as labels: every entry into and exit from salt, as `diapir products` writes.

    An interval without entry begins at the first sample; one without exit reaches the last.

    Raises:
        DataError: as `horizon_labels`.
    """
    picks = [one for path in paths for one in read_picks(path, placing, crossings=True)]
    notes = [note for one in picks for note in one.notes]
    samples = _samples(picks, placing, options, notes)
    salts = []
    for one, z in zip(picks, samples.values(), strict=True):
        if one.number is None:
            raise DataError(
                f"the picks of {one.name or 'a file'} have no numbers of crossings",
                expected="crossings.dat of `diapir products`: every entry into and exit from salt",
                fix="--label-kind horizons, if they are horizons",
            )
        for interval in np.unique((one.number + 1) // 2).tolist():
            ends = [
                _chosen(one, one.number == number).to_map(placing, z[one.number == number])
                for number in (2 * interval - 1, 2 * interval)
            ]
            there = np.isfinite(ends[0]) | np.isfinite(ends[1])
            top = np.where(there & np.isnan(ends[0]), -np.inf, ends[0])
            base = np.where(there & np.isnan(ends[1]), np.inf, ends[1])
            _refuse_crossing(top, base, one.source, one.source, placing)
            salts.append(_Salt(top, base, one.source))
    sections = _sections(salts, joined_names(picks), placing, options, notes)
    return sections, notes


def _sections(
    salts: Sequence[_Salt],
    source: str,
    placing: Placing,
    options: LabelOptions,
    notes: list[str],
) -> list[SectionLabels]:
    """The sections along which salt was picked."""
    labelled = np.logical_or.reduce([salt.picked for salt in salts])
    chosen, told = choose_sections(labelled, options.label_sections)
    notes += told
    sections = []
    for one in chosen:
        mask = _mask(one, salts, placing)
        if options.unpicked == "background":
            along = labelled[one.index] if one.axis == "inline" else labelled[:, one.index]
            mask[:, ~along] = 0
        sections.append(SectionLabels(one.axis, one.index, mask, source))
    if options.unpicked == "unknown" and not labelled.all():
        notes.append("traces without a pick are not labelled; otherwise: --unpicked background")
    return sections


def _chosen(picks: Picks, rows: NDArray[np.bool_]) -> Picks:
    return Picks(
        picks.name,
        picks.source,
        picks.inline[rows],
        picks.crossline[rows],
        picks.z[rows],
        None,
        picks.z_unit,
        (),
    )


def _pair(picks: Sequence[Picks], notes: list[str]) -> list[tuple[Picks, Picks | None]]:
    """Tops with their bases, by name; a horizon that says neither is a top.

    Raises:
        DataError: a base without a top, or two tops of one name.
    """
    tops: dict[str, Picks] = {}
    bases: dict[str, Picks] = {}
    for one in picks:
        role = role_of(one.name)
        if not role:
            notes.append(f"{one.name} is read as top salt: its name says neither top nor base")
        name = pair_name(one.name) if role else one.name
        group = bases if role == "base" else tops
        if name in group:
            raise DataError(
                f"{group[name].source} and {one.source} are both the {role or 'top'} of "
                f"{name or 'the salt'}",
                expected="one top, and one base at most, of each salt body",
                fix="give one of them, or name the files by body: top_1, base_1, top_2, …",
            )
        group[name] = one
    if len(tops) == len(bases) == 1:
        return [(next(iter(tops.values())), next(iter(bases.values())))]
    alone = [base for name, base in bases.items() if name not in tops]
    if alone:
        raise DataError(
            f"{alone[0].source} is a base without a top",
            expected="the top of the same salt, named as the base except for top and base",
            fix="give both: top_NAME and base_NAME",
        )
    return [(top, bases.get(name)) for name, top in tops.items()]


def _samples(
    picks: Sequence[Picks], placing: Placing, options: LabelOptions, notes: list[str]
) -> dict[int, Floats]:
    """Fractional samples of the picks, by the identity of their horizon; one unit for all."""
    grid = placing.grid
    by_unit: dict[str | None, list[Picks]] = {}
    for one in picks:
        by_unit.setdefault(options.z_unit or one.z_unit, []).append(one)
    found: dict[int, Floats] = {}
    for unit, same in by_unit.items():
        values = np.concatenate([one.z for one in same])
        told = vertical_unit(values, grid, unit, [Path(one.source) for one in same])
        if told.note:
            notes.append(told.note)
        found |= {id(one): to_samples(one.z * told.factor, grid) for one in same}
    return {id(one): found[id(one)] for one in picks}


def _salt(
    top: Picks,
    base: Picks | None,
    samples: dict[int, Floats],
    placing: Placing,
    options: LabelOptions,
    notes: list[str],
) -> _Salt:
    grid = placing.grid
    tops = top.to_map(placing, samples[id(top)])
    if base is not None:
        bases = base.to_map(placing, samples[id(base)])
        _refuse_crossing(tops, bases, top.source, base.source, placing)
        _note_open(tops, bases, notes)
        return _Salt(tops, bases, f"{top.source}, {base.source}")
    if options.salt_down_to is not None:
        bases = _stated_base(tops, top, options.salt_down_to, placing, notes)
    elif options.salt_thickness is not None:
        bases = tops + options.salt_thickness / grid.interval
        notes.append(f"salt below {top.name} is {options.salt_thickness:g} {grid.unit} thick")
    else:
        bases = np.where(np.isfinite(tops), np.inf, np.nan)
        notes.append(
            f"salt from {top.name} down to the end of the trace; otherwise: --salt-down-to, "
            "--salt-thickness, or a base"
        )
    return _Salt(tops, bases, top.source)


def _stated_base(
    tops: Floats, top: Picks, down_to: float, placing: Placing, notes: list[str]
) -> Floats:
    """A flat base; traces whose top is deeper have no salt.

    Raises:
        DataError: every top is deeper.
    """
    grid = placing.grid
    below = (down_to - grid.start) / grid.interval
    deeper = int((tops > below).sum())
    if deeper == np.isfinite(tops).sum():
        raise DataError(
            f"--salt-down-to {down_to:g} {grid.unit} is above {top.source} in every trace",
            expected="a time or depth below the top",
            fix="correct --salt-down-to, in ms or m",
        )
    notes.append(f"salt from {top.name} down to {down_to:g} {grid.unit}")
    if deeper:
        notes.append(f"{plural(deeper, 'trace')} whose top is deeper have no salt")
    return np.where(np.isnan(tops), np.nan, np.where(tops > below, -np.inf, below))


def _refuse_crossing(tops: Floats, bases: Floats, top: str, base: str, placing: Placing) -> None:
    with np.errstate(invalid="ignore"):
        crossed = np.argwhere(bases < tops - _EXACT)
    if len(crossed):
        raise DataError(
            f"{base} is above {top} in {plural(len(crossed), 'trace')}: "
            f"{placing.trace_names((crossed[:, 0], crossed[:, 1]))}",
            expected="a base below its top in every trace",
            fix="correct the horizons; if top and base are swapped, swap their names",
        )


def _note_open(tops: Floats, bases: Floats, notes: list[str]) -> None:
    for missing, there, what, where in (
        (tops, bases, "base but no top", "above it"),
        (bases, tops, "top but no base", "below it"),
    ):
        count = int((np.isnan(missing) & np.isfinite(there)).sum())
        if count:
            notes.append(f"{integer(count)} traces have a {what}; {where} they are not labelled")


def _mask(section: ChosenSection, salts: Sequence[_Salt], placing: Placing) -> Mask:
    """Classes of a section: salt of any pair, then unknown of any, else not salt."""
    samples = placing.grid.samples
    place = np.arange(samples, dtype=np.float64)[:, None]
    mask = np.full((samples, len(section.traces)), IGNORE, np.uint8)
    open_ = np.zeros(mask.shape, np.bool_)
    salt = np.zeros(mask.shape, np.bool_)
    for one in salts:
        top, base = (
            (surface[section.index] if section.axis == "inline" else surface[:, section.index])
            for surface in (one.top, one.base)
        )
        below, above = place >= top - _EXACT, place <= base + _EXACT
        salt |= below & above
        open_ |= (np.isnan(top) & above) | (np.isnan(base) & below)
    known = section.traces
    mask[:, known] = np.where(salt, 1, np.where(open_, IGNORE, 0))[:, known]
    return mask
