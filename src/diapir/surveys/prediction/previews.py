"""The part of a survey that is predicted, as a hint for opening it."""

from __future__ import annotations

from dataclasses import replace

from diapir.errors import ConfigError
from diapir.surveys.extent import Extent
from diapir.surveys.hints import SurveyHints
from diapir.surveys.prediction.survey_options import SurveyOptions


def hints_with_part(hints: SurveyHints, part: Extent, options: SurveyOptions) -> SurveyHints:
    """The hints for reading the part of a survey that is predicted.

    Raises:
        ConfigError: a preview of both views.
    """
    if part.every and options.view == "both":
        raise ConfigError(
            f"--every {part.every} is given with --view both",
            expected="one view: sections across the lines that are left out would lack most of "
            "their traces",
            fix="--view inline (every so many inlines) or --view crossline",
        )
    if options.view == "crossline":
        part = replace(part, every_of="crosslines")
    return replace(hints, extents=(part,)) if part else hints
