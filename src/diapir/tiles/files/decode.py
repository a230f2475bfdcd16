"""Decoding one image file to an array. Only this module opens files with Pillow.

Files are not trusted: only the decoder that a file's suffix names is run, sizes are limited, and
every exception of a decoder becomes a `DataError` with a short reason.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from diapir.errors import DataError
from diapir.tiles.files.file_store import MAX_FILE_BYTES
from diapir.undefined import find_undefined, hide_undefined

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
"""Suffixes that are read, and the only format that each may hold."""
MAX_PIXELS = 64 * 1024**2
"""Maximum pixels of one image; below Pillow's own limit, so this one applies."""
MAX_SIDE = 32_768
"""Maximum height or width of one image in pixels."""
AMPLITUDE_PERCENTILE = 98.0
"""Amplitudes beyond this percentile of their absolute value are clipped."""

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"BM", "BMP"),
    (b"GIF8", "GIF"),
    (b"RIFF", "WebP"),
    (b"%!PS", "PostScript"),
    (b"%PDF", "PDF"),
    (b"8BPS", "PSD"),
    (b"SIMPLE", "FITS"),
    (b"PK\x03\x04", "zip"),
    (b"\x93NUMPY", "NumPy"),
    (b"<", "HTML or XML"),
)
_END_MARKS = {"PNG": b"IEND\xaeB`\x82", "JPEG": b"\xff\xd9"}
"""The last bytes of a complete file. Pillow may decode a file without them."""

warnings.simplefilter("error", Image.DecompressionBombWarning)


class Decoded(NamedTuple):
    """One decoded image."""

    grey: NDArray[np.uint8]
    """`uint8 (H, W)`."""
    mode: str
    """Pillow's name for how it was stored: `L`, `RGB`, `RGBA`, `I;16`, …"""


def read_image(source: str | Path | bytes) -> NDArray[np.uint8]:
    """Decode one image of any size and mode to grey.

    Alpha is dropped. Colour becomes grey by ITU-R 601 luma, which leaves equal channels as they
    are; palettes are resolved first. 16-bit grey is scaled by 1/257. Floats and 32-bit integers are
    amplitudes on one symmetric scale, `clip(a / c, −1, 1) · 127.5 + 127.5` with c the 98th
    percentile of |a|, so that zero is mid-grey and polarity is kept. Values that are not finite or
    stand for no value (1e30, −9999 and the like) count as zero, and set no scale.

    Args:
        source: a PNG, JPEG, TIFF or BMP file, or its bytes.

    Returns:
        `uint8 (H, W)`.

    Raises:
        DataError: the file is missing, too large, truncated, or not in the format of its suffix.
    """
    if isinstance(source, bytes):
        return decode_image(source, "the image").grey
    path = Path(source)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise _refusal(str(path), f"has {path.stat().st_size / 1024**2:.0f} MiB")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}",
            expected="a PNG, JPEG, TIFF or BMP file",
            fix="correct the path",
        ) from None
    return decode_image(content, str(path), suffix=path.suffix).grey


def decode_image(content: bytes, name: str, *, suffix: str | None = None) -> Decoded:
    """Decode the bytes of an image to grey; see `read_image` for the rules.

    Args:
        content: the file's bytes.
        name: the image's name in errors.
        suffix: `.png` and the like; None recognises the format by the first bytes.

    Raises:
        DataError: too large, truncated, or not in the format of its suffix.
    """
    with _opened(content, name, suffix) as image:
        mode = image.mode  # decoding may change it
        return Decoded(_grey(image), mode)


def decode_values(
    content: bytes, name: str, *, suffix: str | None = None
) -> tuple[NDArray[np.uint8] | NDArray[np.uint16], str]:
    """Decode the bytes of a mask to its stored values, unscaled, and its mode.

    Alpha is dropped, channels must be equal, 1-bit masks read 0/255. A grey palette gives its grey
    values; a coloured one its indices, as in Pascal VOC masks.

    Returns:
        `uint8` or `uint16 (H, W)`, and Pillow's name of the mode.

    Raises:
        DataError: unreadable, in colour, or with values outside 0 … 65535.
    """
    with _opened(content, name, suffix) as image:
        mode = image.mode  # decoding may change it
        return _values(image, name), mode


@contextlib.contextmanager
def _opened(content: bytes, name: str, suffix: str | None) -> Iterator[Image.Image]:
    """The image with its header read, its size within limits and no sign of damage.

    Raises:
        DataError: for every exception of Pillow, those of the block included.
    """
    if len(content) > MAX_FILE_BYTES:
        raise _refusal(name, f"has {len(content) / 1024**2:.0f} MiB")
    format_ = _expected_format(content, name, suffix)
    try:
        with Image.open(io.BytesIO(content), formats=(format_,)) as image:
            _refuse_size(image, name)
            _refuse_damage(image, content, name)
        with Image.open(io.BytesIO(content), formats=(format_,)) as image:
            yield image
    except DataError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise _refusal(name, "has far more pixels than its size suggests") from None
    except UnidentifiedImageError:
        found = _format_of(content)
        reason = f"is a damaged or truncated {format_}" if found else f"is not a {format_} image"
        raise _refusal(name, reason) from None
    except Exception as error:  # decoders raise nearly anything on damaged bytes
        raise _refusal(name, f"cannot be decoded: {error}") from None


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


def _refuse_size(image: Image.Image, name: str) -> None:
    width, height = image.size
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise _refusal(name, f"has {height} × {width} pixels")
    if image.format in {"PNG", "TIFF"} and getattr(image, "n_frames", 1) > 1:
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


def _grey(image: Image.Image) -> NDArray[np.uint8]:
    mode = image.mode
    if mode.startswith("I;16"):
        deep = np.asarray(image).astype(np.uint32)
        return ((deep + 128) // 257).astype(np.uint8)
    if mode in {"I", "F"}:
        return _amplitudes(np.asarray(image, dtype=np.float64))
    if mode in {"P", "PA"}:
        image = image.convert("RGBA")
    elif mode not in {"1", "L", "LA", "La", "RGB", "RGBA", "RGBX", "RGBa"}:
        image = image.convert("RGB")
    if image.mode in {"LA", "La"}:
        image = image.getchannel(0)
    # Pillow's luma weights sum to 65536, so three equal channels give exactly that channel
    return np.asarray(image.convert("L"))


def _amplitudes(amplitudes: NDArray[np.float64]) -> NDArray[np.uint8]:
    with np.errstate(over="ignore"):
        plain = amplitudes.astype(np.float32)
    hide_undefined(plain, find_undefined(plain))
    known = np.isfinite(plain)
    amplitudes = np.where(known, plain, 0.0)
    scale = float(np.percentile(np.abs(plain[known]), AMPLITUDE_PERCENTILE)) if known.any() else 0
    if scale == 0:  # nearly all amplitudes are zero: the others set the scale
        scale = float(np.abs(amplitudes).max()) or 1.0
    return np.rint(np.clip(amplitudes / scale, -1, 1) * 127.5 + 127.5).astype(np.uint8)


def _values(image: Image.Image, name: str) -> NDArray[np.uint8] | NDArray[np.uint16]:
    mode = image.mode
    if mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if mode == "I":
        wide = np.asarray(image)
        if wide.min() < 0 or wide.max() > 65535:
            raise _refusal(name, f"holds values from {wide.min()} to {wide.max()}")
        return wide.astype(np.uint16)
    if mode in {"1", "L"}:
        return np.asarray(image.convert("L"))
    if mode in {"LA", "La"}:
        return np.asarray(image.getchannel(0))
    if mode == "P":
        colours = np.asarray(image.convert("RGBA"))[..., :3]
        if _equal_channels(colours):
            return colours[..., 0]
        return np.asarray(image)
    if mode in {"RGB", "RGBA", "RGBX"}:
        colours = np.asarray(image)
        if _equal_channels(colours):
            return colours[..., 0]
        raise DataError(
            f"{name} is in colour: its channels differ",
            expected="a grey mask, or three equal channels",
            fix="save the mask as grey 0 and 255",
        )
    raise _refusal(name, f"is stored as {mode}, which is not a mask format")


def _equal_channels(colours: NDArray[np.uint8]) -> bool:
    first = colours[..., 0]
    return bool((first == colours[..., 1]).all() and (first == colours[..., 2]).all())


def _refusal(name: str, reason: str) -> DataError:
    return DataError(
        f"{name} {reason}",
        expected=f"a complete PNG, JPEG, TIFF or BMP image of at most {MAX_SIDE} pixels a side, "
        f"{MAX_PIXELS // 1024**2} Mi pixels and {MAX_FILE_BYTES // 1024**2} MiB",
        fix="save or download it again, or take it out of the tile set",
    )
