"""Sections as the network gets them, and their probabilities."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from diapir.inference.sections.window_batches import Group
from diapir.surveys.prediction.amplitude import fill_gaps, missing, to_grey
from diapir.surveys.prediction.blank_samples import BlankSamples
from diapir.surveys.prediction.record import PredictionRecord
from diapir.surveys.prediction.section_predictor import SectionPredictor

Gapped = tuple[list[NDArray[np.uint8]], list[NDArray[np.bool_]]]
"""Grey levels of some sections, and where each has no data; `(traces, samples)` each."""


def levels_and_gaps(amplitude: NDArray[np.float32], record: PredictionRecord) -> Gapped:
    """Some sections as the network gets them, and where they have no data.

    Args:
        amplitude: `float32 (sections, traces, samples)`; NaN where there are no data.
        record: scale, and what is no data.

    Returns:
        Grey levels `uint8` and gaps `bool` of each, `(traces, samples)`.
    """
    blank = BlankSamples(record.scale, record.equal_runs, record.quiet_top)
    gaps = [missing(section) | blank.mask(section) for section in amplitude]
    return [to_grey(section, record.scale) for section in amplitude], gaps


def predict_levels(
    sections: SectionPredictor,
    levels: list[NDArray[np.uint8]],
    gaps: list[NDArray[np.bool_]],
) -> list[NDArray[np.float32]]:
    """Probabilities of some sections, NaN where there are no data."""
    return list(predict_stream(sections, [(levels, gaps)]))


def predict_stream(
    sections: SectionPredictor, groups: Iterable[Gapped]
) -> Generator[NDArray[np.float32], None, None]:
    """Probabilities of many sections in order, NaN where there are no data.

    Args:
        sections: the model.
        groups: grey levels and gaps of the sections that may share batches.
    """
    waiting: deque[NDArray[np.bool_]] = deque()

    def filled() -> Iterator[Group]:
        for levels, gaps in groups:
            waiting.extend(gaps)
            live = [np.logical_not(gap) for gap in gaps]
            yield [fill_gaps(level, gap) for level, gap in zip(levels, gaps, strict=True)], live

    for probability in sections.stream(filled()):
        probability[waiting.popleft()] = np.nan
        yield probability
