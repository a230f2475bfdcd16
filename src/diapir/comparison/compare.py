"""Compare recipes, which are trained first, or finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from diapir.comparison.candidates import (
    candidate_of,
    evaluations_of,
    group_runs,
    labelled_tiles,
    validation_tiles,
)
from diapir.comparison.display import Display
from diapir.comparison.measure import measure_all
from diapir.comparison.state import StateFile, begin, hold, open_state
from diapir.comparison.terms import data_terms, machine_terms, training_terms
from diapir.comparison.training_plan import ComparisonPlan
from diapir.comparison.trainings import Training, TrainingQueue
from diapir.errors import ConfigError, RunError
from diapir.evaluation import Comparison
from diapir.evaluation.standings import Candidate, Failure, Ranking, Results
from diapir.reports import sample_ids
from diapir.run.folder import SPLIT

if TYPE_CHECKING:
    from diapir.tiles import TileSet


@dataclass(frozen=True)
class _View:
    """How results are presented; may change from one command to the next in the same folder."""

    baseline: str | None
    by: Ranking
    command: str
    stream: TextIO | None
    latency: bool


def compare(
    runs: Sequence[str | Path] = (),
    *,
    recipes: Sequence[str | Path] | None = None,
    data: str | Path | None = None,
    out: str | Path | None = None,
    budget_s: float | None = None,
    epochs: int | None = None,
    seeds: int | None = None,
    overrides: Sequence[str] = (),
    vary: Sequence[str] = (),
    baseline: str | None = None,
    sort: Ranking = "kaggle_map",
    latency: bool = True,
    command: str = "",
    stream: TextIO | None = None,
) -> Results:
    """Compare finished runs, or recipes that are trained first.

    Recipes are trained with the same split, seeds and budget, one after the other, each in a
    process of its own. Progress is kept in `out`: the same call resumes after an interruption and
    retries failed trainings.

    Args:
        runs: run folders; those that differ in the seed alone are one model.
        recipes: names or YAML files of recipes to train, instead of `runs`.
        data: labelled tiles; with `runs` only needed for `Results.tiles`.
        out: folder for `compare.json` and the run folders; with `runs` it may be left out.
        budget_s: training time of each, in seconds; None for the epochs of its recipe.
        epochs: epochs of each, instead of its recipe's.
        seeds: trainings of each recipe, with consecutive seeds; 1 if not given.
        overrides: `section.key=value`, applied to every recipe.
        vary: variants of each recipe, as `LABEL: key=value key=value`.
        baseline: name or run folder of the model to compare with; the first if not given.
        sort: the metric that ranks.
        latency: measure how long predictions take.
        command: the command line that reproduces the comparison, for the report.
        stream: where lines and the progress display go; None for silence.

    Raises:
        DiapirError: recipes, runs, tiles or folder cannot be used; runs on different data or
            splits; fewer than two models are left.
        Interrupted: a signal came; the training in progress has saved a checkpoint.
    """
    view = _View(baseline, sort, command, stream, latency)
    if recipes is None:
        options: dict[str, object] = {"--budget": budget_s, "--epochs": epochs, "--seeds": seeds}
        options |= {"--set": overrides, "--vary": vary}
        _refuse([name for name, value in options.items() if value], "without --recipes")
        return _compare_runs([Path(run) for run in runs], _path(data), _path(out), view)
    _refuse([str(run) for run in runs], "together with --recipes")
    if data is None or out is None:
        raise ConfigError(
            f"--recipes was given without {'--data' if data is None else '--out'}",
            expected="labelled tiles to train on, and a folder for the runs",
            fix="--data PATH, a folder or Kaggle's zip, and --out DIR",
        )
    plan = ComparisonPlan.of(
        [str(recipe) for recipe in recipes],
        vary=vary,
        overrides=overrides,
        budget_s=budget_s,
        epochs=epochs,
        seeds=seeds or 1,
    )
    return _compare_recipes(plan, Path(data), Path(out), view)


def _compare_recipes(plan: ComparisonPlan, data: Path, out: Path, view: _View) -> Results:
    """Run the trainings that are not done yet, then compare."""
    from diapir.training.selection import settle_split

    baseline = _known(view.baseline, plan.names) or plan.names[0]
    before = open_state(out)
    tiles = labelled_tiles(data, plan.data)
    split = settle_split(plan.data, tiles, out / SPLIT)
    state = begin(out, before, plan.request(tiles))
    trainings = plan.trainings(data, tiles, out)
    with hold(out):
        state.save()  # first: it marks the folder as that of a comparison
        split.save(out / SPLIT)
        _train(trainings, state, plan.budget_s, view.stream)
        candidates = _trained(plan.names, trainings, state)
        failures = _failed(trainings, state)
        if len(candidates) < 2:
            raise RunError(
                f"only {len(candidates)} of {len(plan.names)} models could be trained: "
                + "; ".join(f"{failure.name}: {failure.reason}" for failure in failures),
                expected="at least two models to compare",
                fix="fix the listed failures, then run the same command again",
            )
        terms = training_terms(plan, state)
        if baseline not in {candidate.name for candidate in candidates}:
            terms.append(("Baseline", f"{candidates[0].name}, because {baseline} failed"))
            baseline = candidates[0].name
        validation = tiles.select(sorted(split.part("val")))
        return _results(candidates, baseline, view, validation, terms, failures)


def _compare_runs(
    runs: Sequence[Path], data: Path | None, out: Path | None, view: _View
) -> Results:
    candidates = group_runs(runs)
    if len(candidates) < 2:
        raise ConfigError(
            f"only {len(candidates)} run was given" if candidates else "no run was given",
            expected="at least two RUN, or --recipes A,B --data PATH",
            fix="name run folders of `diapir train`, or recipes to train",
        )
    names = [candidate.name for candidate in candidates]
    folders = {str(run): candidate.name for candidate in candidates for run in candidate.runs}
    wanted = str(Path(view.baseline)) if view.baseline else None
    baseline = _known(folders.get(wanted or "", view.baseline), names) or names[0]
    state = None
    if out is not None:
        request = {"RUN": [str(run.resolve()) for run in runs]}
        state = begin(out, open_state(out), request)
    tiles = validation_tiles(candidates[0].runs[0], data) if data else None
    results = _results(candidates, baseline, view, tiles, [], [])
    if state is not None:
        state.path.parent.mkdir(parents=True, exist_ok=True)
        state.save()
    return results


def _results(
    candidates: Sequence[Candidate],
    baseline: str,
    view: _View,
    tiles: TileSet | None,
    terms: Sequence[tuple[str, str]],
    failures: Sequence[Failure],
) -> Results:
    """Measure the costs of comparable candidates, and compare their scores."""
    evaluations, split = evaluations_of(candidates)
    first = evaluations[candidates[0].name][0]
    images = {}
    if tiles is not None:
        places = {name: place for place, name in enumerate(tiles.ids)}
        images = {name: tiles.image(places[name]) for name in sample_ids(first)}
    measured, unmeasured = measure_all(
        candidates, images, quiet=view.stream is None, latency=view.latency
    )
    return Results(
        comparison=Comparison(evaluations),
        candidates={candidate.name: candidate for candidate in measured},
        baseline=baseline,
        by=view.by,
        split=split,
        terms=[*data_terms(first, split), *terms, *machine_terms(measured)],
        command=view.command,
        failures=[*failures, *unmeasured],
        tiles=tiles,
    )


def _train(
    trainings: Sequence[Training],
    state: StateFile,
    budget_s: float | None,
    stream: TextIO | None,
) -> None:
    took_s = [one.took_s for one in state.trainings.values() if one.state == "done"]
    display = Display(stream, total=len(trainings), budget_s=budget_s, took_s=took_s)
    TrainingQueue(trainings, state, budget_s=budget_s, display=display).run()


def _trained(
    names: Sequence[str], trainings: Sequence[Training], state: StateFile
) -> list[Candidate]:
    """The models with at least one finished training, in the order of the recipes."""
    candidates = []
    for name in names:
        runs, peaks = [], []
        for training in trainings:
            known = state.trainings[training.name]
            if training.model == name and known.state == "done":
                runs.append(training.run)
                peaks.append(known.peak_memory or 0)
        if runs:
            candidates.append(candidate_of(name, runs, max(peaks) or None))
    return candidates


def _failed(trainings: Sequence[Training], state: StateFile) -> list[Failure]:
    known = ((one, state.trainings[one.name]) for one in trainings)
    return [
        Failure(f"{one.model}, seed {one.seed}", ended.reason, ended.fix)
        for one, ended in known
        if ended.state == "failed"
    ]


def _known(baseline: str | None, names: Sequence[str]) -> str | None:
    """The baseline, if one was named.

    Raises:
        ConfigError: no model has this name.
    """
    if baseline is not None and baseline not in names:
        raise ConfigError(
            f"unknown baseline {baseline!r}",
            expected=f"one of {', '.join(names)}",
            fix="--baseline with one of these names",
        )
    return baseline


def _refuse(given: Sequence[str], how: str) -> None:
    if given:
        raise ConfigError(
            f"{', '.join(given)} cannot be used {how}",
            expected="either RUN…, finished runs, or --recipes to train",
            fix="`diapir compare --help` shows both forms",
        )


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
