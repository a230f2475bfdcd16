"""The report of an adaptation: before and after in pictures, held-out Dice, what was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diapir.adaptation.adapted import Adaptation
from diapir.adaptation.held_out_score import HeldOutScore
from diapir.adaptation.hold_out import HoldOut
from diapir.adaptation.survey_sections import LabelledSections
from diapir.config import IGNORE
from diapir.inference.overlay import SALT, overlay
from diapir.run.folder import REPORT
from diapir.text import decimal, duration, integer, percent, plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE = "adapt.html.j2"
MOST_SECTIONS = 8
"""Number of sections on the page."""
_SIDE = 1100
"""Longest side of a picture in pixels."""
_SMOOTH = 10
"""Steps that the plotted loss is averaged over."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of all labelled sections by one model.

    Attributes:
        probabilities: `float32 (samples, traces)` of each.
        threshold: probability from which a sample is salt.
    """

    probabilities: Sequence[NDArray[np.float32]]
    threshold: float


def write_adapt_report(
    result: Adaptation,
    labelled: LabelledSections,
    held: HoldOut,
    *,
    before: Predictions,
    after: Predictions,
    reasons: Sequence[tuple[str, str]],
    losses: Sequence[float],
) -> Path:
    """Write `report.html` into the run folder.

    Args:
        result: what was done.
        labelled: the labelled sections.
        held: what was held out.
        before: predictions of the original model.
        after: predictions of the adapted model, which was trained on all labels.
        reasons: name and reason of each setting chosen.
        losses: loss of each step.

    Returns:
        The page.

    Raises:
        RunError: it cannot be written; an earlier one is kept.
        ModuleNotFoundError: the packages that draw it are not installed.
    """
    from diapir.reports.page import common, css, write_page

    page: dict[str, Any] = common() | {
        "sheets": ["products.css.j2", "adapt.css.j2"],
        "kind": "Adaptation",
        "title": result.run.resolve().name,
        "lead": f"Adapted to {labelled.name} in {plural(result.steps, 'step')}, "
        f"{duration(result.seconds)}. {result.labelled}.",
        "headline": _headline(result),
        "notes": result.notes,
        "salt": css(SALT),
        "sections": _sections(labelled, held, before, after),
        "more": max(0, len(labelled.sections) - MOST_SECTIONS),
        "loss": _loss_plot(losses),
        "facts": [*_facts(result), *reasons],
    }
    return write_page(result.run / REPORT, TEMPLATE, page)


def _headline(result: Adaptation) -> list[tuple[str, str, str]]:
    """Name, value and remark of the headline figures."""
    cards = []
    for name, found in (
        ("Held-out Dice, adapted", result.after),
        ("Held-out Dice, original", result.before),
    ):
        if found is not None:
            cards.append((name, decimal(found.dice), interval_words(found)))
    cards.append(("Threshold", f"{result.threshold:g}", "probability from which a sample is salt"))
    return cards


def interval_words(found: HeldOutScore) -> str:
    """The confidence interval of a score in words."""
    if found.ci95 is None:
        return "no interval: one stretch only"
    low, high = found.ci95
    return f"95% CI {decimal(low)} to {decimal(high)}"


def _facts(result: Adaptation) -> list[tuple[str, str]]:
    found = result.after
    return [
        ("Trained on", result.labelled),
        ("Held out in stage 1", result.held_out),
        (
            "Held-out labels",
            f"{integer(found.traces)} traces, {percent(found.salt_share, 1)} of labels are salt"
            if found
            else "none",
        ),
    ]


def _sections(
    labelled: LabelledSections, held: HoldOut, before: Predictions, after: Predictions
) -> list[dict[str, Any]]:
    """The pictures of each section: labels, the original model, the adapted one."""
    from diapir.reports.run.gallery import picture

    shown = []
    for number, section in enumerate(labelled.sections[:MOST_SECTIONS]):
        pictures = []
        for title, predicted in (("Original model", before), ("Adapted model", after)):
            mask = predicted.probabilities[number] >= predicted.threshold
            drawn = _over(section.image, mask.astype(np.uint8), section.mask)
            alt = f"{section.name}, {title.lower()}: {percent(mask.mean(), 1)} predicted as salt"
            pictures.append({"title": title, "picture": picture(drawn, alt, _SIDE)})
        shown.append(
            {
                "name": section.name,
                "part": _part(held.training[number], held.held_out[number], section.mask),
                "pictures": pictures,
            }
        )
    return shown


def _over(
    image: NDArray[np.uint8], predicted: NDArray[np.uint8], mask: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Predicted salt over a section: against the labels where there are any, else in one colour."""
    unlabelled = mask == IGNORE
    drawn = overlay(image, predicted, mask)
    if unlabelled.any():
        drawn[unlabelled] = overlay(image, predicted)[unlabelled]
    return drawn


def _part(training: NDArray[np.uint8], held_out: NDArray[np.uint8], mask: NDArray[np.uint8]) -> str:
    """Which labels of a section were trained on in stage 1, and which were held out."""

    def traces(part: NDArray[np.uint8]) -> NDArray[np.intp]:
        return np.flatnonzero((part != IGNORE).any(axis=0))

    trained, held, all_of = traces(training), traces(held_out), traces(mask)
    if not len(held):
        what = "trained on" if len(trained) else "not trained on in stage 1"
        return f"{plural(len(all_of), 'labelled trace')}, {what}"
    words = f"traces {held[0] + 1} to {held[-1] + 1} held out"
    return f"{words}, {integer(len(trained))} trained on in stage 1"


def _loss_plot(losses: Sequence[float]) -> Any:
    from diapir.reports.style import LIGHT, Plot, draw

    values = np.array(losses, np.float64)
    known = np.flatnonzero(np.isfinite(values))
    smooth = [values[known[max(0, at - _SMOOTH + 1) : at + 1]].mean() for at in range(len(known))]

    def plot(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(known + 1, smooth, color=LIGHT["first"])
        axes.set_xlabel("step")
        axes.set_ylabel("loss")

    return Plot(
        "Training loss",
        f"Cross entropy + (1 − soft Dice), mean over {_SMOOTH} steps. It rises where a "
        "stage with other labels starts.",
        draw(plot, name="loss", alt="Training loss by step", height=2.6),
    )
