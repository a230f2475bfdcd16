"""The page of a comparison, with its leaderboard as CSV and Markdown beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from diapir.evaluation import PAIRED
from diapir.evaluation.metric_names import METRICS
from diapir.inference.overlay import SALT
from diapir.reports.compare import comparison_figures as compare_figures
from diapir.reports.compare.comparison_figures import Point
from diapir.reports.compare.comparison_gallery import shown
from diapir.reports.compare.comparison_words import findings, judged_on, quickest_equal, unequal
from diapir.reports.compare.leaderboard import (
    SCORES,
    Contender,
    Results,
    as_csv,
    as_markdown,
    interval,
    span,
    verdict_kind,
    verdict_words,
)
from diapir.reports.page import common, css, write_page, write_text
from diapir.reports.run.facts import input_words, model_words
from diapir.reports.style import Plot
from diapir.text import duration, integer, plural, short, signed, significant

REPORT, CSV, MARKDOWN = "report.html", "leaderboard.csv", "leaderboard.md"


class Range(NamedTuple):
    """An interval as a bar: where it begins and ends and where the value is, in percent."""

    low: float
    high: float
    value: float


def write_comparison(folder: Path, results: Results) -> Path:
    """Write `report.html`, `leaderboard.csv` and `leaderboard.md`.

    Args:
        folder: an existing folder.
        results: what was found.

    Returns:
        the path of the page.

    Raises:
        RunError: a file cannot be written; one that was there is kept.
    """
    write_text(folder / CSV, as_csv(results))
    write_text(folder / MARKDOWN, as_markdown(results))
    data = results.evaluation.data
    page = common() | {
        "sheets": ["compare.css.j2"],
        "kind": "Comparison",
        "title": f"{plural(len(results.contenders), 'model')} on {data['name']}",
        "lead": f"Trained on the same tiles and judged on the same {judged_on(results)}, from "
        "which none of them learnt.",
        "headline": _headline(results),
        "findings": findings(results),
        "metrics": [METRICS[key] for key in _columns(results)],
        "ranking": METRICS[results.by].name,
        "board": _board(results),
        "costs": [_cost(contender) for contender in results.ranked],
        "batch": next((one.latency.batch for one in results.ranked if one.latency), None),
        "cost_plot": _cost_plot(results),
        "paired": [METRICS[key].name for key in PAIRED],
        "difference_plots": _difference_plots(results),
        "differences": _differences(results),
        "baseline": results.baseline,
        "several_seeds": any(len(one.seeds) > 1 for one in results.ranked),
        "shown": shown(results),
        "salt": css(SALT),
        "terms": results.terms,
        "recipes": [
            (
                one.name,
                model_words(one.config.model, one.parameters),
                input_words(one.config.preprocess),
                ", ".join(map(str, one.seeds)),
            )
            for one in results.contenders.values()
        ],
        "unequal": unequal(results),
        "command": results.command,
        "failures": results.failures,
        "split": results.split,
        "data": data,
    }
    return write_page(folder / REPORT, "compare.html.j2", page)


def _headline(results: Results) -> list[dict[str, Any]]:
    """The cards at the top: the best, the quickest that may be as good, the baseline."""
    chosen = {"Best": results.ranked[0]}
    quickest = quickest_equal(results)
    if quickest:
        chosen["Quickest not shown to be worse"] = quickest
    if results.baseline not in {one.name for one in chosen.values()}:
        chosen["Baseline"] = results.contenders[results.baseline]
    ranges = _ranges(results)
    cards = []
    for what, contender in chosen.items():
        score, latency = results.comparison.score(contender.name, results.by), contender.latency
        cards.append(
            {
                "what": what,
                "name": contender.name,
                "value": score.value,
                "interval": interval(score.low, score.high).strip(" ()"),
                "cost": f"{significant(latency.tile_ms)} ms a tile" if latency else "",
                "range": ranges[contender.name],
            }
        )
    return cards


def _ranges(results: Results) -> dict[str, Range]:
    """Each model's score as a bar on one scale that holds all of them."""
    scores = {name: results.comparison.score(name, results.by) for name in results.contenders}
    ends = {
        name: (
            score.value if score.low is None else score.low,
            score.value if score.high is None else score.high,
        )
        for name, score in scores.items()
    }
    least = min(low for low, _ in ends.values())
    reach = max(max(high for _, high in ends.values()) - least, 1e-9)

    def share(value: float) -> float:
        return 100 * (value - least) / reach

    return {
        name: Range(share(low), share(high), share(scores[name].value))
        for name, (low, high) in ends.items()
    }


def _board(results: Results) -> list[dict[str, Any]]:
    """The rows of the leaderboard."""
    ranges = _ranges(results)
    board = []
    for rank, contender in enumerate(results.ranked, 1):
        found = results.difference(contender.name, results.by)
        scores = [results.comparison.score(contender.name, key) for key in _columns(results)]
        board.append(
            {
                "rank": rank,
                "name": contender.name,
                "tied": contender.name in results.tied,
                "scores": [
                    (score.value, interval(score.low, score.high).strip(" ()")) for score in scores
                ],
                "range": ranges[contender.name],
                "verdict": verdict_words(found) if found else "baseline",
                "kind": verdict_kind(found) if found else "no",
            }
        )
    return board


def _columns(results: Results) -> list[str]:
    """The metrics of the leaderboard, the one that ranks first."""
    return [results.by, *(key for key in SCORES if key != results.by)]


def _cost(contender: Contender) -> dict[str, str]:
    """A row of the table of costs."""
    latency, memory = contender.latency, contender.peak_memory
    return {
        "name": contender.name,
        "parameters": short(contender.parameters),
        "multiply_adds": short(contender.multiply_adds),
        "input": f"{contender.config.preprocess.size} px",
        "speed": significant(contender.tiles_per_s),
        "tile": significant(latency.tile_ms if latency else None),
        "batch": significant(latency.batch_ms if latency else None),
        "memory": integer(memory / 1e6 if memory else None),
        "epochs": span(contender.epochs),
        "best": span(contender.best_epochs),
        "time": duration(contender.training_s) or "–",
    }


def _cost_plot(results: Results) -> Plot | None:
    """Score against the first cost that is known of all models; None where there is none."""
    costs: tuple[tuple[str, str, Callable[[Contender], float]], ...] = (
        ("Latency of one tile", "ms", lambda one: one.latency.tile_ms if one.latency else 0),
        ("Multiply-adds of one tile", "G", lambda one: (one.multiply_adds or 0) / 1e9),
        ("Parameters", "M", lambda one: (one.parameters or 0) / 1e6),
    )
    for name, unit, cost_of in costs:
        points = [
            Point(one.name, cost_of(one), results.comparison.score(one.name, results.by))
            for one in results.ranked
        ]
        if all(point.cost for point in points):
            return compare_figures.against_cost(
                points,
                metric=METRICS[results.by].name,
                cost=name,
                unit=unit,
                baseline=results.baseline,
            )
    return None


def _difference_plots(results: Results) -> list[Plot]:
    others = [one.name for one in results.ranked if one.name != results.baseline]
    if not others:
        return []
    keys = [results.by, "dice" if results.by == "kaggle_map" else "kaggle_map"]
    return [
        compare_figures.differences(
            [(name, results.comparison.difference(name, results.baseline, key)) for name in others],
            key=key,
            metric=METRICS[key].name,
            baseline=results.baseline,
        )
        for key in keys
    ]


def _differences(results: Results) -> list[tuple[str, list[tuple[str, str, str, str]]]]:
    """The rows of the table of differences: value, interval, verdict and its kind by metric."""
    table = []
    for contender in results.ranked:
        cells: list[tuple[str, str, str, str]] = [
            (
                signed(found.value),
                interval(found.low, found.high, sign=True).strip(" ()"),
                verdict_words(found),
                verdict_kind(found),
            )
            for key in PAIRED
            if (found := results.difference(contender.name, key))
        ]
        if cells:
            table.append((contender.name, cells))
    return table
