"""The configuration of a run: every key of a recipe with its type, range and default.

A recipe is a YAML file of sections; `load_recipe` merges it with `--set section.key=value`
overrides and validates the result. Each name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diapir.choices import IGNORE, MaskEncoding
    from diapir.config.preprocess_config import PreprocessConfig
    from diapir.config.recipe_files import (
        RecipeGroup,
        config_diff,
        describe_origin,
        load_recipe,
        parse_config,
        recipe_about,
        recipe_groups,
        recipe_names,
    )
    from diapir.config.sections import (
        AugmentConfig,
        DataConfig,
        DeviceConfig,
        LossConfig,
        OptimizerConfig,
        RunConfig,
        ScheduleConfig,
        TrackConfig,
        TrainConfig,
        weight_at,
    )

_HOMES = {
    "AugmentConfig": "diapir.config.sections",
    "DataConfig": "diapir.config.sections",
    "DeviceConfig": "diapir.config.sections",
    "IGNORE": "diapir.choices",
    "LossConfig": "diapir.config.sections",
    "MaskEncoding": "diapir.choices",
    "OptimizerConfig": "diapir.config.sections",
    "PreprocessConfig": "diapir.config.preprocess_config",
    "RecipeGroup": "diapir.config.recipe_files",
    "RunConfig": "diapir.config.sections",
    "ScheduleConfig": "diapir.config.sections",
    "TrackConfig": "diapir.config.sections",
    "TrainConfig": "diapir.config.sections",
    "config_diff": "diapir.config.recipe_files",
    "describe_origin": "diapir.config.recipe_files",
    "load_recipe": "diapir.config.recipe_files",
    "parse_config": "diapir.config.recipe_files",
    "recipe_about": "diapir.config.recipe_files",
    "recipe_groups": "diapir.config.recipe_files",
    "recipe_names": "diapir.config.recipe_files",
    "weight_at": "diapir.config.sections",
}

__all__ = [
    "IGNORE",
    "AugmentConfig",
    "DataConfig",
    "DeviceConfig",
    "LossConfig",
    "MaskEncoding",
    "OptimizerConfig",
    "PreprocessConfig",
    "RecipeGroup",
    "RunConfig",
    "ScheduleConfig",
    "TrackConfig",
    "TrainConfig",
    "config_diff",
    "describe_origin",
    "load_recipe",
    "parse_config",
    "recipe_about",
    "recipe_groups",
    "recipe_names",
    "weight_at",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
