"""diapir finds salt in seismic data.

Each public name is loaded when it is first used, so `import diapir` is fast:

    import diapir

    tiles = diapir.load_tiles("tgs.zip")
    run = diapir.train("compact/unet", data=tiles, out="runs/first", epochs=5)
    result = diapir.load(run).predict("section.png")

docs/python.md describes all of them.
"""

from importlib import import_module

from diapir.version import __version__

TYPE_CHECKING = False  # as typing's, which takes longer to import than all of this

_HOMES = {
    "Callback": "diapir.training.from_python.epoch_state",
    "DiapirError": "diapir.errors",
    "EpochState": "diapir.training.from_python.epoch_state",
    "Evaluation": "diapir.evaluation",
    "Folds": "diapir.api.trained_run",
    "Model": "diapir.api.loaded_model",
    "Prediction": "diapir.api.prediction",
    "Predictor": "diapir.api.loaded_model",
    "Run": "diapir.api.trained_run",
    "RunConfig": "diapir.config",
    "Split": "diapir.tiles",
    "Tile": "diapir.tiles",
    "TileSet": "diapir.tiles",
    "adapt": "diapir.api.functions",
    "compare": "diapir.api.functions",
    "create_model": "diapir.api.functions",
    "evaluate": "diapir.api.functions",
    "evaluate_model": "diapir.evaluation",
    "export": "diapir.api.functions",
    "list_models": "diapir.api.functions",
    "list_recipes": "diapir.config",
    "load": "diapir.api.loaded_model",
    "load_model": "diapir.api.loaded_model",
    "load_recipe": "diapir.api.arguments",
    "load_tiles": "diapir.tiles",
    "open_survey": "diapir.api.survey_functions",
    "predict_images": "diapir.inference",
    "predict_survey": "diapir.api.survey_functions",
    "products": "diapir.api.survey_functions",
    "suggest": "diapir.adaptation",
    "train": "diapir.api.trained_run",
    "tune": "diapir.api.functions",
}
"""The module of each public name."""

_NAMES = {
    "Model": "LoadedModel",
    "Predictor": "LoadedModel",
    "list_recipes": "recipe_names",
    "load_model": "load",
    "load_recipe": "recipe_of",
}
"""Names that are others in their modules."""

_PARTS = (
    *("adaptation", "bundle", "comparison", "config", "evaluation", "exports", "inference"),
    *("models", "preprocess", "reports", "surveys", "tiles", "training"),
)
"""Modules that are imported when they are first used, as `diapir.models`."""

if TYPE_CHECKING:
    from diapir.adaptation import suggest
    from diapir.api.arguments import recipe_of as load_recipe
    from diapir.api.functions import (
        adapt,
        compare,
        create_model,
        evaluate,
        export,
        list_models,
        tune,
    )
    from diapir.api.loaded_model import LoadedModel as Model
    from diapir.api.loaded_model import LoadedModel as Predictor
    from diapir.api.loaded_model import load
    from diapir.api.loaded_model import load as load_model
    from diapir.api.prediction import Prediction
    from diapir.api.survey_functions import open_survey, predict_survey, products
    from diapir.api.trained_run import Folds, Run, train
    from diapir.config import RunConfig
    from diapir.config import recipe_names as list_recipes
    from diapir.errors import DiapirError
    from diapir.evaluation import Evaluation
    from diapir.evaluation.evaluate import evaluate_model
    from diapir.inference import predict_images
    from diapir.tiles import Split, Tile, TileSet, load_tiles
    from diapir.training.from_python.epoch_state import Callback, EpochState

__all__ = [
    "Callback",
    "DiapirError",
    "EpochState",
    "Evaluation",
    "Folds",
    "Model",
    "Prediction",
    "Predictor",
    "Run",
    "RunConfig",
    "Split",
    "Tile",
    "TileSet",
    "__version__",
    "adapt",
    "compare",
    "create_model",
    "evaluate",
    "evaluate_model",
    "export",
    "list_models",
    "list_recipes",
    "load",
    "load_model",
    "load_recipe",
    "load_tiles",
    "open_survey",
    "predict_images",
    "predict_survey",
    "products",
    "suggest",
    "train",
    "tune",
]


def __getattr__(name: str) -> object:
    if name in _PARTS:
        return import_module(f"diapir.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from diapir.extras import extras_explained

    with extras_explained():
        return getattr(import_module(_HOMES[name]), _NAMES.get(name, name))


def __dir__() -> list[str]:
    return __all__
