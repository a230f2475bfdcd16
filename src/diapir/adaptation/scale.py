"""The choice of scale: how sections are resampled before the network sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diapir.adaptation.survey_sections import LabelledSections, Section
from diapir.bundle import SurveySettings
from diapir.inference.sections.wavelet import LARGEST, TGS_FIRST_ZERO, first_zero

_TRACES = 512
"""Traces on which the wavelet length is measured at most."""
_STEP = 0.25
"""Scales are multiples of this, so that one more labelled line does not change them."""
VIEW = 0.5
"""Scale in both directions, as a share of that at which the wavelet is as long as in the training
data. At half of it a window shows twice as much of the section, and predictions cost a quarter: on
North Sea sections that decides whether salt is found, and the coarser texture does not matter."""


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
    window: int,
    *,
    vertical: float | None = None,
    horizontal: float | None = None,
) -> ChosenScale:
    """Choose the scale by the wavelength of the sections, unless it is given.

    The wavelet length, which the first zero of the vertical autocorrelation measures, is brought to
    a share `VIEW` of that of the training data, and the number of traces is reduced by `VIEW`, but
    sections do not become smaller than a window.

    Args:
        labelled: the sections.
        window: side of the windows in pixels.
        vertical: factor of the number of samples, where the user gives it.
        horizontal: factor of the number of traces, where the user gives it.
    """
    found = wavelet_length(labelled.sections)
    matched = 1.0
    if np.isfinite(found):
        matched = float(np.clip(TGS_FIRST_ZERO / found, 1 / LARGEST, LARGEST))
    samples, traces = np.min([section.image.shape for section in labelled.sections], axis=0)
    tall = _viewed(matched, window / samples)
    wide = _viewed(1.0, window / traces)
    chosen = SurveySettings(
        vertical=tall if vertical is None else vertical,
        horizontal=wide if horizontal is None else horizontal,
        clip=labelled.clip,
    )
    if vertical is not None:
        reason = f"vertical ×{vertical:g} as given"
    elif np.isfinite(found):
        reason = (
            f"vertical ×{tall:g}: the wavelet has {found:.1f} samples to its first zero, "
            f"{TGS_FIRST_ZERO:g} in the training data, and windows show more at a smaller scale "
            "(--vertical)"
        )
    else:
        reason = f"vertical ×{tall:g}: the wavelet length cannot be measured (--vertical)"
    why = "as given" if horizontal is not None else "so that windows show more (--horizontal)"
    if chosen.horizontal != 1:
        reason += f"; horizontal ×{chosen.horizontal:g} {why}"
    return ChosenScale(chosen, reason)


def _viewed(matched: float, least: float) -> float:
    """The scale, from the matched one and the least at which a section fills a window."""
    wanted = max(VIEW * matched, min(least, matched))
    return max(_STEP, round(wanted / _STEP) * _STEP)


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
