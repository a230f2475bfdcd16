"""Overlays: predicted salt drawn over a seismic image as a transparent fill with an outline.

The colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which remain
distinguishable with any kind of colour blindness.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE

Colour = tuple[int, int, int]

HIT: Colour = (86, 180, 233)
"""Sky blue: true positives."""
MISSED: Colour = (240, 228, 66)
"""Yellow: false negatives (missed salt)."""
FALSE: Colour = (213, 94, 0)
"""Vermillion: false positives."""
SALT: Colour = (230, 159, 0)
"""Orange: predicted salt, where there are no labels."""

FILL = 0.4
"""Opacity of the fill."""


def overlay(
    image: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    truth: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Draw salt over an image.

    Args:
        image: grey, `uint8 (H, W)`.
        prediction: predicted mask `(H, W)` of {0, 1}.
        truth: ground truth `(H, W)` of {0, 1, 255}; pixels of 255 are not drawn.

    Returns:
        RGB `uint8 (H, W, 3)`, in the colours `HIT`, `MISSED` and `FALSE` with ground truth, else in
        `SALT`. An outline of one pixel runs inside the boundary of prediction and ground truth.
    """
    predicted = prediction == 1
    if truth is None:
        return _paint(image, [(predicted, SALT)], inner_edge(predicted))
    salt = truth == 1
    layers = [
        (predicted & salt, HIT),
        (~predicted & salt, MISSED),
        (predicted & (truth == 0), FALSE),
    ]
    return _paint(image, layers, (inner_edge(predicted) | inner_edge(salt)) & (truth != IGNORE))


def _paint(
    image: NDArray[np.uint8],
    layers: Sequence[tuple[NDArray[np.bool_], Colour]],
    edge: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    painted = np.repeat(image[..., None], 3, axis=2)
    grey = np.arange(256)
    for area, colour in layers:
        # a lookup table of grey levels instead of arithmetic on every pixel
        tint = np.rint((1 - FILL) * grey[:, None] + FILL * np.array(colour)).astype(np.uint8)
        painted[area] = tint[image[area]]
        painted[area & edge] = colour
    return painted


def inner_edge(area: NDArray[np.bool_], width: int = 1) -> NDArray[np.bool_]:
    """Pixels of an area within a distance of its outside, along rows and columns.

    Args:
        area: `bool (H, W)`; the image border does not count as outside.
        width: the distance in pixels, at least 1.
    """
    kept = area
    for _ in range(width):
        near = np.pad(kept, 1, mode="edge")
        kept = kept & near[:-2, 1:-1] & near[2:, 1:-1] & near[1:-1, :-2] & near[1:-1, 2:]
    return area & ~kept
