"""A prediction as a figure: image, probability and mask side by side."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from diapir.inference.overlay import overlay


class NotebookFigure(Figure):
    """A figure that a notebook shows without Matplotlib's own state for notebooks."""

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        self.savefig(content, format="png", dpi=100, bbox_inches="tight")
        return content.getvalue()


def plot_prediction(
    image: NDArray[np.uint8],
    probability: NDArray[np.float32],
    mask: NDArray[np.uint8],
    *,
    threshold: float,
    title: str,
) -> NotebookFigure:
    """Draw a prediction.

    Args:
        image: grey, `uint8 (H, W)`.
        probability: of salt, `float32 (H, W)` in [0, 1].
        mask: predicted, `uint8 (H, W)` of {0, 1}.
        threshold: at which the mask was made.
        title: of the figure; empty for none.
    """
    height, width = image.shape
    tall = min(max(height / width, 0.3), 3.0)
    figure = NotebookFigure(figsize=(10.5, 3.3 * tall + 0.9), layout="constrained")
    first, second, third = figure.subplots(1, 3)
    first.imshow(image, cmap="gray", vmin=0, vmax=255, aspect="auto", interpolation="nearest")
    first.set_title("image")
    shown = second.imshow(probability, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    if min(image.shape) > 1 and probability.min() < threshold <= probability.max():
        second.contour(probability, levels=[threshold], colors="white", linewidths=0.8)
    second.set_title("probability of salt")
    figure.colorbar(shown, ax=second, fraction=0.05)
    third.imshow(overlay(image, mask), aspect="auto", interpolation="nearest")
    third.set_title(f"salt: {mask.mean():.1%} of pixels, threshold {threshold:g}")
    for axes in (first, second, third):
        axes.set_xticks([])
        axes.set_yticks([])
    if title:
        figure.suptitle(title)
    return figure
