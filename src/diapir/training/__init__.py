"""Training: from a recipe and labelled tiles to a run folder."""

from diapir.training.loop import TrainResult
from diapir.training.parts import Callback, EpochState, Parts
from diapir.training.train_run import train

__all__ = ["Callback", "EpochState", "Parts", "TrainResult", "train"]
