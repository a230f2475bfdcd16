"""How far two engines agree on tiles: an export and its original, or bfloat16 and float32."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from diapir import preprocess
from diapir.bundle import BundleInfo, Parity
from diapir.errors import BundleError
from diapir.inference.engines.engine import BATCH, Engine, salt_probability
from diapir.progress import Progress

MAX_FLIPPED = 2e-3
"""Maximum share of pixels that may change sides of the threshold in bfloat16 or int8."""
MAX_MEAN = 4e-3
"""Maximum mean difference in probability in bfloat16 or int8."""


def compare(
    reference: Engine,
    other: Engine,
    images: Sequence[NDArray[np.uint8]],
    info: BundleInfo,
    *,
    data: str,
    progress: Progress | None = None,
) -> Parity:
    """Compare two engines on tiles that are preprocessed as the model requires.

    Args:
        reference: runs the original network, in float32.
        other: runs the network that is compared with it.
        images: grey tiles `uint8 (H, W)`; only the upper left window of larger ones is used.
        info: the model.
        data: name of the tiles.
        progress: called with the tiles done and all tiles.

    Raises:
        BundleError: an engine returns NaN.
    """
    size = info.window
    tiles = sorted((image[:size, :size] for image in images), key=np.shape)
    logit, probability, total, flipped, pixels, done = [0.0], [0.0], 0.0, 0, 0, 0
    for _, group in groupby(tiles, np.shape):
        for batch in _batches(list(group)):
            inputs = preprocess.to_input(np.stack(batch), info.preprocess)
            expected, found = (
                preprocess.crop(engine.logits(inputs), *batch[0].shape)
                for engine in (reference, other)
            )
            before, after = (
                salt_probability(np.moveaxis(logits, 1, 0)) for logits in (expected, found)
            )
            differences = np.abs(after - before)
            logit.append(float(np.abs(found - expected).max()))
            probability.append(float(differences.max()))
            total += float(differences.sum(dtype=np.float64))
            flipped += int(((after >= info.threshold) != (before >= info.threshold)).sum())
            pixels += before.size
            done += len(batch)
            if progress:
                progress(done, len(tiles))
    if not np.isfinite([*logit, *probability]).all():
        raise BundleError(
            f"{reference.name} or {other.name} returns NaN or infinity ({data})",
            expected="a model whose training did not diverge",
            fix="use another model",
        )
    return Parity(
        reference=reference.name,
        data=data,
        tiles=len(tiles),
        pixels=pixels,
        logit=max(logit),
        probability=max(probability),
        mean=total / pixels,
        flipped=flipped,
    )


def agrees(parity: Parity) -> bool:
    """Whether bfloat16 or int8 gives the same result as float32, but for a few pixels in doubt."""
    mean = parity.probability if parity.mean is None else parity.mean
    return mean <= MAX_MEAN and parity.flipped <= MAX_FLIPPED * parity.pixels


def _batches(tiles: list[NDArray[np.uint8]]) -> Iterator[list[NDArray[np.uint8]]]:
    for start in range(0, len(tiles), BATCH):
        yield tiles[start : start + BATCH]
