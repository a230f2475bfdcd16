"""What a run keeps of its epochs: the best model as a bundle, and a row of figures of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diapir import bundle
from diapir.config import RunConfig
from diapir.tiles import Split, TileSet
from diapir.training.session import Session
from diapir.training.tracking.metrics_file import Row
from diapir.training.validation import Validation
from diapir.training.windows import Windows


@dataclass(frozen=True)
class Origin:
    """Where a model comes from, as its bundle says it.

    Attributes:
        config: the recipe.
        tiles: the labelled tiles.
        split: which of them were to be learnt from.
        learnt: what was learnt from: the training part, and what the recipe adds to it.
        windows: windows of sections that were trained on as well.
    """

    config: RunConfig
    tiles: TileSet
    split: Split
    learnt: TileSet
    windows: Windows | None = None

    def save(self, folder: Path, session: Session, validation: Validation) -> None:
        """Write the network as it stands as a bundle, in place of the one that is there.

        Raises:
            BundleError: the disk is full or not writable; the old bundle is kept.
        """
        config = self.config
        bundle.save(
            folder,
            session.weights(),
            name=config.name,
            model=config.model,
            preprocess=config.preprocess,
            tile=int(self.learnt.shapes.max()),
            training={
                "recipe": config.name,
                "seed": config.seed,
                "epoch": session.cursor.epoch,
                "validation loss": round(validation.loss, 6),
                "tiles": len(self.learnt),
                "data": self.tiles.name,
                "data hash": self.tiles.hash,
                "split hash": self.split.hash,
                **self._beside_the_split(),
            },
        )

    def _beside_the_split(self) -> dict[str, str]:
        """What the bundle says where the training part is not all that was learnt from."""
        more = {} if self.windows is None else {"windows": self.windows.names}
        if self.config.train.start is not None:
            more["started from"] = Path(self.config.train.start).name
        return self._further_tiles() | more

    def _further_tiles(self) -> dict[str, str]:
        data = self.config.data
        further = ["the validation part"] if data.use_all else []
        further += [Path(data.extra).name] if data.extra else []
        if not further:
            return {}
        return {"further tiles": " and ".join(further), "training hash": self.learnt.hash}


def figures(session: Session, validation: Validation) -> Row:
    """The row of metrics.csv of the epoch that a session stands in."""
    cursor, means = session.cursor, session.cursor.means()
    return {
        "epoch": cursor.epoch,
        "lr": session.lr,
        "train_loss": means.loss,
        "train_ce": means.ce,
        "train_dice_loss": 1 - means.dice,
        "train_soft_dice": means.dice,
        "val_loss": validation.loss,
        "val_ce": validation.ce,
        "val_dice_loss": 1 - validation.soft_dice,
        "val_soft_dice": validation.soft_dice,
        "val_dice": validation.dice,
        "val_iou": validation.iou,
        "val_kaggle_map": validation.kaggle_map,
        "grad_norm_mean": means.norm,
        "grad_norm_max": cursor.norm_max,
        "skipped_steps": cursor.skipped,
        "tiles_per_s": cursor.tiles_per_s(),
        "seconds": cursor.seconds,
        "best": int(cursor.best_epoch == cursor.epoch),
    }
