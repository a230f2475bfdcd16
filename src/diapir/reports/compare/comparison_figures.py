"""The plots of a comparison: accuracy against cost, and differences from the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from diapir.evaluation import Difference, Score
from diapir.evaluation.standings import outcome
from diapir.reports.compare.leaderboard import signed_interval, verdict_words
from diapir.reports.labels import Box, place
from diapir.reports.style import LIGHT, Plot, draw
from diapir.text import decimal, signed, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE_IN, NARROW_IN = (10.4, 5.4), (4.0, 5.4)
"""Width and height of the plot of accuracy against cost on a desktop and on a phone."""

VERDICT_COLOURS = {"better": "third", "worse": "second", "tied": "muted"}


class Point(NamedTuple):
    """A model in the plot of accuracy against cost."""

    name: str
    cost: float
    score: Score


def against_cost(
    points: Sequence[Point], *, metric: str, cost: str, unit: str, baseline: str
) -> Plot:
    """Score over cost on a log axis, each point with its name beside it.

    Args:
        points: at least one model.
        metric: name of the score.
        cost: name of the cost, with its unit in `unit`.
        unit: such as ms.
        baseline: name of the model to mark.
    """
    front = pareto(points)

    def plot(figure: Figure) -> None:
        axes = figure.subplots()
        axes.set_xscale("log")
        for point in points:
            colour = LIGHT["second" if point.name == baseline else "first"]
            if point.score.low is not None and point.score.high is not None:
                ends = [point.score.low, point.score.high]
                axes.plot([point.cost] * 2, ends, color=LIGHT["line"], linewidth=1.4, zorder=1)
            face = colour if point in front else LIGHT["paper"]
            axes.plot(
                point.cost, point.score.value, "o", ms=6, mfc=face, mec=colour, mew=1.5, zorder=3
            )
        if len(front) > 1:
            axes.plot(
                [point.cost for point in front],
                [point.score.value for point in front],
                ":",
                color=LIGHT["first"],
                linewidth=1.1,
                zorder=2,
            )
        axes.margins(0.09, 0.06)
        _log_ticks(axes)
        axes.set_xlabel(f"{cost[0].upper()}{cost[1:]} [{unit}], log scale")
        axes.set_ylabel(metric)
        axes.grid(axis="x", visible=False)
        _names(figure, axes, points)

    alt = f"{metric} over {cost}. " + "; ".join(
        f"{point.name}: {decimal(point.score.value)} at {significant(point.cost)} {unit}"
        for point in sorted(points, key=lambda point: point.cost)
    )
    svg = Markup("").join(
        draw(plot, name=f"cost-{name}", alt=alt, width=width, height=height, classes=classes)
        for name, (width, height), classes in (
            ("wide", WIDE_IN, "plot wide"),
            ("narrow", NARROW_IN, "plot narrow"),
        )
    )
    note = (
        "Up is better, left is cheaper. Filled points, joined by the dotted line, are Pareto-"
        f"optimal: no other model is both better and cheaper. Bars are 95% CI. The baseline, "
        f"{baseline}, is in another colour."
    )
    return Plot(f"{metric} against {cost}", note, svg)


def pareto(points: Sequence[Point]) -> list[Point]:
    """The Pareto-optimal models, cheapest first: no other is both better and cheaper."""
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.cost, -point.score.value)):
        if not front or point.score.value > front[-1].score.value:
            front.append(point)
    return front


def _names(figure: Figure, axes: Axes, points: Sequence[Point]) -> None:
    """Write each model's name beside its point."""
    texts = [
        axes.text(
            *(point.cost, point.score.value, point.name),
            fontsize=8.6,
            color=LIGHT["ink"],
            va="bottom",
            parse_math=False,
            zorder=5,
        )
        for point in points
    ]
    for number, text in enumerate(texts):
        text.set_in_layout(False)
        text.set_gid(f"halo-{number}")
    figure.draw_without_rendering()  # settles the layout, so that places are known
    frame = axes.get_window_extent()
    where = [axes.transData.transform((point.cost, point.score.value)) for point in points]
    boxes = [text.get_window_extent() for text in texts]
    labels = place(
        [(float(x), float(y)) for x, y in where],
        [(box.width, box.height) for box in boxes],
        Box(frame.x0, frame.y0, frame.x1, frame.y1),
    )
    back = axes.transData.inverted()
    for text, label, (x, y) in zip(texts, labels, where, strict=True):
        left, bottom = back.transform((label.box.left, label.box.bottom))
        text.set_position((float(left), float(bottom)))
        if label.far:
            near_x = min(max(x, label.box.left), label.box.right)
            near_y = min(max(y, label.box.bottom), label.box.top)
            ends = back.transform([(x, y), (near_x, near_y)])
            axes.plot(*ends.T, color=LIGHT["muted"], linewidth=0.6, zorder=2, scalex=False)


def _log_ticks(axes: Axes) -> None:
    """Few labelled ticks, also where the costs span less than a decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axes.get_xlim()
    if high / low < 4:  # a shorter axis would have no round tick, or one
        middle = (low * high) ** 0.5
        axes.set_xlim(middle / 2, middle * 2)
        low, high = axes.get_xlim()
    subs = (1.0, 3.0) if high / low > 300 else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def differences(
    rows: Sequence[tuple[str, Difference]], *, key: str, metric: str, baseline: str
) -> Plot:
    """Each model's difference from the baseline with its 95% CI, best at the top."""

    def plot(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axvline(0, color=LIGHT["ink"], linewidth=0.9)
        for row, (_, difference) in enumerate(rows):
            colour = LIGHT[VERDICT_COLOURS[outcome(difference)]]
            if difference.low is not None and difference.high is not None:
                ends = [difference.low, difference.high]
                axes.plot(ends, [row, row], color=colour, linewidth=2.2, solid_capstyle="butt")
            if len(difference.by_seed) > 1:
                axes.plot(
                    difference.by_seed,
                    [row + 0.3] * len(difference.by_seed),
                    "o",
                    ms=2.4,
                    color=LIGHT["muted"],
                )
            axes.plot(difference.value, row, "o", ms=5, color=colour)
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        for label in axes.get_yticklabels():
            label.set_parse_math(False)
            label.set_color(LIGHT["ink"])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        low, high = axes.get_xlim()
        reach = max(abs(low), abs(high), 1e-3)
        axes.set_xlim(min(low, -0.12 * reach), max(high, 0.12 * reach))
        axes.set_xlabel(f"{metric}, minus that of {baseline}", parse_math=False)
        axes.grid(axis="y", visible=False)

    alt = f"Differences in {metric} from {baseline}. " + "; ".join(
        f"{name}: {signed(difference.value)}"
        + (f", 95% CI {signed_interval(difference)}" if difference.low is not None else "")
        + f", {verdict_words(difference)}"
        for name, difference in rows
    )
    several = any(len(difference.by_seed) > 1 for _, difference in rows)
    note = "Right of the line is better than the baseline. Bars are 95% CI."
    if several:
        note += " Small dots are single seeds."
    height = max(1.4, 0.75 + 0.3 * len(rows))
    return Plot(metric, note, draw(plot, name=f"difference-{key}", alt=alt, height=height))
