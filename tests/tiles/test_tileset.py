import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diapir.errors import DataError
from diapir.tiles import TileSet, load_tiles
from tests.helpers.tile_sets import Layout, make_tiles, png, write_files, write_tiles

IMAGES, MASKS = make_tiles()


@pytest.fixture
def tiles(tile_set: Callable[[Layout], Path]) -> TileSet:
    return load_tiles(tile_set("synthetic"))


@pytest.fixture
def mixed(tmp_path: Path) -> TileSet:
    """Six tiles of two sizes."""
    write_tiles(tmp_path / "mixed", count=3)
    images, masks = make_tiles(6, size=(10, 30), seed=1)
    larger = {f"u{tile}": image for tile, image in images.items() if tile > "t002"}
    write_tiles(tmp_path / "mixed", images=larger, masks={tile: masks[tile[1:]] for tile in larger})
    return load_tiles(tmp_path / "mixed")


def test_pixels_are_grey_bytes_that_cannot_be_changed(tiles: TileSet) -> None:
    for pixels in (tiles.image(1), tiles.mask(1)):
        assert (pixels.dtype, pixels.shape) == (np.uint8, (21, 19))
        assert pixels.base is not None  # a view, not a copy
        with pytest.raises(ValueError, match="read-only"):
            pixels[0, 0] = 1


def test_content_is_the_hash_of_what_was_decoded(tiles: TileSet) -> None:
    expected = hashlib.sha256(b"21 19\n" + IMAGES["t001"].tobytes() + MASKS["t001"].tobytes())
    assert tiles.content[1] == expected.hexdigest()


def test_coverage_is_the_salt_share_of_valid_pixels(tmp_path: Path) -> None:
    masks = {"a": [[0, 0, 0, 1]], "b": [[0, 1, 255, 255]], "c": [[255] * 4], "d": [[1] * 4]}
    for tile, mask in masks.items():
        image = png(np.array([[1, 2, 3, 4]], np.uint8))
        files = {f"images/{tile}.png": image, f"masks/{tile}.png": png(np.array(mask, np.uint8))}
        write_files(tmp_path, files)
    tiles = load_tiles(tmp_path, encoding="index")
    assert tiles.coverage.tolist() == [0.25, 0.5, 0.0, 1.0]
    assert tiles.coverage.dtype == np.float32
    assert tiles.class_shares == {"background": 4 / 16, "salt": 6 / 16, "ignored": 6 / 16}
    assert tiles.describe() == (
        f"{tmp_path.name}: 4 tiles (pairs); "
        "mask encoding index: background 25.0%, salt 37.5%, ignored 37.5%"
    )


def test_a_selection_has_the_order_asked_for(tiles: TileSet) -> None:
    chosen = tiles.select(["t005", "t001"])
    assert chosen.ids == ("t005", "t001")
    assert chosen.groups == ("section1", "section0")
    assert chosen.content == (tiles.content[5], tiles.content[1])
    np.testing.assert_array_equal(chosen.image(0), IMAGES["t005"])
    np.testing.assert_array_equal(chosen.mask(1), MASKS["t001"])
    assert chosen.coverage.tolist() == tiles.coverage[[5, 1]].tolist()
    assert chosen.select(["t001"]).ids == ("t001",)
    assert np.shares_memory(chosen.image(0), tiles.image(5))


def test_an_id_that_is_not_there_is_refused(tiles: TileSet) -> None:
    with pytest.raises(DataError, match="has no tile x1, x2, x3 and 1 more"):
        tiles.select(["t001", "x1", "x2", "x3", "x4"])


def test_the_hash_depends_on_the_tiles_and_not_on_their_order(tiles: TileSet) -> None:
    assert tiles.select(reversed(tiles.ids)).hash == tiles.hash
    assert tiles.select(tiles.ids[1:]).hash != tiles.hash


def test_the_hash_depends_on_one_pixel_of_a_mask(tmp_path: Path) -> None:
    first = load_tiles(write_tiles(tmp_path / "a"))
    masks = {tile: mask.copy() for tile, mask in MASKS.items()}
    masks["t001"][0, 0] ^= 1
    second = load_tiles(write_tiles(tmp_path / "b", images=IMAGES, masks=masks))
    assert first.hash != second.hash
    assert [a == b for a, b in zip(first.content, second.content, strict=True)].count(False) == 1


@pytest.mark.parametrize("order", [[0, 3, 2], [5], [7, 7, 0]])
def test_a_stack_holds_the_tiles_asked_for(tiles: TileSet, order: list[int]) -> None:
    for chosen in (tiles, tiles.select(reversed(tiles.ids))):
        images, masks = chosen.stack(order)
        for row, index in enumerate(order):
            np.testing.assert_array_equal(images[row], chosen.image(index))
            np.testing.assert_array_equal(masks[row], chosen.mask(index))
    assert (images.dtype, masks.dtype) == (np.uint8, np.uint8)
    images[:] = 0  # a copy: the set stays as it is
    assert tiles.image(order[0]).any()


def test_tiles_of_different_sizes_are_kept_but_not_stacked(mixed: TileSet) -> None:
    assert mixed.shapes.tolist() == [[21, 19]] * 3 + [[10, 30]] * 3
    images, masks = mixed.stack([5, 3])
    np.testing.assert_array_equal(images[0], mixed.image(5))
    np.testing.assert_array_equal(masks[1], mixed.mask(3))
    with pytest.raises(DataError, match="different sizes cannot be stacked: 10 × 30, 21 × 19"):
        mixed.stack([0, 5])
    alike = mixed.select(mixed.ids[3:])  # of one size, in flat bytes of two
    np.testing.assert_array_equal(alike.stack([2])[0][0], mixed.image(5))
    first = mixed.select(mixed.ids[:3])
    np.testing.assert_array_equal(first.stack([2])[0][0], mixed.image(2))


def test_an_empty_stack_is_empty(tiles: TileSet) -> None:
    assert [len(part) for part in tiles.stack([])] == [0, 0]


@pytest.mark.real
def test_real_tiles_are_read_straight_from_the_zip(real_tgs_zip: Path) -> None:
    tiles = load_tiles(real_tgs_zip)
    assert len(tiles) == 3200
    assert tiles.encoding == "grey16"
    assert set(map(tuple, tiles.shapes.tolist())) == {(101, 101)}
    assert (tiles.coverage == 0).mean() == pytest.approx(0.39, abs=0.005)
    assert tiles.class_shares["salt"] == pytest.approx(0.248, abs=0.0005)
    assert np.isfinite(tiles.depths).all()
    # two ways to the same pixels: mask files, and the runs of train.csv
    assert load_tiles(real_tgs_zip, encoding="rle").hash == tiles.hash
    assert len(load_tiles(real_tgs_zip, labelled=False, part="test")) == 3000


@pytest.mark.parametrize("size", [(21, 19), (10, 30)])
def test_joined_tiles_keep_their_pixels_and_order(tmp_path: Path, size: tuple[int, int]) -> None:
    write_tiles(tmp_path / "first", count=5)
    images, masks = make_tiles(4, size=size, seed=1)
    write_tiles(tmp_path / "second", images=images, masks=masks)
    first, second = load_tiles(tmp_path / "first"), load_tiles(tmp_path / "second")
    chosen = first.select(["t003", "t001"])

    joined = chosen.join(second)

    assert joined.ids == ("t003", "t001", *second.ids)
    assert joined.groups == chosen.groups + second.groups
    for index in range(len(joined)):
        source, row = (chosen, index) if index < 2 else (second, index - 2)
        assert np.array_equal(joined.image(index), source.image(row))
        assert np.array_equal(joined.mask(index), source.mask(row))
        assert joined.coverage[index] == source.coverage[row]
    stacked, _ = joined.stack([4, 2])
    assert np.array_equal(stacked, [second.image(2), second.image(0)])
    with pytest.raises(ValueError, match="read-only"):
        joined.image(0)[0, 0] = 1


def test_fingerprints_are_of_the_pixels_of_the_image(tmp_path: Path) -> None:
    first = load_tiles(write_tiles(tmp_path / "first", count=4))
    assert len(set(first.fingerprints)) == 4
    assert all(len(bytes.fromhex(one)) == 8 for one in first.fingerprints)
    chosen = first.select(first.ids[2:])
    assert chosen.fingerprints == first.fingerprints[2:]
    unlabelled = load_tiles(tmp_path / "first", labelled=False)
    assert unlabelled.fingerprints == first.fingerprints
    other = load_tiles(write_tiles(tmp_path / "other", count=4, seed=1))
    assert set(first.fingerprints).isdisjoint(other.fingerprints)
