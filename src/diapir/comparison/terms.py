"""How the models of a comparison were trained and measured, as name and value for its report."""

from __future__ import annotations

import contextlib
import os
import platform
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from diapir.comparison.state import StateFile
from diapir.comparison.training_plan import ComparisonPlan
from diapir.evaluation import Evaluation
from diapir.evaluation.standings import Candidate
from diapir.text import duration, integer, plural
from diapir.tiles import Split
from diapir.version import __version__

Terms = list[tuple[str, str]]

_ENDS = {"budget": "the budget", "epochs": "the last epoch", "early": "early stopping"}


def data_terms(evaluation: Evaluation, split: Split) -> Terms:
    """The tiles trained and evaluated on."""
    data = evaluation.data
    tiles = plural(data["n_images"], "tile")
    if data["n_groups"] != data["n_images"]:
        tiles += f" in {plural(data['n_groups'], 'section group')}"
    training = plural(len(split.part("train")), "training tile")
    return [
        ("Data", f"{data['name']}, {plural(len(split.tiles), 'tile')}"),
        ("Split", f"{training}, seed {split.seed}, the same for all"),
        ("Evaluated on", f"{tiles}, each run's best model by validation loss"),
        ("Intervals", f"95% CI, {integer(1000)} bootstrap resamples of section groups"),
    ]


def training_terms(plan: ComparisonPlan, state: StateFile) -> Terms:
    """Budget, seeds and order of the trainings, and how they ended."""
    done = [one for one in state.trainings.values() if one.state == "done"]
    ends = Counter(_ENDS.get(one.stopped, one.stopped) for one in done)
    days = sorted({one.ended.partition("T")[0] for one in done})
    variants = [
        f"{variant.name}: {' '.join(variant.settings[:-1])}"
        for variant in plan.variants.values()
        if variant.settings
    ]
    return [
        ("Budget", f"per training: {_budget(plan)}"),
        *([("Variants", "; ".join(variants))] if variants else []),
        ("Ended by", ", ".join(f"{what} ({number})" for what, number in ends.items())),
        ("Seeds", _seeds(plan.seeds)),
        ("Order", "one after the other, each in a process of its own"),
        ("Trained", " to ".join(dict.fromkeys((days[0], days[-1])))),
    ]


def machine_terms(candidates: Sequence[Candidate]) -> Terms:
    """Engine, machine and software of the cost measurements."""
    latencies = [one.cost.latency for one in candidates if one.cost.latency]
    engines = dict.fromkeys(f"{one.engine}, {plural(one.threads, 'thread')}" for one in latencies)
    packages = {"diapir": __version__, "Python": platform.python_version()}
    with contextlib.suppress(PackageNotFoundError):
        packages["PyTorch"] = version("torch")
    return [
        *([("Engine", "; ".join(engines))] if engines else []),
        ("Machine", f"{_processor()}, {plural(os.cpu_count() or 1, 'core')}, {platform.system()}"),
        ("Software", ", ".join(f"{name} {number}" for name, number in packages.items())),
        ("Costs measured", f"{datetime.now():%Y-%m-%d}"),
    ]


def _budget(plan: ComparisonPlan) -> str:
    epochs = plural(plan.epochs, "epoch") if plan.epochs else "the epochs of its recipe"
    if plan.budget_s is None:
        return epochs
    return f"{duration(plan.budget_s)}, or {epochs} if that ends sooner"


def _seeds(count: int) -> str:
    if count == 1:
        return "1 training per recipe, with its own seed"
    further = "" if count == 2 else f" {count - 1}"
    return f"{plural(count, 'training')} per recipe: its own seed and the next{further}"


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
