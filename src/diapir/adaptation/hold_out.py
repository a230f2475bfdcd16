"""Labels held out by distance, so that an adapted model can be evaluated on them.

Neighbouring traces show nearly the same rock, so held-out labels are a stretch of a section, or
whole sections, and the labels within a gap beside them are left out of the training as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diapir.adaptation.survey_sections import Section
from diapir.config import IGNORE
from diapir.text import plural

STRETCH = 0.3
"""Share of the labelled traces of a single section that is held out."""
GAP = 24
"""Traces beside a held-out stretch that are left out of the training."""
LINE_GAP = 15
"""Lines beside a held-out line that are left out of the training, where others are left."""
_LEAST_SALT = 0.15
"""Least share of the salt of a section on either side of the gap."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class HoldOut:
    """Labels divided into those to train on first and those to evaluate on.

    Attributes:
        training: mask of each section, held-out labels and gaps as 255.
        held_out: mask of each section, everything but held-out labels as 255.
        words: what is held out, for the log and the report.
        problem: why nothing can be held out; "" where something is.
        whole: whether whole sections are held out, so that the threshold can be calibrated.
    """

    training: tuple[Bytes, ...]
    held_out: tuple[Bytes, ...]
    words: str
    problem: str = ""
    whole: bool = False


def hold_out(sections: Sequence[Section]) -> HoldOut:
    """Hold labels out: a whole section where there are several with salt, else a stretch.

    Args:
        sections: labelled sections; together they have labels of salt and of background.
    """
    salty = [place for place, section in enumerate(sections) if section.has_salt]
    if len(salty) > 1:
        return _whole_section(sections, salty)
    return _stretch(sections, salty[0])


def _whole_section(sections: Sequence[Section], salty: Sequence[int]) -> HoldOut:
    """Hold out the section with the median amount of salt."""
    amounts = [int((sections[place].mask == 1).sum()) for place in salty]
    order = [salty[rank] for rank in np.argsort(amounts, kind="stable")]
    chosen = order[len(order) // 2] if len(order) > 2 else order[0]
    left = {place for place in range(len(sections)) if place != chosen}
    near = {place for place in left if _near(sections[place], sections[chosen])}
    enough = left - near
    both = {int(value) for place in enough for value in np.unique(sections[place].mask)} >= {0, 1}
    used = enough if both else left
    training = tuple(
        section.mask if place in used else _unlabelled(section)
        for place, section in enumerate(sections)
    )
    held = tuple(
        section.mask if place == chosen else _unlabelled(section)
        for place, section in enumerate(sections)
    )
    words = sections[chosen].name
    if near and both:
        words += f" (and {plural(len(near), 'section')} beside it not trained on)"
    return HoldOut(training, held, words, whole=True)


def _near(one: Section, other: Section) -> bool:
    if one.place is None or other.place is None or one.place[0] != other.place[0]:
        return False
    return abs(one.place[1] - other.place[1]) <= LINE_GAP


def _stretch(sections: Sequence[Section], chosen: int) -> HoldOut:
    """Hold out the stretch of traces whose share of salt is nearest to its share of traces."""
    section = sections[chosen]
    salt = (section.mask == 1).sum(axis=0)
    background = (section.mask == 0).sum(axis=0)
    traces = np.flatnonzero(section.labelled_traces)
    length = max(1, round(STRETCH * len(traces)))
    best, distance = None, np.inf
    for first in range(0, len(traces) - length + 1, max(1, len(traces) // 64)):
        start, stop = int(traces[first]), int(traces[first + length - 1]) + 1
        within = salt[start:stop].sum() / salt.sum()
        low, high = max(0, start - GAP), stop + GAP
        rest = (salt[:low].sum() + salt[high:].sum()) / salt.sum()
        known = background[start:stop].sum() and background[:low].sum() + background[high:].sum()
        if min(within, rest) < _LEAST_SALT or not known:
            continue
        if abs(within - STRETCH) < distance:
            best, distance = (start, stop), abs(within - STRETCH)
    if best is None:
        masks = tuple(each.mask for each in sections)
        problem = (
            f"the salt of {section.name} cannot be divided into a part to train on and a part "
            f"{GAP} traces away to evaluate on: label a second section for a held-out score"
        )
        return HoldOut(masks, tuple(_unlabelled(each) for each in sections), "nothing", problem)
    start, stop = best
    held, training = _unlabelled(section), section.mask.copy()
    held[:, start:stop] = section.mask[:, start:stop]
    training[:, max(0, start - GAP) : stop + GAP] = IGNORE
    words = (
        f"traces {start + 1} to {stop} of {section.name}, with a gap of {GAP} traces to those "
        "trained on"
    )
    return HoldOut(
        tuple(training if place == chosen else each.mask for place, each in enumerate(sections)),
        tuple(
            held if place == chosen else _unlabelled(each) for place, each in enumerate(sections)
        ),
        words,
    )


def _unlabelled(section: Section) -> Bytes:
    return np.full_like(section.mask, IGNORE)
