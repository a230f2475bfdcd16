"""Making a split: into training and validation, or into folds.

Each part gets its share of tiles and of each class of salt coverage. Tiles of one section group
stay together, and so do tiles with the same image; otherwise a network would be evaluated on images
it was trained on. Constant images are in no part: there is nothing to learn from them, and scores
of a part with them would be optimistic.
"""

from __future__ import annotations

from diapir.errors import SplitError
from diapir.text import integer, plural
from diapir.tiles.split import Split
from diapir.tiles.stratify import share_out
from diapir.tiles.tileset import TileSet


def make_split(tiles: TileSet, *, val_fraction: float = 0.15, seed: int = 42) -> Split:
    """Divide tiles into `train` and `val`.

    Args:
        tiles: labelled tiles.
        val_fraction: share of tiles in `val`, as closely as the groups allow; in (0, 1).
        seed: the same seed gives the same split, whatever the order of the tiles.

    Raises:
        SplitError: too few tiles, groups or tiles with salt, or `val_fraction` out of its range.
    """
    if not 0 < val_fraction < 1:
        raise SplitError(
            f"val_fraction = {val_fraction}",
            expected="a share between 0 and 1, both excluded",
            fix="--val-fraction 0.15",
        )
    shares = {"train": 1 - val_fraction, "val": val_fraction}
    tiles = _without_constant(tiles)
    return Split(share_out(tiles, shares, seed), _contents(tiles), seed, "holdout")


def own_split(tiles: TileSet) -> Split | None:
    """The split that a set brings, in folders train and val; None if it brings none.

    Raises:
        SplitError: only one of its parts has tiles that can be used.
    """
    if not tiles.held_out:
        return None
    tiles = _without_constant(tiles)
    val = tuple(sorted(tiles.held_out))
    train = tuple(sorted(set(tiles.ids) - set(val)))
    if not train or not val:
        raise SplitError(
            f"{tiles.path} has {len(train)} usable tiles in train and {len(val)} in val",
            expected="tiles in both of its folders train and val",
            fix="make a split of all tiles: diapir data split PATH --out FILE",
        )
    return Split({"train": train, "val": val}, _contents(tiles), 0, "holdout")


def split_note(train: int, val: int) -> str:
    """What is to know about the split that a set brings."""
    return (
        f"the set's own split is used: {integer(train)} tiles for training, {integer(val)} of val/ "
        "for validation (data.split or data.folds for another one)"
    )


def make_folds(tiles: TileSet, *, folds: int = 5, seed: int = 42) -> Split:
    """Divide tiles into `folds` parts of about the same size, `fold0`, `fold1` and so on.

    Args:
        tiles: labelled tiles.
        folds: number of parts, at least 2.
        seed: the same seed gives the same split, whatever the order of the tiles.

    Raises:
        SplitError: too few tiles, groups or tiles with salt, or fewer than 2 folds.
    """
    if folds < 2:
        raise SplitError(f"folds = {folds}", expected="at least 2 folds", fix="--folds 5")
    shares = {f"fold{index}": 1 / folds for index in range(folds)}
    tiles = _without_constant(tiles)
    return Split(share_out(tiles, shares, seed), _contents(tiles), seed, "kfold")


def fold_split(folds: Split, fold: int) -> Split:
    """The split with one fold as `val` and all others as `train`.

    Raises:
        SplitError: `folds` is not a k-fold split or has no such fold.
    """
    if folds.kind != "kfold":
        raise SplitError(
            "the split has the parts train and val, not folds",
            expected="a split made with folds",
            fix="leave out data.folds, or make one: diapir data split PATH --out FILE --folds 5",
        )
    validation = folds.part(f"fold{fold}")
    train = sorted(folds.tiles.keys() - set(validation))
    return Split({"train": tuple(train), "val": validation}, folds.tiles, folds.seed, "holdout")


def _without_constant(tiles: TileSet) -> TileSet:
    """The tiles whose image is not constant.

    Raises:
        SplitError: fewer than two are not, although there are more tiles.
    """
    constant = tiles.constant
    kept = [tile for tile in tiles.ids if tile not in constant]
    if len(kept) < 2 <= len(tiles):
        raise SplitError(
            f"{plural(len(tiles) - len(kept), 'image')} of the {len(tiles)} tiles in {tiles.path} "
            "are constant",
            expected="at least two tiles whose image is not constant",
            fix="add tiles with seismic data, or check how the images were exported",
        )
    return tiles if len(kept) == len(tiles) else tiles.select(kept)


def _contents(tiles: TileSet) -> dict[str, str]:
    return dict(sorted(zip(tiles.ids, tiles.content, strict=True)))
