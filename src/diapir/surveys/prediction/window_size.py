"""Choose the windows of a survey: the model's own, those asked for, or the fastest.

Larger windows waste less on overlap and on the padding of training tiles. A local network gives the
same answers whatever the size; one that pools over the whole window (pyramid pooling, squeeze and
excitation) does not, and keeps the windows it was trained on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from diapir.bundle import Bundle
from diapir.inference import Engine, Ensemble, Predictor, Segmenter, with_windows
from diapir.preprocess import to_input

LOCAL = 0.1
"""Most that a logit of a local network may change when pixels more than one and a half windows away
change; at most 0.025 in probability."""
FACTORS = (1, 2, 3, 4)
"""Window sizes to try, in multiples of the network's input size."""
MOST_PIXELS = 640**2
"""Pixels of the largest window to try, as memory grows with it."""
_TIMED_S, _TIMED_BATCH = 0.3, 16
"""Minimum seconds that a size is timed for, and windows per batch."""


def fastest_windows(segmenter: Segmenter, traces: int, samples: int) -> tuple[Segmenter, float]:
    """The model with the windows that predict a section in the least time.

    Args:
        segmenter: one model or several.
        traces: traces of a section.
        samples: samples per trace, after resampling for the network.

    Returns:
        The model with its windows, and windows per second; its own windows unless larger ones are
        faster and give the same answers.
    """
    best, rate = segmenter, windows_per_second(segmenter)
    least = _windows(best, samples, traces) / rate
    for size in _candidates(segmenter, traces, samples):
        larger = with_windows(segmenter, size=size)
        tile_rate = windows_per_second(larger)
        needed = _windows(larger, samples, traces) / tile_rate
        if needed < least:
            best, rate, least = larger, tile_rate, needed
    return best, rate


def windows_per_second(segmenter: Segmenter) -> float:
    """Windows per second of a model, measured on noise, as the content does not matter."""
    side = max(grid.size for grid in segmenter.grids)
    noise = np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8)
    batch = [noise] * min(segmenter.batch, _TIMED_BATCH)
    segmenter.probabilities(batch)  # what an engine prepares for a new shape is not timed
    windows = len(batch) * _windows(segmenter, side, side)
    count, seconds = 0, 0.0
    while not count or seconds < _TIMED_S:
        started = time.perf_counter()
        segmenter.probabilities(batch)
        seconds += time.perf_counter() - started
        count += windows
    return count / seconds


def is_local(segmenter: Segmenter) -> bool:
    """Whether the answers of a network depend only on pixels within a window or so.

    The logits in a corner of a large window of noise are compared with those after the noise far
    from the corner was replaced by noise of another contrast.
    """
    return all(_is_local(member.bundle, member.engine) for member in _members(segmenter))


def _candidates(segmenter: Segmenter, traces: int, samples: int) -> Iterator[int]:
    sizes = {bundle.info.preprocess.side for bundle in segmenter.bundles}
    any_size = all(bundle.info.takes_any_size for bundle in segmenter.bundles)
    if len(sizes) > 1 or not any_size or not is_local(segmenter):
        return
    (size,) = sizes
    longest = max(traces, samples)
    own = max(grid.size for grid in segmenter.grids)
    for factor in FACTORS:
        tile = size * factor
        if tile > own and tile**2 <= MOST_PIXELS and tile - size < longest:
            yield tile


def _windows(segmenter: Segmenter, height: int, width: int) -> int:
    return sum(grid.count(height, width) for grid in segmenter.grids)


def _members(segmenter: Segmenter) -> tuple[Predictor, ...]:
    if isinstance(segmenter, Ensemble):
        return segmenter.members
    assert isinstance(segmenter, Predictor)  # noqa: S101 - these are the two kinds there are
    return (segmenter,)


def _is_local(bundle: Bundle, engine: Engine) -> bool:
    config = bundle.info.preprocess
    large = config.model_copy(update={"size": 3 * config.side})
    random = np.random.default_rng(0)
    first = random.normal(128, 40, (large.side, large.side))
    second = random.normal(90, 15, first.shape)
    corner, near = config.side // 4, config.side // 4 + int(1.5 * config.side)
    second[:near, :near] = first[:near, :near]
    pair = np.clip(np.stack([first, second]), 0, 255).astype(np.uint8)
    logits = engine.logits(to_input(pair, large))
    one, other = (answer[1, :corner, :corner] - answer[0, :corner, :corner] for answer in logits)
    return float(np.abs(one - other).max()) <= LOCAL
