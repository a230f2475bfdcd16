"""The options of predicting a survey; also a group of options on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from diapir.errors import refuse_options

View = Literal["inline", "crossline"]
Average = Literal["arithmetic", "geometric"]
Polarity = Literal["normal", "reversed", "both"]
Precision = Literal["uint8", "float16"]
ExportFormat = Literal["segy", "npy"]
Product = Literal["probability", "mask", "uncertainty", "coverage"]

PERCENTILE = 98.0
"""Percentile of absolute amplitudes that is clipped to full white: gives field data the contrast of
the training tiles."""


@dataclass(frozen=True, kw_only=True)
class SurveyOptions:
    """How a survey is predicted.

    Raises:
        ConfigError: a value out of range, naming the option.
    """

    view: Literal["auto", "both", "inline", "crossline"] = "auto"
    """Predict inlines, crosslines, or both and average them; `auto`: both for a volume."""
    average: Average = "arithmetic"
    """Average of the two views: mean of the probabilities, or of their log odds (geometric)."""
    percentile: float = PERCENTILE
    """Clip amplitudes at this percentile of absolute amplitudes over the whole survey."""
    scale: float | None = None
    """Clip amplitudes at ± this amplitude, instead of a percentile."""
    polarity: Polarity = "normal"
    """Polarity of the amplitudes; `both` averages the two, at twice the cost."""
    match_sampling: Literal["auto", "none"] | float = "auto"
    """Resample traces by this factor; `auto`: where the model was trained on other sampling."""
    equal_runs: Literal["auto", "none"] | int = "auto"
    """Runs of so many equal samples along a trace are no data; `auto`: three wavelengths."""
    water_bottom: Literal["auto", "none"] | float = "auto"
    """Time or depth of the water bottom, no data above it; `auto`: where it is plain."""
    tile: Literal["own", "auto"] | int = "own"
    """Window side in pixels; `own`: as in training; `auto`: the fastest with the same result."""
    overlap: float | None = None
    """Minimum overlap of windows, as a share of a window; by default what suits the model."""
    block: int | None = None
    """Inlines or crosslines per task, a multiple of 8; by default chosen by memory."""
    precision: Precision = "uint8"
    """Precision of stored probabilities: 254 steps, or 16-bit floating point."""
    threshold: float | None = None
    """Probability from which a sample is salt; by default the model's own."""
    formats: tuple[Literal["segy", "npy", "none"], ...] | None = None
    """Files beside the store, by default SEG-Y for SEG-Y input; may be given more than once."""
    products: tuple[Product, ...] | None = None
    """Contents; by default probability, mask, and uncertainty (disagreement) of two views."""
    workers: int = 1
    """Processes on this machine."""
    scheduler: str | None = None
    """Address of a Dask scheduler whose workers compute instead; they need access to the files."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        threshold = 0.5 if self.threshold is None else self.threshold
        run = 2 if isinstance(self.equal_runs, str) else self.equal_runs
        scale = 1.0 if self.scale is None else self.scale
        water = isinstance(self.water_bottom, str) or abs(self.water_bottom) < float("inf")
        factor = 1.0 if isinstance(self.match_sampling, str) else self.match_sampling
        block = 8 if self.block is None else self.block
        size = self.tile if isinstance(self.tile, int) else 16
        refuse_options(
            (
                ("--percentile", self.percentile, 0 < self.percentile <= 100, "above 0, up to 100"),
                ("--scale", self.scale, 1e-30 < scale < 1e38, "an amplitude above 0"),
                ("--tile", self.tile, size >= 16, "own, auto, or at least 16 pixels"),
                ("--overlap", self.overlap, 0 <= (self.overlap or 0) <= 0.75, "0 to 0.75"),
                ("--threshold", self.threshold, 0 < threshold < 1, "between 0 and 1"),
                ("--match-sampling", factor, 0.25 <= factor <= 4, "auto, none, or 0.25 to 4"),
                ("--water-bottom", self.water_bottom, water, "auto, none, or a time or depth"),
                ("--equal-runs", self.equal_runs, run >= 2, "auto, none, or at least 2"),
                ("--workers", self.workers, self.workers >= 1, "at least 1"),
                ("--block", self.block, block > 0 and not block % 8, "a multiple of 8"),
            ),
            problem="is out of range",
        )

    def asked(self) -> dict[str, Any]:
        """The options that decide the stored result; runs that agree in them may share a store."""
        return {
            "view": self.view,
            "average": self.average,
            "amplitude": self.scale or f"p{self.percentile:g}",
            "polarity": self.polarity,
            "match-sampling": self.match_sampling,
            "equal-runs": self.equal_runs,
            "water-bottom": self.water_bottom,
            "tile": self.tile,
            "overlap": self.overlap,
            "block": self.block or "auto",
            "precision": self.precision,
        }
