"""The plots of the report of a run, each with a title, a note and an alternative text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    """One line of a plot."""

    label: str
    values: Floats
    colour: str
    dashes: str = "-"


@dataclass(frozen=True)
class Curve:
    """A plot over the epochs.

    Attributes:
        name: unique in the page.
        title: heading of the plot.
        note: a sentence on how to read it.
        lines: values at each epoch.
        unit_range: limit the axis to [0, 1].
        log: logarithmic axis, where all values are positive.
        limit: a value to mark with a dotted line.
    """

    name: str
    title: str
    note: str
    lines: tuple[Line, ...]
    unit_range: bool = False
    log: bool = False
    limit: float | None = None


def curves(history: History, config: RunConfig | None) -> list[Plot]:
    """Draw the columns of metrics.csv over the epochs; columns without values are left out."""
    known = [
        replace(curve, lines=lines)
        for curve in _curves(history, config)
        if (lines := tuple(line for line in curve.lines if np.isfinite(line.values).any()))
    ]
    return [_draw_curve(curve, history) for curve in known]


def _curves(history: History, config: RunConfig | None) -> list[Curve]:
    """The table of plots over the epochs."""
    clip = config.optimizer.clip_norm if config else None
    clipped = f" The dotted line is the clipping threshold ({clip:g})." if clip else ""
    plateau = config is None or config.schedule.name == "plateau"
    schedule = "Reduced when the validation loss stops improving" if plateau else "As scheduled"
    column = history.column
    return [
        Curve(
            "loss",
            "Loss",
            f"The training objective: {loss_words(config.loss)}."
            if config
            else "The training objective.",
            _train_and_validation(history, "loss"),
        ),
        Curve(
            "ce",
            "Cross entropy",
            "Mean over the valid pixels; 0.69 = ln 2 is chance level.",
            _train_and_validation(history, "ce"),
        ),
        Curve(
            "soft-dice",
            "Soft Dice",
            "Dice of the probabilities, without a threshold; higher is better.",
            _train_and_validation(history, "soft_dice"),
            unit_range=True,
        ),
        Curve(
            "score",
            "Validation Dice and IoU",
            "At the threshold, pooled over all validation pixels.",
            (
                Line("Dice", column("val_dice"), "second"),
                Line("IoU", column("val_iou"), "third", "--"),
            ),
            unit_range=True,
        ),
        Curve(
            "kaggle-map",
            "Validation Kaggle mAP",
            "At the threshold, mean over tiles; higher is better.",
            (Line("Kaggle mAP", column("val_kaggle_map"), "second"),),
            unit_range=True,
        ),
        Curve(
            "lr",
            "Learning rate",
            f"{schedule}; log scale.",
            (Line("learning rate", column("lr"), "first"),),
            log=True,
        ),
        Curve(
            "gradient",
            "Gradient norm",
            f"L2 norm before clipping, log scale.{clipped}",
            (
                Line("mean of the epoch", column("grad_norm_mean"), "first"),
                Line("maximum", column("grad_norm_max"), "muted", "--"),
            ),
            log=True,
            limit=clip,
        ),
    ]


def _train_and_validation(history: History, name: str) -> tuple[Line, ...]:
    return (
        Line("training", history.column(f"train_{name}"), "first", "--"),
        Line("validation", history.column(f"val_{name}"), "second"),
    )


def _draw_curve(curve: Curve, history: History) -> Plot:
    def plot(figure: Figure) -> None:
        axes = figure.subplots()
        if history.best_epoch is not None:
            axes.axvline(history.best_epoch, color=LIGHT["muted"], linewidth=0.9, zorder=1)
        if curve.limit is not None:
            axes.axhline(curve.limit, color=LIGHT["ink"], linewidth=0.9, linestyle=":")
        for line in curve.lines:
            _draw_line(axes, line, history)
        values = np.concatenate([line.values for line in curve.lines])
        values = values[np.isfinite(values)]
        if curve.log and (values > 0).all():
            axes.set_yscale("log")
            _plain_log_ticks(axes)
        _epoch_axis(axes, history)
        if curve.unit_range:
            low, high = float(values.min()), float(values.max())
            margin = max(0.02, 0.08 * (high - low))
            axes.set_ylim(max(0.0, low - margin), min(1.0, high + margin))
        _legend_above(axes, len(curve.lines))

    alt = f"{curve.title} by epoch. " + " ".join(_describe(line, history) for line in curve.lines)
    return Plot(curve.title, curve.note, draw(plot, name=f"curve-{curve.name}", alt=alt))


def _draw_line(axes: Axes, line: Line, history: History) -> None:
    """A line over the epochs, with a dot at the best epoch."""
    colour = LIGHT[line.colour]
    # a line needs two points: a single epoch is drawn as a dot
    marker = "o" if np.isfinite(line.values).sum() < 3 else ""
    axes.plot(
        history.epochs,
        line.values,
        line.dashes,
        color=colour,
        label=line.label,
        marker=marker,
        markersize=4,
    )
    best = line.values[history.epochs == history.best_epoch]
    if history.best_epoch is not None and len(best) and np.isfinite(best[-1]):
        axes.plot(history.best_epoch, best[-1], "o", color=colour, ms=4.5)


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
    """Few labelled ticks, even if the values span less than a decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axes.get_ylim()
    if high / low < 10:  # a shorter axis would have at most one round tick
        middle = (low * high) ** 0.5
        low, high = middle / 10**0.5, middle * 10**0.5
        axes.set_ylim(low, high)
    subs = (1.0,) if high / low > 1000 else (1.0, 2.0, 5.0)
    axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _legend_above(axes: Axes, entries: int) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=entries)


@dataclass(frozen=True)
class Bar:
    """One class of salt coverage in a bar chart."""

    name: str
    value: float
    label: str


def coverage_scores(rows: Sequence[dict[str, Any]]) -> Plot:
    """Mean Kaggle mAP of the tiles of each class of salt coverage."""
    bars = [
        Bar(coverage_label(row["coverage"]), score, decimal(score, 2))
        for row in rows
        for score in [float(row["kaggle_map"])]
    ]
    alt = "Kaggle mAP by salt coverage. " + "; ".join(
        f"{bar.name}: {decimal(bar.value)} ({row['n_images']} tiles)"
        for bar, row in zip(bars, rows, strict=True)
    )
    return Plot(
        "Score by coverage",
        "Mean Kaggle mAP of the tiles of each class; 1 is perfect.",
        _draw_bars("coverage-score", bars, alt, colour="first", highest=1.0),
    )


def coverage_losses(rows: Sequence[dict[str, Any]]) -> Plot:
    """Contribution of each class of salt coverage to the gap between the Kaggle mAP and 1."""
    bars = [
        Bar(coverage_label(row["coverage"]), lost, decimal(lost))
        for row in rows
        for lost in [float(row["kaggle_lost"])]
    ]
    alt = "Contribution to the Kaggle mAP error by salt coverage. " + "; ".join(
        f"{bar.name}: {decimal(bar.value)}" for bar in bars
    )
    total = decimal(sum(bar.value for bar in bars))
    return Plot(
        "Error by coverage",
        f"Contribution of each class to the gap between the Kaggle mAP and 1; total {total}.",
        _draw_bars("coverage-lost", bars, alt, colour="second"),
    )


def _draw_bars(
    name: str, bars: Sequence[Bar], alt: str, *, colour: str, highest: float | None = None
) -> Markup:
    def plot(figure: Figure) -> None:
        axes = figure.subplots()
        places = range(len(bars))
        axes.barh(places, [bar.value for bar in bars], height=0.62, color=LIGHT[colour])
        reach = highest or max([*(bar.value for bar in bars), 1e-9])
        for place, bar in zip(places, bars, strict=True):
            axes.text(bar.value + 0.02 * reach, place, bar.label, va="center", color=LIGHT["ink"])
        axes.set_yticks(places, [bar.name for bar in bars])
        axes.set_ylim(len(bars) - 0.4, -0.6)
        axes.set_xlim(0, 1.16 * reach)
        axes.set_xticks([])
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        axes.set_ylabel("salt in the tile")

    return draw(plot, name=name, alt=alt, height=max(1.1, 0.55 + 0.31 * len(bars)))


def sweep(rows: Sequence[dict[str, Any]], threshold: float) -> Plot:
    """Scores over the threshold, with the threshold that was used."""
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
        axes.set_xlabel("threshold on the salt probability")
        low, high = axes.get_ylim()
        axes.set_ylim(max(0.0, low), min(1.0, high))
        _legend_above(axes, len(lines))

    bests = "; ".join(
        f"Best {line.label}: {decimal(line.values[best])} at {thresholds[best]:g}"
        for line in lines
        if np.isfinite(line.values).any()
        for best in [int(np.nanargmax(line.values))]
    )
    return Plot(
        "Score by threshold",
        f"The vertical line is the threshold in use, {threshold:g}; dots mark the best of each "
        "score.",
        draw(plot, name="sweep", alt=f"Scores by threshold; {threshold:g} is in use. {bests}."),
    )


def reliability(rows: Sequence[dict[str, Any]], ece: float) -> Plot:
    """Observed share of salt over the predicted probability, and a histogram of the pixels."""
    filled = [row for row in rows if row["pixels"]]
    predicted = np.array([row["probability"] for row in filled], np.float64)
    observed = np.array([row["salt"] for row in filled], np.float64)
    pixels = np.array([row["pixels"] for row in rows], np.float64)
    middles = np.array([(row["low"] + row["high"]) / 2 for row in rows], np.float64)
    widths = np.array([row["high"] - row["low"] for row in rows], np.float64)
    shares = pixels / max(pixels.sum(), 1)

    def plot(figure: Figure) -> None:
        top, bottom = figure.subplots(2, sharex=True, height_ratios=(3, 1))
        top.plot([0, 1], [0, 1], ":", color=LIGHT["muted"], linewidth=1)
        top.plot(predicted, observed, "-", color=LIGHT["first"], marker="o", markersize=4)
        top.set_ylim(-0.03, 1.03)
        top.set_ylabel("observed salt")
        bottom.bar(middles, shares, 0.86 * widths, color=LIGHT["bar"])
        bottom.set_xlim(0, 1)
        bottom.set_ylabel("pixels")
        highest = max(float(shares.max(initial=0.0)), 1e-9)
        bottom.set_yticks([0, highest], ["0", percent(highest)])
        bottom.set_xlabel("predicted salt probability")

    alt = "Observed share of salt by predicted probability: " + "; ".join(
        f"predicted {decimal(row['probability'], 2)}, observed {decimal(row['salt'], 2)}"
        for row in filled
    )
    return Plot(
        "Calibration",
        "On the dotted diagonal, probabilities match the observed share of salt; below it they are "
        f"too high, above it too low. Expected calibration error (ECE): {decimal(ece)}.",
        draw(plot, name="reliability", alt=alt, height=3.3),
    )
