"""Recipes trained on equal terms: one split, the same seeds, one budget, one after the other.

DIR/  compare.json   split.json   runs/MODEL-seedN/ …
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout

from diapir.comparison.candidates import Model
from diapir.comparison.display import Display
from diapir.comparison.state import LEDGER, Ledger, open_ledger, refuse_change
from diapir.comparison.trainings import Training, Trainings
from diapir.comparison.variants import variants
from diapir.config import RunConfig, config_diff, load_recipe, parse_config
from diapir.errors import ConfigError, RunError
from diapir.reports import Failure
from diapir.text import duration, plural
from diapir.tiles import load_tiles
from diapir.training.selection import settle_split

SPLIT = "split.json"
RUNS = "runs"

_ENDS = {"budget": "the budget", "epochs": "the last epoch", "early": "early stopping"}


class Contest:
    """Trains recipes on equal terms.

    All that can be refused is refused here, before the first training.

    Args:
        recipes: names or files.
        variations: of each recipe, `LABEL: key=value key=value`.
        data: labelled tiles.
        out: the folder, which may hold an earlier run of the same command.
        budget_s: seconds of each training; None for the recipes' own epochs.
        epochs: of each training, instead of the recipe's.
        seeds: trainings of each recipe.
        overrides: `section.key=value` of every recipe.

    Raises:
        DiapirError: recipes, tiles or a folder that cannot be used; a command that has changed.

    Attributes:
        out: the folder.
        names: of the models, in the order of the recipes.
        tiles: the validation part, which all are judged on.
        ledger: what is known of the trainings.
    """

    def __init__(
        self,
        recipes: Sequence[str],
        *,
        variations: Sequence[str] = (),
        data: Path,
        out: Path,
        budget_s: float | None,
        epochs: int | None,
        seeds: int,
        overrides: Sequence[str],
    ) -> None:
        self.out = out
        self._data, self._budget_s, self._epochs, self._seeds = data, budget_s, epochs, seeds
        self._variants = variants(recipes, variations)
        self.names = tuple(self._variants)
        # curves are in metrics.csv, and no tracker takes time from one model only
        self._overrides = ["track.trackers=[]", *overrides]
        if epochs is not None:
            self._overrides.append(f"train.epochs={epochs}")
        self._configs = {
            name: load_recipe(variant.recipe, [*self._overrides, *variant.settings])
            for name, variant in self._variants.items()
        }
        _check_devices(self._configs)

        ledger = open_ledger(out)
        first = next(iter(self._configs.values())).data
        tiles = load_tiles(
            data,
            encoding=first.mask_encoding,
            skip_bad=first.skip_bad,
            groups=first.groups,
        )
        split = settle_split(first, tiles, out / SPLIT)
        self.tiles = tiles.select(sorted(split.part("val")))
        # every training reads the tiles as the split was made of them
        self._overrides += [
            f"data.split={json.dumps(str((out / SPLIT).absolute()))}",
            f"data.mask_encoding={tiles.encoding}",
            f"data.skip_bad={json.dumps(first.skip_bad)}",
        ]
        command = {
            "recipes": {name: _plain(config) for name, config in self._configs.items()},
            "data": tiles.hash,
            "budget": f"{budget_s:g} s" if budget_s else "none",
            "seeds": seeds,
        }
        if ledger:
            refuse_change(ledger, _changes(ledger.command, command))
        self.ledger = ledger or Ledger(out / LEDGER, command)
        self._split = split
        self._trainings = [
            self._training(name, seed)
            for seed in range(seeds)  # all recipes once, before any of them twice
            for name in self.names
        ]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder, and write down in it what was asked for.

        Raises:
            RunError: another command is at work there.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.out / ".lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise RunError(
                f"another `diapir compare` is at work in {self.out}",
                expected="one command at a time to a folder",
                fix="wait for it to end, stop it, or choose another --out",
            ) from None
        try:
            self.ledger.save()  # first: it says whose folder this is
            self._split.save(self.out / SPLIT)
            yield
        finally:
            lock.release()

    def train(self, stream: TextIO) -> None:
        """Run what is not done yet.

        Args:
            stream: where lines, or the display, go.

        Raises:
            Interrupted: a signal came, and the training that was on has saved itself.
        """
        done = [entry.took_s for entry in self.ledger.entries.values() if entry.state == "done"]
        display = Display(stream, total=len(self._trainings), budget_s=self._budget_s, took_s=done)
        Trainings(self._trainings, self.ledger, budget_s=self._budget_s, display=display).run()

    def models(self) -> list[Model]:
        """The models with at least one training that is done, in the order of the recipes."""
        models = []
        for name in self.names:
            done = [training for training in self._trainings if training.model == name]
            done = [one for one in done if self.ledger.entries[one.name].state == "done"]
            if done:
                peaks = [self.ledger.entries[one.name].peak_memory for one in done]
                known = [peak for peak in peaks if peak]
                models.append(Model(name, tuple(one.run for one in done), max(known, default=None)))
        return models

    def failures(self) -> list[Failure]:
        """The trainings that came to nothing, and why."""
        entries = ((one, self.ledger.entries[one.name]) for one in self._trainings)
        return [
            Failure(f"{one.model}, seed {one.seed}", entry.reason, entry.fix)
            for one, entry in entries
            if entry.state == "failed"
        ]

    def terms(self) -> list[tuple[str, str]]:
        """On what terms the models were trained: name and value."""
        entries = [entry for entry in self.ledger.entries.values() if entry.state == "done"]
        ends = Counter(_ENDS.get(entry.stopped, entry.stopped) for entry in entries)
        days = sorted({entry.ended.partition("T")[0] for entry in entries})
        budget = plural(self._epochs, "epoch") if self._epochs else "the epochs of its recipe"
        if self._budget_s is not None:
            budget = f"{duration(self._budget_s)}, or less where {budget} take less"
        seeds = "its own seed"
        if self._seeds > 1:
            seeds += " and the next" + (f" {self._seeds - 1}" if self._seeds > 2 else "")
        varied = [
            f"{variant.name}: {' '.join(variant.settings[:-1])}"
            for variant in self._variants.values()
            if variant.settings
        ]
        return [
            ("Budget", f"of each training: {budget}"),
            *([("Variations", "; ".join(varied))] if varied else []),
            ("Ended by", ", ".join(f"{what} ({number})" for what, number in ends.items())),
            ("Seeds", f"{plural(self._seeds, 'training')} of each recipe: {seeds}"),
            ("Order", "one after the other, each in a process of its own"),
            ("Trained", " to ".join(dict.fromkeys((days[0], days[-1])))),
        ]

    def _training(self, name: str, number: int) -> Training:
        seed, variant = self._configs[name].seed + number, self._variants[name]
        settings = [*self._overrides, *variant.settings, f"seed={seed}"]
        words = ["--recipe", variant.recipe, "--data", str(self._data)]
        words += [word for setting in settings for word in ("--set", setting)]
        folder = f"{variant.folder}-seed{seed}"
        return Training(name, seed, self.out / RUNS / folder, tuple(words))


def _check_devices(configs: dict[str, RunConfig]) -> None:
    """Refuse recipes whose speeds could not be compared."""
    for key in ("name", "threads"):
        values = {name: getattr(config.device, key) for name, config in configs.items()}
        if len(set(values.values())) > 1:
            listed = ", ".join(f"{name} {value}" for name, value in values.items())
            raise ConfigError(
                f"the recipes differ in device.{key}: {listed}",
                expected="the same device and threads for all, or their speeds say nothing",
                fix=f"--set device.{key}=VALUE",
            )


def _plain(config: RunConfig) -> dict[str, Any]:
    plain: dict[str, Any] = config.model_dump(mode="json")
    return plain


def _changes(before: dict[str, Any], now: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What has changed between two commands."""
    changes: dict[str, tuple[Any, Any]] = {}
    for key in now.keys() - {"recipes"}:
        if before.get(key) != now[key]:
            changes[f"--{key}"] = (before.get(key), now[key])
    old, new = before.get("recipes", {}), now["recipes"]
    if list(old) != list(new):
        changes["--recipes"] = (",".join(old) or None, ",".join(new))
    for name in filter(old.__contains__, new):
        difference = config_diff(
            parse_config(old[name], source="compare.json"), parse_config(new[name], source=name)
        )
        changes |= {f"{key} of {name}": values for key, values in difference.items()}
    return changes
