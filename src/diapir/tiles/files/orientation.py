"""Pictures that are stored turned or mirrored, as their EXIF orientation says.

Cameras, scanners and viewers turn a picture by writing how it is to be shown (tag 274) instead of
moving its pixels. Here it is read as it is shown.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from PIL import ExifTags, Image

from diapir.text import listing, plural

TURNED = " turned"
"""What stands in the mode of a picture or mask that was turned."""
_PLACES = ("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp")
"""Where Pillow keeps the metadata that may hold an orientation; TIFF has a tag of its own."""


def orientation(image: Image.Image, content: bytes = b"") -> int:
    """The orientation of an opened picture, 1 to 8; 1 is as it is stored.

    Args:
        image: whose header was read.
        content: the file's bytes, where its pixels were not read.
    """
    if image.format == "PNG" and "exif" not in image.info and b"eXIf" in content:
        image.load()  # it stands behind the pixels
    if image.format != "TIFF" and not any(place in image.info for place in _PLACES):
        return 1
    with contextlib.suppress(Exception):  # damaged metadata say nothing
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
        return found if found in range(1, 9) else 1
    return 1


def turn(image: Image.Image, content: bytes) -> bool:
    """Turn an opened picture, in place, as it is to be shown.

    Returns:
        Whether that changed it.
    """
    if orientation(image, content) == 1:
        return False
    from PIL import ImageOps

    ImageOps.exif_transpose(image, in_place=True)  # which Pillow does itself as it loads a TIFF
    return True


def turned_notes(
    images: Sequence[str], masks: Sequence[str] = (), others: Sequence[str] = ()
) -> list[str]:
    """What is said of the pictures of a set that were turned.

    Args:
        images: names of the images that were.
        masks: names of the masks that were.
        others: names of the images whose mask was not, or the other way round.
    """
    found = [
        f"{plural(len(names), kind)} ({listing(names)})"
        for names, kind in ((images, "picture"), (masks, "mask"))
        if names
    ]
    if not found:
        return []
    doubt = (
        f"; of {listing(others)} only one of image and mask was: check that they fit"
        if others
        else ""
    )
    return [f"{' and '.join(found)} turned as the EXIF orientation says{doubt}"]
