"""Predictions of images: probability, mask and overlay, to look at and to save."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.api.arguments import Paths
from diapir.extras import extras_explained
from diapir.files import check_writable, claim, disk_errors
from diapir.inference.image_results import (
    COLUMNS,
    may_be_replaced,
    write_pictures,
    write_table,
)
from diapir.inference.left_out import PREDICTIONS as TABLE
from diapir.inference.overlay import overlay
from diapir.text import percent, plural

if TYPE_CHECKING:
    from diapir.reports.prediction_plot import NotebookFigure


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """Salt in one image.

    Attributes:
        name: of the image; files are saved under it.
        source: the path it was read from; empty for an image in memory.
        image: grey levels as the network saw them, `uint8 (H, W)`.
        probability: of salt, `float32 (H, W)` in [0, 1].
        mask: `uint8 (H, W)` of {0, 1}: salt, after threshold and minimum component size.
        threshold: a pixel with at least this probability is salt.
        min_area: minimum component size in pixels.
        model: name of the model.
        tta: its test-time augmentation.
        notes: how the image was read and shown to the network, where that was a choice: the
            mapping from values to grey levels, resampling, blank strips.
        caveats: signs that the model does not suit the image.
    """

    name: str
    source: str
    image: NDArray[np.uint8]
    probability: NDArray[np.float32]
    mask: NDArray[np.uint8]
    threshold: float
    min_area: int
    model: str
    tta: str
    notes: tuple[str, ...]
    caveats: tuple[str, ...]

    @property
    def salt_share(self) -> float:
        """Share of salt in the image, in [0, 1]."""
        return float(self.mask.mean())

    def __repr__(self) -> str:
        height, width = self.mask.shape
        said = f", {plural(len(self.notes), 'note')}" if self.notes else ""
        said += f", {plural(len(self.caveats), 'caveat')}" if self.caveats else ""
        return (
            f"Prediction({self.name!r}, {height} × {width} px, {percent(self.salt_share, 1)} salt, "
            f"model {self.model}{said})"
        )

    def overlay(self) -> Image.Image:
        """The image with salt in orange, as a Pillow image of RGB."""
        return Image.fromarray(overlay(self.image, self.mask))

    def _repr_png_(self) -> bytes:
        """The overlay, where a notebook shows the prediction."""
        content = io.BytesIO()
        self.overlay().save(content, "PNG")
        return content.getvalue()

    def plot(self) -> NotebookFigure:
        """Image, probability and mask side by side, as a Matplotlib figure.

        Raises:
            MissingDependencyError: Matplotlib is not installed.
        """
        with extras_explained():
            from diapir.reports.prediction_plot import plot_prediction

            title = self.name if self.source else ""  # an array has no name worth a title
            return plot_prediction(
                self.image, self.probability, self.mask, threshold=self.threshold, title=title
            )

    def save(self, out: Paths, name: str | None = None) -> list[Path]:
        """Write what `diapir predict` writes for an image.

        Probability (16-bit PNG, 65535 is probability 1), mask (0 and 255) and overlay, each in a
        folder of that name, and a row of `predictions.csv`. Earlier predictions in the folder are
        kept, except one of the same name.

        Args:
            out: the folder, created if missing.
            name: of the files, without suffix; None for the prediction's own.

        Returns:
            The files.

        Raises:
            DataError: the folder holds something else, or the disk is full or read-only.
        """
        return save_predictions([self], Path(out), names=[name or self.name])

    def row(self, name: str) -> dict[str, Any]:
        """Its row of `predictions.csv`."""
        height, width = self.mask.shape
        return dict.fromkeys(COLUMNS, "") | {
            "input": self.source or name,
            "name": name,
            "width": width,
            "height": height,
            "salt_share": self.salt_share,
            "mean_probability": float(self.probability.mean(dtype=np.float64)),
        }


class Predictions(list[Prediction]):
    """The predictions of several images, in their order."""

    def save(self, out: Paths) -> list[Path]:
        """Write all of them; see `Prediction.save`."""
        return save_predictions(self, Path(out), names=[one.name for one in self])


def save_predictions(predictions: list[Prediction], out: Path, *, names: list[str]) -> list[Path]:
    """Write predictions and their rows of the table."""
    claim(out, holds="an earlier prediction", ours=may_be_replaced)
    check_writable(out)
    written: list[Path] = []
    with disk_errors(out):
        rows = _earlier(out / TABLE)
        for one, name in zip(predictions, names, strict=True):
            write_pictures(out, name, one.image, one.probability, one.mask)
            rows[name] = one.row(name)
            written += [out / kind / f"{name}.png" for kind in ("probability", "mask", "overlay")]
        write_table(out / TABLE, list(rows.values()))
    return [*written, out / TABLE]


def _earlier(table: Path) -> dict[str, dict[str, Any]]:
    """The rows of an earlier prediction by name."""
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    shares = ("salt_share", "mean_probability")
    return {row["name"]: row | {key: float(row[key]) for key in shares if row[key]} for row in rows}
