"""The configuration of a run: every key of a recipe with its type, range and default.

A recipe is a YAML file of sections; `load_recipe` merges it with `--set section.key=value`
overrides and validates the result.
"""

from diapir.choices import MaskEncoding
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
    IGNORE,
    AugmentConfig,
    DataConfig,
    DeviceConfig,
    LossConfig,
    OptimizerConfig,
    PreprocessConfig,
    RunConfig,
    ScheduleConfig,
    TrackConfig,
    TrainConfig,
    weight_at,
)

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
