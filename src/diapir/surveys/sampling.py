"""Amplitudes of a few traces spread over a survey: percentiles, and a check that it is seismic."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.surveys.hints import Allowance, SurveyHints
from diapir.surveys.survey import Survey
from diapir.text import percent
from diapir.undefined import HUGE, find_undefined

SAMPLE_TRACES = 4096
"""Traces that a percentile is taken from at most."""
ONE_SIDED = 0.005
"""Share of samples of the rarer sign below which amplitudes are not centred on zero."""
_SAMPLE_VALUES = 2**24
"""Samples held at most to take a percentile from."""
_CHECKED_TRACES = 512
_NEIGHBOURS = 64
"""Neighbouring traces read at once."""


def percentile(survey: Survey, q: float, *, seed: int = 0) -> float:
    """Percentile of the absolute amplitudes of live samples.

    At most `SAMPLE_TRACES` traces are read, in groups of neighbours spread over the survey, so that
    time and memory do not grow with it. The same seed reads the same traces.

    Args:
        survey: any survey.
        q: percent, above 0 up to 100.
        seed: seed of the random choice of traces.

    Returns:
        The percentile, in the unit of the amplitudes; 0 where no sample differs from 0.
    """
    traces = sample_traces(survey, seed=seed)
    amplitudes = np.abs(traces[np.isfinite(traces)])
    return float(np.percentile(amplitudes, q)) if amplitudes.size else 0.0


def sample_traces(
    survey: Survey, *, most: int = SAMPLE_TRACES, seed: int = 0
) -> NDArray[np.float32]:
    """Live traces spread over the survey; all of them where it is small.

    Args:
        survey: any survey.
        most: traces read at most, in groups of neighbours.
        seed: seed of the random choice of groups.

    Returns:
        `float32 (traces, samples)`; samples that are not finite are NaN.
    """
    live = survey.grid.live
    starts = np.arange(0, live.shape[1], _NEIGHBOURS)
    groups = np.argwhere(np.logical_or.reduceat(live, starts, axis=1))
    most = max(1, min(most, _SAMPLE_VALUES // survey.grid.samples))
    wanted = max(1, most // min(_NEIGHBOURS, live.shape[1]))
    if len(groups) > wanted:
        chosen = np.random.default_rng(seed).choice(len(groups), wanted, replace=False)
        groups = groups[np.sort(chosen)]
    found = [np.empty((0, survey.grid.samples), np.float32)]
    for inline, group in groups.tolist():
        part = slice(inline, inline + 1), slice(group * _NEIGHBOURS, (group + 1) * _NEIGHBOURS)
        found.append(survey.read(*part)[live[part]][:most])
    return np.concatenate(found)


@dataclass(frozen=True)
class Undefined:
    """The values of a survey that stand for no value.

    Attributes:
        values: as stored; those that are not finite or beyond `HUGE` are undefined anyway.
        notes: what was found and how much of it, with the option that changes it.
    """

    values: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def hint(self) -> tuple[float | Literal["none"], ...]:
        """The hint that reads the survey again without another search."""
        return self.values or ("none",)


def find_survey_undefined(survey: Survey, hints: SurveyHints) -> Undefined:
    """Find the undefined values among the amplitudes of a survey, or take those that are given.

    Args:
        survey: just opened, and so that it still reads undefined values as they are stored.
        hints: of the user; the values given are only counted.
    """
    traces = sample_traces(survey, most=_CHECKED_TRACES)
    given = tuple(value for value in hints.undefined if value != "none")
    values = given or (() if "none" in hints.undefined else find_undefined(traces))
    notes = []
    huge = np.isfinite(traces) & (np.abs(traces) >= HUGE)
    if huge.any():
        notes.append(
            f"about {percent(float(huge.mean()), 1)} of samples are {traces[huge][0]:.3g} or as "
            "large, which stands for no value: no data"
        )
    odd = ~np.isfinite(traces[np.isfinite(traces).any(axis=1)])
    if odd.any():
        notes.append(
            f"about {percent(float(odd.mean()), 1)} of samples are not finite numbers: no data"
        )
    for value in values:
        share = float(np.mean(traces == np.float32(value)))
        way_out = "" if given else " (--undefined none reads them as amplitudes)"
        notes.append(
            f"about {percent(share, 1)} of samples are {value:.7g}, which is taken for an "
            f"undefined value: no data{way_out}"
        )
    return Undefined(values, tuple(notes))


def check_amplitudes(survey: Survey, allow: Collection[Allowance]) -> None:
    """Refuse a survey whose traces are all dead, or whose samples are not centred on zero.

    Args:
        survey: just opened.
        allow: "velocity" lets one-sided samples pass.

    Raises:
        SurveyError: it is one of these.
    """
    traces = sample_traces(survey, most=_CHECKED_TRACES)
    values = traces[np.isfinite(traces)]
    values = values[values != 0]
    if not values.size:
        raise SurveyError(
            f"{survey.path}: all {survey.grid.live.size:,} traces are dead: zeros, flagged dead, "
            "or not finite",
            expected="seismic amplitudes",
            fix="give a file that holds data",
        )
    negative = np.count_nonzero(values < 0) / values.size
    if "velocity" not in allow and not ONE_SIDED < negative < 1 - ONE_SIDED:
        raise SurveyError(
            f"{survey.path} looks like a velocity model or another attribute volume: its samples, "
            f"{values.min():,.4g} to {values.max():,.4g}, are not centred on zero",
            expected="seismic amplitudes, which are centred on zero",
            fix="give the amplitude file, or add --allow velocity if this one is meant",
        )
