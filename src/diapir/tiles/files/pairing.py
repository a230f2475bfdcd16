"""Which mask belongs to which image, by their names.

Names are compared composed (Unicode NFC): zips from macOS decompose them. Where the same name does
not settle it, what names say of a file's role is left out: `x_mask`, `mask_x` and `x.jpg.png`
belong to `x` and to `x_image`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import PurePosixPath

from diapir.text import listing

_MASK = (
    r"salt|masks?|msk|labels?|lbl|seg|segmentations?|gt|ground[_\- ]?truth|annotations?|targets?"
)
_IMAGE = r"images?|imgs?|seismic|sat|inputs?|orig(?:inal)?"
_PICTURE = re.compile(r"(?i)\.(png|jpe?g|tiff?|bmp|gif|webp|npy)$")
_MASK_ENDING = re.compile(rf"(?i)[_\-. ]+(?:{_MASK})$")
_MASK_START = re.compile(rf"(?i)^(?:{_MASK})[_\-. ]+")
_IMAGE_ENDING = re.compile(rf"(?i)[_\-. ]+(?:{_IMAGE})$")
_IMAGE_START = re.compile(rf"(?i)^(?:{_IMAGE})[_\-. ]+")


def composed(name: str) -> str:
    """A name in Unicode NFC."""
    return unicodedata.normalize("NFC", name)


def stem_of(name: str) -> str:
    """A path without suffix, composed: the id of a tile."""
    return composed(str(PurePosixPath(name).with_suffix("")))


def picture_stem(mask: str) -> str:
    """The stem of the picture that a mask of this stem lies beside: line7_salt → line7."""
    return _MASK_ENDING.sub("", _PICTURE.sub("", mask))


def beside(stems: Collection[str]) -> dict[str, str]:
    """Masks that lie beside their picture: the picture's path by the mask's, both without suffix.

    A mask is named as another file of its folder, with `_salt`, `_mask`, `_label` and the like.
    """
    found = {stem: _in_folder(stem, picture_stem) for stem in stems}
    return {
        mask: picture for mask, picture in found.items() if picture != mask and picture in stems
    }


def pair(images: Iterable[str], masks: Iterable[str]) -> tuple[dict[str, str], str]:
    """Pair the masks that are not named as their image.

    Args:
        images: ids of images that have no mask of their name.
        masks: ids of masks that have no image of their name.

    Returns:
        The image's id by the mask's, and a note; nothing where two could be meant.
    """
    by_key = _unique({image: _key(image, _IMAGE_ENDING, _IMAGE_START) for image in images})
    by_mask = _unique({mask: _key(mask, _MASK_ENDING, _MASK_START) for mask in masks})
    pairs = {mask: by_key[key] for key, mask in by_mask.items() if key in by_key}
    if not pairs:
        return {}, ""
    shown = listing([f"{mask} with {image}" for mask, image in sorted(pairs.items())])
    return pairs, f"masks paired with images of other names: {shown}"


def _unique(keys: Mapping[str, str]) -> dict[str, str]:
    """Name by key, for keys that one name has."""
    counts = Counter(keys.values())
    return {key: name for name, key in keys.items() if counts[key] == 1}


def _key(name: str, ending: re.Pattern[str], start: re.Pattern[str]) -> str:
    def plain(stem: str) -> str:
        stem = _PICTURE.sub("", stem)
        shorter = start.sub("", ending.sub("", stem))
        return (shorter or stem).casefold()

    return _in_folder(name, plain)


def _in_folder(path: str, change: Callable[[str], str]) -> str:
    """A path with its last part changed."""
    place = PurePosixPath(path)
    return str(place.with_name(change(place.name) or place.name))
