"""The contact sheet shows tiles of each class of coverage, and those to look at twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir.errors import DataError
from diapir.inference.contact_sheet import (
    CELL,
    GAP,
    LINE,
    MARGIN,
    claim_sheet,
    contact_sheet,
    flags,
    pictures,
    save_sheet,
    sheet_rows,
)
from diapir.inference.overlay import HIT
from diapir.tiles import TileSet, load_tiles


def tile_set(folder: Path, tiles: dict[str, tuple[np.ndarray, np.ndarray]]) -> TileSet:
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for name, (image, mask) in tiles.items():
        Image.fromarray(image).save(folder / "images" / f"{name}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{name}.png")
    return load_tiles(folder, encoding="index")


def image(seed: int, height: int = 20, width: int = 20) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def mask(share: float, height: int = 20, width: int = 20) -> np.ndarray:
    salt = np.zeros((height, width), np.uint8)
    salt[:, : round(share * width)] = 1
    return salt


@pytest.fixture
def mixed(tmp_path: Path) -> TileSet:
    """Tiles of three sizes and of each class, and one for each reason to look twice."""
    ignored = mask(0.05)
    ignored[:, 2:] = 255
    whole = {f"cover{share:03d}": (image(share), mask(share / 100)) for share in range(0, 100, 5)}
    whole |= {
        "wide": (image(200, 10, 70), mask(0.5, 10, 70)),
        "tall": (image(201, 300, 30), mask(0.5, 300, 30)),
        "flat": (np.full((20, 20), 7, np.uint8), mask(0.2)),
        "twin": (image(0), mask(0.4)),
        "unknown": (image(202), ignored),
        "full": (image(203), mask(1)),
    }
    return tile_set(tmp_path / "mixed", whole)


def test_tiles_to_look_at_are_named_with_the_reason(mixed: TileSet) -> None:
    assert {mixed.ids[index]: reason for index, reason in flags(mixed).items()} == {
        "flat": "constant image",
        "cover000": "masks differ",
        "twin": "masks differ",
        "unknown": "mostly ignored",
        "full": "all salt",
    }


def test_each_class_has_a_row_spread_over_its_coverage(mixed: TileSet) -> None:
    rows = sheet_rows(mixed, 4)
    assert [row.title.partition(":")[0] for row in rows] == [
        "no salt",
        "up to 10 % salt",
        "10 to 50 % salt",
        "50 to 90 % salt",
        "above 90 % salt",
        "to look at",
    ]
    covered = [mixed.coverage[list(row.indices)] for row in rows[:-1]]
    assert all((np.diff(coverage) >= 0).all() for coverage in covered)
    assert [float(covered[2].min()), float(covered[2].max())] == pytest.approx([0.15, 0.5])
    assert [len(row.indices) for row in rows] == [1, 2, 4, 4, 2, 4]
    # of each reason one before the second of any
    assert set(rows[-1].captions) == {
        "constant image",
        "masks differ",
        "mostly ignored",
        "all salt",
    }


def test_a_set_without_oddities_has_no_row_for_them(tmp_path: Path) -> None:
    tiles = tile_set(tmp_path / "plain", {f"t{n}": (image(n), mask(n / 10)) for n in range(4)})
    assert all("to look at" not in row.title for row in sheet_rows(tiles, 3))


def test_image_mask_and_overlay_stand_below_each_other(tmp_path: Path) -> None:
    names = {f"t{n}": (image(n, CELL, CELL), mask(n / 10, CELL, CELL)) for n in range(3)}
    tiles = tile_set(tmp_path / "large", names)
    sheet = np.asarray(contact_sheet(tiles, per_row=1))
    top = MARGIN + 2 * LINE + MARGIN // 2 + LINE + 2
    for picture in pictures(tiles.image(0), tiles.mask(0)):
        shown = sheet[top : top + CELL, MARGIN : MARGIN + CELL]
        np.testing.assert_array_equal(shown, picture)
        top += CELL + GAP


def test_ignored_pixels_have_a_colour_of_their_own() -> None:
    codes = np.array([[0, 1, 255]], np.uint8)
    _, shown, over = pictures(np.full((1, 3), 100, np.uint8), codes)
    assert shown.tolist() == [[[0, 0, 0], [255, 255, 255], list(HIT)]]
    assert (over[0, 0] == 100).all()
    assert (over[0, 1] != 100).any()


def test_tiles_of_any_size_and_name_fit(mixed: TileSet) -> None:
    sheet = contact_sheet(mixed, per_row=6)
    assert sheet.width == 2 * MARGIN + 6 * (CELL + GAP) - GAP
    pixels = np.asarray(sheet)
    paper = pixels[0, 0]
    assert (pixels[:, -MARGIN:] == paper).all(), "nothing runs over the margin"
    assert (pixels[-MARGIN // 2 :] == paper).all()


def test_a_sheet_is_replaced_but_nothing_else(mixed: TileSet, tmp_path: Path) -> None:
    out = tmp_path / "new" / "sheet.png"
    claim_sheet(out)
    save_sheet(contact_sheet(mixed, per_row=1), out)
    claim_sheet(out)
    own = tmp_path / "own.png"
    Image.new("L", (2, 2)).save(own)
    with pytest.raises(DataError, match="is not a contact sheet"):
        claim_sheet(own)
    with pytest.raises(DataError, match="not the name of a PNG file") as caught:
        claim_sheet(tmp_path / "sheet.jpg")
    assert caught.value.fix == f"--out {tmp_path / 'sheet.png'}"
