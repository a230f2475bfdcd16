"""From the bytes of one picture to an array. The only place where Pillow opens a file.

Files are hostile until decoded: only the decoder that a file's suffix names is run, sizes have
limits, and whatever a decoder raises becomes one plain reason.
"""

from __future__ import annotations

import io
import warnings
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from diapir.errors import DataError
from diapir.tiles.files.file_store import MAX_FILE_BYTES

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
"""Suffixes that are read, and the only format each may hold."""
MAX_PIXELS = 64 * 1024**2
"""Most pixels of one picture; below Pillow's own limit, so ours is the one that is met."""
MAX_SIDE = 32_768
"""Greatest height or width of one picture."""
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

warnings.simplefilter("error", Image.DecompressionBombWarning)


class Picture(NamedTuple):
    """One decoded picture: its grey values, and how they were stored."""

    grey: NDArray[np.uint8]
    """`uint8 (H, W)`."""
    mode: str
    """Pillow's name of how it was stored: `L`, `RGB`, `RGBA`, `I;16`, …"""


def read_image(source: str | Path | bytes) -> NDArray[np.uint8]:
    """Decode one image of any size and mode to grey.

    Alpha is dropped. Colour becomes grey by ITU-R 601 luma, which leaves equal channels as they
    are; palettes are resolved first. 16-bit grey is scaled by 1/257. Floats and 32-bit
    integers are amplitudes on one symmetric scale: `clip(a / c, −1, 1) · 127.5 + 127.5` with c the
    98th percentile of |a|. So zero is mid-grey and polarity is kept; what is not finite is zero.

    Args:
        source: a PNG, JPEG, TIFF or BMP file, or its bytes.

    Returns:
        `uint8 (H, W)`.

    Raises:
        DataError: absent, too large, truncated, or no image of the format its suffix says.
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


def decode_image(content: bytes, name: str, *, suffix: str | None = None) -> Picture:
    """Decode the bytes of an image to grey; see `read_image` for the rules.

    Args:
        content: the file's bytes.
        name: what errors call it.
        suffix: `.png` and the like; None trusts the first bytes.
    """
    with _open(content, name, suffix) as picture:
        mode = picture.mode
        try:
            return Picture(_grey(picture), mode)
        except DataError:
            raise
        except Exception as error:  # decoders raise nearly anything on damaged bytes
            raise _refusal(name, f"cannot be decoded: {error}") from None


def decode_values(
    content: bytes, name: str, *, suffix: str | None = None
) -> tuple[NDArray[np.uint8] | NDArray[np.uint16], str]:
    """Decode the bytes of a mask to its stored values, unscaled, and its mode.

    Alpha is dropped, channels must be equal, 1-bit masks read 0/255. A grey palette gives its grey
    values; a coloured one its indices, as in Pascal VOC masks.

    Returns:
        `uint8` or `uint16 (H, W)`, and Pillow's name of the mode.

    Raises:
        DataError: unreadable, in colour, or holding numbers that no mask has.
    """
    with _open(content, name, suffix) as picture:
        mode = picture.mode
        try:
            return _values(picture, name), mode
        except DataError:
            raise
        except Exception as error:  # decoders raise nearly anything on damaged bytes
            raise _refusal(name, f"cannot be decoded: {error}") from None


def _open(content: bytes, name: str, suffix: str | None) -> Image.Image:
    """The picture with its header read and its size within limits."""
    if len(content) > MAX_FILE_BYTES:
        raise _refusal(name, f"has {len(content) / 1024**2:.0f} MiB")
    found = next((kind for magic, kind in _MAGIC if content.startswith(magic)), None)
    if suffix is None:
        wanted = found if found in FORMATS.values() else None
    else:
        wanted = FORMATS.get(suffix.lower())
    if wanted is None or (found is not None and found != wanted):
        named = f"though its name ends in {suffix}" if suffix else "which is not read"
        raise _refusal(name, f"is {found or 'no image of a known format'}, {named}")
    if not content:
        raise _refusal(name, "is empty")
    try:
        picture = Image.open(io.BytesIO(content), formats=(wanted,))
        width, height = picture.size
        if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
            raise _refusal(name, f"has {height} × {width} pixels")
        if wanted in {"PNG", "TIFF"} and getattr(picture, "n_frames", 1) > 1:
            raise _refusal(name, "holds several pictures")
        if wanted == "PNG":
            _refuse_broken_png(content, name)
        elif wanted == "JPEG" and b"\xff\xd9" not in content:
            raise _refusal(name, "is truncated: it has no end mark")
    except DataError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise _refusal(name, "has far more pixels than its size suggests") from None
    except UnidentifiedImageError:
        reason = f"is a damaged or truncated {wanted}" if found else f"is no {wanted} image"
        raise _refusal(name, reason) from None
    except Exception as error:  # decoders raise nearly anything on damaged bytes
        raise _refusal(name, f"cannot be decoded: {error}") from None
    return picture


def _refuse_broken_png(content: bytes, name: str) -> None:
    """Check what Pillow does not: that the file goes on to its end mark, and every checksum."""
    start, kind = 8, b""
    while kind != b"IEND":
        end = start + 12 + int.from_bytes(content[start : start + 4])
        if len(content) < max(end, start + 12):
            raise _refusal(name, "is truncated: it stops before its end mark")
        kind = content[start + 4 : start + 8]
        checksum = zlib.crc32(memoryview(content)[start + 4 : end - 4])
        if checksum != int.from_bytes(content[end - 4 : end]):
            raise _refusal(name, "is damaged: a checksum in it does not fit")
        start = end


def _grey(picture: Image.Image) -> NDArray[np.uint8]:
    mode = picture.mode
    if mode.startswith("I;16"):
        deep = np.asarray(picture).astype(np.uint32)
        return ((deep + 128) // 257).astype(np.uint8)
    if mode in {"I", "F"}:
        return _amplitudes(np.asarray(picture, dtype=np.float64))
    if mode in {"P", "PA"}:
        picture = picture.convert("RGBA")
    elif mode not in {"1", "L", "LA", "La", "RGB", "RGBA", "RGBX", "RGBa"}:
        picture = picture.convert("RGB")
    if picture.mode in {"LA", "La"}:
        picture = picture.getchannel(0)
    # Pillow's luma weights sum to 65536, so three equal channels give exactly that channel
    return np.asarray(picture.convert("L"))


def _amplitudes(amplitudes: NDArray[np.float64]) -> NDArray[np.uint8]:
    amplitudes = np.where(np.isfinite(amplitudes), amplitudes, 0.0)
    scale = float(np.percentile(np.abs(amplitudes), AMPLITUDE_PERCENTILE))
    if scale == 0:  # nearly all is zero: the few amplitudes that are there set the scale
        scale = float(np.abs(amplitudes).max()) or 1.0
    return np.rint(np.clip(amplitudes / scale, -1, 1) * 127.5 + 127.5).astype(np.uint8)


def _values(picture: Image.Image, name: str) -> NDArray[np.uint8] | NDArray[np.uint16]:
    mode = picture.mode
    if mode.startswith("I;16"):
        return np.asarray(picture).astype(np.uint16)
    if mode == "I":
        wide = np.asarray(picture)
        if wide.min() < 0 or wide.max() > 65535:
            raise _refusal(name, f"holds values from {wide.min()} to {wide.max()}")
        return wide.astype(np.uint16)
    if mode in {"1", "L"}:
        return np.asarray(picture.convert("L"))
    if mode in {"LA", "La"}:
        return np.asarray(picture.getchannel(0))
    if mode == "P":
        colours = np.asarray(picture.convert("RGBA"))[..., :3]
        if _equal_channels(colours):
            return colours[..., 0]
        return np.asarray(picture)
    if mode in {"RGB", "RGBA", "RGBX"}:
        colours = np.asarray(picture)
        if _equal_channels(colours):
            return colours[..., 0]
        raise DataError(
            f"{name} is in colour: its channels differ",
            expected="a grey mask, or three equal channels",
            fix="save the mask as grey 0 and 255",
        )
    raise _refusal(name, f"is stored as {mode}, which no mask is")


def _equal_channels(colours: NDArray[np.uint8]) -> bool:
    first = colours[..., 0]
    return bool((first == colours[..., 1]).all() and (first == colours[..., 2]).all())


def _refusal(name: str, reason: str) -> DataError:
    return DataError(
        f"{name} {reason}",
        expected=f"a whole PNG, JPEG, TIFF or BMP picture of at most {MAX_SIDE} pixels a side, "
        f"{MAX_PIXELS // 1024**2} Mi pixels and {MAX_FILE_BYTES // 1024**2} MiB",
        fix="save or download it again, or take it out of the set",
    )
