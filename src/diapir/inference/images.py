"""Predictions on image files: probability, mask and overlay of each, and a table of them all."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.errors import DataError
from diapir.files import replace_file
from diapir.inference.overlay import overlay
from diapir.inference.postprocess import check_marking, salt_mask
from diapir.inference.predictor import Marker, Progress
from diapir.inference.sources import OUTPUTS, Source, find_sources

TABLE = "predictions.csv"
STARTED = ".predicting"
"""Marks a folder whose prediction has not come to its end, and may be taken up again."""
COLUMNS = ("input", "name", "width", "height", "salt_share", "mean_probability", "error")
"""Columns of the table; sizes in pixels, shares in [0, 1]."""

_CHUNK_PIXELS = 4 * 1024**2
"""Images are read and predicted together up to one batch, or up to this many pixels."""
_WRITERS = 4
"""Threads that compress and write; they mostly wait for the disk."""


@dataclass(frozen=True)
class PredictionSummary:
    """What came of a prediction.

    Attributes:
        out: folder it was written to.
        images: number of images predicted.
        threshold: probability from which a pixel counts as salt.
        min_area: pixels; connected salt of fewer than this was left out.
        salt_share: share of salt in all pixels of all predicted images.
        failed: why an image could not be predicted, by its path.
    """

    out: Path
    images: int
    threshold: float
    min_area: int
    salt_share: float
    failed: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """As JSON can say it."""
        return {
            "out": str(self.out),
            "images": self.images,
            "threshold": self.threshold,
            "min_area": self.min_area,
            "salt_share": self.salt_share,
            "failed": self.failed,
        }


def predict_images(
    predictor: Marker,
    inputs: Sequence[Path],
    out: Path,
    *,
    threshold: float | None = None,
    min_area: int | None = None,
    progress: Progress | None = None,
) -> PredictionSummary:
    """Predict the images of files, folders and tile sets, and write what was found.

    For an image NAME there will be `probability/NAME.png` (16-bit grey, 65535 is certain salt),
    `mask/NAME.png` (0 and 255) and `overlay/NAME.png` in the image's own size, and a row of
    `predictions.csv`. NAME keeps sub-folders. Images are read a batch at a time.

    Args:
        predictor: the model, or several as one.
        inputs: image files, folders (with their sub-folders) and zips, tile sets among them.
        out: folder to write to; made where it is not there.
        threshold: probability from which a pixel counts as salt; None takes the model's.
        min_area: pixels; connected salt of fewer than this is left out; None takes the model's.
        progress: called with the images done and all images.

    Returns:
        What was written; an image that could not be read or predicted is in `failed`.

    Raises:
        DataError: an input that is not there, no image at all or none that can be predicted, an
            `out` that holds inputs or what no prediction wrote, a threshold outside (0, 1), a
            `min_area` below 0, or a disk that is full or read-only.
    """
    threshold = predictor.threshold if threshold is None else threshold
    min_area = predictor.min_area if min_area is None else min_area
    check_marking(threshold, min_area)
    sources = find_sources(inputs, out)
    rows: list[dict[str, Any]] = []
    try:
        _refuse_used(out)
        with ThreadPoolExecutor(_WRITERS) as pool:
            for chunk in _chunks(sources, predictor):
                rows += _predict(predictor, chunk, out, threshold, min_area, pool)
                if progress:
                    progress(len(rows), len(sources))
        failed = {row["input"]: row["error"] for row in rows if row["error"]}
        if len(failed) == len(rows):
            raise DataError(
                f"none of {len(rows)} images can be predicted; the first, {rows[0]['input']}: "
                f"{rows[0]['error']}",
                expected="at least one whole image",
                fix="repair the images, or give others",
            )
        _write_table(out / TABLE, rows)
        (out / STARTED).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"{error.filename or out} could not be written: {error.strerror or error}",
            expected="a writable folder with enough space",
            fix="free space, or choose another --out",
        ) from None
    predicted = [row for row in rows if not row["error"]]
    pixels = sum(row["width"] * row["height"] for row in predicted)
    salt = sum(row["salt_share"] * row["width"] * row["height"] for row in predicted)
    return PredictionSummary(out, len(predicted), threshold, min_area, salt / pixels, failed)


def _refuse_used(out: Path) -> None:
    """Refuse a folder with files where results belong, unless a prediction wrote them."""
    held = [name for name in (*OUTPUTS, TABLE) if (out / name).exists()]
    if not held or (out / STARTED).exists():
        return
    with suppress(FileNotFoundError), (out / TABLE).open("rb") as table:
        if table.readline() == ",".join(COLUMNS).encode() + b"\n":
            return
    raise DataError(
        f"{out} holds {held[0]}, which no prediction wrote",
        expected="a folder for the results alone, so that nothing else is overwritten",
        fix="choose another --out",
    )


_Read = tuple[Source, NDArray[np.uint8] | DataError]
"""A source with its image, or with why it cannot be predicted."""


def _chunks(sources: Sequence[Source], predictor: Marker) -> Iterator[list[_Read]]:
    """Sources read a batch at a time, so that memory holds one chunk."""
    chunk: list[_Read] = []
    pixels = images = 0
    for source in sources:
        try:
            image = source.read()
            predictor.check(*image.shape)
        except DataError as error:
            chunk.append((source, error))
            continue
        chunk.append((source, image))
        pixels += image.size
        images += 1
        if images == predictor.batch or pixels >= _CHUNK_PIXELS:
            yield chunk
            chunk = []
            pixels = images = 0
    if chunk:
        yield chunk


def _predict(
    predictor: Marker,
    chunk: Sequence[_Read],
    out: Path,
    threshold: float,
    min_area: int,
    pool: ThreadPoolExecutor,
) -> list[dict[str, Any]]:
    """Predict and write a chunk; a row of the table for each source."""
    images = [image for _, image in chunk if not isinstance(image, DataError)]
    probabilities = iter(predictor.probabilities(images))
    if images and not (out / STARTED).exists():
        out.mkdir(parents=True, exist_ok=True)
        replace_file(out / STARTED, b"")
    rows: list[dict[str, Any]] = []
    written = []
    for source, image in chunk:
        row: dict[str, Any] = dict.fromkeys(COLUMNS, "")
        row |= {"input": str(source.path), "name": source.name}
        if isinstance(image, DataError):
            row["error"] = image.found
        else:
            probability = next(probabilities)
            mask = salt_mask(probability, threshold, min_area)
            row["height"], row["width"] = image.shape
            row["salt_share"] = float(mask.mean())
            row["mean_probability"] = float(probability.mean(dtype=np.float64))
            written.append(pool.submit(_write, out, source.name, image, probability, mask))
        rows.append(row)
    for writing in written:
        writing.result()
    return rows


def _write(
    out: Path,
    name: str,
    image: NDArray[np.uint8],
    probability: NDArray[np.float32],
    mask: NDArray[np.uint8],
) -> None:
    pictures = (
        np.rint(probability * np.float32(65535)).astype(np.uint16),
        mask * np.uint8(255),
        overlay(image, mask),
    )
    for folder, picture in zip(OUTPUTS, pictures, strict=True):
        content = io.BytesIO()
        Image.fromarray(picture).save(content, "PNG", compress_level=3)
        path = out / folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content.getbuffer())


def _write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    for row in rows:
        shares = {
            key: f"{row[key]:.6f}" for key in ("salt_share", "mean_probability") if row[key] != ""
        }
        table.writerow(row | shares)
    replace_file(path, text.getvalue())
