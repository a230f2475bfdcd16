"""What the sections of surveys and pictures have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Axis = Literal["inline", "crossline", "slice", "picture"]
"""Inlines and crosslines are vertical sections; a slice is horizontal. A 2D line is inline 0."""


@dataclass(frozen=True)
class Step:
    """Lines of the survey per row, and per column, of a slice; 1 for vertical sections."""

    rows: int = 1
    columns: int = 1


def number_or_none(value: float) -> float | None:
    """The number, or None where it is not finite."""
    return float(value) if np.isfinite(value) else None
