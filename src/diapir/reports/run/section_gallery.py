"""The evaluation in sections on the page: its table, and whole sections with both outlines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE
from diapir.evaluation.in_sections import METRIC_KEYS
from diapir.evaluation.metric_names import METRICS
from diapir.evaluation.metrics import Tally, dice
from diapir.evaluation.summary import flips
from diapir.inference.overlay import HIT, SALT, Colour, inner_edge
from diapir.reports.page import css
from diapir.reports.run.facts import Metric
from diapir.reports.run.gallery import Picture, picture
from diapir.text import decimal, percent, plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    from diapir.evaluation import InSections
    from diapir.evaluation.in_sections import PredictedSection

SHOWN = 6
"""Number of sections shown."""
SIDE = 720
"""Longest side of a picture in pixels."""
PREDICTED: Colour = SALT
TRUTH: Colour = HIT
FRAME: Colour = (255, 255, 255)
_OUTLINE, _FILL = 2.0, 0.25
"""Width of an outline on the page in pixels, and opacity of the predicted salt."""

HEADLINE = ("dice", "kaggle_map")
"""Metrics of the headline: in sections, then of the tiles alone."""

Bytes = NDArray[np.uint8]


class SectionCard(NamedTuple):
    """A section of the gallery."""

    name: str
    numbers: list[str]
    drawn: Picture


def headline(found: InSections, of_tiles: Mapping[str, Metric]) -> list[Metric]:
    """The metrics in large type: in sections first, then those of all evaluated tiles alone."""
    block = found.block()
    inside = [
        _metric(block, key)._replace(name=f"{METRICS[key].name} in sections") for key in HEADLINE
    ]
    alone = [
        of_tiles[key]._replace(name=f"{METRICS[key].name} of tiles alone")
        for key in HEADLINE
        if key in of_tiles
    ]
    return inside + alone


def in_sections_finding(found: InSections) -> str:
    """The scores in sections as a sentence for the summary."""
    block = found.block()
    return (
        f"Inside their sections, {plural(block['n_tiles'], 'tile')} have Dice "
        f"{decimal(block['dice'])}; the same tiles alone have {decimal(block['alone']['dice'])}. "
        "On a survey, expect the score in sections."
    )


def in_sections_content(found: InSections) -> dict[str, Any]:
    """What the page says about scores in sections: the table, the flips and the gallery."""
    block = found.block()
    tiles = plural(block["n_tiles"], "tile")
    groups = plural(block["n_groups"], "section group")
    return {
        "note": (
            f"{tiles} inside {plural(block['n_sections'], 'section')} of the mosaic "
            f"“{found.mosaic}”: each section is predicted as a whole, as in a survey, and its "
            f"tiles are scored there; beside it, the same {tiles}, each predicted alone. "
            + (f"Confidence intervals are over {groups}." if block["n_groups"] > 1 else "")
        ),
        "rows": [(_metric(block, key), _metric(block["alone"], key)) for key in METRIC_KEYS],
        "flips": flips(block),
        "notes": found.notes,
        "cards": [_card(found, each) for each in _shown(found.sections)],
        "count": len(found.sections),
        "colours": {
            "predicted": css(PREDICTED),
            "truth": css(TRUTH),
            "frame": css(FRAME),
        },
    }


def _metric(block: Mapping[str, Any], key: str) -> Metric:
    low, high = block["ci95"].get(key) or (None, None)
    return Metric(METRICS[key].name, block[key], low, high, METRICS[key].definition)


def _shown(sections: Sequence[PredictedSection]) -> list[PredictedSection]:
    """The sections with most scored tiles, whatever their scores."""
    return sorted(sections, key=lambda each: (-len(each.scored), each.section.name))[:SHOWN]


def _card(found: InSections, each: PredictedSection) -> SectionCard:
    predicted, salt = found.mask(each) == 1, each.truth == 1
    valid = each.truth != IGNORE
    counts = (predicted & salt, predicted & ~salt & valid, ~predicted & salt, valid)
    tp, fp, fn, scored = (np.float64(area.sum()) for area in counts)
    score = float(dice(Tally(*map(np.asarray, (tp, fp, fn, scored - tp - fp - fn)))))
    numbers = [
        plural(len(each.scored), "scored tile"),
        f"Dice {decimal(score, 2)}",
        f"{percent(each.flipped / each.pixels)} change class",
    ]
    height, width = each.image.shape
    alt = f"Section {each.section.name}, {width} × {height} px, predicted and labelled salt"
    return SectionCard(each.section.name, numbers, picture(_draw(found, each), alt, SIDE))


def _draw(found: InSections, each: PredictedSection) -> Bytes:
    """The section with its predicted salt, and the labelled salt and frames of scored tiles."""
    # outlines keep their width on the page where a large section is shrunk
    width = max(1, math.ceil(_OUTLINE * max(1.0, max(each.image.shape) / SIDE)))
    drawn = np.repeat(each.image[..., None], 3, axis=2)
    predicted = found.mask(each) == 1
    drawn[predicted] = (
        (1 - _FILL) * drawn[predicted].astype(np.float32) + _FILL * np.array(PREDICTED)
    ).astype(np.uint8)
    for tile in each.scored:
        place = each.section.place(tile, each.image)
        inside = np.ones_like(each.truth[place], np.bool_)
        # padded, so that the tile's own border counts as an edge
        frame = inner_edge(np.pad(inside, 1))[1:-1, 1:-1]
        drawn[place][frame] = FRAME
    drawn[inner_edge(predicted, width)] = PREDICTED
    # on top: where both outlines coincide, the fill still shows what is predicted
    drawn[inner_edge(each.truth == 1, width)] = TRUTH
    return drawn
