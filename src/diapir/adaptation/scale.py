"""The choice of scale: how sections are resampled before the network sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diapir.adaptation.labelled_sections import LabelledSections, Section
from diapir.bundle import SurveySettings
from diapir.surveys.prediction.resample import LARGEST, TGS_FIRST_ZERO, first_zero

_TRACES = 512
"""Traces on which the wavelet length is measured at most."""
_STEP = 0.25
"""Scales are multiples of this, so that one more labelled line does not change them."""


@dataclass(frozen=True)
class ChosenScale:
    """How sections are shown to the network, and why.

    Attributes:
        settings: the factors and the amplitude that is clipped.
        reason: in words, for the log and the report.
    """

    settings: SurveySettings
    reason: str


def choose_scale(
    labelled: LabelledSections,
    *,
    vertical: float | None = None,
    horizontal: float | None = None,
) -> ChosenScale:
    """Choose the scale by the wavelength of the sections, unless it is given.

    Networks recognise textures of the size they were trained on. The wavelet length, which the
    first zero of the vertical autocorrelation measures, is brought to that of the training data.

    Args:
        labelled: the sections.
        vertical: factor of the number of samples, where the user gives it.
        horizontal: factor of the number of traces, where the user gives it.
    """
    found = wavelet_length(labelled.sections)
    matched = 1.0
    if np.isfinite(found):
        matched = float(np.clip(TGS_FIRST_ZERO / found, 1 / LARGEST, LARGEST))
        matched = max(_STEP, round(matched / _STEP) * _STEP)
    chosen = SurveySettings(
        vertical=matched if vertical is None else vertical,
        horizontal=1.0 if horizontal is None else horizontal,
        clip=labelled.clip,
    )
    if vertical is not None:
        reason = f"vertical ×{vertical:g} as given"
    elif np.isfinite(found):
        reason = (
            f"vertical ×{matched:g}: the wavelet has {found:.1f} samples to its first zero, "
            f"{TGS_FIRST_ZERO:g} in the training data (--vertical)"
        )
    else:
        reason = "vertical ×1: the wavelet length cannot be measured (--vertical)"
    if chosen.horizontal != 1:
        reason += f"; horizontal ×{chosen.horizontal:g} as given"
    return ChosenScale(chosen, reason)


def wavelet_length(sections: Sequence[Section]) -> float:
    """First zero of the vertical autocorrelation, in samples; NaN where there is none."""
    share = max(1, _TRACES // len(sections))
    traces = []
    for section in sections:
        step = max(1, section.image.shape[1] // share)
        traces.append(section.image[:, ::step].T.astype(np.float32))
    lengths = [first_zero(each) for each in traces]
    known = [length for length in lengths if np.isfinite(length)]
    return float(np.median(known)) if known else float("nan")
