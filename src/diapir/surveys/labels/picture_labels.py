"""Read the labels of pictures: masks beside them, and strokes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from diapir.errors import DataError
from diapir.surveys.labels.label_options import DEFAULTS, LabelOptions
from diapir.surveys.labels.picture_masks import find_masks, read_masks
from diapir.surveys.labels.section_labels import Mask, PictureLabels
from diapir.tiles.files.decode import read_image


def read_picture_labels(
    path: Path, pictures: Sequence[Path], options: LabelOptions = DEFAULTS
) -> PictureLabels:
    """Read the labels of pictures.

    Args:
        path: a folder of masks, which may be the folder of the pictures; one mask; or strokes as
            JSON.
        pictures: image files; some of them may have no labels. See `split_pictures`.
        options: how to read the labels.

    Returns:
        Mask `uint8 (H, W)` of {0, 1, 255} by picture, for those that have labels.

    Raises:
        DataError: no labels of these pictures, another size, values of several meanings, or a
            single class in all labels together.
    """
    found = find_masks(path, pictures)
    masks, notes = read_masks(found.values(), options)
    for picture, file in found.items():
        _refuse_size(masks[file], file, picture)
    labels = {picture: masks[file] for picture, file in found.items()}
    refuse_one_class(labels.values(), str(path))
    return PictureLabels(labels, notes)


def refuse_one_class(masks: Iterable[Mask], source: str) -> None:
    """Refuse labels that say nothing, or only one thing.

    Raises:
        DataError: no sample is labelled, or all of them are of one class.
    """
    classes = {int(value) for mask in masks for value in np.unique(mask)} - {255}
    if classes >= {0, 1}:
        return
    found = "no sample is labelled"
    if classes:
        found = f"every labelled sample is {'salt' if classes == {1} else 'not salt'}"
    raise DataError(
        f"{source}: {found}",
        expected="labels of salt and of what is not salt",
        fix="label both, in the same section or in another one",
    )


def _refuse_size(mask: Mask, file: Path, picture: Path) -> None:
    height, width = read_image(picture).shape
    if mask.shape != (height, width):
        raise DataError(
            f"{file} has {mask.shape[0]} × {mask.shape[1]} pixels; its picture {picture.name} has "
            f"{height} × {width}",
            expected="a mask of the same height and width",
            fix="draw or export the mask at the size of the picture",
        )
