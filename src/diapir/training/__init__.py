"""Training: from a recipe and labelled tiles to a run folder."""

from diapir.training.api import train
from diapir.training.loop import TrainResult
from diapir.training.train_folds import train_folds

__all__ = ["TrainResult", "train", "train_folds"]
