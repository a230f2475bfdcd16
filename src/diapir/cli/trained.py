"""Models out of trained runs: put together, checked, measured, and set against each other."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import platform
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from diapir.cli.output import Output
from diapir.cli.trainings import SIGNALS
from diapir.config import RunConfig, TrackConfig, load_recipe
from diapir.errors import ConfigError, DataError, DiapirError, Interrupted, RunError
from diapir.evaluation import Comparison, Evaluation, check_comparable
from diapir.reports import Contender, Failure, Results, read_history, sample_ids
from diapir.reports.compare.leaderboard import Ranking
from diapir.text import integer, plural
from diapir.tiles import Split, TileSet, load_tiles
from diapir.version import __version__

if TYPE_CHECKING:
    from diapir.inference import Latency

Images = list[NDArray[np.uint8]]


@dataclass(frozen=True)
class Model:
    """One recipe, trained once or with several seeds.

    Attributes:
        name: what it is called.
        runs: its run folders.
        peak_memory: of the largest training process, in bytes; None where unknown.
    """

    name: str
    runs: tuple[Path, ...]
    peak_memory: int | None = None


@dataclass(frozen=True)
class _Measured:
    """What a process of its own has found of a model, or the reason why it has not."""

    parameters: int | None = None
    multiply_adds: int | None = None
    latency: Latency | None = None
    probabilities: Sequence[NDArray[np.float32]] = ()
    reason: str = ""


def group_runs(runs: Sequence[Path]) -> list[Model]:
    """Put runs that differ in nothing but the seed together; if all would be one, none.

    Raises:
        RunError: a folder is no finished run, or is named twice.
    """
    if len({run.resolve() for run in runs}) < len(runs):
        raise RunError(
            f"a run is named twice: {', '.join(map(str, runs))}",
            expected="every run once",
            fix="leave the second out",
        )
    configs = {run: _config(run) for run in runs}
    groups: dict[str, list[Path]] = {}
    for run, config in configs.items():
        groups.setdefault(_but_for_the_seed(config), []).append(run)
    if len(groups) == 1:
        groups = {str(run): [run] for run in runs}
    named = Counter(configs[members[0]].name for members in groups.values())
    folders = Counter(members[0].resolve().name for members in groups.values())
    models = []
    for members in groups.values():
        name = configs[members[0]].name
        if named[name] > 1:
            name = members[0].resolve().name
            if folders[name] > 1:
                name = str(members[0])
        models.append(Model(name, tuple(members)))
    return models


def name_of(baseline: str, names: Sequence[str]) -> str:
    """The model that --baseline names.

    Raises:
        ConfigError: there is none of this name.
    """
    if baseline not in names:
        raise ConfigError(
            f"no model is called {baseline!r}",
            expected=f"one of {', '.join(names)}",
            fix="--baseline with one of these names",
        )
    return baseline


def judged_tiles(models: Sequence[Model], data: Path) -> TileSet:
    """The tiles that finished runs were judged on, from the tile set they were trained on.

    Raises:
        DataError: these are other tiles.
    """
    run = models[0].runs[0]
    config = _config(run).data
    tiles = load_tiles(
        data, encoding=config.mask_encoding, skip_bad=config.skip_bad, groups=config.groups
    )
    split = Split.load(run / "split.json")
    split.verify(tiles)
    return tiles.select(sorted(split.part("val")))


def compare_models(
    models: Sequence[Model],
    *,
    baseline: str,
    by: Ranking,
    tiles: TileSet | None,
    terms: Sequence[tuple[str, str]],
    failures: Sequence[Failure],
    command: str,
    output: Output,
) -> Results:
    """Check that the models may be compared, measure what they cost, and compare them.

    Args:
        models: at least one.
        baseline: name of one of them.
        by: the metric that ranks.
        tiles: what they were judged on; None where that is not at hand.
        terms: on what terms they were trained.
        failures: trainings that came to nothing.
        command: the command line.
        output: where progress is shown.

    Raises:
        DataError: runs on other data or by another split.
    """
    evaluations, split = _evaluations(models)
    first = evaluations[models[0].name][0]
    shown = sample_ids(first)
    images: Images = []
    if tiles is not None:
        places = {name: place for place, name in enumerate(tiles.ids)}
        images = [tiles.image(places[name]) for name in shown]
    contenders, failures = {}, list(failures)
    with _stoppable(), output.progress("measuring") as progress:
        for number, model in enumerate(models):
            progress(number, len(models))
            config = _config(model.runs[0])
            found = _measure_apart(model.runs[0], config, images)
            if found.reason:
                failures.append(Failure(f"{model.name}, measuring", found.reason, ""))
            contenders[model.name] = Contender(
                name=model.name,
                config=config,
                seeds=tuple(_config(run).seed for run in model.runs),
                histories=tuple(read_history(run / "metrics.csv") for run in model.runs),
                parameters=found.parameters,
                multiply_adds=found.multiply_adds,
                latency=found.latency,
                peak_memory=model.peak_memory,
                probabilities=dict(zip(shown, found.probabilities, strict=False)),
            )
        progress(len(models), len(models))
    latencies = [one.latency for one in contenders.values() if one.latency]
    return Results(
        comparison=Comparison(evaluations),
        contenders=contenders,
        baseline=baseline,
        by=by,
        evaluation=first,
        split=split,
        terms=[*_data_terms(first, split), *terms, *_machine_terms(latencies)],
        command=command,
        failures=failures,
        tiles=tiles,
    )


def _evaluations(models: Sequence[Model]) -> tuple[dict[str, list[Evaluation]], Split]:
    """The evaluations of all runs, and the split that all have in common."""
    evaluations: dict[str, list[Evaluation]] = {}
    first: tuple[str, Evaluation, Split] | None = None
    for model in models:
        for run in model.runs:
            evaluation, split = _judged(run)
            if first is None:
                first = (str(run), evaluation, split)
            else:
                check_comparable(*first, str(run), evaluation, split)
            evaluations.setdefault(model.name, []).append(evaluation)
    if first is None:
        raise ConfigError("there is no run to compare", expected="RUN…", fix="name run folders")
    return evaluations, first[2]


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Let a signal end the work in order, so that no process is left behind."""

    def stop(signum: int, frame: FrameType | None) -> NoReturn:
        raise Interrupted(signum, "stopped while measuring; the same command continues")

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _judged(run: Path) -> tuple[Evaluation, Split]:
    try:
        return Evaluation.load(run / "evaluation"), Split.load(run / "split.json")
    except DataError as error:
        raise DataError(
            error.found,
            expected=f"a run that was trained to its end and judged; {error.expected}",
            fix="the `diapir train` command that made it, with --resume, judges it again",
        ) from None


def _measure_apart(run: Path, config: RunConfig, images: Images) -> _Measured:
    """Measure a model in a process of its own."""
    arguments = (run, config.device.name, config.device.threads, images)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as pool:
        try:
            return pool.submit(_measure, *arguments).result()
        except BrokenProcessPool:
            return _Measured(reason="its process was ended, as happens where memory runs out")


def _measure(run: Path, device: str, threads: int | None, images: Images) -> _Measured:
    from diapir.inference import EngineOptions, Predictor, measure_latency
    from diapir.models.cost import cost

    try:
        predictor = Predictor.load(run, EngineOptions(device=device, threads=threads))
        info = predictor.bundle.info
        counted = cost(info.model, info.preprocess.size)
        latency = measure_latency(predictor)
        found = predictor.probabilities(images)
    except DiapirError as error:
        return _Measured(reason=error.found)
    return _Measured(counted.parameters, counted.multiply_adds, latency, found)


def _data_terms(evaluation: Evaluation, split: Split) -> list[tuple[str, str]]:
    data = evaluation.data
    learnt = plural(len(split.part("train")), "tile")
    judged = plural(data["n_images"], "tile")
    if data["n_groups"] != data["n_images"]:
        judged += f" of {plural(data['n_groups'], 'section group')}"
    return [
        ("Data", f"{data['name']}, {integer(len(split.tiles))} tiles"),
        ("Split", f"{learnt} to learn from, seed {split.seed}, the same for all"),
        ("Judged on", f"{judged}, each training's best model by validation loss"),
        ("Intervals", "95 %, 1 000 resamples of section groups, the same for all"),
    ]


def _machine_terms(latencies: Sequence[Latency]) -> list[tuple[str, str]]:
    """What the costs were measured on."""
    engines = dict.fromkeys(f"{one.engine}, {plural(one.threads, 'thread')}" for one in latencies)
    packages = {"diapir": __version__, "Python": platform.python_version()}
    with contextlib.suppress(PackageNotFoundError):
        packages["PyTorch"] = version("torch")
    return [
        *([("Ran on", "; ".join(engines))] if engines else []),
        ("Machine", f"{_processor()}, {plural(os.cpu_count() or 1, 'core')}, {platform.system()}"),
        ("Software", ", ".join(f"{name} {number}" for name, number in packages.items())),
        ("Costs measured", f"{datetime.now():%Y-%m-%d}"),
    ]


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _config(run: Path) -> RunConfig:
    path = run / "config.yaml"
    if not path.is_file():
        raise RunError(
            f"{run} is no run folder",
            expected=f"a folder with {path.name}, as `diapir train` makes it",
            fix="name the --out of a training",
        )
    return load_recipe(path)


def _but_for_the_seed(config: RunConfig) -> str:
    """The settings that make a model what it is, as text."""
    data = config.data.model_copy(update={"split": None})
    usual: dict[str, Any] = {"seed": 0, "data": data, "track": TrackConfig()}
    return config.model_copy(update=usual).to_yaml()
