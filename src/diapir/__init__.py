"""diapir finds salt in seismic data.

Each public name is loaded when it is first used, so `import diapir` is fast:

    import diapir

    tiles = diapir.load_tiles("tgs.zip")
    predictor = diapir.Predictor.load("runs/first")
    evaluation, probabilities = diapir.evaluate_model(predictor, tiles)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from diapir.version import __version__

_HOMES = {
    "DiapirError": "diapir.errors",
    "Evaluation": "diapir.evaluation",
    "Predictor": "diapir.inference",
    "RunConfig": "diapir.config",
    "Split": "diapir.tiles",
    "TileSet": "diapir.tiles",
    "adapt": "diapir.adaptation",
    "evaluate": "diapir.evaluation",
    "evaluate_model": "diapir.evaluation",
    "load_recipe": "diapir.config",
    "load_tiles": "diapir.tiles",
    "predict_images": "diapir.inference",
    "suggest": "diapir.adaptation",
    "train": "diapir.comparison.train_folds",
}
"""The module of each public name."""

if TYPE_CHECKING:
    from diapir.adaptation import adapt, suggest
    from diapir.comparison.train_folds import train
    from diapir.config import RunConfig, load_recipe
    from diapir.errors import DiapirError
    from diapir.evaluation import Evaluation
    from diapir.evaluation.evaluate import evaluate, evaluate_model
    from diapir.inference import Predictor, predict_images
    from diapir.tiles import Split, TileSet, load_tiles

__all__ = [
    "DiapirError",
    "Evaluation",
    "Predictor",
    "RunConfig",
    "Split",
    "TileSet",
    "__version__",
    "adapt",
    "evaluate",
    "evaluate_model",
    "load_recipe",
    "load_tiles",
    "predict_images",
    "suggest",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
