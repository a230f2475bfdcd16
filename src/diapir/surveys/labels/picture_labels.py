"""Read the labels of pictures: masks beside them, and strokes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from diapir.errors import DataError
from diapir.surveys.labels.label_options import DEFAULTS, LabelOptions
from diapir.surveys.labels.picture_masks import find_masks, read_masks
from diapir.surveys.labels.polygon_files import is_json
from diapir.surveys.labels.raster import Shape
from diapir.surveys.labels.section_labels import Mask, PictureLabels, refuse_one_class
from diapir.surveys.labels.stroke_labels import picture_strokes
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
    if path.is_file() and is_json(path):
        strokes = picture_strokes(path, {one: _shape(one) for one in pictures})
        labels = {picture: strokes[picture] for picture in pictures if picture in strokes}
        notes: tuple[str, ...] = ()
    else:
        found = find_masks(path, pictures)
        masks, notes = read_masks(found.values(), options)
        for picture, file in found.items():
            _refuse_size(masks[file], file, picture)
        labels = {picture: masks[file] for picture, file in found.items()}
    refuse_one_class(labels.values(), str(path))
    return PictureLabels(labels, notes)


def _refuse_size(mask: Mask, file: Path, picture: Path) -> None:
    height, width = _shape(picture)
    if mask.shape != (height, width):
        raise DataError(
            f"{file} has {mask.shape[0]} × {mask.shape[1]} pixels; its picture {picture.name} has "
            f"{height} × {width}",
            expected="a mask of the same height and width",
            fix="draw or export the mask at the size of the picture",
        )


def _shape(picture: Path) -> Shape:
    height, width = read_image(picture).shape
    return height, width
