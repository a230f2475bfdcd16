import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir.errors import DataError
from diapir.tiles import check_tiles
from tests.helpers.tile_sets import (
    Layout,
    make_tiles,
    png,
    tile_files,
    write_files,
    write_tiles,
)

IMAGES, MASKS = make_tiles()


@pytest.fixture
def folder(tile_set: Callable[[Layout], Path]) -> Path:
    return tile_set("pairs")


def test_a_good_set_is_described_and_fit(tile_set: Callable[[Layout], Path]) -> None:
    report = check_tiles(tile_set("kaggle_zip"))
    assert report.ok
    assert (report.errors, report.warnings) == ((), ())
    assert (report.layout, report.encoding) == ("kaggle", "grey16")
    assert (report.images, report.pairs, report.empty) == (8, 8, 3)
    assert report.image_sizes == {"21 × 19": 8}
    assert report.image_modes == {"RGB": 8}
    assert report.mask_modes == {"I;16": 5, "L": 3}
    salt = sum(int(mask.sum()) for mask in MASKS.values())
    assert report.mask_values == {0: 8 * 21 * 19 - salt, 65535: salt}
    assert report.shares["salt"] == pytest.approx(salt / (8 * 21 * 19))
    assert (report.full, report.constant, report.duplicates) == ((), (), ())


@pytest.mark.parametrize(
    ("layout", "encoding"),
    [("train_super", "seed"), ("synthetic", "grey8"), ("pairs", "grey8"), ("kaggle", "grey16")],
)
def test_every_layout_is_checked(
    layout: Layout, encoding: str, tile_set: Callable[[Layout], Path]
) -> None:
    report = check_tiles(tile_set(layout))
    assert report.ok
    assert (report.layout, report.encoding, report.empty) == (layout, encoding, 3)


def test_runs_are_checked_where_there_are_no_mask_files(
    tile_set: Callable[[Layout], Path],
) -> None:
    report = check_tiles(tile_set("kaggle"), encoding="rle")
    assert (report.ok, report.encoding, report.mask_modes) == (True, "rle", {"RLE": 8})


def test_everything_that_is_wrong_is_found_in_one_pass(folder: Path) -> None:
    images, masks = folder / "images", folder / "masks"
    content = (images / "t000.png").read_bytes()
    (images / "t000.png").write_bytes(content[:-30])
    (masks / "t001.png").write_bytes(png(np.zeros((5, 6), np.uint8)))
    (masks / "t002.png").unlink()
    (images / "t003.png").unlink()
    Image.fromarray(IMAGES["t004"]).save(images / "t004.tif")
    (masks / "t005.png").write_bytes(b"")
    (images / "notes.txt").write_text("hello")
    report = check_tiles(folder)
    assert not report.ok
    assert report.unreadable == {
        "t000": "images/t000.png is truncated: its end mark is missing",
        "t005": "masks/t005.png is empty",
    }
    assert report.mismatched == {"t001": "t001: the image is 21 × 19 and the mask 5 × 6"}
    assert report.unmasked == ("t002",)
    assert report.unpictured == ("t003",)
    assert report.repeated == {"t004": ("images/t004.png", "images/t004.tif")}
    assert report.other == ("images/notes.txt",)
    assert (report.images, report.pairs) == (7, 3)
    assert len(report.errors) == 5
    lines = "\n".join(report.lines())
    for tile in ("t000", "t001", "t002", "t003", "t004", "t005", "notes.txt"):
        assert tile in lines
    assert lines.endswith("not OK to train: 5 errors")


def test_constant_images_and_full_masks_are_named_without_being_errors(folder: Path) -> None:
    (folder / "images" / "t003.png").write_bytes(png(np.full((21, 19), 7, np.uint8)))
    (folder / "masks" / "t001.png").write_bytes(png(np.full((21, 19), 255, np.uint8)))
    report = check_tiles(folder)
    assert report.ok
    assert report.constant == ("t003",)
    assert report.full == ("t001",)
    assert len(report.warnings) == 2


def test_masks_with_ignored_pixels_are_full_where_all_others_are_salt(tmp_path: Path) -> None:
    masks = {tile: mask.copy() for tile, mask in MASKS.items()}
    masks["t001"][:] = 1
    masks["t001"][:3] = 255
    masks["t003"][:] = 255
    files = tile_files(IMAGES, {}, "pairs")
    files |= {f"masks/{tile}.png": png(mask) for tile, mask in masks.items()}
    report = check_tiles(write_files(tmp_path, files), encoding="index")
    assert report.full == ("t001",)
    assert report.empty == 3


@pytest.mark.parametrize("agree", [True, False])
def test_same_images_are_found_whatever_their_files_are(folder: Path, agree: bool) -> None:
    (folder / "images" / "t005.png").write_bytes(png(IMAGES["t001"], "RGBA"))
    mask = MASKS["t001"] if agree else 1 - MASKS["t001"]
    (folder / "masks" / "t005.png").write_bytes(png(mask * np.uint8(255)))
    report = check_tiles(folder)
    assert report.ok
    (group,) = report.duplicates
    assert group.ids == ("t001", "t005")
    assert group.masks_agree == agree
    differing = [warning for warning in report.warnings if "different masks" in warning]
    assert bool(differing) != agree


def test_masks_of_same_images_agree_whatever_their_depth(tmp_path: Path) -> None:
    files = tile_files(IMAGES, MASKS, "kaggle")
    for tile in ("t000", "t003"):  # both empty, one in 16 bit
        files[f"train/images/{tile}.png"] = png(IMAGES["t000"])
    files["train/masks/t003.png"] = png(np.zeros((21, 19), np.uint16))
    (group,) = check_tiles(write_files(tmp_path, files)).duplicates
    assert group.masks_agree


def test_tiles_of_several_sizes_are_worth_a_warning(tmp_path: Path) -> None:
    write_tiles(tmp_path, count=6)
    write_tiles(tmp_path, count=2, size=(8, 9))
    report = check_tiles(tmp_path)
    assert report.image_sizes == {"21 × 19": 4, "8 × 9": 2}
    assert report.ok
    assert any("2 sizes" in warning for warning in report.warnings)


def test_the_trap_makes_a_set_unfit(folder: Path) -> None:
    report = check_tiles(folder, encoding="seed")
    assert not report.ok
    assert report.encoding is None
    (error,) = report.errors
    assert "no pixel is salt" in error
    assert "data.mask_encoding=grey8" in error
    assert report.empty == 3


def test_unexpected_values_make_a_set_unfit(folder: Path) -> None:
    (folder / "masks" / "t001.png").write_bytes(png(MASKS["t001"] * np.uint8(77)))
    report = check_tiles(folder, encoding="grey8")
    (error,) = report.errors
    assert "masks/t001.png holds 77" in error
    assert 77 in report.mask_values


def test_empty_masks_alone_and_one_tile_alone_make_a_set_unfit(tmp_path: Path) -> None:
    empty = {tile: np.zeros_like(mask) for tile, mask in MASKS.items()}
    report = check_tiles(write_tiles(tmp_path / "empty", images=IMAGES, masks=empty))
    assert (report.empty, report.ok) == (8, False)
    assert "all 8 masks are empty" in report.errors[0]
    one = check_tiles(
        write_tiles(tmp_path / "one", images={"a": IMAGES["t001"]}, masks={"a": MASKS["t001"]})
    )
    assert not one.ok
    assert "only 1 usable tile" in one.errors[0]


def test_nothing_to_check_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is empty"):
        check_tiles(tmp_path)


def test_the_report_is_json(folder: Path) -> None:
    (folder / "masks" / "t001.png").write_bytes(b"")
    (folder / "images" / "t005.png").write_bytes(png(IMAGES["t002"]))
    written = json.loads(json.dumps(check_tiles(folder).to_json()))
    assert written["ok"] is False
    assert written["mask_values"].keys() == {"0", "255"}
    assert written["unreadable"] == {"t001": "masks/t001.png is empty"}
    assert written["duplicates"] == [{"ids": ["t002", "t005"], "masks_agree": False}]


@pytest.mark.real
def test_real_tiles_are_what_is_known_of_them(real_tgs_zip: Path) -> None:
    report = check_tiles(real_tgs_zip)
    assert report.ok
    assert (report.images, report.pairs, report.encoding) == (3200, 3200, "grey16")
    assert report.empty / report.pairs == pytest.approx(0.39, abs=0.005)
    assert report.shares["salt"] == pytest.approx(0.248, abs=0.0005)
    assert report.mask_modes == {"I;16": 1950, "L": 1250}
    assert report.full == ()
    (group,) = report.duplicates
    assert group.masks_agree
    assert set(group.ids) == set(report.constant)


@pytest.mark.parametrize("varied", [0, 1])
def test_a_set_of_constant_images_is_unfit(tmp_path: Path, varied: int) -> None:
    images, masks = make_tiles(20)
    for number, tile in enumerate(images):
        if number >= varied:
            images[tile] = np.full_like(images[tile], number)
    report = check_tiles(write_tiles(tmp_path, images=images, masks=masks))
    assert not report.ok
    assert any("whose image is not constant; training needs two" in one for one in report.errors)


def test_salt_in_constant_images_alone_makes_a_set_unfit(tmp_path: Path) -> None:
    images, masks = make_tiles(12)
    for number, tile in enumerate(images):
        if number % 3:  # those with salt
            images[tile] = np.full_like(images[tile], number)
    report = check_tiles(write_tiles(tmp_path, images=images, masks=masks))
    assert any("no tile with salt whose image is not constant" in one for one in report.errors)


def test_images_that_are_in_train_and_val_are_an_error(tmp_path: Path) -> None:
    files = tile_files(IMAGES, MASKS, "pairs")
    placed = {f"train/{name}": content for name, content in files.items()}
    placed |= {f"val/{name}": content for name, content in files.items() if "t001" in name}
    (error,) = check_tiles(write_files(tmp_path, placed)).errors
    assert "t001 and val/t001" in error


def test_few_grey_levels_are_questioned(tmp_path: Path) -> None:
    files = tile_files({tile: image // 8 for tile, image in IMAGES.items()}, MASKS, "pairs")
    (warning,) = check_tiles(write_files(tmp_path, files)).warnings
    assert "of 256 grey levels" in warning
