"""From a bundle and images to probabilities."""

from diapir.inference.engine import Engine
from diapir.inference.images import PredictionSummary, predict_images
from diapir.inference.latency import Cost, measure
from diapir.inference.predictor import Predictor

__all__ = ["Cost", "Engine", "PredictionSummary", "Predictor", "measure", "predict_images"]
