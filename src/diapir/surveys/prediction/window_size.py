"""Find the fastest window size that does not change the answers of a network.

Larger windows waste less on overlap and on the padding of training tiles. A local network gives the
same answers whatever the size; one that pools over the whole window (pyramid pooling, squeeze and
excitation) does not, and keeps the size it was evaluated at.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from diapir.bundle import Bundle
from diapir.inference import Engine, EngineOptions, Ensemble, Predictor, Segmenter
from diapir.inference.tiling import window_count
from diapir.preprocess import to_input
from diapir.surveys.prediction.survey_options import OVERLAP

LOCAL = 0.1
"""Most that a logit of a local network may change when pixels more than one and a half windows away
change; at most 0.025 in probability."""
FACTORS = (1, 2, 3, 4)
"""Window sizes to try, in multiples of the network's input size."""
MOST_PIXELS = 640**2
"""Pixels of the largest window to try, as memory grows with it."""
_TIMED_S, _TIMED_BATCH = 0.3, 8
"""Minimum seconds that a size is timed for, and windows per batch."""


def with_tile(segmenter: Segmenter, tile: int) -> Segmenter:
    """The same model on the same engine, with windows of `tile` pixels a side.

    Its batches hold as many pixels as before, but at least one window.

    Args:
        segmenter: one model or several.
        tile: side in pixels, a size that the network can take.
    """
    members = [_retiled(member, tile) for member in _members(segmenter)]
    return members[0] if len(members) == 1 else Ensemble(members)


def _retiled(predictor: Predictor, tile: int) -> Predictor:
    info = predictor.bundle.info
    if tile == info.window:
        return predictor
    preprocess = info.preprocess.model_copy(update={"size": tile})
    bundle = Bundle(
        predictor.bundle.path,
        info.model_copy(update={"tile": tile, "preprocess": preprocess}),
    )
    batch = max(1, predictor.batch * info.preprocess.size**2 // tile**2)
    options = EngineOptions(batch=batch, tta=predictor.tta)
    return Predictor(bundle, options, engine=predictor.engine)


def fastest_tile(
    segmenter: Segmenter, traces: int, samples: int, overlap: float = OVERLAP
) -> tuple[int, float]:
    """The window size that predicts a section in the least time.

    Args:
        segmenter: one model or several.
        traces: traces of a section.
        samples: samples per trace, after resampling for the network.
        overlap: minimum overlap of neighbouring windows, in [0, 1).

    Returns:
        Side of the windows in pixels, and windows per second; the model's own size unless a larger
        one is faster and gives the same answers.
    """
    own = max(bundle.info.window for bundle in segmenter.bundles)
    best, rate = own, windows_per_second(segmenter)
    least = _windows(samples, traces, own, overlap) / rate
    for tile in _candidates(segmenter, traces, samples):
        larger = with_tile(segmenter, tile)
        tile_rate = windows_per_second(larger)
        needed = _windows(samples, traces, tile, overlap) / tile_rate
        if needed < least:
            best, rate, least = tile, tile_rate, needed
    return best, rate


def windows_per_second(segmenter: Segmenter) -> float:
    """Windows per second of a model, measured on noise, as the content does not matter."""
    side = max(bundle.info.window for bundle in segmenter.bundles)
    noise = np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8)
    segmenter.probabilities([noise])  # what an engine prepares for a new shape is not timed
    batch = [noise] * min(segmenter.batch, _TIMED_BATCH)
    count, seconds = 0, 0.0
    while not count or seconds < _TIMED_S:
        started = time.perf_counter()
        segmenter.probabilities(batch)
        seconds += time.perf_counter() - started
        count += len(batch)
    return count / seconds


def is_local(segmenter: Segmenter) -> bool:
    """Whether the answers of a network depend only on pixels within a window or so.

    The logits in a corner of a large window of noise are compared with those after the noise far
    from the corner was replaced by noise of another contrast.
    """
    return all(_is_local(member.bundle, member.engine) for member in _members(segmenter))


def takes_any_size(segmenter: Segmenter) -> bool:
    """Whether all networks of a model accept windows larger than those of training."""
    exports = (bundle.info.export for bundle in segmenter.bundles)
    return all(export is None or export.any_size for export in exports)


def _candidates(segmenter: Segmenter, traces: int, samples: int) -> Iterator[int]:
    sizes = {bundle.info.preprocess.size for bundle in segmenter.bundles}
    if len(sizes) > 1 or not takes_any_size(segmenter) or not is_local(segmenter):
        return
    (size,) = sizes
    longest = max(traces, samples)
    own = max(bundle.info.window for bundle in segmenter.bundles)
    for factor in FACTORS:
        tile = size * factor
        if tile != own and tile**2 <= MOST_PIXELS and tile - size < longest:
            yield tile


def _windows(height: int, width: int, tile: int, overlap: float) -> int:
    return window_count(max(height, tile), max(width, tile), tile, overlap)


def _members(segmenter: Segmenter) -> tuple[Predictor, ...]:
    if isinstance(segmenter, Ensemble):
        return segmenter.members
    assert isinstance(segmenter, Predictor)  # noqa: S101 - these are the two kinds there are
    return (segmenter,)


def _is_local(bundle: Bundle, engine: Engine) -> bool:
    config = bundle.info.preprocess
    large = config.model_copy(update={"size": 3 * config.size})
    random = np.random.default_rng(0)
    first = random.normal(128, 40, (large.size, large.size))
    second = random.normal(90, 15, first.shape)
    corner, near = config.size // 4, config.size // 4 + int(1.5 * config.size)
    second[:near, :near] = first[:near, :near]
    pair = np.clip(np.stack([first, second]), 0, 255).astype(np.uint8)
    logits = engine.logits(to_input(pair, large))
    one, other = (answer[1, :corner, :corner] - answer[0, :corner, :corner] for answer in logits)
    return float(np.abs(one - other).max()) <= LOCAL
