"""The page of a comparison, with its leaderboard as CSV and Markdown beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from diapir.evaluation import PAIRED, Difference
from diapir.evaluation.metric_names import IN_SECTIONS, METRICS
from diapir.evaluation.nothing import NOTHING
from diapir.evaluation.standings import SCORES, Results, Standing, outcome
from diapir.inference.overlay import SALT
from diapir.reports.compare.comparison_figures import Point, against_cost, differences
from diapir.reports.compare.comparison_gallery import shown
from diapir.reports.compare.comparison_words import evaluated_on, findings, unequal
from diapir.reports.compare.leaderboard import (
    as_csv,
    as_markdown,
    below,
    cost_table,
    interval,
    rows,
    signed_interval,
    verdict_of,
    verdict_words,
)
from diapir.reports.page import common, css, write_page, write_text
from diapir.reports.run.facts import input_words, model_words
from diapir.reports.style import Plot
from diapir.text import plural, signed, significant

REPORT, CSV, MARKDOWN = "report.html", "leaderboard.csv", "leaderboard.md"


@dataclass(frozen=True)
class ComparisonReport:
    """The files of a comparison report, and their content in plain values.

    Attributes:
        page: path of `report.html`.
        csv: path of `leaderboard.csv`.
        markdown: path of `leaderboard.md`.
        rows: the leaderboard in plain values.
        findings: what it shows, in sentences.
    """

    page: Path
    csv: Path
    markdown: Path
    rows: list[dict[str, Any]]
    findings: list[str]


class Range(NamedTuple):
    """A score with its CI as a bar: both ends and the value, in percent of the axis."""

    low: float
    high: float
    value: float


def write_comparison(folder: Path, results: Results) -> ComparisonReport:
    """Write `report.html`, `leaderboard.csv` and `leaderboard.md`.

    Args:
        folder: an existing folder.
        results: of the comparison.

    Raises:
        RunError: a file cannot be written; the one that was there is kept.
    """
    report = ComparisonReport(
        folder / REPORT, folder / CSV, folder / MARKDOWN, rows(results), findings(results)
    )
    write_text(report.csv, as_csv(report.rows, results.nothing))
    write_text(report.markdown, as_markdown(results))
    write_page(report.page, "compare.html.j2", _page(results, report.findings))
    return report


def _page(results: Results, found: list[str]) -> Mapping[str, Any]:
    """Variables of the template."""
    data = results.evaluation.data
    ranges = _ranges(results)
    headings, costs = cost_table(results)
    return common() | {
        "sheets": ["compare.css.j2"],
        "kind": "Comparison",
        "title": f"{plural(len(results.candidates), 'model')} on {data['name']}",
        "lead": f"Trained on the same tiles and evaluated on the same {evaluated_on(results)}, "
        "held out from training.",
        "headline": _headline(results, ranges),
        "findings": found,
        "metrics": [
            *(METRICS[key] for key in _columns(results)),
            *([IN_SECTIONS] if results.has_sections else []),
        ],
        "ranking": METRICS[results.by].name,
        "board": _board(results, ranges),
        "cost_headings": headings,
        "costs": [(one.name, cells) for one, cells in zip(results.standings, costs, strict=True)],
        "cost_plot": _cost_plot(results),
        "paired": [METRICS[key].name for key in PAIRED],
        "difference_plots": _difference_plots(results),
        "differences": _differences(results),
        "baseline": results.baseline,
        "several_seeds": any(len(one.seeds) > 1 for one in results.candidates.values()),
        "shown": shown(results),
        "salt": css(SALT),
        "terms": results.terms,
        "recipes": [
            (
                one.name,
                model_words(one.config.model, one.cost.parameters),
                input_words(one.config.preprocess),
                ", ".join(map(str, one.seeds)),
            )
            for one in results.candidates.values()
        ],
        "unequal": unequal(results),
        "command": results.command,
        "failures": results.failures,
        "split": results.split,
        "data": data,
    }


def _headline(results: Results, ranges: Mapping[str, Range]) -> list[dict[str, Any]]:
    """The cards at the top: the best, the fastest tied with it, the baseline."""
    first = results.standings[0]
    chosen = {"Highest score, no verdict" if first.fault else "Best": first}
    if results.fastest_tied:
        chosen["Fastest tied with the best"] = results.fastest_tied
    for one in results.standings:
        if one.name == results.baseline and one not in chosen.values():
            chosen["Baseline"] = one
    return [
        {
            "what": what,
            "name": one.name,
            "value": one.score.value,
            "interval": interval(one.score.low, one.score.high),
            "cost": f"{significant(one.tile_ms)} ms per tile" if one.tile_ms is not None else "",
            "range": ranges[one.name],
        }
        for what, one in chosen.items()
    ]


def _ranges(results: Results) -> dict[str, Range]:
    """Each model's score as a bar, on one axis from the lowest to the highest end of all."""
    ends = {}
    for one in results.standings:
        score = one.score
        ends[one.name] = (
            score.value if score.low is None else score.low,
            score.value if score.high is None else score.high,
        )
    ends[NOTHING] = (results.nothing[results.by], results.nothing[results.by])
    start = min(low for low, _ in ends.values())
    length = max(max(high for _, high in ends.values()) - start, 1e-9)

    def share(value: float) -> float:
        return 100 * (value - start) / length

    values = {one.name: one.score.value for one in results.standings}
    values[NOTHING] = results.nothing[results.by]
    return {
        name: Range(share(ends[name][0]), share(ends[name][1]), share(value))
        for name, value in values.items()
    }


def _board(results: Results, ranges: Mapping[str, Range]) -> list[dict[str, Any]]:
    """The rows of the leaderboard, that of predicting nothing below the models that beat it."""
    rows = [_row(results, standing, ranges) for standing in results.standings]
    scores = [(results.nothing[key], "") for key in _columns(results)]
    nothing = {
        **{"rank": "", "name": NOTHING, "tied": False, "range": ranges[NOTHING]},
        **{"scores": scores + [(math.nan, "")] * results.has_sections},
        **{"verdict": "", "kind": "tied"},
    }
    rows.insert(below(results), nothing)
    return rows


def _row(results: Results, one: Standing, ranges: Mapping[str, Range]) -> dict[str, Any]:
    """A row of the leaderboard."""
    return {
        "rank": one.rank,
        "name": one.name,
        "tied": one.tied,
        "scores": [
            (score.value, interval(score.low, score.high))
            for score in map(one.scores.__getitem__, _columns(results))
        ]
        + _in_sections(results, one),
        "range": ranges[one.name],
        "verdict": verdict_of(results, one),
        "kind": outcome(one.difference)
        if one.difference and not results.no_verdict(one)
        else "tied",
    }


def _in_sections(results: Results, one: Standing) -> list[tuple[float, str]]:
    """Dice in sections and its interval, if there is such a column."""
    if not results.has_sections:
        return []
    score = one.candidate.dice_in_sections
    return [(score.value, interval(score.low, score.high)) if score else (math.nan, "")]


def _columns(results: Results) -> list[str]:
    """The metrics of the leaderboard, the one that ranks first."""
    return [results.by, *(key for key in SCORES if key != results.by)]


def _cost_plot(results: Results) -> Plot | None:
    """Score against the first cost that is known of all models; None if there is none."""
    costs: tuple[tuple[str, str, Callable[[Standing], float]], ...] = (
        ("latency of one tile", "ms", lambda one: one.tile_ms or 0),
        ("MACs per tile", "G", lambda one: (one.cost.multiply_adds or 0) / 1e9),
        ("parameters", "M", lambda one: (one.cost.parameters or 0) / 1e6),
    )
    for name, unit, cost_of in costs:
        points = [Point(one.name, cost_of(one), one.score) for one in results.standings]
        if all(point.cost for point in points):
            return against_cost(
                points,
                metric=METRICS[results.by].name,
                cost=name,
                unit=unit,
                baseline=results.baseline,
            )
    return None


def _difference_plots(results: Results) -> list[Plot]:
    others = [one for one in results.standings if one.differences]
    if not others:
        return []
    return [
        differences(
            [(one.name, one.differences[key]) for one in others],
            key=key,
            metric=METRICS[key].name,
            baseline=results.baseline,
        )
        for key in (results.by, "dice" if results.by == "kaggle_map" else "kaggle_map")
    ]


def _differences(results: Results) -> list[tuple[str, list[tuple[str, str, str, str]]]]:
    """The rows of the table of differences: for each metric value, CI, verdict and outcome."""
    return [
        (
            one.name,
            [
                (signed(found.value), signed_interval(found), *_judged(results, one, found))
                for found in one.differences.values()
            ],
        )
        for one in results.standings
        if one.differences
    ]


def _judged(results: Results, one: Standing, found: Difference) -> tuple[str, str]:
    """The verdict on a difference, and its outcome."""
    if results.no_verdict(one):
        return "no verdict", "tied"
    return verdict_words(found), outcome(found)
