"""Salt drawn over the seismic image: a light fill that lets it through, and a crisp outline.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people with any kind
of colour blindness tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE

Colour = tuple[int, int, int]

HIT: Colour = (86, 180, 233)
"""Sky blue: salt that was found."""
MISSED: Colour = (240, 228, 66)
"""Yellow: salt that was not found."""
FALSE: Colour = (213, 94, 0)
"""Vermillion: no salt, but marked as salt."""
SALT: Colour = (230, 159, 0)
"""Orange: marked as salt, where the truth is not known."""

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
        truth: mask `(H, W)` of {0, 1, 255}; pixels of 255 are not drawn.

    Returns:
        RGB `uint8 (H, W, 3)`: with truth in the colours `HIT`, `MISSED` and `FALSE`, without it in
        `SALT`; an outline of one pixel runs inside the edge of prediction and truth.
    """
    marked = prediction == 1
    if truth is None:
        return _paint(image, [(marked, SALT)], _inner_edge(marked))
    salt = truth == 1
    layers = [
        (marked & salt, HIT),
        (~marked & salt, MISSED),
        (marked & (truth == 0), FALSE),
    ]
    return _paint(image, layers, (_inner_edge(marked) | _inner_edge(salt)) & (truth != IGNORE))


def _paint(
    image: NDArray[np.uint8],
    layers: Sequence[tuple[NDArray[np.bool_], Colour]],
    edge: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    painted = np.repeat(image[..., None], 3, axis=2)
    grey = np.arange(256)
    for area, colour in layers:
        # one look-up for each grey level instead of arithmetic on every pixel
        tint = np.rint((1 - FILL) * grey[:, None] + FILL * np.array(colour)).astype(np.uint8)
        painted[area] = tint[image[area]]
        painted[area & edge] = colour
    return painted


def _inner_edge(area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of an area with one of their four neighbours outside it; the frame is no edge."""
    inside = np.pad(area, 1, mode="edge")
    neighbours = inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    return area & ~neighbours
