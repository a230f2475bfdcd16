"""The plots of the report. Each carries a title, a sentence on how to read it, and an alt text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from diapir.config import RunConfig
from diapir.evaluation.breakdown import coverage_label
from diapir.reports.run.recipe_words import loss_words
from diapir.reports.style import LIGHT, Plot, draw
from diapir.run.history import History
from diapir.text import decimal, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]


class Line(NamedTuple):
    """One curve over the epochs."""

    label: str
    values: Floats
    colour: str
    dashes: str = "-"


def curves(history: History, config: RunConfig | None) -> list[Plot]:
    """Everything metrics.csv tells over the epochs; columns without any value are left out."""
    clip = config.optimizer.clip_norm if config else None
    total = "What training lowers" + (f": {loss_words(config.loss)}." if config else ".")
    plateau = config is None or config.schedule.name == "plateau"
    moves = "Lowered when the validation loss stands still" if plateau else "Along a curve"
    norm = "Length of the gradient before clipping, log scale."
    if clip:
        norm += f" The dotted line is where it is clipped ({clip:g})."
    plots = [
        _curve(history, "loss", "Loss", total, _pair(history, "loss")),
        _curve(
            history,
            "ce",
            "Cross entropy",
            "Of the valid pixels; 0.69 is what guessing even odds costs.",
            _pair(history, "ce"),
        ),
        _curve(
            history,
            "soft-dice",
            "Soft Dice",
            "Overlap of the probabilities with the salt; higher is better.",
            _pair(history, "soft_dice"),
            unit_range=True,
        ),
        _curve(
            history,
            "score",
            "Validation Dice and IoU",
            "Overlap after the threshold, pooled over all validation pixels.",
            [
                Line("Dice", history.column("val_dice"), "second"),
                Line("IoU", history.column("val_iou"), "third", "--"),
            ],
            unit_range=True,
        ),
        _curve(
            history,
            "kaggle-map",
            "Validation Kaggle mAP",
            "Mean of the tiles' scores after the threshold; higher is better.",
            [Line("Kaggle mAP", history.column("val_kaggle_map"), "second")],
            unit_range=True,
        ),
        _curve(
            history,
            "lr",
            "Learning rate",
            f"{moves}; log scale.",
            [Line("learning rate", history.column("lr"), "first")],
            log=True,
        ),
        _curve(
            history,
            "gradient",
            "Gradient norm",
            norm,
            [
                Line("mean of the epoch", history.column("grad_norm_mean"), "first"),
                Line("largest", history.column("grad_norm_max"), "muted", "--"),
            ],
            log=True,
            limit=clip,
        ),
    ]
    return [plot for plot in plots if plot]


def _pair(history: History, name: str) -> list[Line]:
    return [
        Line("training", history.column(f"train_{name}"), "first", "--"),
        Line("validation", history.column(f"val_{name}"), "second"),
    ]


def _curve(
    history: History,
    name: str,
    title: str,
    note: str,
    lines: Sequence[Line],
    *,
    unit_range: bool = False,
    log: bool = False,
    limit: float | None = None,
) -> Plot | None:
    lines = [line for line in lines if np.isfinite(line.values).any()]
    if not lines:
        return None
    log = log and all((line.values[np.isfinite(line.values)] > 0).all() for line in lines)

    def plot(figure: Figure) -> None:
        axes = figure.subplots()
        if history.best_epoch is not None:
            axes.axvline(history.best_epoch, color=LIGHT["muted"], linewidth=0.9, zorder=1)
        if limit is not None:
            axes.axhline(limit, color=LIGHT["ink"], linewidth=0.9, linestyle=":")
        for line in lines:
            # a single epoch is a dot, as a line needs two
            marker = "o" if np.isfinite(line.values).sum() < 3 else ""
            axes.plot(
                history.epochs,
                line.values,
                line.dashes,
                color=LIGHT[line.colour],
                label=line.label,
                marker=marker,
                markersize=4,
            )
            best = line.values[history.epochs == history.best_epoch]
            if history.best_epoch is not None and len(best) and np.isfinite(best[-1]):
                axes.plot(history.best_epoch, best[-1], "o", color=LIGHT[line.colour], ms=4.5)
        if log:
            axes.set_yscale("log")
            _plain_log_ticks(axes)
        _epoch_axis(axes, history)
        if unit_range:
            low = min(float(np.nanmin(line.values)) for line in lines)
            high = max(float(np.nanmax(line.values)) for line in lines)
            margin = max(0.02, 0.08 * (high - low))
            axes.set_ylim(max(0.0, low - margin), min(1.0, high + margin))
        _legend_above(axes, len(lines))

    alt = f"{title} by epoch. " + " ".join(_describe(line, history) for line in lines)
    return Plot(title, note, draw(plot, name=f"curve-{name}", alt=alt))


def _describe(line: Line, history: History) -> str:
    known = np.flatnonzero(np.isfinite(line.values))
    first, last = known[0], known[-1]
    text = f"{line.label}: {line.values[first]:.4g} at epoch {history.epochs[first]}"
    best = line.values[history.epochs == history.best_epoch]
    if len(best) and np.isfinite(best[-1]) and history.best_epoch != history.epochs[first]:
        text += f", {best[-1]:.4g} at the best epoch {history.best_epoch}"
    if last != first and history.epochs[last] != history.best_epoch:
        text += f", {line.values[last]:.4g} at epoch {history.epochs[last]}"
    return text + "."


def _epoch_axis(axes: Axes, history: History) -> None:
    from matplotlib.ticker import MaxNLocator

    first, last = int(history.epochs.min()), int(history.epochs.max())
    margin = max(0.5, 0.03 * (last - first))
    axes.set_xlim(first - margin, last + margin)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch")
    axes.grid(axis="x", visible=False)


def _plain_log_ticks(axes: Axes) -> None:
    """Few labelled ticks, also where the values span less than a decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axes.get_ylim()
    if high / low < 10:  # a shorter axis would have no round tick, or one
        middle = (low * high) ** 0.5
        low, high = middle / 10**0.5, middle * 10**0.5
        axes.set_ylim(low, high)
    subs = (1.0,) if high / low > 1000 else (1.0, 2.0, 5.0)
    axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _legend_above(axes: Axes, entries: int) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=entries)


def coverage_scores(rows: Sequence[dict[str, Any]]) -> Plot:
    """Mean Kaggle score of the tiles of each class of salt coverage."""
    names = [coverage_label(row["coverage"]) for row in rows]
    scores = [float(row["kaggle_map"]) for row in rows]
    alt = "Kaggle score by salt coverage. " + "; ".join(
        f"{name}: {decimal(score)} ({row['n_images']} tiles)"
        for name, score, row in zip(names, scores, rows, strict=True)
    )
    labels = [f"{decimal(score, 2)}" for score in scores]
    return Plot(
        "How good is it where?",
        "Mean Kaggle score of the tiles of a class; 1 is perfect.",
        _bars("coverage-score", names, scores, labels, alt, colour="first", highest=1.0),
    )


def coverage_losses(rows: Sequence[dict[str, Any]]) -> Plot:
    """What each class of salt coverage takes from the Kaggle score of the whole."""
    names = [coverage_label(row["coverage"]) for row in rows]
    lost = [float(row["kaggle_lost"]) for row in rows]
    alt = "Points lost from the Kaggle score by salt coverage. " + "; ".join(
        f"{name}: {decimal(points)}" for name, points in zip(names, lost, strict=True)
    )
    labels = [decimal(points) for points in lost]
    return Plot(
        "Where are points lost?",
        f"What each class takes from a perfect Kaggle mAP of 1; together {decimal(sum(lost))}.",
        _bars("coverage-lost", names, lost, labels, alt, colour="second"),
    )


def _bars(
    name: str,
    names: Sequence[str],
    values: Sequence[float],
    labels: Sequence[str],
    alt: str,
    *,
    colour: str,
    highest: float | None = None,
) -> Markup:
    def plot(figure: Figure) -> None:
        axes = figure.subplots()
        places = range(len(names))
        axes.barh(places, values, height=0.62, color=LIGHT[colour])
        reach = highest or max([*values, 1e-9])
        for place, value, label in zip(places, values, labels, strict=True):
            axes.text(value + 0.02 * reach, place, label, va="center", color=LIGHT["ink"])
        axes.set_yticks(places, names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(0, 1.16 * reach)
        axes.set_xticks([])
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        axes.set_ylabel("salt in the tile")

    return draw(plot, name=name, alt=alt, height=max(1.1, 0.55 + 0.31 * len(names)))


def sweep(rows: Sequence[dict[str, Any]], threshold: float) -> Plot:
    """Scores over the threshold, with the one that was used."""
    thresholds = np.array([row["threshold"] for row in rows], np.float64)
    lines = [
        Line("Dice", np.array([row["dice"] for row in rows], np.float64), "second"),
        Line(
            "Kaggle mAP", np.array([row["kaggle_map"] for row in rows], np.float64), "first", "-."
        ),
        Line("IoU", np.array([row["iou"] for row in rows], np.float64), "third", "--"),
    ]

    def plot(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axvline(threshold, color=LIGHT["muted"], linewidth=0.9)
        for line in lines:
            axes.plot(
                thresholds, line.values, line.dashes, color=LIGHT[line.colour], label=line.label
            )
            if np.isfinite(line.values).any():
                best = int(np.nanargmax(line.values))
                axes.plot(
                    thresholds[best], line.values[best], "o", color=LIGHT[line.colour], ms=4.5
                )
        axes.set_xlim(0, 1)
        axes.set_xlabel("threshold on the probability of salt")
        low, high = axes.get_ylim()
        axes.set_ylim(max(0.0, low), min(1.0, high))
        _legend_above(axes, len(lines))

    bests = "; ".join(
        f"{line.label} is highest, {decimal(line.values[best])}, at {thresholds[best]:g}"
        for line in lines
        if np.isfinite(line.values).any()
        for best in [int(np.nanargmax(line.values))]
    )
    return Plot(
        "Which threshold?",
        f"From which probability a pixel counts as salt. The line marks the one used, "
        f"{threshold:g}; dots mark where each score is highest.",
        draw(plot, name="sweep", alt=f"Scores over the threshold; {threshold:g} is used. {bests}."),
    )


def reliability(rows: Sequence[dict[str, Any]], ece: float) -> Plot:
    """Share of salt over the predicted probability, with the number of pixels of each bin."""
    filled = [row for row in rows if row["pixels"]]
    said = np.array([row["probability"] for row in filled], np.float64)
    found = np.array([row["salt"] for row in filled], np.float64)
    pixels = np.array([row["pixels"] for row in rows], np.float64)
    middles = np.array([(row["low"] + row["high"]) / 2 for row in rows], np.float64)
    widths = np.array([row["high"] - row["low"] for row in rows], np.float64)
    shares = pixels / max(pixels.sum(), 1)

    def plot(figure: Figure) -> None:
        top, bottom = figure.subplots(2, sharex=True, height_ratios=(3, 1))
        top.plot([0, 1], [0, 1], ":", color=LIGHT["muted"], linewidth=1)
        top.plot(said, found, "-", color=LIGHT["first"], marker="o", markersize=4)
        top.set_ylim(-0.03, 1.03)
        top.set_ylabel("share of salt")
        bottom.bar(middles, shares, 0.86 * widths, color=LIGHT["bar"])
        bottom.set_xlim(0, 1)
        bottom.set_ylabel("pixels")
        highest = max(float(shares.max(initial=0.0)), 1e-9)
        bottom.set_yticks([0, highest], ["0", percent(highest)])
        bottom.set_xlabel("probability of salt, as predicted")

    alt = "Share of salt by predicted probability: " + "; ".join(
        f"{decimal(row['probability'], 2)} said, {decimal(row['salt'], 2)} found" for row in filled
    )
    return Plot(
        "Do the probabilities mean what they say?",
        "On the dotted diagonal they do. Below it the model says salt too readily, above it too "
        f"rarely; the mean distance over all pixels (ECE) is {decimal(ece)}.",
        draw(plot, name="reliability", alt=alt, height=3.3),
    )
