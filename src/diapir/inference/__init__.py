"""From a bundle and images to probabilities."""

from diapir.inference.engine import Engine
from diapir.inference.images import PredictionSummary, predict_images
from diapir.inference.predictor import Predictor

__all__ = ["Engine", "PredictionSummary", "Predictor", "predict_images"]
