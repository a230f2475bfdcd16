"""Draw synthetic-survey.png: three sections of the synthetic survey and eight tiles cut from it.

Run it as `python docs/images/make_synthetic.py`; it writes beside itself.
"""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from PIL import Image

from diapir.tiles.synthetic import make_section

SEED = 7
SECTIONS = (
    (2, "Diapirs with overhangs, a pillow between"),
    (8, "Diapirs in tilted beds, beneath the sea floor"),
    (5, "Sheets, a diapir and a pillow"),
)
TILES = (
    (7, 0, 4),
    (14, 1, 3),
    (10, 2, 0),
    (0, 1, 3),
    (12, 2, 0),
    (16, 2, 6),
    (17, 3, 6),
    (4, 1, 1),
)
TILE = 101
SALT = "#E69F00"  # orange of Okabe and Ito: told from grey by every kind of eye


def main() -> None:
    """Draw the picture in few colours, so that it stays small."""
    plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 9})
    figure = plt.figure(figsize=(10, 5.55), dpi=120, facecolor="white")
    grid = figure.add_gridspec(
        2, 2, left=0.008, right=0.992, bottom=0.012, top=0.955, wspace=0.016, hspace=0.12
    )
    for place, (number, title) in enumerate(SECTIONS):
        section = make_section(SEED, number)
        axes = figure.add_subplot(grid[place // 2, place % 2])
        window = slice(0, 4 * TILE), slice(0, 8 * TILE)
        draw(axes, section.grey[window], section.salt[window])
        axes.set_title(title, loc="left", pad=4)
    inner = grid[1, 1].subgridspec(2, 4, wspace=0.03, hspace=0.03)
    for place, (number, row, column) in enumerate(TILES):
        section = make_section(SEED, number)
        axes = figure.add_subplot(inner[place // 4, place % 4])
        window = (
            slice(row * TILE, (row + 1) * TILE),
            slice(column * TILE, (column + 1) * TILE),
        )
        draw(axes, section.grey[window], section.salt[window])
        if place == 0:
            axes.set_title("Tiles of 101 × 101 pixels, salt outlined", loc="left", pad=4)
    drawn = io.BytesIO()
    figure.savefig(drawn)
    plt.close(figure)
    picture = Image.open(drawn).convert("RGB")
    few = picture.quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(Path(__file__).with_name("synthetic-survey.png"), optimize=True)


def draw(axes: Axes, grey: NDArray[np.uint8], salt: NDArray[np.uint8]) -> None:
    """One image with the outline of its salt."""
    axes.imshow(grey, cmap="gray", vmin=0, vmax=255, interpolation="antialiased", aspect="auto")
    if salt.any() and not salt.all():
        axes.contour(salt, levels=[0.5], colors=SALT, linewidths=1.3)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)


if __name__ == "__main__":
    main()
