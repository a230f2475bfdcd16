"""Surveys: SEG-Y, Zarr and NumPy, lines and volumes, in and out."""

from diapir.surveys.grid import Domain, Grid, Kind
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
    "Survey",
    "open_survey",
    "percentile",
    "sample_traces",
]
