"""What is known of the tiles of a set that a model was trained or tuned on.

A run keeps its split; a bundle keeps fingerprints of its training tiles. Bundles from before these
were recorded at least have the hash of the tile set that they were trained on a part of.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from diapir.bundle import SHIPPED, BundleInfo, read_info
from diapir.errors import BundleError, SplitError
from diapir.run.folder import SPLIT, saved_config
from diapir.text import integer, plural
from diapir.tiles import Split

if TYPE_CHECKING:
    from diapir.tiles import TileSet

Record = Literal["tiles", "some", "enlarged", "set", "nothing"]


@dataclass(frozen=True)
class ModelTiles:
    """The tiles of a set that a model was trained, validated or tuned on.

    Attributes:
        model: a run folder or a bundle folder; None for the bundled model.
        training: ids of the tiles it was trained on, as far as known.
        record: whether its training tiles are known: all of them (`tiles`), without those of a
            model it started from (`some`), not whether the tiles of this set are enlarged copies
            of them (`enlarged`), only that they are of this very set (`set`), or `nothing`.
        validation: ids that the run held out; empty for a bundle.
        fault: why it has no held-out part of its own; None if it has one.
        use_all: whether the run was trained on its validation part as well.
        tuned: ids of the tiles that its post-processing was tuned on.
        info: its bundle; None if it cannot be read.
    """

    model: Path | None
    training: frozenset[str] = frozenset()
    record: Record = "nothing"
    validation: tuple[str, ...] = ()
    fault: SplitError | None = None
    use_all: bool = False
    tuned: frozenset[str] = frozenset()
    info: BundleInfo | None = None

    @classmethod
    def of(cls, model: Path | None, tiles: TileSet) -> ModelTiles:
        """Compare what a model records with a tile set.

        Args:
            model: a run folder or a bundle folder; None for the bundled model.
            tiles: as the run loaded them (its split does not know other section groups).

        Raises:
            SplitError: the split cannot be read.
            ConfigError: the run's configuration cannot be read.
        """
        recorded = _recorded(model, tiles)
        if model is None or not (model / SPLIT).is_file():
            return replace(recorded, fault=_without_split(model))
        config = saved_config(model)
        use_all = config is not None and config.data.use_all
        split = Split.load(model / SPLIT)
        try:
            split.verify(tiles)
        except SplitError as error:
            return replace(recorded, fault=error, use_all=use_all)
        training, validation = frozenset(split.part("train")), split.part("val")
        if use_all:
            training |= frozenset(validation)
        return replace(
            recorded,
            training=training | recorded.training,
            record=recorded.record if recorded.record == "some" else "tiles",
            validation=() if use_all else validation,
            fault=_without_held_out(model) if use_all else None,
            use_all=use_all,
        )

    def of_split(self, split: Split) -> ModelTiles:
        """The same, where an older bundle records the hash of the split it was trained with."""
        if self.record not in ("set", "nothing") or self.info is None:
            return self
        for training in self.info.trainings:
            if training.get("split hash") != split.hash or "further tiles" in training:
                return self
        return replace(self, training=frozenset(split.parts.get("train", ())), record="tiles")

    @property
    def name(self) -> str:
        """The model for people: as it was given."""
        return f"the bundled model {SHIPPED}" if self.model is None else str(self.model)

    def notes(self, ids: Collection[str]) -> Iterator[str]:
        """What is to know of the scores of tiles that none of the other notes says.

        Args:
            ids: of the tiles that are scored.
        """
        if self.record == "set" and self.info is not None:
            counts = [one["tiles"] for one in self.info.trainings if isinstance(one["tiles"], int)]
            count = integer(max(counts)) if counts else "some"
            yield (
                f"WARNING: {self.name} was trained on {count} tiles of this very set, and its "
                f"bundle does not record which; scores are optimistic{self.card_score}"
            )
        elif self.record == "nothing":
            yield (
                f"it is not recorded which tiles {self.name} was trained on; if it was trained on "
                "some of these, scores are optimistic"
            )
        elif self.record == "enlarged":
            yield (
                "WARNING: these are TGS tiles enlarged ×2, which cannot be matched with training "
                f"tiles of their own size; if {self.name} was trained on TGS tiles, scores are "
                "optimistic"
            )
        elif self.record == "some":
            yield (
                f"{self.name} was made from a model whose training tiles are not recorded; if it "
                "was trained on some of these, scores are optimistic"
            )
        yield from self._tuned_notes(ids)

    def _tuned_notes(self, ids: Collection[str]) -> Iterator[str]:
        count = len(self.tuned.intersection(ids))
        for tuned in self.info.tuned if self.info and count else ():
            which = "these tiles" if count == len(ids) else f"{integer(count)} of these tiles"
            checked = tuned.cross_validated
            yield (
                f"the post-processing of {self.name} was tuned on {which}, so scores are slightly "
                f"optimistic: Kaggle mAP {tuned.kaggle_map:.4f} when it was tuned"
                + ("" if checked is None else f", {checked:.4f} cross-validated")
            )

    @property
    def card_score(self) -> str:
        """Its recorded evaluation, to be appended to a note; empty if there is none."""
        metrics = self.info.metrics if self.info else {}
        data = metrics.get("data", {})
        if "kaggle_map" not in metrics or "n_images" not in data or "part" not in data:
            return ""
        return (
            f" (its card: Kaggle mAP {metrics['kaggle_map']:.4f}, Dice {metrics['dice']:.4f} on "
            f"{plural(data['n_images'], 'tile')} of {data.get('name')}, part {data['part']})"
        )


def any_training(models: Iterable[ModelTiles]) -> frozenset[str]:
    """The ids of the tiles that any of several models was trained on."""
    return frozenset().union(*(model.training for model in models))


def names(models: Sequence[ModelTiles]) -> str:
    """The models for people."""
    return " or ".join(model.name for model in models)


def _recorded(model: Path | None, tiles: TileSet) -> ModelTiles:
    """What the bundle of a model records of tiles."""
    info = None
    with contextlib.suppress(BundleError):  # who opens the model reports that
        info = read_info(model)
    if info is None:
        return ModelTiles(model)
    tuned = frozenset().union(*(each.tiles.known for each in info.tuned))
    found = ModelTiles(model, info=info, tuned=_matching(tiles, tuned) if tuned else frozenset())
    known = info.training_tiles
    if known is not None:
        record: Record = "tiles" if known.complete else "some"
        training = _matching(tiles, known.known)
        if tiles.layout == "train_super" and not training:
            record = "enlarged"
        return replace(found, training=training, record=record)
    same = any(training.get("data hash") == tiles.hash for training in info.trainings)
    return replace(found, record="set" if same else "nothing")


def _matching(tiles: TileSet, fingerprints: frozenset[str]) -> frozenset[str]:
    return frozenset(
        tile
        for tile, fingerprint in zip(tiles.ids, tiles.fingerprints, strict=True)
        if fingerprint in fingerprints
    )


def _without_split(model: Path | None) -> SplitError:
    return SplitError(
        f"{SHIPPED if model is None else model} holds no {SPLIT}, so it has no validation part",
        expected="a run folder as written by `diapir train --out`",
        fix="give the run folder, or name the tiles: --split FILE:PART",
    )


def _without_held_out(run: Path) -> SplitError:
    return SplitError(
        f"{run} was trained on all of its tiles (data.use_all) and holds none out",
        expected="a run with a validation part",
        fix="train the same recipe on folds, and quote their out-of-fold score for this run",
    )
