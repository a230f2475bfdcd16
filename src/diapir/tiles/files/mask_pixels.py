"""The stored values of a mask: from grey, a palette, equal channels, alpha or a colour on black."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.errors import DataError
from diapir.tiles.files.colour_maps import in_colour
from diapir.tiles.files.grey_levels import Pixels, as_float

_NAMED_COLOURS = 4
"""Colours of a mask that a refusal names at most."""
Values = NDArray[np.uint8] | NDArray[np.uint16]
"""`(H, W)`."""


def numbers_of(image: Image.Image) -> Pixels:
    """32-bit numbers; Pillow takes those of TIFF that are unsigned for signed ones."""
    values = np.array(image)
    tags = getattr(image, "tag_v2", {})
    if image.mode == "I" and tags.get(258) == (32,) and tags.get(339, (1,)) == (1,):
        return values.view(np.uint32)
    return values


def picture_values(image: Image.Image, name: str) -> Values:
    """The stored values of an opened picture.

    Raises:
        DataError: it holds values outside 0 … 65535.
    """
    mode = image.mode
    if mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if mode in {"I", "F"}:
        return array_values(numbers_of(image), name)
    if mode in {"1", "L"}:
        return np.asarray(image.convert("L"))
    if mode in {"LA", "La"}:
        return np.asarray(image.getchannel(0))
    if mode == "P":
        colours = np.asarray(image.convert("RGBA"))[..., :3]
        if not in_colour(colours):
            return colours[..., 0]
        return np.asarray(image)
    if mode in {"RGB", "RGBA", "RGBX"}:
        return np.asarray(image)[..., 0]
    raise _refusal(name, f"is stored as {mode}, which is not a mask format")


def coloured_mask(image: Image.Image, name: str) -> tuple[NDArray[np.uint8], str] | None:
    """The mask in one colour on black, as 0 and 255, and the colour; None for grey pictures.

    Raises:
        DataError: other colours.
    """
    if image.mode not in {"RGB", "RGBA", "RGBX"}:
        return None
    picture = np.asarray(image)[..., :3]
    if not in_colour(picture):
        return None
    packed = picture.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    values, counts = np.unique(packed, return_counts=True)
    colours = [f"#{value:06x}" for value in values.tolist()]
    if len(values) <= 2 and len(values) - (values[0] == 0) == 1:
        return np.where(packed, np.uint8(255), np.uint8(0)), colours[-1]
    order = np.argsort(-counts)[:_NAMED_COLOURS]
    named = ", ".join(f"{colours[one]} {counts[one] / packed.size:.1%}" for one in order)
    if len(values) > _NAMED_COLOURS:
        named += " and others"
    raise DataError(
        f"{name} is in {len(values):,} colours: {named}",
        expected="a grey mask, or one colour on black",
        fix="save the mask as grey 0 and 255; with NumPy, where the salt is #rrggbb: "
        "255 * (rgb == [0xrr, 0xgg, 0xbb]).all(-1)",
    )


def alpha_mask(image: Image.Image) -> NDArray[np.uint8] | None:
    """The alpha channel, where only it can be the mask: all that can be seen has one colour."""
    keyed = image.mode in {"P", "L", "RGB"} and "transparency" in image.info
    if image.mode not in {"RGBA", "LA", "PA"} and not keyed:
        return None
    picture = np.asarray(image.convert("RGBA"))
    colours, alpha = picture[..., :3], np.ascontiguousarray(picture[..., 3])
    seen = colours[alpha > 0]
    if (alpha == 255).all() or not _one_colour(seen):
        return None
    if _one_colour(colours.reshape(-1, 3)):
        return alpha
    if not len(seen):  # colours with an alpha that was never set
        return None
    grey = colours[..., 0]
    agree = ((grey > 0) == (alpha > 0)).all() or ((grey > 127) == (alpha > 127)).all()
    return None if not in_colour(colours) and agree else alpha


def _one_colour(colours: NDArray[np.uint8]) -> bool:
    return not len(colours) or bool((colours == colours[0]).all())


def array_values(values: Pixels, name: str) -> Values:
    """The stored values of a mask in an array of any type."""
    if values.ndim != 2:
        raise _refusal(name, "is in colour")
    numbers = as_float(values)
    whole = bool((numbers == np.rint(numbers)).all())
    if not np.isfinite(numbers).all():
        raise _refusal(name, "holds values that are not finite")
    if not whole and numbers.min() >= 0 and numbers.max() <= 1:
        return np.rint(numbers * 255).astype(np.uint8)
    if not whole or numbers.min() < 0 or numbers.max() > 65535:
        raise _refusal(name, f"holds values from {numbers.min():g} to {numbers.max():g}")
    return numbers.astype(np.uint8) if numbers.max() <= 255 else numbers.astype(np.uint16)


def _refusal(name: str, reason: str) -> DataError:
    return DataError(
        f"{name} {reason}",
        expected="a grey mask of whole values from 0 to 65535, or of shares from 0 to 1",
        fix="save the mask as grey 0 and 255",
    )
