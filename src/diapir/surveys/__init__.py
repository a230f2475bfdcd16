"""Surveys: SEG-Y, Zarr and NumPy, lines and volumes, in and out."""

from diapir.surveys.describe import SurveyFacts, describe
from diapir.surveys.grid import Domain, Grid, Kind
from diapir.surveys.prediction.plan import Plan
from diapir.surveys.prediction.predict import SurveySummary, predict_survey
from diapir.surveys.prediction.prediction_store import PredictionStore, open_store
from diapir.surveys.prediction.survey_options import SurveyOptions
from diapir.surveys.survey import (
    Allowance,
    Endian,
    Survey,
    open_survey,
    percentile,
    sample_traces,
)

__all__ = [
    "Allowance",
    "Domain",
    "Endian",
    "Grid",
    "Kind",
    "Plan",
    "PredictionStore",
    "Survey",
    "SurveyFacts",
    "SurveyOptions",
    "SurveySummary",
    "describe",
    "open_store",
    "open_survey",
    "percentile",
    "predict_survey",
    "sample_traces",
]
