"""Masks in formats and channels of their own: alpha, arrays, GIF and WebP."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diapir.errors import DataError
from diapir.tiles import check_tiles, load_tiles
from diapir.tiles.files.decode import decode_image, decode_values
from tests.helpers.tile_sets import make_tiles, png, write_files

SALT = np.zeros((6, 8), np.uint8)
SALT[2:4, 3:7] = 255


def rgba(seen: tuple[int, int, int], elsewhere: tuple[int, int, int]) -> NDArray[np.uint8]:
    colours = np.where(SALT[..., None] > 0, np.array(seen), np.array(elsewhere)).astype(np.uint8)
    return np.dstack([colours, SALT])


def npy(values: NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


@pytest.mark.parametrize(
    ("seen", "elsewhere", "in_alpha"),
    [
        ((255, 255, 255), (255, 255, 255), True),
        ((0, 0, 0), (0, 0, 0), True),
        ((255, 128, 0), (255, 128, 0), True),
        ((255, 128, 0), (0, 0, 0), True),
        ((0, 0, 0), (255, 255, 255), True),
        ((255, 255, 255), (0, 0, 0), False),  # both say the same
    ],
)
def test_salt_in_the_alpha_channel_is_found(
    seen: tuple[int, int, int], elsewhere: tuple[int, int, int], in_alpha: bool
) -> None:
    values, mode = decode_values(png(rgba(seen, elsewhere)), "mask")
    np.testing.assert_array_equal(values, SALT)
    assert (mode == "RGBA alpha") == in_alpha


@pytest.mark.parametrize("alpha", [0, 255])
def test_a_constant_alpha_channel_hides_no_grey(alpha: int) -> None:
    picture = np.dstack([SALT, SALT, SALT, np.full_like(SALT, alpha)])
    np.testing.assert_array_equal(decode_values(png(picture), "mask")[0], SALT)


def test_a_transparent_mask_has_no_salt() -> None:
    white = np.full((4, 4, 4), 255, np.uint8)
    white[..., 3] = 0
    assert not decode_values(png(white), "mask")[0].any()


def test_grey_with_alpha_and_transparent_palettes_are_read_alike() -> None:
    values, _ = decode_values(png(np.dstack([np.full_like(SALT, 255), SALT]), None), "mask")
    np.testing.assert_array_equal(values, SALT)
    palette = Image.fromarray((SALT > 0).astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 255, 0, 0])
    for format_ in ("PNG", "GIF"):
        file = io.BytesIO()
        palette.save(file, format_, transparency=0)
        np.testing.assert_array_equal(decode_values(file.getvalue(), "mask")[0] > 0, SALT > 0)


def test_a_set_of_alpha_masks_says_so(tmp_path: Path) -> None:
    images, masks = make_tiles()
    files = {f"images/{tile}.png": png(image) for tile, image in images.items()}
    for tile, mask in masks.items():
        white = np.full((*mask.shape, 3), 255, np.uint8)
        files[f"masks/{tile}.png"] = png(np.dstack([white, mask * np.uint8(255)]))
    tiles = load_tiles(write_files(tmp_path, files))
    for index, tile in enumerate(tiles.ids):
        np.testing.assert_array_equal(tiles.mask(index), masks[tile])
    report = check_tiles(tmp_path)
    assert "alpha channel of 8 masks" in tiles.notes[0]
    assert tiles.notes[0] in report.warnings
    assert 0 < report.shares["salt"] < 0.5


def test_masks_that_are_all_salt_are_refused(tmp_path: Path) -> None:
    images, masks = make_tiles()
    files = {f"images/{tile}.png": png(image) for tile, image in images.items()}
    files |= {f"masks/{tile}.png": png(np.full_like(masks[tile], 255)) for tile in masks}
    with pytest.raises(DataError, match="is background"):
        load_tiles(write_files(tmp_path, files))
    assert any("is background" in error for error in check_tiles(tmp_path).errors)


@pytest.mark.parametrize("suffix", ["npy", "gif", "webp", "tif", "bmp"])
def test_masks_of_every_format_are_read(tmp_path: Path, suffix: str) -> None:
    images, masks = make_tiles()
    files = {f"images/{tile}.png": png(image) for tile, image in images.items()}
    for tile, mask in masks.items():
        file = io.BytesIO()
        if suffix == "npy":
            np.save(file, mask.astype(bool))
        else:
            picture = Image.fromarray(mask * np.uint8(255))
            options = {"lossless": True} if suffix == "webp" else {}
            picture.save(file, {"tif": "TIFF"}.get(suffix, suffix.upper()), **options)
        files[f"masks/{tile}.{suffix}"] = file.getvalue()
    tiles = load_tiles(write_files(tmp_path, files))
    for index, tile in enumerate(tiles.ids):
        np.testing.assert_array_equal(tiles.mask(index), masks[tile])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (SALT > 0, SALT // 255),
        ((SALT > 0).astype(np.int64), SALT // 255),
        ((SALT > 0).astype(np.float32), SALT // 255),
        (SALT.astype(np.float64), SALT),
        (SALT.astype(np.float64) / 255 * 0.75, np.rint(SALT * 0.75).astype(np.uint8)),
        (SALT.astype(np.uint16) * np.uint16(257), SALT.astype(np.uint16) * np.uint16(257)),
        (SALT[None], SALT),
        (SALT[..., None], SALT),
    ],
)
def test_masks_in_arrays_keep_their_values(
    values: NDArray[np.generic], expected: NDArray[np.generic]
) -> None:
    found, _ = decode_values(npy(values), "mask.npy", suffix=".npy")
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (npy(np.zeros((2, 3, 4, 5))), "has the shape"),
        (npy(np.array(["salt"])), "holds no numbers"),
        (npy(np.zeros((0, 4))), "holds no numbers"),
        (npy(np.full((2, 2), -1)), "holds values from -1"),
        (npy(np.full((2, 2), np.nan)), "not finite"),
        (npy(np.zeros((2, 2)))[:-5], "cannot be read as an array"),
        (b"\x93NUMPY", "cannot be read as an array"),
        (b"", "cannot be read as an array"),
    ],
)
def test_arrays_that_are_no_masks_are_refused(content: bytes, found: str) -> None:
    with pytest.raises(DataError, match=found) as caught:
        decode_values(content, "mask.npy", suffix=".npy")
    assert "mask.npy" in caught.value.found


def test_the_limit_of_pixels_is_said_with_the_way_past_it() -> None:
    content = png(np.zeros((30, 40), np.uint8))
    with pytest.raises(DataError, match="30 × 40 pixels") as caught:
        decode_image(content, "a.png", suffix=".png", max_pixels=1000)
    assert "--max-megapixels" in caught.value.fix
    assert ".npy" in caught.value.expected
    assert decode_image(content, "a.png", max_pixels=1200).grey.shape == (30, 40)


def coloured(mask: NDArray[np.uint8], colour: tuple[int, int, int]) -> bytes:
    return png((mask[..., None] > 0) * np.array(colour, np.uint8))


@pytest.mark.parametrize("colour", [(255, 0, 0), (12, 200, 9), (0, 0, 255)])
def test_one_colour_on_black_is_salt(colour: tuple[int, int, int]) -> None:
    values, mode = decode_values(coloured(SALT, colour), "mask")
    np.testing.assert_array_equal(values, SALT)
    assert mode == "RGB colour #{:02x}{:02x}{:02x}".format(*colour)
    values, _ = decode_values(coloured(np.ones_like(SALT), colour), "mask")
    assert (values == 255).all()


def test_a_set_of_masks_in_colour_says_so_and_has_one_colour(tmp_path: Path) -> None:
    images, masks = make_tiles()
    files = {f"images/{name}.png": png(image) for name, image in images.items()}
    files |= {f"masks/{name}.png": coloured(mask, (255, 0, 0)) for name, mask in masks.items()}
    write_files(tmp_path / "set", files)
    tiles = load_tiles(tmp_path / "set")
    for index, name in enumerate(tiles.ids):
        np.testing.assert_array_equal(tiles.mask(index), masks[name])
    salt = sum(mask.any() for mask in masks.values())
    (note,) = tiles.notes
    assert f"the colour #ff0000 on black was taken for salt in {salt} masks: t001, t002" in note
    assert note in check_tiles(tmp_path / "set").warnings
    (tmp_path / "set/masks/t001.png").write_bytes(coloured(masks["t001"], (0, 255, 0)))
    with pytest.raises(DataError, match="#00ff00 in 1 mask such as t001; #ff0000 in") as caught:
        load_tiles(tmp_path / "set")
    assert caught.value.found in " ".join(check_tiles(tmp_path / "set").errors)
