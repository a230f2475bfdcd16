"""From a recipe and tiles to a run folder."""

from diapir.training.loop import TrainResult, train
from diapir.training.run_folder import saved_config

__all__ = ["TrainResult", "saved_config", "train"]
