import re
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest

from diapir.errors import DataError
from diapir.tiles import check_tiles, load_tiles
from tests.helpers.tile_sets import make_tiles, png, write_files, zip_files

IMAGES, MASKS = make_tiles()
PICTURES = {tile: png(image) for tile, image in IMAGES.items()}
SALT = {tile: png(mask * np.uint8(255)) for tile, mask in MASKS.items()}


def laid_out(image: str, mask: str) -> dict[str, bytes]:
    """The files of a set whose names have `{}` for the id of a tile."""
    return {image.format(tile): content for tile, content in PICTURES.items()} | {
        mask.format(tile): content for tile, content in SALT.items()
    }


def divided(image: str, mask: str, val: str) -> dict[str, bytes]:
    """The same with the last three tiles in a part of another name than `train`."""
    last = sorted(PICTURES)[-3:]
    return {
        re.sub("train", val, name, flags=re.IGNORECASE)
        if any(tile in name for tile in last)
        else name: content
        for name, content in laid_out(image, mask).items()
    }


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("Images/{}.png", "Masks/{}.png"),
        ("imgs/{}.png", "masks/{}.png"),
        ("IMG/{}.png", "Label/{}.png"),
        ("JPEGImages/{}.png", "SegmentationClass/{}.png"),
        ("seismic/{}.png", "salt/{}.png"),
        ("input/{}.png", "ground_truth/{}.png"),
        ("train_images/{}.png", "train_masks/{}.png"),
        ("images/train/{}.png", "masks/train/{}.png"),
        ("deep/er/images/{}.png", "deep/er/masks/{}.png"),
        ("images/{}.png", "masks/{}_mask.png"),
        ("images/{}.png", "masks/mask_{}.png"),
        ("images/{}.png", "masks/{}.jpg.png"),
        ("images/{}_image.png", "masks/{}_label.png"),
        ("images/{}.png", "masks/{}-Salt.png"),
        ("lines/{}.png", "lines/{}_mask.png"),
        ("{}.png", "{}_salt.png"),
    ],
)
def test_sets_of_other_names_give_the_same_tiles(tmp_path: Path, image: str, mask: str) -> None:
    files = laid_out(image, mask)
    zip_files(tmp_path / "a.zip", files)
    for path in (write_files(tmp_path / "a", files), tmp_path / "a.zip"):
        tiles = load_tiles(path)
        assert len(tiles) == len(IMAGES)
        for index, tile in enumerate(sorted(IMAGES)):
            np.testing.assert_array_equal(tiles.image(index), IMAGES[tile])
            np.testing.assert_array_equal(tiles.mask(index), MASKS[tile])
        assert check_tiles(path).ok


def test_masks_of_other_names_are_said(tmp_path: Path) -> None:
    tiles = load_tiles(write_files(tmp_path, laid_out("images/{}.png", "masks/{}_mask.png")))
    assert "t000_mask with t000" in tiles.notes[0]
    assert tiles.ids == tuple(sorted(IMAGES))


def test_two_masks_that_could_be_meant_are_not_chosen_from(tmp_path: Path) -> None:
    files = laid_out("images/{}.png", "masks/{}_mask.png")
    files["masks/t000_label.png"] = files["masks/t000_mask.png"]
    report = check_tiles(write_files(tmp_path, files))
    assert report.unmasked == ("t000",)
    assert set(report.unpictured) == {"t000_label", "t000_mask"}


def test_composed_and_decomposed_names_are_the_same(tmp_path: Path) -> None:
    files = {}
    for tile in IMAGES:
        files[f"images/größe{tile}.png"] = PICTURES[tile]
        files[unicodedata.normalize("NFD", f"masks/größe{tile}.png")] = SALT[tile]
    tiles = load_tiles(write_files(tmp_path, files))
    assert tiles.ids == tuple(f"größe{tile}" for tile in sorted(IMAGES))
    assert tiles.notes == ()


@pytest.mark.parametrize(
    ("image", "mask", "val"),
    [
        ("train/images/{}.png", "train/masks/{}.png", "val"),
        ("train/images/{}.png", "train/masks/{}.png", "valid"),
        ("Train/Images/{}.png", "Train/Labels/{}.png", "Validation"),
        ("images/train/{}.png", "masks/train/{}.png", "val"),
        ("train_images/{}.png", "train_masks/{}.png", "val"),
        ("all/train/images/{}.png", "all/train/masks/{}.png", "val"),
    ],
)
def test_tiles_kept_apart_for_validation_are_held_out(
    tmp_path: Path, image: str, mask: str, val: str
) -> None:
    files = divided(image, mask, val)
    tiles = load_tiles(write_files(tmp_path, files))
    assert tiles.held_out == ("val/t005", "val/t006", "val/t007")
    assert len(tiles) == 8
    assert any("own split" in warning for warning in check_tiles(tmp_path).warnings)


def test_a_test_part_with_masks_is_left_out_and_said(tmp_path: Path) -> None:
    files = divided("train/images/{}.png", "train/masks/{}.png", "test")
    tiles = load_tiles(write_files(tmp_path, files))
    assert len(tiles) == 5
    assert "test/images has masks and is left out" in tiles.notes[0]


def test_several_sets_are_not_chosen_from(tmp_path: Path) -> None:
    files = laid_out("a/images/{}.png", "a/masks/{}.png")
    files |= laid_out("b/images/{}.png", "b/masks/{}.png")
    with pytest.raises(DataError, match="several sets of tiles") as caught:
        load_tiles(write_files(tmp_path / "two", files))
    assert f"{tmp_path}/two/a" in caught.value.fix
    assert len(load_tiles(tmp_path / "two" / "b")) == 8


def test_a_folder_in_a_zip_can_be_named(tmp_path: Path) -> None:
    files = laid_out("a/images/{}.png", "a/masks/{}.png")
    files |= laid_out("b/deep/images/{}.png", "b/deep/masks/{}_mask.png")
    zip_files(tmp_path / "two.zip", files)
    for folder in ("a", "b", "b/deep"):
        assert len(load_tiles(tmp_path / "two.zip" / folder)) == 8
        assert check_tiles(tmp_path / "two.zip" / folder).ok
    with pytest.raises(DataError, match="no folder c in") as caught:
        load_tiles(tmp_path / "two.zip" / "c")
    assert "a/, b/" in caught.value.expected


def test_a_zip_with_a_folder_and_a_readme_is_read(tmp_path: Path) -> None:
    files = laid_out("salt/images/{}.png", "salt/masks/{}.png") | {"README.md": b"hello"}
    zip_files(tmp_path / "a.zip", files)
    tiles = load_tiles(tmp_path / "a.zip")
    assert len(tiles) == 8
    assert "tiles read from salt" in tiles.notes[0]


def test_a_zip_with_backslashes_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("images\\", b"")
        for name, content in laid_out("images/{}.png", "masks/{}.png").items():
            archive.writestr(name.replace("/", "\\"), content)
    assert load_tiles(tmp_path / "a.zip").ids == tuple(sorted(IMAGES))


def test_masks_of_a_format_that_is_not_read_are_named(tmp_path: Path) -> None:
    files = {f"images/{tile}.png": content for tile, content in PICTURES.items()}
    files["masks/t000.mat"] = b"MATLAB"
    with pytest.raises(DataError, match=r"only files that are not read \(\.mat\)"):
        load_tiles(write_files(tmp_path, files))
