"""The metrics of an epoch: the one table of their names, their charts, and where they come from.

A metric that is added here gets a column in metrics.csv and a curve in every tracker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diapir.training.session import Session
    from diapir.training.validation import Validation

Row = Mapping[str, float | int]
"""Values of all `METRICS` of an epoch, by name."""


@dataclass(frozen=True)
class Metric:
    """A column of metrics.csv.

    Attributes:
        name: of the column; `train_…` and `val_…` are drawn in one chart.
        chart: where trackers draw it, as group/title; empty where they do not.
        of: its value at the end of an epoch.
        whole: whether it is an integer.
    """

    name: str
    chart: str
    of: Callable[[Session, Validation], float]
    whole: bool = False

    @property
    def of_validation(self) -> bool:
        """Whether it was measured on the validation part."""
        return self.name.startswith("val_")


METRICS = (
    Metric("epoch", "", lambda session, _: session.cursor.epoch, whole=True),
    Metric("lr", "optimizer/learning_rate", lambda session, _: session.lr),
    Metric("train_loss", "loss/total", lambda session, _: session.cursor.means().loss),
    Metric("train_ce", "loss/cross_entropy", lambda session, _: session.cursor.means().ce),
    Metric("train_dice_loss", "loss/dice", lambda session, _: session.cursor.means().dice_loss),
    Metric("train_soft_dice", "score/soft_dice", lambda session, _: session.cursor.means().dice),
    Metric("val_loss", "loss/total", lambda _, validation: validation.loss),
    Metric("val_ce", "loss/cross_entropy", lambda _, validation: validation.ce),
    Metric("val_dice_loss", "loss/dice", lambda _, validation: validation.dice_loss),
    Metric("val_soft_dice", "score/soft_dice", lambda _, validation: validation.soft_dice),
    Metric("val_dice", "score/dice", lambda _, validation: validation.dice),
    Metric("val_iou", "score/iou", lambda _, validation: validation.iou),
    Metric("val_kaggle_map", "score/kaggle_map", lambda _, validation: validation.kaggle_map),
    Metric(
        "grad_norm_mean",
        "optimizer/gradient_norm_mean",
        lambda session, _: session.cursor.means().norm,
    ),
    Metric(
        "grad_norm_max", "optimizer/gradient_norm_max", lambda session, _: session.cursor.norm_max
    ),
    Metric(
        "skipped_steps",
        "optimizer/skipped_steps",
        lambda session, _: session.cursor.skipped,
        whole=True,
    ),
    Metric(
        "tiles_per_s", "speed/tiles_per_second", lambda session, _: session.cursor.tiles_per_s()
    ),
    Metric("seconds", "speed/seconds_per_epoch", lambda session, _: session.cursor.seconds),
    Metric(
        "best",
        "",
        lambda session, _: session.cursor.best_epoch == session.cursor.epoch,
        whole=True,
    ),
)
"""Columns of metrics.csv in order, a row per epoch; epochs count from 1, `best` is 0 or 1."""

COLUMNS = tuple(metric.name for metric in METRICS)


def epoch_row(session: Session, validation: Validation) -> Row:
    """The metrics of the epoch that a session is in."""
    return {
        metric.name: int(value) if metric.whole else value
        for metric in METRICS
        for value in (metric.of(session, validation),)
    }
