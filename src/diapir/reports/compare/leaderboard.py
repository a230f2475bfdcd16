"""The standings of a comparison as rows, CSV, Markdown and lines of text.

A new column goes into `rows` (CSV and JSON), and into `cost_table` (page and Markdown).
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from diapir.evaluation import PAIRED, Difference, Score
from diapir.evaluation.metric_names import IN_SECTIONS, METRICS
from diapir.evaluation.nothing import NOTHING
from diapir.evaluation.standings import SCORES, Results, Standing, outcome
from diapir.text import decimal, duration, integer, short, signed, significant


def cost_table(results: Results) -> tuple[list[str], list[list[str]]]:
    """The costs on the page and in Markdown: the headings, and the cells of each standing."""
    latencies = [one.cost.latency for one in results.standings]
    batch = next((latency.batch for latency in latencies if latency), "Many")
    columns: dict[str, Callable[[Standing], str]] = {
        "Parameters": lambda one: short(one.cost.parameters),
        "MACs per tile": lambda one: short(one.cost.multiply_adds),
        "Input, px": lambda one: str(one.candidate.config.preprocess.size),
        "1 tile, ms": lambda one: significant(one.tile_ms),
        f"{batch} tiles, ms": lambda one: significant(_batch_ms(one)),
        "Training, tiles/s": lambda one: significant(one.cost.tiles_per_s),
        "Peak memory, MB": lambda one: integer(_peak_mb(one)),
        "Epochs": lambda one: span(one.cost.epochs),
        "Best epoch": lambda one: span(one.cost.best_epochs),
        "Training time": lambda one: duration(one.cost.training_s) or "–",
    }
    cells = [[cell(one) for cell in columns.values()] for one in results.standings]
    return list(columns), cells


def rows(results: Results) -> list[dict[str, Any]]:
    """The leaderboard in plain values, best first; None for unknown values."""
    table = []
    for one in results.standings:
        row: dict[str, Any] = {"rank": one.rank, "model": one.name}
        for key, score in one.scores.items():
            row |= {key: score.value, f"{key}_low": score.low, f"{key}_high": score.high}
        if results.has_sections:
            inside = one.candidate.dice_in_sections
            row |= {
                "dice_in_sections": inside.value if inside else None,
                "dice_in_sections_low": inside.low if inside else None,
                "dice_in_sections_high": inside.high if inside else None,
            }
        for key in PAIRED:
            found = one.differences.get(key)
            row |= {
                f"{key}_difference": found.value if found else None,
                f"{key}_difference_low": found.low if found else None,
                f"{key}_difference_high": found.high if found else None,
                f"{key}_verdict": _plain_verdict(results, one, found),
            }
        row["no_verdict"] = results.no_verdict(one) or one.fault or None
        cost = one.cost
        row |= {
            "seeds": len(one.candidate.seeds),
            "parameters": cost.parameters,
            "multiply_adds": cost.multiply_adds,
            "input_px": one.candidate.config.preprocess.size,
            "train_tiles_per_s": _known(cost.tiles_per_s),
            "latency_tile_ms": one.tile_ms,
            "latency_batch_ms": _batch_ms(one),
            "latency_batch": cost.latency.batch if cost.latency else None,
            "peak_memory_mb": _peak_mb(one),
            "epochs": _mean(cost.epochs),
            "best_epoch": _mean(cost.best_epochs),
            "training_s": _known(cost.training_s),
        }
        table.append(row)
    return table


def _plain_verdict(results: Results, one: Standing, found: Difference | None) -> str:
    if found is None:
        return "baseline"
    return "no verdict" if results.no_verdict(one) else found.verdict


def as_csv(table: Sequence[dict[str, Any]], nothing: Mapping[str, float]) -> str:
    """Rows as CSV: a decimal point in numbers, an empty cell if a value is unknown.

    Args:
        table: the leaderboard.
        nothing: scores of predicting nothing, which have the last row.
    """
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    writer.writerow({"model": NOTHING, **nothing})
    return stream.getvalue()


def as_markdown(results: Results) -> str:
    """The leaderboard as Markdown, to be pasted into a document."""
    metric, (headings, costs) = METRICS[results.by].name, cost_table(results)
    scores = [METRICS[key].name for key in SCORES]
    scores += [IN_SECTIONS.name] if results.has_sections else []
    head = ["Model", *scores, f"Δ {metric}", "Verdict", *headings]
    align = ["---", *["---:"] * (len(scores) + 1), "---", *["---:"] * len(headings)]
    body = [
        [
            _cell(one.name),
            *(score_words(score) for score in one.scores.values()),
            *_in_sections(results, one),
            difference_words(one.difference),
            verdict_of(results, one),
            *cells,
        ]
        for one, cells in zip(results.standings, costs, strict=True)
    ]
    nothing = [NOTHING, *(decimal(results.nothing[key]) for key in SCORES)]
    body.insert(below(results), [*nothing, *[""] * (len(head) - len(nothing))])
    lines = [f"| {' | '.join(cells)} |" for cells in (head, align, *body)]
    ranges = (
        "Ranges are 95% CI over section groups; Δ is the difference from "
        f"{_cell(results.baseline)}, paired tile by tile."
    )
    command = ["", f"`{results.command}`"] if results.command else []
    notes = [f"- {name}: {_cell(value)}" for name, value in results.terms]
    failed = [f"- {_cell(one.name)} FAILED: {_cell(one.reason)}" for one in results.failures]
    return "\n".join([*lines, "", ranges, *command, "", *notes, *failed, ""])


def _in_sections(results: Results, one: Standing) -> list[str]:
    """The cell of Dice in sections, if there is such a column."""
    if not results.has_sections:
        return []
    score = one.candidate.dice_in_sections
    return [score_words(score) if score else "–"]


def as_text(results: Results) -> Iterator[str]:
    """The leaderboard as lines for a terminal."""
    metric = METRICS[results.by].name
    head = ("", "", f"{metric} (95% CI)", "ms/tile", f"against {results.baseline}")
    table = [
        (
            f"{one.rank}.",
            one.name,
            score_words(one.score),
            significant(one.tile_ms),
            verdict_of(results, one),
        )
        for one in results.standings
    ]
    table.insert(below(results), ("", NOTHING, decimal(results.nothing[results.by]), "", ""))
    widths = [max(len(cells[place]) for cells in (head, *table)) for place in range(len(head))]
    for rank, name, score, latency, verdict in (head, *table):
        yield (
            f"{rank:>{widths[0]}} {name:<{widths[1]}}  {score:<{widths[2]}}  "
            f"{latency:>{widths[3]}}  {verdict}"
        )


def below(results: Results) -> int:
    """Number of models that score more than predicting nothing, whose row follows theirs."""
    return sum(one.score.value > results.nothing[results.by] for one in results.standings)


def verdict_of(results: Results, one: Standing) -> str:
    """The verdict on a standing for people, or why there is none."""
    reason = results.no_verdict(one)
    if reason:
        return f"no verdict: {reason}"
    words = verdict_words(one.difference)
    return f"{words} ({one.fault})" if one.fault else words


def verdict_words(difference: Difference | None) -> str:
    """The verdict for people; “baseline” if there is no difference."""
    if difference is None:
        return "baseline"
    kind = outcome(difference)
    if kind != "tied":
        return kind
    if difference.verdict in ("better", "worse"):
        return f"{difference.verdict}, but seeds overlap"
    return "no significant difference"


def score_words(score: Score) -> str:
    """0.853 (0.841 – 0.868)."""
    return decimal(score.value) + _bracketed(interval(score.low, score.high))


def difference_words(difference: Difference | None) -> str:
    """+0.021 (−0.012 to +0.034); nothing for the baseline itself."""
    if difference is None:
        return ""
    return signed(difference.value) + _bracketed(signed_interval(difference))


def interval(low: float | None, high: float | None) -> str:
    """0.841 – 0.868; empty if unknown."""
    return "" if low is None or high is None else f"{decimal(low)} – {decimal(high)}"


def signed_interval(difference: Difference) -> str:
    """−0.012 to +0.034; empty if unknown."""
    if difference.low is None or difference.high is None:
        return ""
    return f"{signed(difference.low)} to {signed(difference.high)}"


def span(numbers: Sequence[int]) -> str:
    """12; 11–13 if several differ; an en dash if there are none."""
    if not numbers:
        return "–"
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low}–{high}"


def _bracketed(text: str) -> str:
    return f" ({text})" if text else ""


def _cell(text: str) -> str:
    """Text escaped for a Markdown table: it can neither end a cell nor start markup or HTML."""
    plain = " ".join(text.split())
    for mark in "\\|`*_<>[]":
        plain = plain.replace(mark, f"\\{mark}")
    return plain


def _batch_ms(standing: Standing) -> float | None:
    return standing.cost.latency.batch_ms if standing.cost.latency else None


def _peak_mb(standing: Standing) -> float | None:
    memory = standing.cost.peak_memory
    return memory / 1e6 if memory else None


def _mean(numbers: Sequence[int]) -> float | None:
    return float(np.mean(numbers)) if numbers else None


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
