"""How a survey is to be predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from diapir.errors import ConfigError
from diapir.inference.tiling import OVERLAP
from diapir.surveys.prediction.blocks import Average
from diapir.surveys.prediction.exports import Format, Product
from diapir.surveys.prediction.prediction_store import Precision
from diapir.surveys.prediction.section_predictor import Polarity

PERCENTILE = 98.0
"""Of absolute amplitudes: gives real lines the contrast of the tiles that models learnt from."""


@dataclass(frozen=True)
class SurveyOptions:
    """How a survey is to be predicted.

    Attributes:
        view: sections along inlines, along crosslines, or `both` and averaged; `auto` takes both
            where the grid allows it.
        average: how two views become one; `geometric` is the mean of their log odds.
        percentile: of absolute amplitudes, which becomes full white.
        scale: amplitude of full white, instead of the percentile.
        polarity: sign in which amplitudes are shown; `both` averages the two.
        match_sampling: `auto` resamples sections to the samples a wavelet of the model's tiles
            has, a number to so many times their samples, `none` not at all.
        tile: side of the windows; `own` takes the one that the model learnt from and was judged
            at, `auto` the fastest that its network may be shown. A network that learnt from small
            tiles marks larger windows less well, even where it is local.
        overlap: least share of a window that its neighbour covers as well.
        block: inlines or crosslines that one task computes, a multiple of 8; None chooses.
        precision: how probabilities are stored.
        threshold: probability from which a cell counts as salt; None takes the model's.
        formats: files to write beside the store; None: SEG-Y for SEG-Y, else none.
        products: what they hold; None: probability and mask, and uncertainty of two views.
        workers: processes on this machine.
        scheduler: address of a Dask scheduler, whose workers are used instead.
    """

    view: Literal["auto", "both", "inline", "crossline"] = "auto"
    average: Average = "arithmetic"
    percentile: float = PERCENTILE
    scale: float | None = None
    polarity: Polarity = "normal"
    match_sampling: Literal["auto", "none"] | float = "none"
    tile: Literal["own", "auto"] | int = "own"
    overlap: float = OVERLAP
    block: int | None = None
    precision: Precision = "uint8"
    threshold: float | None = None
    formats: tuple[Format, ...] | None = None
    products: tuple[Product, ...] | None = None
    workers: int = 1
    scheduler: str | None = None

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ConfigError: naming the option.
        """
        threshold = 0.5 if self.threshold is None else self.threshold
        stretch = 1.0 if isinstance(self.match_sampling, str) else self.match_sampling
        for option, value, allowed, expected in (
            ("--percentile", self.percentile, 0 < self.percentile <= 100, "above 0 up to 100"),
            ("--scale", self.scale, (self.scale or 1) > 0, "an amplitude above 0"),
            ("--overlap", self.overlap, 0 <= self.overlap <= 0.75, "from 0 to 0.75"),
            ("--threshold", self.threshold, 0 < threshold < 1, "between 0 and 1"),
            ("--match-sampling", stretch, 0.25 <= stretch <= 4, "auto, none, or 0.25 to 4"),
            ("--workers", self.workers, self.workers >= 1, "at least 1"),
            ("--block", self.block, not (self.block or 0) % 8, "a multiple of 8"),
        ):
            if not allowed:
                raise ConfigError(
                    f"{option} {value}",
                    expected=expected,
                    fix=f"correct {option}, or leave it out",
                )

    def asked(self) -> dict[str, Any]:
        """What decides the stored result: two runs that agree in it may share a store."""
        return {
            "view": self.view,
            "average": self.average,
            "amplitude": self.scale or f"p{self.percentile:g}",
            "polarity": self.polarity,
            "match-sampling": self.match_sampling,
            "tile": self.tile,
            "overlap": self.overlap,
            "block": self.block or "auto",
            "precision": self.precision,
        }
