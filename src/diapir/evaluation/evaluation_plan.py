"""Plans of an evaluation: which tiles are scored, and by which models, with what is to know of it.

A tile is scored by the models that were not trained on it, unless the caller wants all tiles.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from diapir.errors import DataError, SplitError
from diapir.evaluation.model_tiles import ModelTiles, any_training, names
from diapir.run.folder import SPLIT
from diapir.text import integer, plural

if TYPE_CHECKING:
    from diapir.tiles import TileSet

ALL = "all"
"""Name of the part when all tiles of a set are scored."""
VAL = "val"
"""Name of the validation part of a split."""
REST = "held out"
"""Name of the part when all tiles are scored that no model was trained on."""
PART = "out of fold"
"""Name of the part when each tile is scored with the models that were not trained on it."""


@dataclass(frozen=True)
class Share:
    """Tiles, and the models that predict them.

    Attributes:
        ids: of the tiles.
        models: run folders or bundle folders; empty for the bundled model.
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
        left_out: number of training tiles that are therefore not scored.
        trained_on: number of scored tiles that a model was trained on; None if that is not
            recorded.
    """

    part: str
    shares: tuple[Share, ...]
    notes: tuple[str, ...] = ()
    left_out: int = 0
    trained_on: int | None = 0

    @property
    def ids(self) -> tuple[str, ...]:
        """All tiles that are scored."""
        return tuple(tile for share in self.shares for tile in share.ids)

    @property
    def record(self) -> dict[str, int | None]:
        """What `Evaluation.data` says about training tiles."""
        return {"n_training_tiles": self.trained_on, "n_left_out": self.left_out}


def validation_plan(known: Sequence[ModelTiles]) -> Plan:
    """The validation parts of runs, without tiles that a model they started from was trained on.

    Args:
        known: the runs, each with a validation part.

    Raises:
        SplitError: parts overlap without being equal.
        DataError: no tile is left.
    """
    shares = _by_validation(known)
    _refuse_overlap(shares)
    asked = [tile for share in shares for tile in share.ids]
    seen = {tile for one in known for tile in one.training.intersection(one.validation)}
    shares = [
        replace(share, ids=tuple(tile for tile in share.ids if tile not in seen))
        for share in shares
    ]
    count = sum(len(share.ids) for share in shares)
    if not count:
        raise _nothing_left(known, len(asked))
    if len(shares) > 1:
        part, note = PART, _out_of_fold_note(count, len(known))
    elif len(known) > 1:
        part, note = VAL, f"evaluated on the validation part that all {len(known)} runs held out"
    else:
        run = known[0].model or Path()
        part = VAL
        note = f"evaluated on the validation part of {run / SPLIT}, which {run} held out"
    notes = [note]
    if count < len(asked):
        notes.append(
            f"{integer(len(asked) - count)} of these {plural(len(asked), 'tile')} are not scored: "
            "they are training tiles of a model that training started from (--all-tiles scores all "
            "tiles)"
        )
    return _planned(
        known,
        part,
        tuple(share for share in shares if share.ids),
        notes,
        left_out=len(asked) - count,
    )


def whole_plan(known: Sequence[ModelTiles], part: str, ids: tuple[str, ...]) -> Plan:
    """A plan for all tiles of a part, which says how many of them a model was trained on.

    Args:
        known: the models.
        part: name of the part.
        ids: of its tiles.
    """
    trained = [one for one in known if one.training.intersection(ids)]
    notes = []
    for one in known:
        count = len(one.training.intersection(ids))
        if count:
            notes.append(
                f"WARNING: {one.name} was trained on {integer(count)} of these "
                f"{plural(len(ids), 'tile')}; scores are optimistic{one.card_score}"
            )
        elif one.record in ("tiles", "some"):
            notes.append(
                f"none of these {plural(len(ids), 'tile')} is a training tile of {one.name} (by "
                "pixels: resized copies, or those compressed with loss, are not recognised)"
            )
    share = Share(ids, _paths(known))
    return _planned(
        known, part, (share,), notes, trained_on=len(any_training(trained).intersection(ids))
    )


def rest_plan(known: Sequence[ModelTiles], tiles: TileSet, part: str, ids: tuple[str, ...]) -> Plan:
    """A plan for the tiles of a part that no model was trained on, or else out of fold.

    Args:
        known: the models.
        tiles: the set, of which constant images are not scored.
        part: name of the part.
        ids: of its tiles.

    Raises:
        DataError: all models were trained on all of the tiles.
    """
    trained = any_training(known)
    constant = tiles.constant
    wanted = [tile for tile in ids if tile not in constant]
    rest = tuple(tile for tile in wanted if tile not in trained)
    if rest:
        shares: tuple[Share, ...] = (Share(rest, _paths(known)),)
        notes = []
        left_out = len(trained.intersection(ids))
        part = REST if part == ALL else f"{part}, {REST}"
    else:
        shares = _out_of_fold(known, wanted)
        scored = {tile for share in shares for tile in share.ids}
        if not shares:
            raise _nothing_left(known, len(ids))
        notes = [_out_of_fold_note(len(scored), len(known))]
        left_out = len(trained.intersection(ids) - scored)
        part = PART if part == ALL else f"{part}, {REST}" if left_out else part
    if left_out or rest:
        dropped = len(constant.intersection(ids) - trained)
        also = f", nor are {plural(dropped, 'constant image')}" if dropped else ""
        of = names([one for one in known if one.training.intersection(ids)])
        notes.append(
            f"{integer(left_out)} of these {plural(len(ids), 'tile')} are training tiles of {of}: "
            f"they are not scored{also} (--all-tiles scores all)"
        )
    return _planned(known, part, shares, notes, left_out=left_out)


def _planned(
    known: Sequence[ModelTiles],
    part: str,
    shares: tuple[Share, ...],
    notes: Iterable[str],
    *,
    left_out: int = 0,
    trained_on: int = 0,
) -> Plan:
    """A plan with what is to know of each model."""
    ids = [tile for share in shares for tile in share.ids]
    further = [note for one in known for note in one.notes(ids)]
    recorded = all(one.record == "tiles" for one in known)
    return Plan(part, shares, (*notes, *further), left_out, trained_on if recorded else None)


def _out_of_fold(known: Sequence[ModelTiles], wanted: Collection[str]) -> tuple[Share, ...]:
    """The wanted tiles by the models that were not trained on them."""
    members: dict[tuple[Path, ...], list[str]] = {}
    for tile in wanted:
        models = _paths([one for one in known if tile not in one.training])
        if models:
            members.setdefault(models, []).append(tile)
    order = [_paths([one]) for one in known]
    return tuple(
        Share(tuple(ids), models)
        for models, ids in sorted(members.items(), key=lambda item: order.index(item[0][:1]))
    )


def _paths(known: Iterable[ModelTiles]) -> tuple[Path, ...]:
    return tuple(one.model for one in known if one.model is not None)


def _by_validation(known: Sequence[ModelTiles]) -> list[Share]:
    """The different validation parts of runs, each with its runs."""
    members: dict[tuple[str, ...], list[ModelTiles]] = {}
    for one in known:
        members.setdefault(tuple(sorted(one.validation)), []).append(one)
    return [Share(ids, _paths(models)) for ids, models in members.items()]


def _refuse_overlap(shares: Sequence[Share]) -> None:
    """Refuse validation parts with a common tile."""
    owner: dict[str, Share] = {}
    for share in shares:
        for tile in share.ids:
            other = owner.setdefault(tile, share)
            if other is not share:
                raise SplitError(
                    f"the validation parts of {other.models[0]} and {share.models[0]} share some "
                    f"tiles, such as {tile}, but are not the same",
                    expected="runs of one split, or of different folds of one split",
                    fix="leave one of the runs out, or name the tiles: --split FILE:PART",
                )


def _out_of_fold_note(count: int, runs: int) -> str:
    return (
        f"out-of-fold evaluation: each of {plural(count, 'tile')} is predicted by those of the "
        f"{runs} models that were not trained on it"
    )


def _nothing_left(known: Sequence[ModelTiles], count: int) -> DataError:
    cards = "; ".join(f"{one.name}{one.card_score}" for one in known if one.card_score)
    return DataError(
        f"all {plural(count, 'tile')} are training tiles of {names(known)}",
        expected="tiles that were not trained on" + (f"; {cards}" if cards else ""),
        fix="give other tiles, or score these although the scores will be optimistic: --all-tiles",
    )
