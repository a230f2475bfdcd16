"""Draw survey-products.png and survey-section.png: the products of a synthetic survey.

The probabilities are computed from the shapes of the salt, not predicted. The page needs a Chromium
to be drawn; without one only the section is written.

    python docs/images/make_survey.py
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.reports import write_products_report
from diapir.surveys.grid import Grid
from diapir.surveys.products.make import make_products
from diapir.surveys.products.product_options import ProductOptions

HERE = Path(__file__).resolve().parent
SHAPE = (120, 160, 220)
"""Inlines, crosslines, samples."""
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Volume:
    """Amplitudes and probabilities in memory, read as a survey and as its predictions."""

    grid: Grid
    amplitude: Floats
    probability: Floats
    path: Path = Path("synthetic-survey.sgy")

    def read(self, *where: object) -> Floats:
        """`read(name, inlines, crosslines)` of predictions, `read(inlines, crosslines)` else."""
        if isinstance(where[0], str):
            return self.probability[where[1], where[2]].copy()
        return self.amplitude[where[0], where[1]].copy()


def main() -> None:
    """Make the survey and its products, and draw both pictures."""
    grid = _grid()
    salt = _salt()
    volume = Volume(grid, _amplitude(salt), salt)
    with tempfile.TemporaryDirectory() as scratch:
        products = make_products(
            volume,
            Path(scratch) / "synthetic.products",
            ProductOptions(threshold=0.5),
            name="Synthetic survey",
            survey=volume,
        )
        page = write_products_report(products)
        sections = [path for path in products.files if path.parent.name == "sections"]
        picture = max(map(_opened, sections), key=_coloured)
        picture.resize((4 * picture.width, 2 * picture.height), Image.Resampling.LANCZOS).save(
            HERE / "survey-section.png", optimize=True
        )
        browser = shutil.which("chromium") or shutil.which("chromium-browser")
        if browser:
            shot = HERE / "survey-products.png"
            options = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
            size = "--window-size=900,1900"
            subprocess.run(  # noqa: S603 - the browser of this machine, on a page of our own
                [browser, *options, size, f"--screenshot={shot}", page.as_uri()],
                check=True,
                capture_output=True,
            )


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def _coloured(picture: Image.Image) -> int:
    """Pixels that are not grey: the salt."""
    pixels = np.asarray(picture)
    return int((pixels.max(axis=2) != pixels.min(axis=2)).sum())


def _grid() -> Grid:
    inline, crossline = np.meshgrid(*map(np.arange, SHAPE[:2]), indexing="ij")
    live = np.ones(SHAPE[:2], bool)
    live[52:58, 140:] = False
    return Grid(
        kind="3d",
        inlines=1001 + np.arange(SHAPE[0]),
        crosslines=2001 + np.arange(SHAPE[1]),
        samples=SHAPE[2],
        interval=4.0,
        start=200.0,
        domain="time",
        live=live,
        easting=450_000.0 + 24 * inline + 7 * crossline,
        northing=6_300_000.0 - 7 * inline + 24 * crossline,
    )


def _salt() -> Floats:
    """A stock with an overhang, a pillow beside it and a small detached sheet."""
    inline, crossline, sample = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")

    def away(i: float, x: float) -> Floats:
        return np.hypot(inline - i, 0.8 * (crossline - x)).astype(np.float32)

    depth = sample.astype(np.float32)
    stem = 11 + 16 * np.exp(-(((depth - 75) / 26) ** 2)) + 26 * np.exp(-(((depth - 195) / 40) ** 2))
    ripple = 1.6 * np.sin(inline / 6) * np.cos(crossline / 7 + depth / 15)
    stock = np.minimum(stem - away(55, 70) + ripple, (depth - 48 - 0.02 * away(55, 70) ** 2) / 1.5)
    pillow = 26 - np.sqrt(0.5 * away(70, 128) ** 2 + 0.9 * (depth - 200) ** 2) + ripple
    sheet = 8 - np.sqrt(0.12 * away(28, 32) ** 2 + 3 * (depth - 105) ** 2) + 0.5 * ripple
    inside = np.maximum(np.maximum(stock, pillow), sheet)
    return (1 / (1 + np.exp(-1.2 * inside))).astype(np.float32)


def _amplitude(salt: Floats) -> Floats:
    """Layers that dome over the salt, a weak chaotic interior and a strong top."""
    rng = np.random.default_rng(3)
    rise = 30 * salt[:, :, 60:].mean(axis=2)
    for _ in range(40):
        rise = (rise + np.roll(rise, 1, 1) + np.roll(rise, -1, 1)) / 3
        rise = (rise + np.roll(rise, 1, 0) + np.roll(rise, -1, 0)) / 3
    layers = np.convolve(rng.normal(0, 1, 2 * SHAPE[2]), _ricker(), "same").astype(np.float32)
    inline, crossline = np.meshgrid(*map(np.arange, SHAPE[:2]), indexing="ij")
    shift = rise + 6 * np.sin(crossline / 25) + 3 * np.cos(inline / 30)
    at = np.arange(SHAPE[2])[None, None] + shift[..., None] + SHAPE[2] / 3
    sediment = np.interp(at.ravel(), np.arange(layers.size), layers).reshape(SHAPE)
    edge = np.abs(np.diff(salt, axis=2, append=salt[..., -1:]))
    noise = rng.normal(0, 0.12, SHAPE)
    return ((1 - 0.85 * salt) * sediment + 3 * edge + noise).astype(np.float32)


def _ricker(samples: int = 21, peak: float = 0.09) -> Floats:
    """A Ricker wavelet with its peak frequency in cycles per sample."""
    phase = (np.pi * peak * (np.arange(samples) - samples // 2)) ** 2
    return ((1 - 2 * phase) * np.exp(-phase)).astype(np.float32)


if __name__ == "__main__":
    main()
