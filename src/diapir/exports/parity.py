"""Parity of an exported network and its original, measured on tiles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.bundle import BundleInfo, Form, Parity
from diapir.errors import BundleError, DiapirError, ExportError
from diapir.inference.engines.agreement import compare
from diapir.inference.engines.engine import Engine, salt_probability
from diapir.inference.engines.open_engine import open_network
from diapir.progress import Progress

MAX_FLIPPED = 5e-5
"""Maximum share of pixels that may change sides of the threshold. Pixel accuracy cannot change by
more, so its first four digits stay the same."""
MAX_PROBABILITY = {False: 1e-4, True: 2e-2}
"""Maximum difference in a probability, without and with weights stored as float16."""
MAX_FLIPPED_INT8 = 4e-3
"""Maximum share of pixels that may change sides of the threshold in int8. Beyond, the Kaggle mAP of
the bundled models changes by more than 0.003."""


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
    try:
        return compare(reference, exported, images, info, data=data, progress=progress)
    except BundleError as error:
        raise ExportError(
            error.found,
            expected=error.expected,
            fix="export another model" + (", or leave --half out" if half else ""),
        ) from None


def of_bf16(
    form: Form,
    network: Path,
    images: Sequence[NDArray[np.uint8]],
    info: BundleInfo,
    *,
    data: str,
) -> Parity | None:
    """Compare an exported network in bfloat16 with itself in float32.

    Args:
        form: its format.
        network: its file.
        images: grey tiles `uint8 (H, W)`.
        info: the model.
        data: name of the tiles.

    Returns:
        The differences; None where OpenVINO is not installed or the CPU has no bfloat16.
    """
    try:
        other = open_network("openvino-bf16", network)
        return compare(open_network(form, network), other, images, info, data=data)
    except DiapirError:
        return None


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


def refuse_beyond_tolerance(parity: Parity, *, half: bool, int8: bool = False) -> None:
    """Refuse an export whose results differ from the original's.

    Raises:
        ExportError: it differs by more than the tolerance.
    """
    limit, flipped = MAX_PROBABILITY[half], MAX_FLIPPED
    if int8:  # a pixel in doubt may change by much
        limit, flipped = 1.0, MAX_FLIPPED_INT8
    if parity.probability <= limit and parity.flipped <= flipped * parity.pixels:
        return
    if int8:
        fix = "leave --int8 out, or calibrate on more tiles like the training tiles with --data"
    else:
        fix = "leave --half out" if half else "export with other versions of torch and onnxscript"
    raise ExportError(
        f"the exported network differs by up to {parity.probability:.2g} in probability, and "
        f"{parity.flipped} of {parity.pixels} pixels change class ({parity.data}); nothing was "
        "written",
        expected=f"a difference of at most {limit:g}, and {flipped:.3%} of the pixels",
        fix=fix,
    )
