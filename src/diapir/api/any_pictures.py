"""Images of any kind, as the sources that predictions read: files, Pillow images, arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.errors import DataError
from diapir.inference.sources import Source, find_pictures
from diapir.surveys.lines.find_lines import holds_surveys, is_survey
from diapir.tiles.files.decode import picture_pixels
from diapir.tiles.files.grey_levels import Pixels
from diapir.tiles.files.orientation import orientation
from diapir.tiles.files.picture_options import PictureOptions

_NO_FOLDER = Path(".no-output")
_EXPECTED = (
    "a path, a Pillow image, or an array of numbers (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"
)


class Pictures(NamedTuple):
    """Images that are to be predicted.

    Attributes:
        sources: the images, not read yet where they are files.
        single: whether one image was given, and not a list, folder or zip.
        notes: what was taken for what.
    """

    sources: list[Source]
    single: bool
    notes: list[str]


def read_any(given: Any, options: PictureOptions) -> Pictures:
    """The images of what a caller gives.

    Args:
        given: a path of an image, a folder or a zip; a Pillow image; an array of any kind of
            numbers `(H, W[, C])`, a PyTorch tensor included; or a list of these.
        options: how pictures are read.

    Raises:
        DataError: it is no image, a survey, or does not exist.
    """
    if isinstance(given, list | tuple):
        notes: list[str] = []
        sources = [
            source
            for place, one in enumerate(given)
            for source in _of(one, f"image_{place}", options, notes)
        ]
        return Pictures(_named_apart(sources), False, list(dict.fromkeys(notes)))
    notes = []
    sources = _of(given, "image", options, notes)
    folder = isinstance(given, str | os.PathLike) and not _is_file(Path(given))
    return Pictures(sources, not folder, notes)


def _is_file(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() != ".zip"


def _named_apart(sources: Sequence[Source]) -> list[Source]:
    """The sources with names that are unique, as results are saved under them."""
    taken: set[str] = set()
    named = []
    for place, source in enumerate(sources):
        name = source.name if source.name not in taken else f"{source.name}_{place}"
        taken.add(name)
        named.append(replace(source, name=name))
    return named


def _of(given: Any, name: str, options: PictureOptions, notes: list[str]) -> list[Source]:
    if isinstance(given, str | os.PathLike):
        path = Path(given)
        _refuse_survey(path)
        found = find_pictures([path], _NO_FOLDER, options)
        notes += found.notes
        return found.sources
    if isinstance(given, Image.Image):
        own = getattr(given, "filename", "")
        name = Path(own).stem if isinstance(own, str) and own else name
        if orientation(given) != 1:
            notes.append(
                f"{name}: the EXIF orientation of a Pillow image is not applied, that of a file is "
                "(PIL.ImageOps.exif_transpose applies it)"
            )
        return [Source.of_pixels(name, _of_pillow(given, name))]
    found_notes: list[str] = []
    pixels = array_pixels_of(given, name, found_notes)
    notes += found_notes
    return [Source.of_pixels(name, pixels)]


def _refuse_survey(path: Path) -> None:
    if is_survey(path) or holds_surveys(path):
        array = path.suffix.lower() == ".npy"
        raise DataError(
            f"{path} is a survey, not an image",
            expected=_EXPECTED,
            fix=f'diapir.predict_survey("{path}", "out/")'
            + (f', or predict(numpy.load("{path}")) if it is one image' if array else ""),
        )


def _of_pillow(image: Image.Image, name: str) -> Pixels:
    try:
        return picture_pixels(image)
    except Exception as error:  # decoders raise nearly anything on damaged bytes
        raise DataError(
            f"the Pillow image {name} cannot be decoded: {error}",
            expected="a complete image",
            fix="open or download it again",
        ) from None


def array_pixels_of(given: Any, name: str, notes: list[str]) -> Pixels:
    """The pixels of an array: `(H, W)` of any real type, or `uint8 (H, W, 3)` in colour.

    Args:
        given: an array, a tensor, or what NumPy makes an array of.
        name: in errors.
        notes: gets what was taken for what.

    Raises:
        DataError: it is no image.
    """
    values = _array(given, name)
    if values.ndim == 3:
        values = _last_channel(values, name, notes)
    if values.ndim != 2 and values.ndim != 3:
        raise _refusal(name, f"has the shape {values.shape}", values)
    if values.dtype == np.bool_:
        notes.append("booleans taken as black and white, 0 and 255")
        values = values.astype(np.uint8) * np.uint8(255)
    if values.ndim == 2:
        return np.ascontiguousarray(values)
    return _colours(values, name, notes)


def _array(given: Any, name: str) -> NDArray[Any]:
    if hasattr(given, "detach") and hasattr(given, "cpu"):  # a tensor
        tensor = given.detach().cpu()
        given = tensor.float() if "bfloat16" in str(tensor.dtype) else tensor
    if isinstance(given, np.ma.MaskedArray):
        given = np.where(np.ma.getmaskarray(given), np.nan, given.data)
    try:
        values = np.asarray(given)
    except (ValueError, TypeError) as error:
        raise _refusal(name, f"cannot be made an array: {error}") from None
    if values.dtype.kind not in "biuf" or not values.ndim:
        kind = f"an array of {values.dtype}" if values.ndim else repr(given)[:60]
        raise _refusal(name, f"is {kind}")
    if 0 in values.shape:
        raise _refusal(name, f"has the shape {values.shape}")
    if values.dtype.kind == "f" and not np.isfinite(values).any():
        raise _refusal(name, "holds no finite number")
    return values


def _last_channel(values: NDArray[Any], name: str, notes: list[str]) -> NDArray[Any]:
    """An array `(H, W)` or `(H, W, 3)` of one with an axis of channels, first or last."""
    first, last = values.shape[0], values.shape[2]
    if last not in (1, 2, 3, 4) and first in (1, 2, 3, 4):
        if first > 1:
            notes.append(f"shape {values.shape} taken as channels first")
        values = np.moveaxis(values, 0, 2)
    elif last not in (1, 2, 3, 4):
        raise _refusal(name, f"has the shape {values.shape}", values)
    if values.shape[2] in (1, 2):  # grey, or grey and alpha
        return values[..., 0]
    values = values[..., :3]
    return values[..., 0] if _all_same(values) else values


def _all_same(values: NDArray[Any]) -> bool:
    """Whether all channels are equal, with missing values at the same places."""
    return all(
        np.array_equal(values[..., 0], values[..., channel], equal_nan=values.dtype.kind == "f")
        for channel in (1, 2)
    )


def _colours(values: NDArray[Any], name: str, notes: list[str]) -> NDArray[np.uint8]:
    """Colours as `uint8 (H, W, 3)`."""
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all() or numbers.min() < 0:
        raise _refusal(name, "has colours that are negative or not finite", values)
    most = float(numbers.max())
    integer = values.dtype.kind in "iu"
    full = next((one for one in ((255, 65535) if integer else (1, 255, 65535)) if most <= one), 0)
    if not full:
        raise _refusal(name, f"has colours up to {most:g}", values)
    notes.append(f"colours of {values.dtype} taken as 0 to {full}")
    scaled: NDArray[np.uint8] = np.rint(numbers * (255 / full)).astype(np.uint8)
    return scaled


def _refusal(name: str, reason: str, values: NDArray[Any] | None = None) -> DataError:
    fix = "give a grey section as an array (samples, traces)"
    if values is not None and values.ndim == 3:
        fix = (
            "predict(list(array)) for a stack of images; diapir.predict_survey for a volume in a "
            "file"
        )
    return DataError(f"{name} {reason}", expected=_EXPECTED, fix=fix)
