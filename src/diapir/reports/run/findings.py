"""Findings in sentences, each derived from the evaluation or the training history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from diapir.evaluation.breakdown import COVERAGE_NAMES
from diapir.evaluation.nothing import LEAST, beats_nothing, predicts_nothing
from diapir.run.history import History
from diapir.text import decimal, integer, percent, plural

if TYPE_CHECKING:
    from diapir.evaluation import Evaluation

SPENT = 0.05
"""Below this share of its maximum, the learning rate has completed its schedule."""
FEW_GROUPS = 20
"""With fewer section groups, a bootstrap interval is itself unreliable."""


def findings(evaluation: Evaluation, history: History | None) -> list[str]:
    """The sentences of the summary, the most important first."""
    sentences = [
        _cautions(evaluation),
        _nothing(evaluation),
        _error_share(evaluation),
        _missed_and_false(evaluation),
        _tendency(evaluation),
        _threshold(evaluation),
        _overfitting(history) if history else "",
    ]
    return [sentence for sentence in sentences if sentence]


def _cautions(evaluation: Evaluation) -> str:
    groups, images = evaluation.data["n_groups"], evaluation.data["n_images"]
    if not any(tile.coverage > 0 for tile in evaluation.tiles):
        return (
            "None of these tiles has salt in its labels: the scores reflect false positives only, "
            "not how much salt is found."
        )
    if groups < FEW_GROUPS:
        of = "" if groups == images else f" of {plural(groups, 'section group')}"
        return f"Evaluated on only {plural(images, 'tile')}{of}: the scores are preliminary."
    return ""


def _nothing(evaluation: Evaluation) -> str:
    """A warning where the model is no better than predicting no salt."""
    nothing = predicts_nothing(evaluation).metrics
    salty = any(tile.coverage > 0 for tile in evaluation.tiles)
    if not salty or beats_nothing(evaluation.metrics, nothing):
        return ""
    return (
        "The model is not better than predicting nothing, whose Kaggle mAP is "
        f"{decimal(nothing['kaggle_map'])} on these tiles."
    )


def _error_share(evaluation: Evaluation) -> str:
    rows = evaluation.by_coverage
    lost = sum(row["kaggle_lost"] for row in rows)
    if lost < 5e-4 or len(rows) < 2:
        return ""
    worst = max(rows, key=lambda row: row["kaggle_lost"])
    share = worst["kaggle_lost"] / lost
    images = sum(row["n_images"] for row in rows)
    return (
        f"The Kaggle mAP is {decimal(lost)} below 1; {percent(share)} of this error "
        f"({decimal(worst['kaggle_lost'])}) comes from {_class_words(worst)}, which are "
        f"{percent(worst['n_images'] / images)} of all tiles."
    )


def _class_words(row: dict[str, Any]) -> str:
    name = str(row["coverage"])
    return (
        "tiles without salt"
        if name == COVERAGE_NAMES[0]
        else f"tiles with {name.replace('above', 'more than')} salt"
    )


def _missed_and_false(evaluation: Evaluation) -> str:
    salty = [row for row in evaluation.by_coverage if row["coverage"] != COVERAGE_NAMES[0]]
    empty = [row for row in evaluation.by_coverage if row["coverage"] == COVERAGE_NAMES[0]]
    parts = []
    if salty:
        missed, of = (sum(row[key] for row in salty) for key in ("n_zero", "n_images"))
        parts.append(f"{integer(missed)} of {plural(of, 'tile')} with salt are missed completely")
    if empty:
        false, of = empty[0]["n_zero"], empty[0]["n_images"]
        parts.append(f"{integer(false)} of {plural(of, 'tile')} without salt have false positives")
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "." if text else ""


def _tendency(evaluation: Evaluation) -> str:
    precision, recall = evaluation.metrics["precision"], evaluation.metrics["recall"]
    if not any(tile.coverage > 0 for tile in evaluation.tiles):
        return ""
    text = (
        f"{percent(recall)} of the salt is found (recall), and {percent(precision)} of the "
        "predicted salt is correct (precision)"
    )
    if abs(precision - recall) < 0.03:
        return text + ": missed salt and false positives are balanced."
    tendency = "too little" if precision > recall else "too much"
    return f"{text}: {tendency} salt is predicted."


def _threshold(evaluation: Evaluation) -> str:
    used, score = evaluation.metrics["threshold"], evaluation.metrics["kaggle_map"]
    best = max(evaluation.sweep, key=lambda row: row["kaggle_map"], default=None)
    if best is None or best["kaggle_map"] == min(row["kaggle_map"] for row in evaluation.sweep):
        return ""  # the threshold makes no difference
    if best["kaggle_map"] < predicts_nothing(evaluation).metrics["kaggle_map"] + LEAST:
        return ""  # it removes all salt
    gain = best["kaggle_map"] - score
    if gain < 0.002:
        return f"The threshold {used:g} is close to optimal for the Kaggle mAP."
    return (
        f"A threshold of {best['threshold']:g} instead of {used:g} would raise the Kaggle mAP by "
        f"{decimal(gain)} on these tiles; tune it on others."
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
            return ""  # the schedule is complete: a longer training would need another one
        return (
            "The last epoch was the best: longer training would probably help."
            if last > 1
            else "Trained for a single epoch: longer training would probably help."
        )
    if last - best >= 3 and training[-1] < 0.97 * history.at_best("train_loss"):
        return (
            f"Overfitting after epoch {best}: the training loss kept falling, the validation loss "
            "did not. More tiles or stronger augmentation would help more than longer training."
        )
    return ""
