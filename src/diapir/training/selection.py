"""Selection of the tiles that a run trains on, validates on, and draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from diapir.config import DataConfig
from diapir.errors import DataError, SplitError
from diapir.text import plural
from diapir.tiles import Split, TileSet, fold_split, load_tiles, make_folds, make_split, own_split
from diapir.tiles.stratify import image_digests


def settle_split(config: DataConfig, tiles: TileSet, saved: Path) -> Split:
    """The split of a resumed run, else the one that the recipe names, else a new one.

    Args:
        config: how to split.
        tiles: the labelled tiles.
        saved: the run's split.json, which need not exist.

    Raises:
        SplitError: the split cannot be used or does not fit the tiles.
    """
    if saved.is_file():
        split = Split.load(saved)
    elif config.split is not None:
        split = Split.load(Path(config.split))
        _refuse_contradiction(config, split)
        if split.kind == "kfold":
            split = fold_split(split, config.fold)
    elif config.folds is not None:
        split = fold_split(
            make_folds(tiles, folds=config.folds, seed=config.split_seed), config.fold
        )
    else:
        split = own_split(tiles) or make_split(
            tiles, val_fraction=config.val_fraction, seed=config.split_seed
        )
    split.verify(tiles)
    return split


def _refuse_contradiction(config: DataConfig, split: Split) -> None:
    """Refuse a number of folds, or a fold, that the split does not have."""
    folds = len(split.parts) if split.kind == "kfold" else 0
    if config.folds is not None and config.folds != folds:
        asked = f"data.folds = {config.folds}"
    elif config.fold and not folds:
        asked = f"data.fold = {config.fold}"
    else:
        return
    has = plural(folds, "fold") if folds else "the parts train and val"
    raise SplitError(
        f"data.split = {config.split} has {has}, but {asked} is given as well",
        expected="either a split that is made already, or the folds of a new one",
        fix="leave one out: --set data.folds=null --set data.fold=0, or --set data.split=null",
    )


def training_tiles(config: DataConfig, tiles: TileSet, split: Split) -> tuple[TileSet, list[str]]:
    """The tiles that a run trains on, and lines for the log about those beyond the training part.

    Further tiles with an image of the validation part are left out, so that the network is not
    evaluated on training images.

    Raises:
        DataError: the further tiles cannot be used.
    """
    chosen = split.part("train")
    notes = []
    if config.use_all:
        chosen += split.part("val")
        notes.append("Training on the validation tiles as well: their scores are optimistic")
    training = tiles.select(chosen)
    if config.extra is None:
        return training, notes
    further = _further_tiles(config.extra, skip_bad=config.skip_bad)
    validation = tiles.select(split.part("val"))
    held_out = set(image_digests(validation, range(len(validation))))
    digests = image_digests(further, range(len(further)))
    kept = [tile for tile, image in zip(further.ids, digests, strict=True) if image not in held_out]
    notes.append(
        f"Further tiles: {further.name}, {len(kept)}, masks {further.encoding}"
        + (
            f"; {len(further) - len(kept)} skipped whose image is in the validation part"
            if len(kept) < len(further)
            else ""
        )
    )
    return training.join(further.select(kept)), notes


def _further_tiles(path: str, *, skip_bad: bool) -> TileSet:
    """Tiles with masks of 0, 1 and 255 (ignore), or else in any other encoding.

    Pseudo-labels may have more ignored pixels than salt, which `auto` would refuse.
    """
    try:
        return load_tiles(path, encoding="index", skip_bad=skip_bad)
    except DataError:
        return load_tiles(path, skip_bad=skip_bad)


def choose_examples(tiles: TileSet, count: int) -> TileSet:
    """Tiles to draw after each epoch, spread evenly over salt coverage; always the same ones."""
    # trackers take one array, so all have the size of the first tile
    members = np.flatnonzero((tiles.shapes == tiles.shapes[0]).all(axis=1))
    order = members[np.lexsort((members, tiles.coverage[members]))]
    chosen = order[np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)]
    return tiles.select(tiles.ids[index] for index in np.unique(chosen))
