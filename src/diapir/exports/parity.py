"""Parity of an exported network and its original, measured on tiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from diapir import preprocess
from diapir.bundle import BundleInfo, Parity
from diapir.errors import ExportError
from diapir.inference.engine import Engine
from diapir.inference.predictor import salt_probability
from diapir.progress import Progress

BATCH = 8

MAX_FLIPPED = 5e-5
"""Maximum share of pixels that may change sides of the threshold. Pixel accuracy cannot change by
more, so its first four digits stay the same."""
MAX_PROBABILITY = {False: 1e-4, True: 2e-2}
"""Maximum difference in a probability, without and with weights stored as float16."""


def measure(
    reference: Engine,
    exported: Engine,
    images: Sequence[NDArray[np.uint8]],
    info: BundleInfo,
    *,
    data: str,
    half: bool = False,
    progress: Progress | None = None,
) -> Parity:
    """Compare two engines on tiles that are preprocessed as the model requires.

    Args:
        reference: runs the original network.
        exported: runs the exported network.
        images: grey tiles `uint8 (H, W)`; only the upper left window of larger ones is used.
        info: the model.
        data: name of the tiles.
        half: whether the exported weights are stored as float16.
        progress: called with the tiles done and all tiles.

    Raises:
        ExportError: an engine returns NaN.
    """
    size = info.window
    tiles = sorted((image[:size, :size] for image in images), key=np.shape)
    logit, probability, flipped, pixels, done = [0.0], [0.0], 0, 0, 0
    for _, group in groupby(tiles, np.shape):
        for batch in _batches(list(group)):
            inputs = preprocess.to_input(np.stack(batch), info.preprocess)
            expected, found = (
                preprocess.crop(engine.logits(inputs), *batch[0].shape)
                for engine in (reference, exported)
            )
            before, after = (
                salt_probability(np.moveaxis(logits, 1, 0)) for logits in (expected, found)
            )
            logit.append(float(np.abs(found - expected).max()))
            probability.append(float(np.abs(after - before).max()))
            flipped += int(((after >= info.threshold) != (before >= info.threshold)).sum())
            pixels += before.size
            done += len(batch)
            if progress:
                progress(done, len(tiles))
    if not np.isfinite([*logit, *probability]).all():
        raise ExportError(
            f"{reference.name} or {exported.name} returns NaN or infinity ({data})",
            expected="a model whose training did not diverge",
            fix="export another model" + (", or leave --half out" if half else ""),
        )
    return Parity(
        reference=reference.name,
        data=data,
        tiles=len(tiles),
        pixels=pixels,
        logit=max(logit),
        probability=max(probability),
        flipped=flipped,
    )


def holds_at(sizes: Sequence[tuple[int, int]], reference: Engine, exported: Engine) -> bool:
    """Whether two engines agree on images of other sizes than the model's input.

    Args:
        sizes: heights and widths in pixels.
        reference: accepts any size that is a multiple of the network's divisor.
        exported: may raise any exception.
    """
    noise = np.random.default_rng(0)
    for height, width in sizes:
        image = noise.normal(size=(1, 3, height, width)).astype(np.float32)
        try:
            found = exported.logits(image)
        except Exception:
            return False
        expected = reference.logits(image)
        if found.shape != expected.shape:
            return False
        before, after = (salt_probability(logits[0]) for logits in (expected, found))
        if not np.abs(after - before).max() <= MAX_PROBABILITY[False]:
            return False
    return True


def _batches(tiles: list[NDArray[np.uint8]]) -> Iterator[list[NDArray[np.uint8]]]:
    for start in range(0, len(tiles), BATCH):
        yield tiles[start : start + BATCH]


def refuse_beyond_tolerance(parity: Parity, *, half: bool) -> None:
    """Refuse an export whose results differ from the original's.

    Raises:
        ExportError: it differs by more than the tolerance.
    """
    limit = MAX_PROBABILITY[half]
    if parity.probability <= limit and parity.flipped <= MAX_FLIPPED * parity.pixels:
        return
    raise ExportError(
        f"the exported network differs by up to {parity.probability:.2g} in probability, and "
        f"{parity.flipped} of {parity.pixels} pixels change class ({parity.data}); nothing was "
        "written",
        expected=f"a difference of at most {limit:g}, and {MAX_FLIPPED:.3%} of the pixels",
        fix="leave --half out" if half else "export with other versions of torch and onnxscript",
    )
