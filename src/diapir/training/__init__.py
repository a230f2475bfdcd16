"""From a recipe and tiles to a run folder."""

from diapir.run.folder import saved_config
from diapir.training.loop import TrainResult
from diapir.training.train_run import train

__all__ = ["TrainResult", "saved_config", "train"]
