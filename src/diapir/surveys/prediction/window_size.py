"""Which size of windows is fastest, among those that a network may be shown.

Larger windows waste less on overlap and on the ring that tiles were padded with. A network that is
local answers the same whatever the size; one that pools over the whole window (pyramid pooling,
squeeze and excitation) sees something else in a larger one, and keeps the size it was judged at.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from diapir.bundle import Bundle
from diapir.inference import Engine, EngineOptions, Ensemble, Predictor, Segmenter
from diapir.inference.tiling import OVERLAP, window_count
from diapir.preprocess import to_input

LOCAL = 0.1
"""A logit may move by so much when what changes is more than one and a half windows away: 2.5 % of
a probability at most."""
FACTORS = (1, 2, 3, 4)
"""Windows that are tried, in lengths of the network's input."""
MOST_PIXELS = 640**2
"""Pixels of the largest window that is tried: what a batch of one takes in memory grows with it."""
_TIMED_S, _TIMED_BATCH = 0.3, 8
"""A size is timed for at least so long, in batches of so many windows."""


def with_tile(marker: Segmenter, tile: int) -> Segmenter:
    """The same model with windows of `tile` pixels a side, on the same engine.

    Its batches hold as many pixels as before, but at least one window.

    Args:
        marker: one model or several.
        tile: side in pixels, which the network must be able to take.
    """
    members = [_retiled(member, tile) for member in _members(marker)]
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
    marker: Segmenter, traces: int, samples: int, overlap: float = OVERLAP
) -> tuple[int, float]:
    """The size of windows that marks a section in the least time.

    Args:
        marker: one model or several.
        traces: of the sections.
        samples: of the sections, as the network sees them.
        overlap: of neighbouring windows, in [0, 1).

    Returns:
        Side of the windows in pixels, and windows of it a second; the models' own size where
        larger ones are no faster or not allowed.
    """
    own = max(bundle.info.window for bundle in marker.bundles)
    best, rate = own, windows_per_second(marker)
    least = _windows(samples, traces, own, overlap) / rate
    for tile in _candidates(marker, traces, samples):
        larger = with_tile(marker, tile)
        tile_rate = windows_per_second(larger)
        needed = _windows(samples, traces, tile, overlap) / tile_rate
        if needed < least:
            best, rate, least = tile, tile_rate, needed
    return best, rate


def windows_per_second(marker: Segmenter) -> float:
    """Windows a second that a model marks, measured on noise: what they show does not matter."""
    side = max(bundle.info.window for bundle in marker.bundles)
    noise = np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8)
    marker.probabilities([noise])  # what an engine prepares for a shape is not measured
    batch = [noise] * min(marker.batch, _TIMED_BATCH)
    count, seconds = 0, 0.0
    while not count or seconds < _TIMED_S:
        started = time.perf_counter()
        marker.probabilities(batch)
        seconds += time.perf_counter() - started
        count += len(batch)
    return count / seconds


def is_local(marker: Segmenter) -> bool:
    """Whether a network's answer stays as it is when what changes is more than a window away.

    A large window of noise is shown twice, the second time with other noise of another contrast
    everywhere but near a corner, and the logits of the corner are compared.
    """
    return all(_is_local(member.bundle, member.engine) for member in _members(marker))


def takes_any_size(marker: Segmenter) -> bool:
    """Whether all its networks can be shown larger windows than they were trained on."""
    exports = (bundle.info.export for bundle in marker.bundles)
    return all(export is None or export.any_size for export in exports)


def _candidates(marker: Segmenter, traces: int, samples: int) -> Iterator[int]:
    sizes = {bundle.info.preprocess.size for bundle in marker.bundles}
    if len(sizes) > 1 or not takes_any_size(marker) or not is_local(marker):
        return
    (size,) = sizes
    longest = max(traces, samples)
    own = max(bundle.info.window for bundle in marker.bundles)
    for factor in FACTORS:
        tile = size * factor
        if tile != own and tile**2 <= MOST_PIXELS and tile - size < longest:
            yield tile


def _windows(height: int, width: int, tile: int, overlap: float) -> int:
    return window_count(max(height, tile), max(width, tile), tile, overlap)


def _members(marker: Segmenter) -> tuple[Predictor, ...]:
    if isinstance(marker, Ensemble):
        return marker.members
    assert isinstance(marker, Predictor)  # noqa: S101 - these are the two kinds there are
    return (marker,)


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
