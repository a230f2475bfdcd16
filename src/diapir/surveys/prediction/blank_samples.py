"""The samples of a survey without signal: equal to their neighbours, or above the water bottom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diapir.inference.sections.no_data import (
    has_few_levels,
    least_run,
    no_data,
    with_true_zeros,
)
from diapir.inference.sections.water import QuietTop
from diapir.inference.sections.wavelet import NOISE, first_zero
from diapir.surveys.prediction.water_bottom import choose_quiet_top
from diapir.surveys.sampling import sample_traces
from diapir.surveys.survey import Survey
from diapir.text import percent

SAMPLED_TRACES = 1024
"""Traces on which the sampling of a survey and its share of no data are measured."""


@dataclass(frozen=True)
class BlankSamples:
    """Which samples have no signal.

    Attributes:
        scale: amplitude that is clipped to full white.
        equal_runs: equal samples along a trace from which they are no data; None: never.
        quiet_top: the layer of water above the traces' first event; None where it is not known.
    """

    scale: float
    equal_runs: int | None
    quiet_top: QuietTop | None

    def mask(self, section: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Mask of these samples, `bool (traces, samples)`, in amplitudes of this shape."""
        blank = np.zeros(section.shape, np.bool_)
        if self.equal_runs is not None:
            blank |= no_data(with_true_zeros(section, self.scale), self.equal_runs)
        if self.quiet_top is not None:
            blank |= self.quiet_top.mask(section)
        return blank


def find_blank(survey: Survey, scale: float) -> tuple[BlankSamples, list[str]]:
    """Find them as a prediction with default options does, and say so.

    Args:
        survey: an open survey.
        scale: amplitude that is clipped to full white.
    """
    traces = sample_traces(survey, most=SAMPLED_TRACES)
    wavelet = first_zero(traces)
    wavelet = float("nan") if wavelet < NOISE else wavelet
    least = least_run(wavelet, coarse=has_few_levels(traces))
    quiet_top, _ = choose_quiet_top(survey, traces, wavelet, "auto")
    blank = BlankSamples(scale, least, quiet_top)
    share = float(blank.mask(traces).mean()) if traces.size else 0.0
    if not share:
        return blank, []
    return blank, [
        f"about {percent(share, 1)} of samples have no signal: runs of at least {least} equal "
        "samples (mutes, water, padding)"
        + (", and those above a plain water bottom" if quiet_top is not None else "")
        + "; they are filled for the network, and labels there are not used"
    ]
