"""Masks that lie beside pictures: their names, their encoding, and the picture each belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.choices import MaskEncoding
from diapir.config import IGNORE
from diapir.errors import DataError
from diapir.surveys.labels.label_options import DEFAULTS, LabelOptions
from diapir.surveys.labels.section_labels import Mask
from diapir.text import listing
from diapir.tiles.files import pairing
from diapir.tiles.files.decode import FORMATS, decode_values
from diapir.tiles.files.mask_census import MaskCensus
from diapir.tiles.files.mask_origins import MaskOrigins
from diapir.tiles.files.masks import ENCODINGS, StoredMask, stored_mask

FOLDERS = ("masks", "labels")
"""Folders beside pictures that hold masks of the same names."""


def is_image(path: Path) -> bool:
    """Whether a file's suffix is that of an image."""
    return path.suffix.lower() in FORMATS


def picture_stem(mask: Path) -> str:
    """The stem of the picture that a mask of this name belongs to: line7_salt → line7."""
    return pairing.picture_stem(mask.stem)


def split_pictures(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Tell pictures from the masks beside them.

    A mask lies in a folder named `masks` or `labels`, or is named as another file of the list with
    `_salt`, `_mask` or `_label` at the end.

    Returns:
        Pictures and masks, both in the order given.
    """
    paths = list(paths)
    places = {(path.parent, path.stem) for path in paths}
    pictures: list[Path] = []
    masks: list[Path] = []
    for path in paths:
        stem = picture_stem(path)
        beside = stem != path.stem and (path.parent, stem) in places
        (masks if beside or path.parent.name in FOLDERS else pictures).append(path)
    return pictures, masks


def find_masks(path: Path, pictures: Sequence[Path]) -> dict[Path, Path]:
    """The mask of each picture that has one.

    Args:
        path: a folder of masks, which may be that of the pictures; or one mask.
        pictures: image files.

    Returns:
        Mask by picture, in the order of the pictures.

    Raises:
        DataError: two masks of one picture, two pictures of one name, or no mask of any picture.
    """
    named = _by_stem(pictures)
    own = {picture.resolve() for picture in pictures}
    found: dict[Path, Path] = {}
    for mask in _images(path, pictures):
        if mask.resolve() in own:
            continue
        picture = named.get(mask.stem) or named.get(picture_stem(mask))
        if picture is None and path.is_file() and len(pictures) == 1:
            picture = pictures[0]
        if picture is None:
            continue
        if picture in found:
            raise DataError(
                f"{found[picture]} and {mask} are both masks of {picture.name}",
                expected="one mask for each picture",
                fix="take one of them away",
            )
        found[picture] = mask
    if not found:
        raise DataError(
            f"{path} holds no mask of {listing([picture.name for picture in pictures])}",
            expected="masks named as their picture, with or without _salt, _mask or _label at the "
            "end, or in a folder named masks",
            fix="rename the masks, or give their folder",
        )
    return {picture: found[picture] for picture in pictures if picture in found}


def read_masks(
    paths: Iterable[Path], options: LabelOptions = DEFAULTS
) -> tuple[dict[Path, Mask], tuple[str, ...]]:
    """Read mask images; all of them have one encoding, guessed from all their values.

    Args:
        paths: image files.
        options: the encoding, where it is not to be guessed, or the value that is salt.

    Returns:
        Classes {0, 1, 255} by file, and notes for the user.

    Raises:
        DataError: a file that cannot be read, values that no encoding has, or no salt in any.
    """
    paths = list(paths)
    origins, values = MaskOrigins(), {}
    for path in paths:
        values[path], mode = _stored_values(path)
        origins.add(path.name, mode)
    origins.check()
    if options.salt_value is not None:
        chosen = {path: _by_value(found, options.salt_value) for path, found in values.items()}
        if not any((mask == 1).any() for mask in chosen.values()):
            raise DataError(
                f"no pixel of {listing(paths)} holds --salt-value {options.salt_value}",
                expected="a value that the masks hold",
                fix="correct --salt-value",
            )
        return chosen, tuple(origins.notes())
    masks = {path: stored_mask(found) for path, found in values.items()}
    decoded, notes = _decoded(masks, options.encoding)
    return decoded, (*origins.notes(), *notes)


def _decoded(
    masks: Mapping[Path, StoredMask], encoding: MaskEncoding | str
) -> tuple[dict[Path, Mask], tuple[str, ...]]:
    census = MaskCensus()
    for path, mask in masks.items():
        census.add(str(path), mask)
    notes: tuple[str, ...] = ()
    if set(census.totals()) <= {0} and not census.strays:
        return {path: mask.codes for path, mask in masks.items()}, ()
    chosen: MaskEncoding | str = encoding
    if encoding == "auto" and set(census.totals()) <= {0, 1, IGNORE} and 1 in census.totals():
        chosen = "index"  # where 255 may be most of a mask: labels are partial as a rule
    decision = census.decide(chosen)  # type: ignore[arg-type]
    if encoding == "auto":
        meaning = ENCODINGS[decision.encoding]
        notes = (f"mask values read as {meaning}; another meaning: --encoding or --salt-value",)
    table = np.frombuffer(decision.table, np.uint8)
    return {path: table[mask.codes] for path, mask in masks.items()}, notes


def _by_value(values: NDArray[np.uint8] | NDArray[np.uint16], salt: int) -> Mask:
    """Classes where one value is salt, and 255 is not labelled unless it is that value."""
    classes: Mask = (values == salt).astype(np.uint8)
    if salt != IGNORE:
        classes[values == IGNORE] = IGNORE
    return classes


def _stored_values(path: Path) -> tuple[NDArray[np.uint8] | NDArray[np.uint16], str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}",
            expected="a mask as PNG, TIFF or BMP",
            fix="correct the path",
        ) from None
    return decode_values(content, str(path), suffix=path.suffix)


def _by_stem(pictures: Sequence[Path]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for picture in pictures:
        other = named.setdefault(picture.stem, picture)
        if other.resolve() != picture.resolve():
            raise DataError(
                f"{other} and {picture} have the same name",
                expected="pictures with different names, so that each has its own mask",
                fix="rename one of them",
            )
    return named


def _images(path: Path, pictures: Sequence[Path]) -> list[Path]:
    """The one image; or those of a folder, of folders of pictures in it, and of their masks."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(
            f"{path} does not exist",
            expected="a folder of masks, or a mask",
            fix="correct the path",
        )
    inner = {picture.parent for picture in pictures if picture.parent.is_relative_to(path)}
    places = {path, *inner}
    folders = places | {place / name for place in places for name in FOLDERS}
    return sorted(
        file for folder in folders if folder.is_dir() for file in folder.iterdir() if is_image(file)
    )
