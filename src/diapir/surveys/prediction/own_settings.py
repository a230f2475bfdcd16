"""The settings of a survey that travel with a model adapted to it."""

from __future__ import annotations

from dataclasses import replace

from diapir.inference import Segmenter
from diapir.inference.sections.presentation import settings_of
from diapir.surveys.prediction.survey_options import SurveyOptions
from diapir.surveys.sampling import percentile
from diapir.surveys.survey import Survey

GAIN = 2.0
"""Factor between a survey's own clipping amplitude and the model's up to which the model's is used;
beyond it, the files differ in gain."""


def with_own_settings(
    segmenter: Segmenter, survey: Survey, options: SurveyOptions
) -> tuple[SurveyOptions, tuple[str, ...]]:
    """The options, with the model's settings where they were left at their defaults.

    Args:
        segmenter: the model or models.
        survey: the survey to predict.
        options: as given.

    Returns:
        The options, and lines that say which clipping amplitude was taken and why.
    """
    settings = settings_of(segmenter.bundles)
    if settings is None:
        return options, ()
    if options.match_sampling == SurveyOptions.match_sampling:
        options = replace(options, match_sampling=settings.vertical)
    untouched = options.scale is None and options.percentile == SurveyOptions.percentile
    if settings.clip and untouched:
        own = percentile(survey, options.percentile)
        if settings.clip / GAIN <= own <= settings.clip * GAIN:
            return replace(options, scale=settings.clip), (_adapted(settings.clip, own),)
        return options, (_differs(settings.clip, own),)
    return options, ()


def _adapted(clip: float, own: float) -> str:
    return (
        f"amplitudes are clipped at ±{clip:.4g}, as in the survey that the model was adapted to; "
        f"this one's own percentile is {own:.4g} (--scale AMPLITUDE sets another)"
    )


def _differs(clip: float, own: float) -> str:
    much = "less than half" if clip < own else "more than twice"
    return (
        f"amplitudes are clipped at this survey's own percentile, ±{own:.4g}: the model was "
        f"adapted with ±{clip:.4g}, {much} as much (--scale {clip:.4g} takes that)"
    )
