"""The plan of a comparison of recipes: models, settings and trainings.

DIR/  compare.json   split.json   runs/MODEL-seedN/ …
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diapir.comparison.trainings import Training
from diapir.comparison.variants import Variant, variants
from diapir.config import DataConfig, RunConfig, load_recipe
from diapir.errors import ConfigError
from diapir.run.folder import SPLIT
from diapir.tiles import TileSet

RUNS = "runs"


@dataclass(frozen=True)
class ComparisonPlan:
    """Recipes to be trained on equal terms. Making a plan reads the recipes and nothing else.

    Attributes:
        variants: the recipes and variants to train, by name of the model, in order.
        configs: the configuration of each, with its own seed.
        settings: `section.key=value` of every training.
        budget_s: seconds of each training; None for the recipes' own epochs.
        epochs: of each training; None for the recipes' own.
        seeds: trainings of each recipe.
    """

    variants: Mapping[str, Variant]
    configs: Mapping[str, RunConfig]
    settings: tuple[str, ...]
    budget_s: float | None
    epochs: int | None
    seeds: int

    @classmethod
    def of(
        cls,
        recipes: Sequence[str],
        *,
        vary: Sequence[str] = (),
        overrides: Sequence[str] = (),
        budget_s: float | None = None,
        epochs: int | None = None,
        seeds: int = 1,
    ) -> ComparisonPlan:
        """Plan the training of recipes.

        Args:
            recipes: names or files.
            vary: variants of each recipe, `LABEL: key=value key=value`.
            overrides: `section.key=value` of every recipe.
            budget_s: seconds of each training; None for the recipes' own epochs.
            epochs: of each training, instead of the recipe's.
            seeds: trainings of each recipe.

        Raises:
            ConfigError: fewer than two models, two of one name, a recipe or setting that cannot
                be used, or recipes for different devices.
        """
        found = variants(recipes, vary)
        # metrics.csv has the curves, and no tracker slows down one model only
        settings = ("track.trackers=[]", *overrides)
        if epochs is not None:
            settings += (f"train.epochs={epochs}",)
        configs = {
            name: load_recipe(variant.recipe, [*settings, *variant.settings])
            for name, variant in found.items()
        }
        _check_devices(configs)
        return cls(found, configs, settings, budget_s, epochs, seeds)

    @property
    def names(self) -> tuple[str, ...]:
        """The models, in order."""
        return tuple(self.variants)

    @property
    def data(self) -> DataConfig:
        """How the tiles are read and split: as the first recipe says."""
        return self.configs[self.names[0]].data

    def request(self, tiles: TileSet) -> dict[str, Any]:
        """The plan in plain values, as `compare.json` keeps it.

        Args:
            tiles: all labelled tiles.
        """
        return {
            "recipes": {name: one.model_dump(mode="json") for name, one in self.configs.items()},
            "data": tiles.hash,
            "budget": f"{self.budget_s:g} s" if self.budget_s else "none",
            "seeds": self.seeds,
        }

    def trainings(self, data: Path, tiles: TileSet, out: Path) -> list[Training]:
        """All trainings in order: every model once, before any of them a second time.

        Args:
            data: where the labelled tiles are.
            tiles: all of them.
            out: folder of the comparison, which holds the split.
        """
        # every training reads the tiles as they were read for the split
        shared = [
            *self.settings,
            f"data.split={json.dumps(str((out / SPLIT).absolute()))}",
            "data.folds=null",  # the split is one of these folds already
            "data.fold=0",
            f"data.mask_encoding={tiles.encoding}",
            f"data.skip_bad={json.dumps(self.data.skip_bad)}",
        ]
        trainings = []
        for number in range(self.seeds):
            for name, variant in self.variants.items():
                seed = self.configs[name].seed + number
                words = ["--recipe", variant.recipe, "--data", str(data)]
                for setting in (*shared, *variant.settings, f"seed={seed}"):
                    words += ["--set", setting]
                run = out / RUNS / f"{variant.folder}-seed{seed}"
                trainings.append(Training(name, seed, run, tuple(words)))
        return trainings


def _check_devices(configs: Mapping[str, RunConfig]) -> None:
    """Refuse recipes whose speeds could not be compared."""
    for key in ("name", "threads"):
        values = {name: getattr(config.device, key) for name, config in configs.items()}
        if len(set(values.values())) > 1:
            listed = ", ".join(f"{name} {value}" for name, value in values.items())
            raise ConfigError(
                f"the recipes differ in device.{key}: {listed}",
                expected="the same device and threads for all, so that speeds are comparable",
                fix=f"--set device.{key}=VALUE",
            )
