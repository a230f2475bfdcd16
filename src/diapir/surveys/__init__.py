"""Surveys: SEG-Y, Zarr and NumPy, 2D lines and 3D volumes, read, described and predicted.

Each name is loaded when it is first used, so that the command line can list its options at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diapir.surveys.description import SurveyFacts, describe
    from diapir.surveys.extent import Extent
    from diapir.surveys.grid import Domain, Grid, Kind
    from diapir.surveys.hints import Allowance, Endian, SurveyHints, SurveySpec
    from diapir.surveys.labels.label_options import LabelOptions
    from diapir.surveys.labels.picture_labels import read_picture_labels
    from diapir.surveys.labels.read_labels import read_labels
    from diapir.surveys.labels.section_labels import PictureLabels, SectionLabels, SurveyLabels
    from diapir.surveys.labels.strokes import (
        Area,
        Stroke,
        Strokes,
        StrokeSection,
        read_strokes,
        write_strokes,
    )
    from diapir.surveys.open import open_survey, reopen
    from diapir.surveys.prediction.plan import Plan
    from diapir.surveys.prediction.predict import SurveySummary, predict_survey
    from diapir.surveys.prediction.prediction_store import PredictionStore, open_store
    from diapir.surveys.prediction.survey_options import PERCENTILE, SurveyOptions
    from diapir.surveys.restricted import RestrictedSurvey, restrict
    from diapir.surveys.sampling import percentile, sample_traces
    from diapir.surveys.survey import Survey

_HOMES = {
    "Area": "labels.strokes",
    "Allowance": "hints",
    "Domain": "grid",
    "Endian": "hints",
    "Extent": "extent",
    "Grid": "grid",
    "Kind": "grid",
    "LabelOptions": "labels.label_options",
    "PERCENTILE": "prediction.survey_options",
    "PictureLabels": "labels.section_labels",
    "Plan": "prediction.plan",
    "PredictionStore": "prediction.prediction_store",
    "RestrictedSurvey": "restricted",
    "SectionLabels": "labels.section_labels",
    "Stroke": "labels.strokes",
    "StrokeSection": "labels.strokes",
    "Strokes": "labels.strokes",
    "Survey": "survey",
    "SurveyFacts": "description",
    "SurveyHints": "hints",
    "SurveyLabels": "labels.section_labels",
    "SurveyOptions": "prediction.survey_options",
    "SurveySpec": "hints",
    "SurveySummary": "prediction.predict",
    "describe": "description",
    "open_store": "prediction.prediction_store",
    "open_survey": "open",
    "percentile": "sampling",
    "predict_survey": "prediction.predict",
    "read_labels": "labels.read_labels",
    "read_picture_labels": "labels.picture_labels",
    "read_strokes": "labels.strokes",
    "reopen": "open",
    "restrict": "restricted",
    "sample_traces": "sampling",
    "write_strokes": "labels.strokes",
}
"""Module of each public name, below this package."""

__all__ = [
    "PERCENTILE",
    "Allowance",
    "Area",
    "Domain",
    "Endian",
    "Extent",
    "Grid",
    "Kind",
    "LabelOptions",
    "PictureLabels",
    "Plan",
    "PredictionStore",
    "RestrictedSurvey",
    "SectionLabels",
    "Stroke",
    "StrokeSection",
    "Strokes",
    "Survey",
    "SurveyFacts",
    "SurveyHints",
    "SurveyLabels",
    "SurveyOptions",
    "SurveySpec",
    "SurveySummary",
    "describe",
    "open_store",
    "open_survey",
    "percentile",
    "predict_survey",
    "read_labels",
    "read_picture_labels",
    "read_strokes",
    "reopen",
    "restrict",
    "sample_traces",
    "write_strokes",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
