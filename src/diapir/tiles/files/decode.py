"""Decoding one image file to an array. Only this module opens files with Pillow.

Files are not trusted: only the decoder that a file's suffix names is run, sizes are limited, and
every exception of a decoder becomes a `DataError` with a short reason.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from diapir.errors import DataError
from diapir.tiles.files.array_images import array_pixels
from diapir.tiles.files.colour_maps import in_colour
from diapir.tiles.files.file_store import MAX_FILE_BYTES
from diapir.tiles.files.grey_levels import Pixels, is_grey, own_grey
from diapir.tiles.files.mask_origins import ALPHA, COLOUR
from diapir.tiles.files.mask_pixels import (
    alpha_mask,
    array_values,
    coloured_mask,
    numbers_of,
    picture_values,
)
from diapir.tiles.files.orientation import TURNED, orientation, turn
from diapir.tiles.files.picture_options import MAX_PIXELS

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".webp": "WEBP",
}
"""Suffixes of pictures, and the only format that each may hold."""
TILE_FORMATS = FORMATS | {".npy": "NumPy"}
"""Suffixes of images and masks of tile sets. Outside of these, an .npy array is a survey."""
MAX_SIDE = 32_768
"""Maximum height or width of one image in pixels."""

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"BM", "BMP"),
    (b"GIF8", "GIF"),
    (b"RIFF", "WEBP"),
    (b"%!PS", "PostScript"),
    (b"%PDF", "PDF"),
    (b"8BPS", "PSD"),
    (b"SIMPLE", "FITS"),
    (b"PK\x03\x04", "zip"),
    (b"\x93NUMPY", "NumPy"),
    (b"\x1f\x8b", "gzip"),
    (b"<", "HTML or XML"),
)
_END_MARKS = {"PNG": b"IEND\xaeB`\x82", "JPEG": b"\xff\xd9", "GIF": b"\x3b"}
"""The last bytes of a complete file. Pillow may decode a file without them."""

_FORMAT_WORDS = "PNG, JPEG, TIFF, BMP, GIF or WebP"
Image.MAX_IMAGE_PIXELS = (
    None  # every image opened here has its own limit checked, before its pixels
)


class Decoded(NamedTuple):
    """One decoded image."""

    pixels: Pixels
    """`uint8 (H, W)` where it is 8-bit grey; else what its set decides on, see `grey_levels`."""
    mode: str
    """Pillow's name for how it was stored: `L`, `RGB`, `RGBA`, `I;16`, …; `.npy` by its dtype.
    `TURNED` follows where it was turned as its EXIF orientation says."""

    @property
    def turned(self) -> bool:
        """Whether it was turned as its EXIF orientation says."""
        return self.mode.endswith(TURNED)

    @property
    def grey(self) -> NDArray[np.uint8]:
        """Grey levels `uint8 (H, W)`, the image being a set of its own."""
        return self.pixels if is_grey(self.pixels) else own_grey(self.pixels)


def read_image(source: str | Path | bytes) -> NDArray[np.uint8]:
    """Decode one image of any size and mode to grey, turned as its EXIF orientation says.

    Alpha is dropped; palettes are resolved first. Colour becomes signed amplitude where it is a
    diverging colour map, else grey by ITU-R 601 luma, which leaves equal channels as they are.
    16-bit grey, 32-bit integers and floats are scaled by what they use, see `grey_levels`; with
    both signs they are amplitudes on a symmetric scale, `clip(a / c, −1, 1) · 127.5 + 127.5` with c
    the 98th percentile of |a|, so that zero is mid-grey and polarity is kept.

    Args:
        source: a PNG, JPEG, TIFF, BMP, GIF or WebP file, or its bytes.

    Returns:
        `uint8 (H, W)`.

    Raises:
        DataError: the file is missing, too large, truncated, or not in the format of its suffix.
    """
    if isinstance(source, bytes):
        return decode_image(source, "the image").grey
    path = Path(source)
    return decode_image(read_bytes(path), str(path), suffix=path.suffix).grey


def read_bytes(path: Path) -> bytes:
    """The content of an image file.

    Raises:
        DataError: it is missing, no file, or too large.
    """
    if path.exists() and not path.is_file():  # reading a pipe would wait for ever
        raise _refusal(str(path), "is not a file")
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise _refusal(str(path), f"has {path.stat().st_size / 1024**2:.0f} MiB")
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}",
            expected=f"a {_FORMAT_WORDS} file",
            fix="correct the path",
        ) from None


def decode_image(
    content: bytes, name: str, *, suffix: str | None = None, max_pixels: int = MAX_PIXELS
) -> Decoded:
    """Decode the bytes of an image; see `read_image` for the rules.

    Args:
        content: the file's bytes.
        name: the image's name in errors.
        suffix: `.png` and the like; None recognises the format by the first bytes.
        max_pixels: pixels that it may have; beyond `MAX_PIXELS`, a side may have any length.

    Raises:
        DataError: too large, truncated, or not in the format of its suffix.
    """
    if suffix is not None and suffix.lower() == ".npy":
        values = array_pixels(content, name)
        return Decoded(values, f"{values.dtype} array")
    with _opened(content, name, suffix, max_pixels) as image:
        mode = _mode_upright(image, content)
        return Decoded(picture_pixels(image), mode)


def decode_values(
    content: bytes, name: str, *, suffix: str | None = None
) -> tuple[NDArray[np.uint8] | NDArray[np.uint16], str]:
    """Decode the bytes of a mask to its stored values, unscaled, and its mode.

    Alpha is dropped, unless all that can be seen has one colour: then it is the mask. Channels must
    be equal, or one colour on black, which reads 255; 1-bit masks read 0/255. A grey palette gives
    its grey values; a coloured one its indices, as in Pascal VOC masks. Arrays of floats from 0 to
    1 read 0 to 255 where they hold anything between.

    Returns:
        `uint8` or `uint16 (H, W)`, and Pillow's name of the mode, with what `MaskOrigins` reads.

    Raises:
        DataError: unreadable, in colour, or with values outside 0 … 65535.
    """
    if suffix is not None and suffix.lower() == ".npy":
        values = array_pixels(content, name)
        return array_values(values, name), f"{values.dtype} array"
    with _opened(content, name, suffix, MAX_PIXELS) as image:
        mode = _mode_upright(image, content)
        alpha = alpha_mask(image)
        if alpha is not None:
            return alpha, f"{mode} {ALPHA}"
        coloured = coloured_mask(image, name)
        if coloured is not None:
            return coloured[0], f"{mode}{COLOUR}{coloured[1]}"
        return picture_values(image, name), mode


class Header(NamedTuple):
    """What the header of an image says."""

    plain_grey: bool
    """Whether it is stored as 8-bit grey."""
    turned: bool
    """Whether it is turned as its EXIF orientation says."""
    side: int
    """Its longer side in pixels."""
    pixels: int
    """Height times width."""


def read_header(content: bytes, name: str, suffix: str | None, max_pixels: int) -> Header:
    """What the header of an image says; arguments as for `decode_image`.

    Raises:
        DataError: it is too large, its format is not the one of its suffix, or it is damaged.
    """
    format_ = _expected_format(content, name, suffix)
    try:
        with Image.open(io.BytesIO(content), formats=(format_,)) as image:
            _refuse_size(image, name, max_pixels)
            plain = image.mode in {"1", "L", "LA", "La"}
            width, height = image.size
            turned = orientation(image, content) != 1
            return Header(plain, turned, max(width, height), width * height)
    except DataError:
        raise
    except Exception as error:  # as below
        raise _refusal(name, f"cannot be decoded: {error}") from None


def _mode_upright(image: Image.Image, content: bytes) -> str:
    """The mode of an opened image, which is turned as it is to be shown."""
    mode = image.mode  # decoding may change it
    return mode + TURNED if turn(image, content) else mode


@contextlib.contextmanager
def _opened(
    content: bytes, name: str, suffix: str | None, max_pixels: int
) -> Iterator[Image.Image]:
    """The image with its header read, its size within limits and no sign of damage.

    Raises:
        DataError: for every exception of Pillow, those of the block included.
    """
    if len(content) > MAX_FILE_BYTES:
        raise _refusal(name, f"has {len(content) / 1024**2:.0f} MiB")
    format_ = _expected_format(content, name, suffix)
    if format_ == "TIFF":
        _silence_libtiff()
    try:
        with Image.open(io.BytesIO(content), formats=(format_,)) as image:
            _refuse_size(image, name, max_pixels)
            _refuse_damage(image, content, name)
        with Image.open(io.BytesIO(content), formats=(format_,)) as image:
            yield image
    except DataError:
        raise
    except UnidentifiedImageError:
        found = _format_of(content)
        reason = f"is a damaged or truncated {format_}" if found else f"is not a {format_} image"
        raise _refusal(name, reason) from None
    except Exception as error:  # decoders raise nearly anything on damaged bytes
        raise _refusal(name, f"cannot be decoded: {error}") from None


@functools.cache
def _silence_libtiff() -> None:
    """Stop libtiff printing to the terminal what Pillow raises as an error as well."""
    with contextlib.suppress(AttributeError, OSError):  # as where it is linked statically
        library = ctypes.CDLL(import_module("PIL._imaging").__file__)
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            setter = getattr(library, name)
            setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
            setter(None)


def _format_of(content: bytes) -> str | None:
    return next((format_ for magic, format_ in _MAGIC if content.startswith(magic)), None)


def _expected_format(content: bytes, name: str, suffix: str | None) -> str:
    """The format that the suffix names, or without a suffix the one that the bytes begin with."""
    if not content:
        raise _refusal(name, "is empty")
    found = _format_of(content)
    if suffix is None:
        expected = found if found in FORMATS.values() else None
    else:
        expected = FORMATS.get(suffix.lower())
    if expected is None or (found is not None and found != expected):
        reason = f"though its name ends in {suffix}" if suffix else "which is not read"
        raise _refusal(name, f"is {found or 'in an unknown format'}, {reason}")
    return expected


def _refuse_size(image: Image.Image, name: str, max_pixels: int) -> None:
    width, height = image.size
    long = max(width, height) > MAX_SIDE and max_pixels <= MAX_PIXELS
    if long or width * height > max_pixels:
        needed = -(-max(width * height, MAX_PIXELS + 1) // 10**6)
        raise DataError(
            f"{name} has {height} × {width} pixels, {width * height / 1e6:,.1f} million, above the "
            "limit (--max-megapixels)",
            expected=f"at most {max_pixels / 1e6:,.0f} million pixels and {MAX_SIDE:,} a side, as "
            "damaged files ask for any memory; .npy arrays and SEG-Y files may have any size",
            fix=f"diapir predict --max-megapixels {needed} reads it, or save it as .npy or SEG-Y, "
            "or cut it",
        )
    if image.format in {"PNG", "TIFF", "GIF", "WEBP"} and getattr(image, "n_frames", 1) > 1:
        raise _refusal(name, "holds several images")


def _refuse_damage(image: Image.Image, content: bytes, name: str) -> None:
    """Refuse a file without its end mark, and a PNG with a wrong checksum."""
    end = _END_MARKS.get(image.format or "")
    if end is not None and end not in content:
        raise _refusal(name, "is truncated: its end mark is missing")
    try:
        image.verify()  # the image cannot be used afterwards
    except SyntaxError as error:
        raise _refusal(name, f"is damaged: {error}") from None


def picture_pixels(image: Image.Image) -> Pixels:
    """Grey, colours or numbers of an opened picture, as `Decoded.pixels` has them."""
    mode = image.mode
    if mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if mode in {"I", "F"}:
        return numbers_of(image)
    if mode in {"P", "PA"}:
        image = image.convert("RGBA")
    elif mode not in {"1", "L", "LA", "La", "RGB", "RGBA", "RGBX", "RGBa"}:
        image = image.convert("RGB")
    if image.mode in {"LA", "La"}:
        image = image.getchannel(0)
    if image.mode in {"RGB", "RGBA", "RGBX"}:
        colours = np.asarray(image)[..., :3]
        return colours if in_colour(colours) else np.ascontiguousarray(colours[..., 0])
    return np.asarray(image.convert("L"))


def _refusal(name: str, reason: str) -> DataError:
    return DataError(
        f"{name} {reason}",
        expected=f"a complete {_FORMAT_WORDS} image of at most {MAX_SIDE:,} pixels a side, "
        f"{MAX_PIXELS / 1e6:.0f} million pixels and {MAX_FILE_BYTES // 1024**2} MiB",
        fix="save or download it again, or take it out of the tile set",
    )
