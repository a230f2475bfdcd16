"""From a bundle and images to probabilities."""

from diapir.inference.engine import Engine
from diapir.inference.images import PredictionSummary, predict_images
from diapir.inference.latency import Latency, measure_latency
from diapir.inference.predictor import Predictor

__all__ = [
    "Engine",
    "Latency",
    "PredictionSummary",
    "Predictor",
    "measure_latency",
    "predict_images",
]
