"""Candidates of a comparison, read from the folders of finished runs."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diapir.bundle import read_info
from diapir.config import DataConfig, RunConfig, TrackConfig
from diapir.errors import BundleError, ConfigError, DataError, RunError
from diapir.evaluation import Evaluation, check_comparable
from diapir.evaluation.in_sections import saved_block
from diapir.evaluation.standings import Candidate, Cost
from diapir.run.folder import EVALUATION, METRICS, SPLIT, run_config
from diapir.run.history import History, read_history
from diapir.tiles import Split, TileSet, load_tiles


def candidate_of(name: str, runs: Sequence[Path], peak_memory: int | None = None) -> Candidate:
    """A model of one recipe, with the cost of its trainings; measured later.

    Args:
        name: unique in the comparison.
        runs: finished runs that differ in the seed alone.
        peak_memory: bytes, of the largest training process; None if unknown.

    Raises:
        RunError: a folder is not a run folder.
        DataError: scores in sections that cannot be read.
    """
    configs = [run_config(run) for run in runs]
    histories = [read_history(run / METRICS) for run in runs]
    blocks = [saved_block(run / EVALUATION) for run in runs]
    known = [block for block in blocks if block is not None]
    return Candidate(
        name,
        configs[0],
        tuple(config.seed for config in configs),
        Cost.of_training(
            histories,
            peak_memory,
            [_whole_epochs(*one) for one in zip(runs, configs, histories, strict=True)],
        ),
        tuple(runs),
        in_sections=tuple(known) if len(known) == len(runs) else (),
    )


def group_runs(runs: Sequence[Path]) -> list[Candidate]:
    """Make one candidate of the runs that differ in nothing but the seed.

    If that would leave a single candidate, each run becomes one instead.

    Raises:
        RunError: a folder is not a run folder, or is named twice.
    """
    if len({run.resolve() for run in runs}) < len(runs):
        raise RunError(
            f"a run is named twice: {', '.join(map(str, runs))}",
            expected="each run once",
            fix="remove the duplicate",
        )
    configs = {run: run_config(run) for run in runs}
    groups: dict[str, list[Path]] = {}
    for run, config in configs.items():
        groups.setdefault(_without_seed(config), []).append(run)
    if len(groups) == 1:
        groups = {str(run): [run] for run in runs}
    firsts = [members[0] for members in groups.values()]
    names = _names(firsts, configs)
    return [
        candidate_of(name, members) for name, members in zip(names, groups.values(), strict=True)
    ]


def evaluations_of(
    candidates: Sequence[Candidate],
) -> tuple[dict[str, list[Evaluation]], Split]:
    """The evaluations of all runs by model, and the split that all runs share.

    Raises:
        DataError: a run has no evaluation; runs on different data or splits.
    """
    evaluations: dict[str, list[Evaluation]] = {}
    first: tuple[str, Evaluation, Split] | None = None
    for candidate in candidates:
        for run in candidate.runs:
            evaluation, split = _evaluated(run)
            if first is None:
                first = (str(run), evaluation, split)
            else:
                check_comparable(*first, str(run), evaluation, split)
            evaluations.setdefault(candidate.name, []).append(evaluation)
    if first is None:
        raise ConfigError("no run was given", expected="RUN…", fix="name run folders")
    return evaluations, first[2]


def validation_tiles(run: Path, data: Path) -> TileSet:
    """The validation part of a finished run, from the tiles it was trained on.

    Raises:
        DataError: these are other tiles.
    """
    tiles = labelled_tiles(data, run_config(run).data)
    split = Split.load(run / SPLIT)
    split.verify(tiles)
    return tiles.select(sorted(split.part("val")))


def labelled_tiles(path: Path | TileSet, config: DataConfig) -> TileSet:
    """Labelled tiles, read as a recipe reads them.

    Raises:
        DataError: they cannot be used.
    """
    return load_tiles(
        path, encoding=config.mask_encoding, skip_bad=config.skip_bad, groups=config.groups
    )


def _whole_epochs(run: Path, config: RunConfig, history: History) -> int | None:
    """Completed epochs of a run; None if its bundle does not say how many tiles these have."""
    with contextlib.suppress(BundleError):
        tiles = read_info(run).training.get("tiles")
        if isinstance(tiles, int):
            return history.whole_epochs(tiles, config.train.batch)
    return None


def _evaluated(run: Path) -> tuple[Evaluation, Split]:
    try:
        return Evaluation.load(run / EVALUATION), Split.load(run / SPLIT)
    except DataError as error:
        raise DataError(
            error.found,
            expected=f"a finished, evaluated run; {error.expected}",
            fix="run its `diapir train` command again with --resume",
        ) from None


def _names(runs: Sequence[Path], configs: dict[Path, RunConfig]) -> list[str]:
    """Unique names of runs: the recipe's name, else the folder's, else the path."""
    recipes = Counter(configs[run].name for run in runs)
    folders = Counter(run.resolve().name for run in runs)
    names = []
    for run in runs:
        name, folder = configs[run].name, run.resolve().name
        if recipes[name] > 1:
            name = folder if folders[folder] == 1 else str(run)
        names.append(name)
    return names


def _without_seed(config: RunConfig) -> str:
    """The settings that make a model what it is, as text."""
    data = config.data.model_copy(update={"split": None})
    usual: dict[str, Any] = {"seed": 0, "data": data, "track": TrackConfig()}
    return config.model_copy(update=usual).to_yaml()
