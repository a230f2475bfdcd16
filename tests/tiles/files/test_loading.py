"""Bad tiles are refused with one message, or left out if the user allows it."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir.config import DataConfig
from diapir.errors import DataError
from diapir.tiles import load_tiles
from diapir.tiles.files.decode import decode_values
from tests.helpers.tile_sets import Layout, make_tiles, png, tile_files, write_files, zip_files

IMAGES, MASKS = make_tiles()


@pytest.fixture
def folder(tile_set: Callable[[Layout], Path]) -> Path:
    return tile_set("pairs")


def spoil(folder: Path, how: str) -> str:
    """Do one kind of harm to tile t004 and return what is said of it."""
    image, mask = folder / "images" / "t004.png", folder / "masks" / "t004.png"
    if how == "truncated":
        image.write_bytes(image.read_bytes()[:-30])
        return r"images/t004\.png is truncated"
    if how == "disguised":
        Image.fromarray(IMAGES["t004"]).save(image, "JPEG")
        return r"images/t004\.png is JPEG, though its name ends in \.png"
    if how == "mask":
        mask.write_bytes(b"")
        return r"masks/t004\.png is empty"
    if how == "size":
        mask.write_bytes(png(np.zeros((20, 19), np.uint8)))
        return "t004: the image is 21 × 19 and the mask 20 × 19"
    if how == "unmasked":
        mask.unlink()
        return "images without a mask: t004|image without mask"
    image.unlink()
    return "masks without an image: t004|mask without image"


SPOILT = ["truncated", "disguised", "mask", "size", "unmasked", "unpictured"]


@pytest.mark.parametrize("how", SPOILT)
def test_a_bad_tile_is_refused_by_name_with_the_way_out(folder: Path, how: str) -> None:
    found = spoil(folder, how)
    with pytest.raises(DataError, match=found) as caught:
        load_tiles(folder)
    assert "t004" in caught.value.found
    assert "--set data.skip_bad=true" in caught.value.fix


@pytest.mark.parametrize("how", SPOILT)
def test_a_bad_tile_is_left_out_and_named_where_asked_for(folder: Path, how: str) -> None:
    found = spoil(folder, how)
    for _ in range(2):  # decoded, then from the cache
        tiles = load_tiles(folder, skip_bad=True)
        assert tiles.ids == tuple(sorted(IMAGES.keys() - {"t004"}))
        ((tile, reason),) = tiles.skipped
        assert tile == "t004"
        with pytest.raises(DataError, match=found):
            raise DataError(reason, expected="", fix="")
        np.testing.assert_array_equal(tiles.image(4), IMAGES["t005"])
        np.testing.assert_array_equal(tiles.mask(4), MASKS["t005"])
        assert "1 left out as unreadable" in tiles.describe()
    with pytest.raises(DataError, match=found):  # the cache does not hide it from who did not ask
        load_tiles(folder)


def test_many_bad_tiles_are_counted(folder: Path) -> None:
    for number in (2, 5, 6):
        (folder / "images" / f"t00{number}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"t002\.png is empty \(3 of 8 tiles cannot be used\)"):
        load_tiles(folder)


def test_many_missing_partners_are_counted(folder: Path) -> None:
    for number in range(1, 6):
        (folder / "masks" / f"t00{number}.png").unlink()
    with pytest.raises(DataError, match="without a mask: t001, t002, t003 and 2 more"):
        load_tiles(folder)


def test_good_sets_leave_nothing_out(folder: Path) -> None:
    assert load_tiles(folder, skip_bad=True).skipped == ()


@pytest.mark.parametrize("skip_bad", [False, True])
def test_an_id_met_twice_is_refused(folder: Path, skip_bad: bool) -> None:
    Image.fromarray(IMAGES["t001"]).save(folder / "images" / "t001.bmp")
    with pytest.raises(DataError, match=r"t001 is images/t001\.bmp and images/t001\.png"):
        load_tiles(folder, skip_bad=skip_bad)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_a_zip_holds_twice_is_refused(tmp_path: Path) -> None:
    files = tile_files(IMAGES, MASKS, "pairs")
    zip_files(tmp_path / "a.zip", files)
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("images/t001.png", files["images/t002.png"])
    with pytest.raises(DataError, match="several files for 1 tile: t001"):
        load_tiles(tmp_path / "a.zip")


def test_one_tile_only_is_refused(tmp_path: Path) -> None:
    one = {"t001": IMAGES["t001"]}, {"t001": MASKS["t001"]}
    with pytest.raises(DataError, match="has 1 usable tile\n"):
        load_tiles(write_files(tmp_path, tile_files(*one, "pairs")))


def test_nothing_but_bad_tiles_is_refused(folder: Path) -> None:
    for image in (folder / "images").iterdir():
        image.write_bytes(b"")
    with pytest.raises(DataError, match="has no usable tile"):
        load_tiles(folder, skip_bad=True)
    with pytest.raises(DataError, match="has no usable tile"):
        load_tiles(folder, skip_bad=True, labelled=False)


def test_empty_masks_alone_are_refused(tmp_path: Path) -> None:
    empty = {tile: np.zeros_like(mask) for tile, mask in MASKS.items()}
    with pytest.raises(DataError, match="all 8 masks are empty"):
        load_tiles(write_files(tmp_path, tile_files(IMAGES, empty, "pairs")))


def test_black_and_white_masks_under_seed_are_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="no pixel is salt") as caught:
        load_tiles(folder, encoding="seed")
    assert "--set data.mask_encoding=grey8" in caught.value.fix


def test_a_recipe_says_how_tiles_are_read(folder: Path, tmp_path: Path) -> None:
    (folder / "images" / "t004.png").write_bytes(b"")
    table = tmp_path / "groups.csv"
    table.write_text("id,group\n" + "".join(f"{tile},west\n" for tile in IMAGES))
    config = DataConfig(mask_encoding="grey8", skip_bad=True, groups=str(table))
    tiles = load_tiles(folder, **config.reading())
    assert [tile for tile, _ in tiles.skipped] == ["t004"]
    assert set(tiles.groups) == {"west"}
    with pytest.raises(DataError, match="no pixel is salt"):
        load_tiles(folder, **config.model_copy(update={"mask_encoding": "seed"}).reading())


def test_bit_depth_leaves_no_trace(tile_set: Callable[[Layout], Path]) -> None:
    kaggle = tile_set("kaggle")
    before = load_tiles(kaggle)
    masks = kaggle / "train" / "masks"
    depths = {decode_values(file.read_bytes(), file.name)[1] for file in masks.iterdir()}
    assert depths == {"L", "I;16"}
    for tile, mask in MASKS.items():  # the empty masks in 16 bit as well
        (masks / f"{tile}.png").write_bytes(png(mask.astype(np.uint16) * np.uint16(65535)))
    after = load_tiles(kaggle)
    assert after.content == before.content
