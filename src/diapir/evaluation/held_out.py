"""Held-out tiles: which labelled tiles a trained model may be evaluated on without optimism.

A run keeps its split. Runs of one split are evaluated together on its validation part. Runs of
different folds are evaluated each on its own validation part, which together gives an out-of-fold
evaluation: every tile is predicted only by models that were not trained on it. Of other tiles,
those that a model was trained on are left out, as its bundle records them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from diapir.errors import ConfigError, SplitError
from diapir.evaluation.evaluation_plan import (
    ALL,
    VAL,
    Plan,
    rest_plan,
    validation_plan,
    whole_plan,
)
from diapir.evaluation.model_tiles import ModelTiles, any_training
from diapir.run.folder import saved_config
from diapir.tiles import Split

if TYPE_CHECKING:
    from diapir.tiles import TileSet

TGS = ("kaggle", "train_super")
"""Layouts of the TGS challenge, whose tiles are cut from sections that its files do not name."""


def plan(
    models: Sequence[Path], tiles: TileSet, split: str | None = None, *, all_tiles: bool = False
) -> Plan:
    """Choose the tiles to evaluate models on.

    Without `split`, these are the validation parts of the runs, or all tiles if no model has one
    in this set. Tiles that a model was trained on are left out, and so are constant images then, as
    they are in no split; if models were trained on different tiles and none is left to all of them,
    each tile is predicted by those that were not trained on it.

    Args:
        models: run folders and bundle folders; empty for the bundled model.
        tiles: labelled tiles, as the runs loaded them.
        split: `FILE:PART` to evaluate on instead.
        all_tiles: score all tiles, or all of the part, whether models were trained on them or not.

    Raises:
        ConfigError: `split` is not of the form `FILE:PART`.
        SplitError: a split cannot be read or does not fit the tiles, only some of the models have
            a validation part, or the validation parts overlap without being equal.
        DataError: the models were trained on all of the tiles.
    """
    known = _known(models, tiles)
    if split is None and not all_tiles:
        if not any(one.fault for one in known):
            return validation_plan(known)
        _refuse_mixture(known)
    part, ids = ALL, tiles.ids
    if split is not None:
        chosen, part = _read_part(split, tiles)
        ids = chosen.part(part)
        known = [one.of_split(chosen) for one in known]
    if all_tiles or not any_training(known).intersection(ids):
        return whole_plan(known, part, ids)
    return rest_plan(known, tiles, part, ids)


def plan_validation(runs: Sequence[Path], tiles: TileSet) -> Plan:
    """The validation parts of runs, each with the runs that held it out.

    Args:
        runs: run folders.
        tiles: the tiles they were trained on.

    Raises:
        SplitError: a run has no validation part in these tiles, or parts overlap without being
            equal.
        DataError: all of it was trained on by the models that the runs started from.
    """
    known = [ModelTiles.of(run, tiles) for run in runs]
    for one in known:
        if one.fault:
            raise one.fault
    return validation_plan(known)


def plan_run(run: Path, tiles: TileSet) -> Plan:
    """The whole validation part of a run, also where a model it started from was trained on it.

    Raises:
        SplitError: its split cannot be read or does not fit the tiles.
    """
    one = ModelTiles.of(run, tiles)
    if one.fault:
        raise one.fault
    planned = whole_plan([one], VAL, one.validation)
    return planned if planned.trained_on else replace(planned, notes=planned.notes[1:])


def split_notes(tiles: TileSet) -> tuple[str, ...]:
    """A note where the tiles are TGS's and the sections they were cut from are unknown.

    Args:
        tiles: labelled tiles, with the section groups that their split was made with.
    """
    if tiles.layout not in TGS or len(set(tiles.groups)) < len(tiles):
        return ()
    return (
        "the sections that these tiles were cut from are not known: in a random split, validation "
        "tiles adjoin or overlap training tiles, and scores are optimistic; for a grouped split: "
        f"diapir data mosaic {tiles.path} --out mosaic, and --set data.groups=mosaic/groups.csv",
    )


def trained_on(models: Sequence[Path], tiles: TileSet) -> frozenset[str]:
    """The ids of a set's tiles that models were trained on, as far as is recorded.

    Raises:
        SplitError: a split cannot be read.
        ConfigError: a run's configuration cannot be read.
    """
    return any_training(_known(models, tiles))


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


def _known(models: Sequence[Path], tiles: TileSet) -> list[ModelTiles]:
    """What is known of models; of the bundled one where none is given."""
    given: Sequence[Path | None] = models or (None,)
    return [ModelTiles.of(model, tiles) for model in given]


def _refuse_mixture(known: Sequence[ModelTiles]) -> None:
    """Refuse runs with a validation part together with models of which too little is known."""
    if all(one.fault for one in known):
        return
    for one in known:
        if one.fault and (one.use_all or one.record in ("set", "nothing")):
            raise one.fault


def _read_part(split: str, tiles: TileSet) -> tuple[Split, str]:
    """The split and the name of the part of `FILE:PART`."""
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
    return chosen, part
