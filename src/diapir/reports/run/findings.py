"""What the figures say, in sentences. Each is drawn from the evaluation, or not said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from diapir.evaluation.breakdown import COVERAGE_NAMES
from diapir.run.history import History
from diapir.text import decimal, integer, percent, plural

if TYPE_CHECKING:
    from diapir.evaluation import Evaluation

SPENT = 0.05
"""Below this share of its peak a learning rate has come to the end of its curve."""
FEW_GROUPS = 20
"""Below this many section groups a bootstrap interval is itself uncertain."""


def findings(evaluation: Evaluation, history: History | None) -> list[str]:
    """The sentences under the headline, the most important first."""
    sentences = [
        _cautions(evaluation),
        _lost_points(evaluation),
        _missed_and_invented(evaluation),
        _tendency(evaluation),
        _threshold(evaluation),
        _overfitting(history) if history else "",
    ]
    return [sentence for sentence in sentences if sentence]


def _cautions(evaluation: Evaluation) -> str:
    groups, images = evaluation.data["n_groups"], evaluation.data["n_images"]
    if not any(tile.coverage > 0 for tile in evaluation.tiles):
        return (
            "None of these tiles has salt in its labels, so the scores only say how much salt was "
            "invented, and nothing about finding any."
        )
    if groups < FEW_GROUPS:
        of = "" if groups == images else f" of {plural(groups, 'section group')}"
        return (
            f"{'This is' if images == 1 else 'These are'} only {plural(images, 'tile')}{of}: take "
            "the figures as a first impression."
        )
    return ""


def _lost_points(evaluation: Evaluation) -> str:
    rows = evaluation.by_coverage
    lost = sum(row["kaggle_lost"] for row in rows)
    if lost < 5e-4 or len(rows) < 2:
        return ""
    worst = max(rows, key=lambda row: row["kaggle_lost"])
    share = worst["kaggle_lost"] / lost
    images = sum(row["n_images"] for row in rows)
    return (
        f"Of the {decimal(lost)} points missing from a perfect Kaggle mAP, "
        f"{decimal(worst['kaggle_lost'])} ({percent(share)}) are lost on "
        f"{_class_words(worst)}, which are {percent(worst['n_images'] / images)} of all."
    )


def _class_words(row: dict[str, Any]) -> str:
    name = str(row["coverage"])
    return (
        "tiles without salt"
        if name == COVERAGE_NAMES[0]
        else f"tiles with {name.replace('above', 'more than')} salt"
    )


def _missed_and_invented(evaluation: Evaluation) -> str:
    salty = [row for row in evaluation.by_coverage if row["coverage"] != COVERAGE_NAMES[0]]
    empty = [row for row in evaluation.by_coverage if row["coverage"] == COVERAGE_NAMES[0]]
    parts = []
    if salty:
        missed, of = (sum(row[key] for row in salty) for key in ("n_zero", "n_images"))
        parts.append(f"{integer(missed)} of {plural(of, 'tile')} with salt are missed wholly")
    if empty:
        invented, of = empty[0]["n_zero"], empty[0]["n_images"]
        parts.append(
            f"on {integer(invented)} of {plural(of, 'tile')} without salt some is called salt"
        )
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "." if text else ""


def _tendency(evaluation: Evaluation) -> str:
    precision, recall = evaluation.metrics["precision"], evaluation.metrics["recall"]
    if not any(tile.coverage > 0 for tile in evaluation.tiles):
        return ""
    text = (
        f"{percent(recall)} of the salt is found (recall), and {percent(precision)} of what is "
        "called salt is salt (precision)"
    )
    if abs(precision - recall) < 0.03:
        return text + ": misses and false salt are in balance."
    return text + (": it calls too little salt." if precision > recall else ": it calls too much.")


def _threshold(evaluation: Evaluation) -> str:
    used, score = evaluation.metrics["threshold"], evaluation.metrics["kaggle_map"]
    best = max(evaluation.sweep, key=lambda row: row["kaggle_map"], default=None)
    if best is None or best["kaggle_map"] == min(row["kaggle_map"] for row in evaluation.sweep):
        return ""  # no threshold changes anything
    gain = best["kaggle_map"] - score
    if gain < 0.002:
        return f"The threshold {used:g} is as good as any for the Kaggle mAP."
    return (
        f"A threshold of {best['threshold']:g} would score {decimal(gain)} more Kaggle mAP than "
        f"the {used:g} used, but one chosen on these tiles flatters them: choose it on others."
    )


def _overfitting(history: History) -> str:
    if not len(history) or history.best_epoch is None:
        return ""
    training, validation = history.column("train_loss"), history.column("val_loss")
    last, best = int(history.epochs[-1]), history.best_epoch
    if not np.isfinite([training[-1], validation[-1]]).all():
        return ""
    if last == best:
        rates = history.column("lr")
        if rates[-1] < SPENT * rates.max():
            return ""  # it was to end here, and longer would be another training
        return (
            "The last epoch was the best: a longer training would probably do better."
            if last > 1
            else "A single epoch was trained: a longer training would probably do better."
        )
    if last - best >= 3 and training[-1] < 0.97 * history.at_best("train_loss"):
        return (
            f"After epoch {best} the training loss fell on while the validation loss did not: more "
            "or more varied tiles would help more than longer training."
        )
    return ""
