"""Inference: from a bundle and images to probabilities of salt."""

import diapir.no_telemetry  # noqa: F401  (before any engine's library)

# isort: split
from diapir.inference.engine import Engine
from diapir.inference.engine_options import EngineOptions
from diapir.inference.ensemble import Ensemble, open_models, with_windows
from diapir.inference.images import PredictionSummary, predict_images
from diapir.inference.latency import Latency, measure_latency
from diapir.inference.postprocess import salt_mask
from diapir.inference.predictor import Predictor, Segmenter

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
