import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diapir.tiles import check_tiles, load_tiles
from diapir.tiles.files.decode import decode_image
from diapir.tiles.files.grey_levels import GreyCensus, Pixels, own_grey
from tests.helpers.tile_sets import Images, make_tiles, png, write_files


def section(seed: int = 0, size: int = 60) -> NDArray[np.uint8]:
    """Grey levels of a section that uses nearly all of them."""
    rng = np.random.default_rng(seed)
    wave = np.convolve(rng.normal(size=size), np.hanning(7), "same")
    levels = wave[:, None] + 0.2 * rng.normal(size=(size, size))
    return np.rint(np.clip(levels / np.abs(levels).max(), -1, 1) * 127 + 128).astype(np.uint8)


def tiff(values: NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "TIFF")
    return file.getvalue()


EIGHT = section()


@pytest.mark.parametrize(
    ("stored", "most"),
    [
        (EIGHT.astype(np.uint16), 0),
        (EIGHT.astype(np.uint16) * 4 + 3, 1),  # 10 bits
        (EIGHT.astype(np.uint16) * 16 + 15, 1),  # 12 bits
        (EIGHT.astype(np.uint16) * 64, 2),  # 14 bits
        (EIGHT.astype(np.uint16) * 257, 0),
        (EIGHT.astype(np.int32), 0),
        (EIGHT.astype(np.int32) * 16 + 15, 1),
        (EIGHT.astype(np.float32), 0),
        (EIGHT.astype(np.float32) / 255, 0),
        (EIGHT.astype(np.float32) / 127.5 - 1, 14),  # amplitudes are clipped
        (EIGHT.astype(np.uint32) * 257, 0),
        (EIGHT.astype(np.float32) / 255 * 1.04 - 0.02, 12),  # resampled: a little beyond 0 and 1
    ],
)
def test_the_same_image_in_other_numbers_is_the_same(stored: Pixels, most: int) -> None:
    difference = own_grey(stored).astype(int) - EIGHT
    assert np.abs(difference).max() <= most


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_pictures_of_fewer_bits_are_read_from_files(dtype: type[np.generic]) -> None:
    found = decode_image(tiff((EIGHT.astype(np.uint16) * 16).astype(dtype)), "a").grey
    assert np.abs(found.astype(int) - EIGHT).max() <= 2


def test_values_around_the_middle_of_16_bits_are_spread() -> None:
    grey = own_grey((EIGHT.astype(np.int32) - 128 + 32768).astype(np.uint16))
    assert np.ptp(grey) > 200
    assert np.corrcoef(grey.ravel(), EIGHT.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("nothing", [1e30, -1e30, 3.4e38, np.nan, np.inf, -999.25e3, -1e20])
def test_values_that_stand_for_none_set_no_scale(nothing: float) -> None:
    amplitudes = (EIGHT.astype(np.float64) - 128) * 3
    holed = amplitudes.copy()
    holed[:8] = nothing
    found = own_grey(holed.astype(np.float32))
    assert (found[:8] == 128).all()
    alone = own_grey(amplitudes[8:].astype(np.float32))
    np.testing.assert_array_equal(found[8:], alone)


def test_one_scale_for_a_set_keeps_a_dark_tile_dark() -> None:
    census = GreyCensus()
    full = EIGHT.astype(np.uint16) * 16
    dark = np.full_like(full, 5)
    dark[0] = 200
    for name, pixels in (("full", full), ("dark", dark)):
        census.add(name, pixels)
    rule = census.decide()
    assert rule.grey("dark", dark).max() <= 13
    assert len({*rule.scales.values()}) == 1
    (note,) = rule.notes(levels=" (--levels)")
    assert note.startswith("2 images")
    assert "12 bits" in note
    assert "--levels" in note


def test_images_that_cannot_be_on_one_scale_are_told_apart_and_named() -> None:
    census = GreyCensus()
    stored = {"twelve": EIGHT.astype(np.uint16) * 16, "eight": EIGHT.astype(np.uint16)}
    for name, pixels in stored.items():
        census.add(name, pixels)
    rule = census.decide()
    for name, pixels in stored.items():
        assert np.abs(rule.grey(name, pixels).astype(int) - EIGHT).max() <= 2
    notes = rule.notes()
    assert any("eight" in note and "8 bits" in note for note in notes)
    assert "images of one set are on different scales" in notes


def test_levels_that_are_asked_for_are_taken() -> None:
    census = GreyCensus()
    census.add("a", np.array([[0, 500, 1000, 2000]], np.uint16))
    assert census.decide((0, 1000)).grey("a", np.array([[0, 500, 1000, 2000]])).tolist() == [
        [0, 128, 255, 255]
    ]


@pytest.mark.parametrize("suffix", ["png", "tif", "npy"])
def test_a_tile_set_of_12_bits_is_that_of_8_and_says_so(tmp_path: Path, suffix: str) -> None:
    images, masks = make_tiles(size=(40, 40))
    spread: Images = {tile: section(place, 40) for place, tile in enumerate(images)}

    def stored(image: NDArray[np.uint8]) -> bytes:
        deep = image.astype(np.uint16) * 16 + 8
        if suffix == "npy":
            file = io.BytesIO()
            np.save(file, deep)
            return file.getvalue()
        return png(deep) if suffix == "png" else tiff(deep)

    salt = {f"masks/{tile}.png": png(mask * np.uint8(255)) for tile, mask in masks.items()}
    deep = {f"images/{tile}.{suffix}": stored(image) for tile, image in spread.items()}
    plain = {f"images/{tile}.png": png(image) for tile, image in spread.items()}
    tiles = load_tiles(write_files(tmp_path / "deep", salt | deep))
    expected = load_tiles(write_files(tmp_path / "plain", salt | plain))
    for index in range(len(expected)):
        difference = tiles.image(index).astype(int) - expected.image(index)
        assert np.abs(difference).max() <= 1
    assert expected.notes == ()
    assert "12 bits" in tiles.notes[0]
    assert load_tiles(tmp_path / "deep").notes == tiles.notes  # from the cache
    report = check_tiles(tmp_path / "deep")
    assert tiles.notes[0] in report.warnings
    assert report.ok
