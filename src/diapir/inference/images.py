"""Predictions on image files: probability, mask and overlay of each, and a table of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.files import check_writable, claim, disk_errors
from diapir.inference.ensemble import tta_of
from diapir.inference.image_results import (
    COLUMNS,
    EarlierImages,
    may_be_replaced,
    write_pictures,
    write_table,
)
from diapir.inference.left_out import PREDICTIONS as TABLE
from diapir.inference.postprocess import check_postprocessing, salt_mask
from diapir.inference.predictor import Segmenter
from diapir.inference.sections.caveats import Confidence, image_caveats
from diapir.inference.sections.large_images import LargeImageOptions, LargeImages
from diapir.inference.sources import PICTURES, Found, Source, find_pictures, on_one_scale
from diapir.inference.tiling import WindowGrid
from diapir.locks import locked
from diapir.progress import Progress
from diapir.text import plural
from diapir.tiles.files.picture_options import PictureOptions

DEFAULTS = LargeImageOptions()
"""How images larger than a tile are predicted, unless an option says otherwise."""
_CHUNK_PIXELS = 4 * 1024**2
"""Images are read and predicted in chunks of one batch, or of this many pixels."""
_WRITERS = 4
"""Threads that compress and write images."""


@dataclass(frozen=True)
class PredictionSummary:
    """Summary of a prediction.

    Attributes:
        out: the folder of the results.
        images: number of images predicted.
        threshold: pixels with at least this probability were predicted as salt.
        min_area: minimum component size in pixels; smaller components were removed.
        salt_share: share of salt in all pixels of all predicted images.
        in_windows: number of images that are larger than a window.
        windows: side and overlap of these windows, of each model.
        failed: the reason why an image could not be predicted, by its path.
        model: name of the model.
        tta: its test-time augmentation.
        resampled: vertical factor of each image that was resampled for the network, by its name.
        unsure: share of the pixels that may be salt without being certain, for each image larger
            than a tile by its name.
        notes: what was done to images larger than a tile, each with the option that changes it, and
            what was replaced.
        caveats: signs that the model does not suit the images.
    """

    out: Path
    images: int
    threshold: float
    min_area: int
    salt_share: float
    in_windows: int
    windows: tuple[WindowGrid, ...]
    failed: dict[str, str]
    model: str = ""
    tta: str = "none"
    resampled: dict[str, float] = field(default_factory=dict)
    unsure: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    caveats: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The content as JSON values."""
        return {
            "out": str(self.out),
            "images": self.images,
            "threshold": self.threshold,
            "min_area": self.min_area,
            "salt_share": self.salt_share,
            "in_windows": self.in_windows,
            "windows": [asdict(grid) for grid in self.windows],
            "failed": self.failed,
            "model": self.model,
            "tta": self.tta,
            "resampled": self.resampled,
            "unsure": self.unsure,
            "notes": self.notes,
            "caveats": self.caveats,
        }


def predict_images(
    predictor: Segmenter,
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    threshold: float | None = None,
    min_area: int | None = None,
    found: Found | None = None,
    large: LargeImageOptions = DEFAULTS,
    pictures: PictureOptions = PICTURES,
    polarity: Literal["normal", "reversed", "both"] = "normal",
    progress: Progress | None = None,
) -> PredictionSummary:
    """Predict the images in files, folders and tile sets, and write the results.

    For an image NAME this writes `probability/NAME.png` (16-bit grey, 65535 = probability 1),
    `mask/NAME.png` (0 and 255) and `overlay/NAME.png` in the image's own size, and a row of
    `predictions.csv`. NAME includes sub-folders. Images are read a batch at a time.

    Args:
        predictor: the model, or an ensemble.
        inputs: image files, folders (with their sub-folders), zips and tile sets.
        out: folder of the results; created if missing.
        threshold: pixels with at least this probability are salt; None for the model's own.
        min_area: minimum component size in pixels; None for the model's own.
        found: the images of `inputs`, where `find_pictures` has listed them already.
        large: how images larger than a tile are predicted.
        pictures: how images are read.
        polarity: whether black and white are exchanged; `both` averages the two, at twice the cost.
        progress: called with the images done and all images.

    Returns:
        A summary; an image that could not be read or predicted is in `failed`.

    Raises:
        DataError: an input that does not exist, no image at all or none that can be predicted, an
            `out` that contains inputs or files of something else, or a disk that is full or
            read-only.
        ConfigError: a threshold or a minimum component size out of range.
    """
    given = [inputs] if isinstance(inputs, str | Path) else inputs
    paths, out = [Path(path) for path in given], Path(out)
    threshold = predictor.threshold if threshold is None else threshold
    min_area = predictor.min_area if min_area is None else min_area
    check_postprocessing(threshold, min_area)
    found = find_pictures(paths, out, pictures) if found is None else found
    sources, read_notes = on_one_scale(found.sources, pictures, polarity)
    target = out.resolve() if out.is_symlink() else out  # results may go to another disk
    claim(target, holds="an earlier prediction", ours=may_be_replaced)
    check_writable(target)
    rows: list[dict[str, Any]] = []
    problems: list[DataError] = []
    sections = LargeImages(predictor, large, both_signs=polarity == "both")
    confidence: dict[str, Confidence] = {}
    earlier = EarlierImages(target, [source.name for source in sources])
    with disk_errors(out), locked(target / ".lock", out):
        with ThreadPoolExecutor(_WRITERS) as pool:
            for chunk in _chunks(sources, predictor):
                problems += [image for _, image in chunk if isinstance(image, DataError)]
                rows += _predict(sections, chunk, earlier, threshold, min_area, pool, confidence)
                if progress:
                    progress(len(rows), len(sources))
        failed = {row["input"]: row["error"] for row in rows if row["error"]}
        if len(failed) == len(rows):
            raise DataError(
                f"none of {plural(len(rows), 'image')} can be predicted; the first, "
                f"{rows[0]['input']}: {rows[0]['error']}",
                expected=problems[0].expected,
                fix=problems[0].fix,
            )
        write_table(out / TABLE, rows)
        predicted = [row for row in rows if not row["error"]]
        replaced = earlier.end(row["name"] for row in predicted)
    pixels = sum(row["width"] * row["height"] for row in predicted)
    salt = sum(row["salt_share"] * row["width"] * row["height"] for row in predicted)
    return PredictionSummary(
        out=out,
        images=len(predicted),
        threshold=threshold,
        min_area=min_area,
        salt_share=salt / pixels,
        in_windows=sum(_in_windows(predictor, row["height"], row["width"]) for row in predicted),
        windows=predictor.grids,
        failed=failed,
        model=predictor.describe()["name"],
        tta=tta_of(predictor),
        resampled=sections.factors,
        unsure={name: one.unsure for name, one in confidence.items()},
        notes=[*found.notes, *read_notes, *sections.notes(), *replaced],
        caveats=image_caveats(confidence),
    )


def _in_windows(predictor: Segmenter, height: int, width: int) -> bool:
    return any(grid.count(height, width) > 1 for grid in predictor.grids)


_Read = tuple[Source, NDArray[np.uint8] | DataError]
"""A source with its image, or with the reason why it cannot be predicted."""


def _chunks(sources: Sequence[Source], predictor: Segmenter) -> Iterator[list[_Read]]:
    """Read sources a batch at a time, to keep only one chunk in memory."""
    chunk: list[_Read] = []
    pixels = images = 0
    for source in sources:
        try:
            image = source.read()
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
    sections: LargeImages,
    chunk: Sequence[_Read],
    earlier: EarlierImages,
    threshold: float,
    min_area: int,
    pool: ThreadPoolExecutor,
    confidence: dict[str, Confidence],
) -> list[dict[str, Any]]:
    """Predict and write a chunk; returns a row of the table for each source.

    Images larger than a tile are counted in `confidence`.
    """
    prepared = [
        sections.prepare(source.name, image)
        for source, image in chunk
        if not isinstance(image, DataError)
    ]
    found = sections.probabilities([one.image for one in prepared])
    probabilities = (
        one.restored(probability) for one, probability in zip(prepared, found, strict=True)
    )
    if prepared:
        earlier.begin()
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
            if max(image.shape) > sections.window:
                confidence[source.name] = Confidence()
                confidence[source.name].add(probability, threshold)
            row["height"], row["width"] = image.shape
            row["salt_share"] = float(mask.mean())
            row["mean_probability"] = float(probability.mean(dtype=np.float64))
            written.append(
                pool.submit(write_pictures, earlier.out, source.name, image, probability, mask)
            )
        rows.append(row)
    for writing in written:
        writing.result()
    return rows
