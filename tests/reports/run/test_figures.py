"""Plots say in words what they show, and follow the page's theme."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from diapir.config import RunConfig
from diapir.reports.run import figures
from diapir.reports.style import DARK, LIGHT, Plot
from diapir.run.history import read_history
from tests.reports.made import Case, metrics_csv


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory, config: RunConfig) -> list[Plot]:
    path = tmp_path_factory.mktemp("run") / "metrics.csv"
    path.write_text(metrics_csv(20, best=5))
    return figures.curves(read_history(path), config)


def alt(plot: Plot) -> str:
    found = re.search(r'aria-label="([^"]*)"', plot.svg)
    assert found
    return found.group(1)


def test_every_kind_of_curve_is_drawn(curves: list[Plot]) -> None:
    assert [plot.title for plot in curves] == [
        "Loss",
        "Cross entropy",
        "Soft Dice",
        "Validation Dice and IoU",
        "Learning rate",
        "Gradient norm",
    ]


def test_alt_text_gives_the_course_of_a_curve(curves: list[Plot]) -> None:
    assert alt(curves[0]) == (
        "Loss by epoch. "
        "training: 1.6 at epoch 1, 0.7155 at the best epoch 5, 0.3578 at epoch 20. "
        "validation: 1.28 at epoch 1, 1.2 at the best epoch 5, 1.5 at epoch 20."
    )


def test_curves_without_values_are_left_out(tmp_path: Path, config: RunConfig) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,train_loss,val_loss,lr\n1,1.5,nan,0\n")

    plots = figures.curves(read_history(tmp_path / "metrics.csv"), config)

    # a rate of 0 has no place on a log axis, and still is drawn
    assert [plot.title for plot in plots] == ["Loss", "Learning rate"]
    assert "validation" not in alt(plots[0])
    epochs = re.findall(
        r'<g id="curve-loss-xtick_\d+">.*?>([^<>\s]+)</text>', plots[0].svg, re.DOTALL
    )
    assert epochs == ["1"]  # and no fractions of an epoch


def test_colours_follow_the_theme(curves: list[Plot], case: Case) -> None:
    plots = [*curves, figures.reliability(case.evaluation.calibration, 0.1)]
    for plot in plots:
        assert not re.search(r"#[0-9a-f]{6}\b", plot.svg)
        assert set(re.findall(r"var\(--(\w+)\)", plot.svg)) <= set(LIGHT)
    assert set(LIGHT) == set(DARK)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_text_and_lines_can_be_read_in_both_themes(theme: dict[str, str]) -> None:
    for ground in ("paper", "ground"):
        for text in ("ink", "muted", "accent"):
            assert contrast(theme[text], theme[ground]) >= 4.5
    for series in ("first", "second", "third"):
        assert contrast(theme[series], theme["paper"]) >= 3


def test_sweep_names_the_used_and_the_best_threshold(case: Case) -> None:
    plot = figures.sweep(case.evaluation.sweep, 0.37)

    best = max(case.evaluation.sweep, key=lambda row: row["dice"])
    assert "0.37 is in use" in alt(plot)
    assert f"Best Dice: {best['dice']:.3f} at {best['threshold']:g}" in alt(plot)


def test_reliability_takes_bins_without_pixels(case: Case) -> None:
    rows = [
        row | {"pixels": 0, "probability": None, "salt": None}
        for row in case.evaluation.calibration
    ]
    rows[3] = {"low": 0.2, "high": 0.3, "pixels": 9, "probability": 0.25, "salt": 0.5}

    assert "predicted 0.25, observed 0.50" in alt(figures.reliability(rows, 0.25))


def test_coverage_plots_name_the_classes(case: Case) -> None:
    rows = case.evaluation.by_coverage

    score, lost = figures.coverage_scores(rows), figures.coverage_losses(rows)

    assert f"none: {rows[0]['kaggle_map']:.3f} (9 tiles)" in alt(score)
    assert f"above 80 %: {rows[-1]['kaggle_lost']:.3f}" in alt(lost)
    assert f"total {1 - case.evaluation.metrics['kaggle_map']:.3f}" in lost.note
