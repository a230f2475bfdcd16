"""The water bottom of a survey: given by the user, or found where it is plain."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.inference.sections.water import QuietTop, find_quiet_top
from diapir.surveys.restricted import whole_survey
from diapir.surveys.sampling import sample_traces
from diapir.surveys.survey import Survey

_SAMPLED_TRACES = 1024
_FROM_SURFACE = 2
"""Samples after time or depth 0 at which a record that begins at the surface begins at the latest.
A quiet layer at the top of another record may be salt."""


def choose_quiet_top(
    survey: Survey,
    traces: NDArray[np.float32],
    first_zero: float,
    asked: Literal["auto", "none"] | float,
) -> tuple[QuietTop | None, list[str]]:
    """The layer without signal above the water bottom, and what is said about it.

    Args:
        survey: the survey, or the part of it that is predicted.
        traces: some of its amplitudes `(traces, samples)`.
        first_zero: of their autocorrelation in samples; NaN where it is not known.
        asked: time or depth of the water bottom; `auto` looks for it, `none` does not.

    Raises:
        SurveyError: the water bottom lies below all samples.
    """
    grid = survey.grid
    if asked == "none":
        return None, []
    if asked != "auto":
        return _given(survey, float(asked))
    whole = whole_survey(survey)
    if not abs(whole.grid.start) <= _FROM_SURFACE * whole.grid.interval:
        return None, []
    if whole is not survey:
        traces = sample_traces(whole, most=_SAMPLED_TRACES)
    found = find_quiet_top(traces, first_zero)
    if found is None:
        return None, []
    found = found.below(round((grid.start - whole.grid.start) / grid.interval))
    if not found.deepest:
        return None, []
    ends = [grid.start + end * grid.interval for end in (found.shallowest, found.deepest)]
    return found, [
        f"there is hardly any signal above a strong first event at {ends[0]:g}–{ends[1]:g} "
        f"{grid.unit}, taken for the water bottom: the samples above it are no data, never salt "
        "(--water-bottom none predicts them, a time or depth sets it)"
    ]


def _given(survey: Survey, level: float) -> tuple[QuietTop | None, list[str]]:
    grid = survey.grid
    count = math.ceil((level - grid.start) / grid.interval - 1e-6)
    if count >= grid.samples:
        raise SurveyError(
            f"--water-bottom {level:g} lies below all samples of {survey.path}",
            expected=f"a time or depth within {grid.vertical[0]:g} to {grid.vertical[-1]:g} "
            f"{grid.unit}",
            fix="correct --water-bottom",
        )
    if count <= 0:
        return None, [f"--water-bottom {level:g} {grid.unit} lies above the first sample"]
    return QuietTop.flat(count), [
        f"samples above {level:g} {grid.unit} are no data, as --water-bottom asks"
    ]
