"""The record kept with predictions: model, survey, and every choice made before the first block."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from diapir.inference.engines.engine_options import EngineChoice
from diapir.inference.sections.water import QuietTop
from diapir.inference.tiling import TILE_OVERLAP, WindowGrid, grids_text
from diapir.surveys.hints import SurveySpec
from diapir.surveys.prediction.survey_options import Polarity, View


def _spec(content: Any) -> Any:
    try:
        return SurveySpec.from_json(content) if isinstance(content, dict) else content
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a survey: {error}") from None


class PredictionRecord(BaseModel):
    """How predictions were made; the JSON object `record` of a store.

    Attributes:
        diapir: version that predicted.
        asked: model, input and options that another run must share to use the same store.
        model: description of the model, with its hashes.
        model_name: its name.
        weights_sha256: SHA-256 of the weights, for each model of an ensemble.
        input: the survey's path as it was given.
        survey: opens the survey again.
        threshold: probability from which a sample is salt.
        views: directions of the predicted sections, in order.
        scale: amplitude that is clipped to full white.
        polarity: polarity of the amplitudes.
        stretch: factor by which traces are resampled for the network.
        tile: side of the windows in pixels, the largest of several models'.
        windows_per_s: measured speed; None where it was not worth measuring.
        block: inlines or crosslines per block.
        skips: lines of the file per predicted inline and per predicted crossline; 1 for all.
        tta: test-time augmentation of the model or models; empty where not recorded.
        equal_runs: equal samples along a trace from which they are no data; None: never.
        quiet_top: the layer of water above the traces' first event; None where it is not known.
        notes: oddities of the file, and what was found in the survey, each with the option that
            changes it.
        caveats: signs that the model does not suit the survey.
        grids: side and overlap of the windows of each model; empty in stores of older versions.
        engines: engine of each model, kept by whoever resumes; empty in stores of older versions.
    """

    model_config = ConfigDict(frozen=True, protected_namespaces=(), arbitrary_types_allowed=True)

    diapir: str
    asked: dict[str, Any]
    model: dict[str, Any]
    model_name: str
    weights_sha256: tuple[str, ...]
    input: str
    survey: Annotated[SurveySpec, BeforeValidator(_spec), PlainSerializer(SurveySpec.to_json)]
    threshold: float
    views: tuple[View, ...]
    scale: float
    polarity: Polarity
    stretch: float
    tile: int
    windows_per_s: float | None = None
    block: int
    skips: tuple[int, int] = (1, 1)
    tta: str = ""
    equal_runs: int | None = None
    quiet_top: QuietTop | None = None
    notes: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    grids: tuple[WindowGrid, ...] = ()
    engines: tuple[EngineChoice, ...] = ()

    @property
    def windows(self) -> tuple[WindowGrid, ...]:
        """The windows of each model; in older stores all have the same."""
        if self.grids:
            return self.grids
        shared = WindowGrid(self.tile, self.asked.get("overlap", TILE_OVERLAP))
        return (shared,) * len(self.weights_sha256)

    @property
    def settings(self) -> str:
        """Model, threshold and how the model is applied, in one line."""
        parts = [
            f"model {self.model_name}",
            f"threshold {self.threshold:g}",
            *([f"test-time augmentation: {self.tta}"] if self.tta else []),
            grids_text(self.windows),
            f"amplitudes clipped at ±{self.scale:.4g}",
            f"traces resampled by {self.stretch:.3g}" if self.stretch != 1 else "own sampling",
        ]
        return ", ".join(parts)
