"""Held-out tiles: which labelled tiles a trained model may be evaluated on without optimism.

A run keeps its split. Runs of one split are evaluated together on its validation part. Runs of
different folds are evaluated each on its own validation part, which together gives an out-of-fold
evaluation: every tile is predicted only by models that were not trained on it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diapir.errors import ConfigError, SplitError
from diapir.run.folder import SPLIT, saved_config
from diapir.text import plural
from diapir.tiles import Split

if TYPE_CHECKING:
    from diapir.bundle import Bundle
    from diapir.tiles import TileSet

ALL = "all"
"""Name of the part when all tiles of a set are scored."""
PART = "out of fold"
"""Name of the part when the validation parts of several folds are scored together."""


@dataclass(frozen=True)
class Share:
    """Tiles, and the models that predict them.

    Attributes:
        ids: of the tiles.
        models: run folders or bundle folders.
    """

    ids: tuple[str, ...]
    models: tuple[Path, ...]


@dataclass(frozen=True)
class Plan:
    """The tiles to evaluate, and the models for each of them.

    Attributes:
        part: name of the part of the data, for `Evaluation.data`.
        shares: disjoint shares of its tiles.
        notes: lines for the user: what is evaluated, and where scores are optimistic.
    """

    part: str
    shares: tuple[Share, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunTiles:
    """The tiles of a set that a model was trained on, and those it held out.

    Attributes:
        run: a run folder, or a bundle folder, of which nothing is known.
        use_all: whether the run was trained on its validation part as well.
        training: ids trained on; empty if unknown, or if the run was trained on other tiles.
        validation: ids held out.
        fault: why none are held out; None if some are.
    """

    run: Path
    use_all: bool
    training: frozenset[str] = frozenset()
    validation: tuple[str, ...] = ()
    fault: SplitError | None = None

    @classmethod
    def of(cls, run: Path, tiles: TileSet) -> RunTiles:
        """Compare a model's split with a tile set.

        Args:
            run: a run folder or a bundle folder.
            tiles: as the run loaded them (its split does not know other section groups).

        Raises:
            SplitError: the split cannot be read.
            ConfigError: the run's configuration cannot be read.
        """
        config = saved_config(run)
        use_all = config is not None and config.data.use_all
        if not (run / SPLIT).is_file():
            return cls(run, use_all, fault=_without_split(run))
        split = Split.load(run / SPLIT)
        try:
            split.verify(tiles)
        except SplitError as error:
            return cls(run, use_all, fault=error)
        training, validation = split.part("train"), split.part("val")
        if use_all:
            everything = frozenset(training) | frozenset(validation)
            return cls(run, use_all, everything, fault=_without_held_out(run))
        return cls(run, use_all, frozenset(training), validation)


def plan(models: Sequence[Path], tiles: TileSet, split: str | None = None) -> Plan:
    """Choose the tiles to evaluate models on.

    Without `split`, these are the validation parts of the runs, or all tiles if no model has one
    in this set.

    Args:
        models: run folders and bundle folders; empty for the bundled model.
        tiles: labelled tiles, as the runs loaded them.
        split: `FILE:PART` to evaluate on instead.

    Raises:
        ConfigError: `split` is not of the form `FILE:PART`.
        SplitError: a split cannot be read or does not fit the tiles, only some of the models have
            a validation part, or the validation parts overlap without being equal.
    """
    runs = [RunTiles.of(model, tiles) for model in models]
    if split is not None:
        return _part_plan(runs, *_read_part(split, tiles))
    if all(run.fault for run in runs):
        return Plan(ALL, (Share(tiles.ids, tuple(models)),), tuple(_notes_on_all(runs, tiles)))
    shares = tuple(_validation_shares(runs))
    if len(shares) > 1:
        return Plan(PART, shares, (_out_of_fold_note(shares, len(runs)),))
    if len(runs) > 1:
        note = f"evaluated on the validation part that all {len(runs)} runs held out"
    else:
        note = (
            f"evaluated on the validation part of {models[0] / SPLIT}, which {models[0]} held out"
        )
    return Plan("val", shares, (note,))


def share_validation(runs: Sequence[Path], tiles: TileSet) -> list[Share]:
    """The validation parts of runs, each with the runs that held it out.

    Args:
        runs: run folders.
        tiles: the tiles they were trained on.

    Raises:
        SplitError: a run has no validation part in these tiles, or parts overlap without being
            equal.
    """
    return _validation_shares([RunTiles.of(run, tiles) for run in runs])


def origin_notes(
    models: Sequence[Path], bundles: Sequence[Bundle], split: str | None
) -> tuple[str, ...]:
    """What bundles without a split of their own say about a part of a split they are evaluated on.

    Args:
        models: as given; empty for the bundled model.
        bundles: the models, in the same order.
        split: `FILE:PART`, already checked; None for no such note.

    Raises:
        SplitError: the split cannot be read.
    """
    if split is None:
        return ()
    file, _, part = split.rpartition(":")
    known = Split.load(Path(file)).hash
    notes = []
    for place, bundle in enumerate(bundles):
        if models and (models[place] / SPLIT).is_file():
            continue
        name, trainings = bundle.info.name, bundle.info.trainings
        if any(one.get("split hash") != known or "further tiles" in one for one in trainings):
            notes.append(
                f"{name}: its bundle does not record whether it was trained on these tiles; if it "
                "was, its scores are optimistic"
            )
        elif part == "val":
            notes.append(f"{name} held these tiles out: its bundle records this split")
        elif part == "train":
            notes.append(f"{name} was trained on these tiles; its scores are optimistic")
    return tuple(notes)


def trained_on(models: Sequence[Path], tiles: TileSet) -> frozenset[str]:
    """The ids of a set's tiles that models were trained on, as far as their folders tell.

    Raises:
        SplitError: a split cannot be read.
        ConfigError: a run's configuration cannot be read.
    """
    return frozenset().union(*(RunTiles.of(model, tiles).training for model in models))


def groups_file(runs: Sequence[Path]) -> Path | None:
    """The groups.csv that runs were trained with, if it still exists.

    Raises:
        ConfigError: a run's configuration cannot be read.
    """
    for run in runs:
        config = saved_config(run)
        if config and config.data.groups and Path(config.data.groups).is_file():
            return Path(config.data.groups)
    return None


def _validation_shares(runs: Sequence[RunTiles]) -> list[Share]:
    for run in runs:
        if run.fault:
            raise run.fault
    shares = _by_validation(runs)
    overlap = _overlap(shares)
    if overlap:
        first, second, tile = overlap
        raise SplitError(
            f"the validation parts of {first.models[0]} and {second.models[0]} share some tiles, "
            f"such as {tile}, but are not the same",
            expected="runs of one split, or of different folds of one split",
            fix="leave one of the runs out, or name the tiles: --split FILE:PART",
        )
    return shares


def _by_validation(runs: Sequence[RunTiles]) -> list[Share]:
    """The different validation parts of runs, each with its runs."""
    members: dict[tuple[str, ...], list[Path]] = {}
    for run in runs:
        members.setdefault(tuple(sorted(run.validation)), []).append(run.run)
    return [Share(ids, tuple(paths)) for ids, paths in members.items()]


def _overlap(shares: Sequence[Share]) -> tuple[Share, Share, str] | None:
    """Two shares with a common tile, and that tile."""
    owner: dict[str, Share] = {}
    for share in shares:
        for tile in share.ids:
            other = owner.setdefault(tile, share)
            if other is not share:
                return other, share, tile
    return None


def _part_plan(runs: Sequence[RunTiles], part: str, ids: tuple[str, ...]) -> Plan:
    """A plan for a given part: out of fold if the runs held all of it out between them."""
    seen = {run.run: len(run.training.intersection(ids)) for run in runs}
    if len(runs) > 1 and any(seen.values()):
        shares = _out_of_fold(runs, frozenset(ids))
        if shares:
            return Plan(part, shares, (_out_of_fold_note(shares, len(runs)),))
    notes = tuple(
        f"{run} was trained on {count} of these {plural(len(ids), 'tile')}; its scores are "
        "optimistic"
        for run, count in seen.items()
        if count
    )
    return Plan(part, (Share(ids, tuple(run.run for run in runs)),), notes)


def _out_of_fold(runs: Sequence[RunTiles], wanted: Collection[str]) -> tuple[Share, ...]:
    """Shares of the wanted tiles among the runs that held them out; empty if some are not."""
    shares = _by_validation(runs)
    if any(run.fault for run in runs) or _overlap(shares):
        return ()
    chosen = [
        Share(tuple(tile for tile in share.ids if tile in wanted), share.models) for share in shares
    ]
    if sum(len(share.ids) for share in chosen) < len(wanted):
        return ()
    return tuple(share for share in chosen if share.ids)


def _read_part(split: str, tiles: TileSet) -> tuple[str, tuple[str, ...]]:
    """The name and the tile ids of `FILE:PART`."""
    file, colon, part = split.rpartition(":")
    if not (file and colon and part):
        raise ConfigError(
            f"--split {split} is not of the form FILE:PART",
            expected="a split file, a colon, and the name of one of its parts",
            fix=f"--split {file or (not colon and part) or 'split.json'}:val",
        )
    chosen = Split.load(Path(file))
    if part not in chosen.parts:
        raise SplitError(
            f"{file} has no part {part!r}",
            expected=f"one of {', '.join(chosen.parts)}",
            fix=f"--split {file}:{next(iter(chosen.parts))}",
        )
    chosen.verify(tiles)
    return part, chosen.part(part)


def _notes_on_all(runs: Sequence[RunTiles], tiles: TileSet) -> list[str]:
    notes = []
    for run in runs:
        if run.use_all:
            notes.append(
                f"{run.run} was trained on all tiles of its split; its scores on them are "
                "optimistic"
            )
        elif (run.run / SPLIT).is_file():
            notes.append(
                f"{run.run} was trained on other tiles than {tiles.name}; evaluated on all tiles"
            )
    return notes


def _out_of_fold_note(shares: Sequence[Share], runs: int) -> str:
    count = sum(len(share.ids) for share in shares)
    return (
        f"out-of-fold evaluation: each of {plural(count, 'tile')} is predicted by those of the "
        f"{runs} runs that were not trained on it"
    )


def _without_split(run: Path) -> SplitError:
    return SplitError(
        f"{run} holds no {SPLIT}, so its held-out tiles are unknown",
        expected="a run folder as written by `diapir train --out`",
        fix="give the run folder, or name the tiles: --split FILE:PART",
    )


def _without_held_out(run: Path) -> SplitError:
    return SplitError(
        f"{run} was trained on all of its tiles (data.use_all) and holds none out",
        expected="a run with a validation part",
        fix="train the same recipe on folds, and quote their out-of-fold score for this run",
    )
