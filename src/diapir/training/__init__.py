"""Training: from a recipe and labelled tiles to a run folder."""

from diapir.training.from_python.epoch_state import Callback, EpochState
from diapir.training.from_python.parts import Parts
from diapir.training.loop import TrainResult
from diapir.training.train_run import train

__all__ = ["Callback", "EpochState", "Parts", "TrainResult", "train"]
