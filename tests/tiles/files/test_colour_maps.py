import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from diapir.tiles import load_tiles, read_image
from diapir.tiles.files.colour_maps import ColourCensus
from diapir.tiles.files.grey_levels import GreyCensus
from tests.helpers.tile_sets import make_tiles, png, write_files
from tests.tiles.files.test_grey_levels import section

SHARE = section(3, 90).astype(np.float64) / 255
"""Amplitudes of a section, 0 to 1."""


def drawn(share: NDArray[np.float64], *corners: str) -> NDArray[np.uint8]:
    """Amplitudes in a colour map of evenly spaced corners, from negative to positive."""
    colours = np.array([list(bytes.fromhex(one)) for one in corners], np.float64)
    places = np.linspace(0, 1, len(corners))
    channels = [np.interp(share, places, colours[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def likeness(picture: NDArray[np.uint8]) -> float:
    """Correlation of the grey levels that a picture gives with the amplitudes it was drawn from."""
    grey = read_image(png(picture))
    return float(np.corrcoef(grey.ravel(), SHARE.ravel())[0, 1])


@pytest.mark.parametrize(
    ("corners", "sign"),
    [
        (("0000ff", "ffffff", "ff0000"), 1),
        (("ff0000", "ffffff", "0000ff"), -1),  # red is taken as positive where blue is negative
        (("00004c", "0000ff", "ffffff", "ff0000", "800000"), 1),
        (("ff0000", "ffffff", "000000"), 1),
        (("000000", "ffffff", "ff0000"), -1),
        (("67001f", "d6604d", "f7f7f7", "4393c3", "053061"), 1),
        (("3b4cc0", "8db0fe", "dddcdc", "f4987a", "b40426"), 1),
        (("8e0152", "de77ae", "f7f7f7", "7fbc41", "276419"), 1),
        (("00ffff", "0000ff", "ffffff", "ff0000", "ffff00"), 1),
        (("008000", "ffffff", "c000c0"), 1),  # a map of nobody's
        (("0000ff", "d3d3d3", "ff0000"), 1),
        (("0000ff", "ffffff", "000000"), 1),
    ],
)
def test_a_diverging_colour_map_is_turned_back(corners: tuple[str, ...], sign: int) -> None:
    assert sign * likeness(drawn(SHARE, *corners)) > 0.98


@pytest.mark.parametrize("quality", [95, 85])
def test_a_colour_map_survives_compression(quality: int) -> None:
    smooth = np.asarray(
        Image.fromarray(np.rint(SHARE * 255).astype(np.uint8)).resize((360, 360), 3)
    )
    file = io.BytesIO()
    picture = drawn(smooth / 255, "0000ff", "ffffff", "ff0000")
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    assert np.corrcoef(read_image(file.getvalue()).ravel(), smooth.ravel())[0, 1] > 0.97


def test_zero_is_mid_grey() -> None:
    picture = drawn(SHARE, "0000ff", "ffffff", "ff0000")
    picture[0, :3] = [[255, 255, 255], [0, 0, 255], [255, 0, 0]]
    assert read_image(png(picture))[0, :3].tolist() == [128, 0, 255]


@pytest.mark.parametrize(
    "corners",
    [
        ("000000", "ff0000", "ffff00", "ffffff"),
        ("440154", "21918c", "fde725"),
        ("000000", "c09060"),
    ],
)
def test_a_map_of_one_direction_keeps_its_brightness(corners: tuple[str, ...]) -> None:
    assert likeness(drawn(SHARE, *corners)) > 0.9


def test_lines_drawn_on_a_grey_section_are_no_colour_map() -> None:
    grey = np.rint(SHARE * 255).astype(np.uint8)
    picture = Image.fromarray(grey).convert("RGB")
    for row in range(10, 90, 15):
        ImageDraw.Draw(picture).line([(0, row), (90, row + 5)], fill=(255, 0, 0), width=2)
    found = np.asarray(picture)
    census = ColourCensus()
    census.add(found)
    assert census.recognise() is None
    untouched = (found[..., 0] == found[..., 1]) & (found[..., 0] == found[..., 2])
    np.testing.assert_array_equal(read_image(png(found))[untouched], grey[untouched])


def test_the_map_is_that_of_the_set_and_is_named() -> None:
    census = GreyCensus()
    white = drawn(np.full((20, 20), 0.5) + 0.02 * SHARE[:20, :20], "0000ff", "ffffff", "ff0000")
    for name, picture in (("a", drawn(SHARE, "0000ff", "ffffff", "ff0000")), ("b", white)):
        census.add(name, picture)
    rule = census.decide()
    assert np.abs(rule.grey("b", white).astype(int) - 128).max() < 8  # and not white
    (note,) = rule.notes(polarity=" (--polarity reversed)")
    assert "2 pictures" in note
    assert "blue taken as negative, red as positive (--polarity reversed)" in note
    plain = census.decide(brightness=True)
    assert plain.grey("b", white).min() > 235
    assert "no colour map" in plain.notes()[0]


def test_a_tile_set_in_colour_says_its_map(tmp_path: Path) -> None:
    _, masks = make_tiles(size=(40, 40))
    files = {f"masks/{tile}.png": png(mask * np.uint8(255)) for tile, mask in masks.items()}
    greys = {tile: section(place, 40) for place, tile in enumerate(masks)}
    for tile, grey in greys.items():
        files[f"images/{tile}.png"] = png(drawn(grey / 255, "0000ff", "ffffff", "ff0000"))
    tiles = load_tiles(write_files(tmp_path, files))
    for index, tile in enumerate(tiles.ids):
        assert np.abs(tiles.image(index).astype(int) - greys[tile]).max() <= 2
    assert "8 pictures in the colour map" in tiles.notes[0]
