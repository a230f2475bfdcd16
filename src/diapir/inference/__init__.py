"""From a bundle and images to probabilities."""

from diapir.inference.engine import Engine
from diapir.inference.predictor import Predictor

__all__ = ["Engine", "Predictor"]
