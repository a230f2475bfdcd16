"""Inference: from a bundle and images to probabilities of salt.

Each name is imported when it is first used: reading surveys needs a few functions of this package
and no model.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import diapir.no_telemetry  # noqa: F401  (before any engine's library)

if TYPE_CHECKING:
    from diapir.inference.engines.engine import Engine
    from diapir.inference.engines.engine_options import EngineOptions
    from diapir.inference.ensemble import Ensemble, open_models, with_windows
    from diapir.inference.images import PredictionSummary, predict_images
    from diapir.inference.latency import Latency, measure_latency
    from diapir.inference.postprocess import salt_mask
    from diapir.inference.predictor import Predictor, Segmenter

_HOMES = {
    "Engine": "engines.engine",
    "EngineOptions": "engines.engine_options",
    "Ensemble": "ensemble",
    "Latency": "latency",
    "PredictionSummary": "images",
    "Predictor": "predictor",
    "Segmenter": "predictor",
    "measure_latency": "latency",
    "open_models": "ensemble",
    "predict_images": "images",
    "salt_mask": "postprocess",
    "with_windows": "ensemble",
}
"""Module of each public name, below this package."""

__all__ = [
    "Engine",
    "EngineOptions",
    "Ensemble",
    "Latency",
    "PredictionSummary",
    "Predictor",
    "Segmenter",
    "measure_latency",
    "open_models",
    "predict_images",
    "salt_mask",
    "with_windows",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"diapir.inference.{_HOMES[name]}"), name)
