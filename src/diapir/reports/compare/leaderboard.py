"""A comparison as a table: for programs (rows, CSV) and for documents (Markdown)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diapir.config import RunConfig
from diapir.evaluation import PAIRED, Comparison, Difference, Evaluation
from diapir.evaluation.metric_names import METRICS
from diapir.reports.run.facts import Facts
from diapir.run.history import History
from diapir.text import decimal, integer, short, signed, significant

if TYPE_CHECKING:
    from diapir.inference import Latency
    from diapir.tiles import Split, TileSet

SCORES = ("kaggle_map", "dice", "iou", "soft_dice")
"""The metrics of a leaderboard."""

Ranking = Literal["kaggle_map", "dice"]


@dataclass(frozen=True)
class Contender:
    """A model of a comparison: one recipe, trained with one seed or several.

    Attributes:
        name: what it is called.
        config: of its first training.
        seeds: of its trainings.
        histories: what each training's metrics.csv tells.
        parameters: number of trainable values; None where it could not be counted.
        multiply_adds: of one tile of its own input size; None likewise.
        latency: None where it could not be measured.
        peak_memory: of the largest of its trainings' processes, in bytes; None where unknown.
        probabilities: float32 (H, W) of salt, by tile id, of the tiles that are shown.
    """

    name: str
    config: RunConfig
    seeds: tuple[int, ...]
    histories: tuple[History, ...]
    parameters: int | None = None
    multiply_adds: int | None = None
    latency: Latency | None = None
    peak_memory: int | None = None
    probabilities: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def epochs(self) -> list[int]:
        """Epochs that each training has done."""
        return [len(history) for history in self.histories]

    @property
    def best_epochs(self) -> list[int]:
        """The epoch of each training's best model, where there is one."""
        return [history.best_epoch for history in self.histories if history.best_epoch]

    @property
    def tiles_per_s(self) -> float:
        """Training speed: the median over epochs, then the mean over trainings; nan if unknown."""
        speeds = [history.column("tiles_per_s") for history in self.histories]
        known = [float(np.nanmedian(speed)) for speed in speeds if np.isfinite(speed).any()]
        return float(np.mean(known)) if known else math.nan

    @property
    def training_s(self) -> float:
        """Seconds of training steps, the mean over trainings."""
        return float(np.mean([history.seconds() for history in self.histories]))


class Failure(NamedTuple):
    """A training that came to nothing, or a model that could not be measured."""

    name: str
    reason: str
    fix: str


@dataclass(frozen=True)
class Results:
    """All that a comparison has found.

    Attributes:
        comparison: the scores.
        contenders: the models by name, in the order they were given.
        baseline: name of the model that the others are compared with.
        by: the metric that ranks.
        evaluation: one of the models', for what was judged on.
        split: what all of them were trained and judged by.
        terms: how it was measured: name and value.
        command: the command line that does the same again.
        failures: what came to nothing.
        tiles: the judged tiles, labelled; None where they are not at hand.
    """

    comparison: Comparison
    contenders: Mapping[str, Contender]
    baseline: str
    by: Ranking
    evaluation: Evaluation
    split: Split
    terms: Facts
    command: str
    failures: Sequence[Failure] = ()
    tiles: TileSet | None = None

    @cached_property
    def ranked(self) -> list[Contender]:
        """The models, best first."""
        return sorted(
            self.contenders.values(),
            key=lambda contender: -self.comparison.score(contender.name, self.by).value,
        )

    def difference(self, name: str, key: str) -> Difference | None:
        """A model's difference from the baseline; None for the baseline itself."""
        if name == self.baseline:
            return None
        return self.comparison.difference(name, self.baseline, key)

    @cached_property
    def tied(self) -> list[str]:
        """The models that are not shown to be worse than the first, the first not among them."""
        first, *others = self.ranked
        differences = {
            one.name: self.comparison.difference(one.name, first.name, self.by) for one in others
        }
        return [name for name, found in differences.items() if verdict_kind(found) != "worse"]


def rows(results: Results) -> list[dict[str, Any]]:
    """The leaderboard in plain values, best first; None where something is unknown."""
    table = []
    for rank, contender in enumerate(results.ranked, 1):
        row: dict[str, Any] = {"rank": rank, "model": contender.name}
        for key in SCORES:
            score = results.comparison.score(contender.name, key)
            row |= {key: score.value, f"{key}_low": score.low, f"{key}_high": score.high}
        for key in PAIRED:
            found = results.difference(contender.name, key)
            row |= {
                f"{key}_difference": found.value if found else None,
                f"{key}_difference_low": found.low if found else None,
                f"{key}_difference_high": found.high if found else None,
                f"{key}_verdict": found.verdict if found else "baseline",
            }
        latency, memory = contender.latency, contender.peak_memory
        table.append(
            row
            | {
                "seeds": len(contender.seeds),
                "parameters": contender.parameters,
                "multiply_adds": contender.multiply_adds,
                "input_px": contender.config.preprocess.size,
                "train_tiles_per_s": _known(contender.tiles_per_s),
                "latency_tile_ms": latency.tile_ms if latency else None,
                "latency_batch_ms": latency.batch_ms if latency else None,
                "latency_batch": latency.batch if latency else None,
                "peak_memory_mb": memory / 1e6 if memory else None,
                "epochs": _known(_mean(contender.epochs)),
                "best_epoch": _known(_mean(contender.best_epochs)),
                "training_s": _known(contender.training_s),
            }
        )
    return table


def as_csv(results: Results) -> str:
    """The leaderboard as CSV, one row a model, a dot in numbers, nothing where unknown."""
    stream = io.StringIO()
    table = rows(results)
    writer = csv.DictWriter(stream, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return stream.getvalue()


def as_markdown(results: Results) -> str:
    """The leaderboard as Markdown, to be put into a document."""
    scores = [METRICS[key].name for key in SCORES]
    batch = next((one.latency.batch for one in results.ranked if one.latency), 16)
    head = [
        "Model",
        *scores,
        f"Δ {METRICS[results.by].name}",
        "Verdict",
        "Parameters",
        "Multiply-adds",
        "Input px",
        "Train tiles/s",
        "1 tile ms",
        f"{batch} tiles ms",
        "Peak MB",
        "Epochs (best)",
    ]
    body = []
    for contender in results.ranked:
        cells = [_cell(contender.name)]
        for key in SCORES:
            score = results.comparison.score(contender.name, key)
            cells.append(decimal(score.value) + interval(score.low, score.high))
        found = results.difference(contender.name, results.by)
        if found:
            between = interval(found.low, found.high, sign=True)
            cells += [signed(found.value) + between, verdict_words(found)]
        else:
            cells += ["", "baseline"]
        latency, memory = contender.latency, contender.peak_memory
        cells += [
            short(contender.parameters),
            short(contender.multiply_adds),
            str(contender.config.preprocess.size),
            significant(contender.tiles_per_s),
            significant(latency.tile_ms if latency else None),
            significant(latency.batch_ms if latency else None),
            integer(memory / 1e6 if memory else None),
            f"{span(contender.epochs)} ({span(contender.best_epochs)})",
        ]
        body.append(cells)
    align = ["---", *["---:"] * 5, "---", *["---:"] * 8]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, align, *body)]
    notes = [f"- {name}: {_cell(value)}" for name, value in results.terms]
    failed = [f"- {_cell(one.name)} FAILED: {_cell(one.reason)}" for one in results.failures]
    return "\n".join(
        [
            *lines,
            "",
            f"Intervals are 95 %, over section groups; Δ is the difference from "
            f"{_cell(results.baseline)}, tile by tile.",
            "",
            f"`{results.command}`",
            "",
            *notes,
            *failed,
            "",
        ]
    )


def verdict_kind(difference: Difference) -> Literal["better", "worse", "no"]:
    """The verdict in a word; `no` also where the seeds of both overlap."""
    if difference.seeds_overlap or difference.verdict == "no difference shown":
        return "no"
    return difference.verdict


def verdict_words(difference: Difference) -> str:
    """The verdict, with the caution that several seeds ask for."""
    if difference.seeds_overlap and difference.verdict != "no difference shown":
        return f"{difference.verdict}, but seeds overlap"
    return difference.verdict


def interval(low: float | None, high: float | None, *, sign: bool = False) -> str:
    """` (0.841 – 0.868)`, or ` (−0.012 to +0.034)`; nothing where it is not known."""
    if low is None or high is None:
        return ""
    return f" ({signed(low)} to {signed(high)})" if sign else f" ({decimal(low)} – {decimal(high)})"


def span(numbers: Sequence[int]) -> str:
    """12; 11–13 where several differ; an en dash where there is none."""
    if not numbers:
        return "–"
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low}–{high}"


def _cell(text: str) -> str:
    """Text that neither ends a cell nor begins anything else of Markdown or HTML."""
    plain = " ".join(text.split())
    for mark in "\\|`*_<>[]":
        plain = plain.replace(mark, f"\\{mark}")
    return plain


def _mean(numbers: Sequence[int]) -> float:
    return float(np.mean(numbers)) if numbers else math.nan


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
