"""From a recipe and tiles to a run folder."""

from diapir.training.loop import TrainResult
from diapir.training.run import train
from diapir.training.run_folder import saved_config

__all__ = ["TrainResult", "saved_config", "train"]
