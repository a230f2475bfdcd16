"""Pictures stored turned: read as their EXIF orientation shows them."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diapir.errors import DataError
from diapir.inference.sources import find_pictures, on_one_scale
from diapir.surveys.labels.picture_masks import read_masks
from diapir.tiles import load_tiles, read_image
from diapir.tiles.check import check_tiles
from diapir.tiles.files.decode import decode_image, decode_values, read_header
from diapir.tiles.files.picture_options import MAX_PIXELS, PictureOptions

GREY = np.random.default_rng(0).integers(0, 256, (6, 4), dtype=np.uint8)
UPRIGHT = {
    1: GREY,
    2: GREY[:, ::-1],
    3: GREY[::-1, ::-1],
    4: GREY[::-1],
    5: GREY.T,
    6: np.rot90(GREY, -1),
    7: GREY[::-1, ::-1].T,
    8: np.rot90(GREY),
}
"""What GREY shows with each orientation, as the Exif standard defines them."""


def turned(
    pixels: NDArray[np.generic], orientation: int, format_: str = "PNG", **options: object
) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format_, exif=exif, **options)
    return file.getvalue()


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(
    ("format_", "options"),
    [("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {"lossless": 1})],
)
def test_pictures_are_read_as_they_are_shown(
    orientation: int, format_: str, options: dict[str, object]
) -> None:
    content = turned(GREY, orientation, format_, **options)
    decoded = decode_image(content, "a")
    np.testing.assert_array_equal(decoded.grey, UPRIGHT[orientation])
    assert decoded.turned == (orientation != 1)
    assert read_header(content, "a", None, MAX_PIXELS).turned == decoded.turned


def test_a_photograph_is_read_as_it_is_shown() -> None:
    ramp = np.repeat(np.arange(0, 240, 5, dtype=np.uint8)[:, None], 32, axis=1)
    found = read_image(turned(ramp, 6, "JPEG", quality=95))
    assert found.shape == (32, 48)
    assert np.abs(found[5].astype(int) - ramp[::-1, 0]).max() < 4


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_numbers_are_turned_too(dtype: type[np.generic]) -> None:
    values = np.arange(24).reshape(6, 4).astype(dtype)
    decoded = decode_image(turned(values, 8, "TIFF"), "a")
    np.testing.assert_array_equal(decoded.pixels, np.rot90(values))


def test_an_orientation_behind_the_pixels_counts() -> None:
    plain = turned(GREY, 1)
    exif = b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHHI", 274, 3, 1, 3, 0, 0)
    chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif
    late = chunk + struct.pack(">I", zlib.crc32(chunk[4:]))
    first = plain.index(b"eXIf") - 4
    end = plain.index(b"IEND") - 4
    length = struct.unpack(">I", plain[first : first + 4])[0] + 12
    content = plain[:first] + plain[first + length : end] + late + plain[end:]
    np.testing.assert_array_equal(read_image(content), UPRIGHT[3])
    assert read_header(content, "a", None, MAX_PIXELS).turned
    with pytest.raises(DataError, match="above the limit"):
        read_header(content, "a", None, 5)  # before it is decoded


def test_a_header_is_read_without_the_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    content = turned(GREY, 6)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    header = read_header(content, "a", None, MAX_PIXELS)
    assert (header.turned, header.side, header.pixels) == (True, 6, 24)


@pytest.mark.parametrize("orientation", [0, 9, 300])
def test_an_orientation_that_is_none_changes_nothing(orientation: int) -> None:
    decoded = decode_image(turned(GREY, orientation), "a")
    np.testing.assert_array_equal(decoded.grey, GREY)
    assert not decoded.turned


def test_damaged_metadata_change_nothing() -> None:
    file = io.BytesIO()
    Image.fromarray(GREY).save(file, "PNG", exif=b"Exif\0\0MM\0*\0\0\xff\xff")
    np.testing.assert_array_equal(read_image(file.getvalue()), GREY)


def test_masks_are_turned_too(tmp_path: Path) -> None:
    mask = np.where(GREY > 127, 255, 0).astype(np.uint8)
    content = turned(mask, 6)
    np.testing.assert_array_equal(decode_values(content, "a")[0], np.rot90(mask, -1))
    (tmp_path / "a.png").write_bytes(content)
    masks, notes = read_masks([tmp_path / "a.png"])
    np.testing.assert_array_equal(masks[tmp_path / "a.png"], np.rot90(mask, -1) == 255)
    assert "1 mask (a.png) turned as the EXIF orientation says" in notes


def write_tiles(folder: Path, masks: int) -> Path:
    """Five tiles; the images of the first three are turned, and as many masks as given."""
    rng = np.random.default_rng(1)
    for place in range(5):
        image = rng.integers(0, 256, (8, 8), dtype=np.uint8)
        mask = np.repeat(np.uint8([[0, 255]]), 8, axis=0).repeat(4, axis=1)
        for name, pixels, most in (("images", image, 3), ("masks", mask, masks)):
            (folder / name).mkdir(parents=True, exist_ok=True)
            content = turned(pixels, 3 if place < most else 1)
            (folder / name / f"t{place}.png").write_bytes(content)
    return folder


def test_a_set_says_what_was_turned(tmp_path: Path) -> None:
    path = write_tiles(tmp_path / "set", masks=3)
    note = "3 pictures (t0, t1, t2) and 3 masks (t0, t1, t2) turned as the EXIF"
    tiles = load_tiles(path)
    for notes in (tiles.notes, load_tiles(path).notes, check_tiles(path).warnings):
        assert any(one.startswith(note) and "check" not in one for one in notes), notes
    assert tiles.mask(0)[0, 0] == 1  # turned by half a circle, salt is on the left
    assert tiles.mask(3)[0, 0] == 0


def test_a_set_doubts_images_that_were_turned_without_their_masks(tmp_path: Path) -> None:
    (note,) = [one for one in load_tiles(write_tiles(tmp_path, 1)).notes if "EXIF" in one]
    assert note.endswith("of t1, t2 only one of image and mask was: check that they fit")


def test_predictions_say_what_was_turned(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(turned(GREY, 6))
    (tmp_path / "b.png").write_bytes(turned(GREY, 1))
    found = on_one_scale(find_pictures([tmp_path], tmp_path / "out").sources, PictureOptions())
    assert found.notes == ["1 picture (a) turned as the EXIF orientation says"]
    assert [source.read().shape for source in found.sources] == [(4, 6), (6, 4)]
