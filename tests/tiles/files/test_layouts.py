from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diapir.errors import DataError
from diapir.tiles import load_tiles
from tests.helpers.tile_sets import (
    Layout,
    make_tiles,
    png,
    tile_files,
    write_files,
    write_tiles,
    zip_files,
)

LAYOUTS: dict[Layout, str] = {
    "kaggle": "kaggle",
    "kaggle_zip": "kaggle",
    "pairs": "pairs",
    "synthetic": "synthetic",
}
"""Layouts that keep pixels as they are, and what they are recognised as."""
ENCODINGS = {"kaggle": "grey16", "pairs": "grey8", "synthetic": "grey8"}
IMAGES, MASKS = make_tiles()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_tiles(
    layout: Layout, tile_set: Callable[[Layout], Path]
) -> None:
    tiles = load_tiles(tile_set(layout))
    assert tiles.layout == LAYOUTS[layout]
    assert tiles.encoding == ENCODINGS[tiles.layout]
    assert tiles.ids == tuple(sorted(IMAGES))
    for number, tile in enumerate(tiles.ids):
        np.testing.assert_array_equal(tiles.image(number), IMAGES[tile])
        np.testing.assert_array_equal(tiles.mask(number), MASKS[tile])


def test_the_super_resolved_layout_is_twice_as_large(tile_set: Callable[[Layout], Path]) -> None:
    tiles = load_tiles(tile_set("train_super"))
    assert (tiles.layout, tiles.encoding) == ("train_super", "seed")
    assert tiles.ids == tuple(sorted(IMAGES))  # without what super-resolving appended
    for number, tile in enumerate(tiles.ids):
        assert tiles.image(number).shape == (42, 38)
        np.testing.assert_array_equal(tiles.mask(number), np.kron(MASKS[tile], np.ones((2, 2))))
        smaller = tiles.image(number).reshape(21, 2, 19, 2).mean(axis=(1, 3))
        assert abs(smaller - IMAGES[tile]).mean() < 15


def test_the_super_resolved_folder_itself_is_a_set_too(tile_set: Callable[[Layout], Path]) -> None:
    outer, inner = tile_set("train_super"), tile_set("train_super") / "trainSuper"
    assert load_tiles(inner).layout == "train_super"
    assert load_tiles(inner).hash == load_tiles(outer).hash


@pytest.mark.parametrize("layout", ["kaggle", "train_super", "pairs", "synthetic"])
@pytest.mark.parametrize("wrapped", ["", "tiles/"])
def test_a_zip_of_a_layout_is_that_layout(tmp_path: Path, layout: Layout, wrapped: str) -> None:
    files = tile_files(IMAGES, MASKS, layout)
    junk = {f"__MACOSX/{wrapped}images/._t000.png": b"junk", f"{wrapped}.DS_Store": b"junk"}
    zip_files(tmp_path / "a.zip", junk | {f"{wrapped}{name}": c for name, c in files.items()})
    folder = load_tiles(write_files(tmp_path / "folder", files))
    zipped = load_tiles(tmp_path / "a.zip")
    assert zipped.layout == layout
    assert zipped.hash == folder.hash


def test_inner_zips_are_read_where_the_outer_one_was_unpacked(tmp_path: Path) -> None:
    files = tile_files(IMAGES, MASKS, "kaggle")
    train = {name: content for name, content in files.items() if name.startswith("train/")}
    zip_files(tmp_path / "train.zip", train)  # this one names its folder inside
    write_files(tmp_path, {"train.csv": files["train.csv"], "depths.csv": files["depths.csv"]})
    tiles = load_tiles(tmp_path)
    assert (tiles.layout, tiles.ids) == ("kaggle", tuple(sorted(IMAGES)))
    write_files(tmp_path, train)  # unpacked as well: nothing is met twice
    assert load_tiles(tmp_path).hash == tiles.hash


def test_kaggle_without_its_train_folder_is_recognised(tmp_path: Path) -> None:
    files = tile_files(IMAGES, MASKS, "kaggle")
    flat = {name.removeprefix("train/"): content for name, content in files.items()}
    write_files(tmp_path, {name: c for name, c in flat.items() if not name.startswith("test/")})
    tiles = load_tiles(tmp_path)
    assert tiles.layout == "kaggle"
    assert tiles.depths[:2].tolist() == [100, 101]


def test_masks_of_train_csv_are_those_of_the_files(tile_set: Callable[[Layout], Path]) -> None:
    folder = tile_set("kaggle")
    asked = load_tiles(folder, encoding="rle")
    assert asked.encoding == "rle"
    for mask in (folder / "train" / "masks").iterdir():
        mask.unlink()
    assert load_tiles(folder).encoding == "rle"
    assert load_tiles(folder).hash == asked.hash
    np.testing.assert_array_equal(asked.mask(1), MASKS["t001"])


def test_masks_of_train_csv_need_a_train_csv(tile_set: Callable[[Layout], Path]) -> None:
    with pytest.raises(DataError, match=r"no train\.csv"):
        load_tiles(tile_set("pairs"), encoding="rle")


def test_broken_runs_are_refused_with_their_row(tile_set: Callable[[Layout], Path]) -> None:
    folder = tile_set("kaggle")
    table = folder / "train.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], "t000,5 1 2 1", *lines[2:]]))
    with pytest.raises(DataError, match=r"train\.csv, id t000: .* not sorted"):
        load_tiles(folder, encoding="rle")


@pytest.mark.parametrize("layout", ["kaggle", "kaggle_zip"])
def test_kaggles_test_part_is_read_without_masks(
    layout: Layout, tile_set: Callable[[Layout], Path]
) -> None:
    tiles = load_tiles(tile_set(layout), labelled=False, part="test")
    assert tiles.ids == tuple(sorted(f"x{tile}" for tile in IMAGES))
    assert not tiles.labelled
    np.testing.assert_array_equal(tiles.image(2), IMAGES["t002"])
    with pytest.raises(DataError, match="without masks"):
        tiles.mask(0)
    with pytest.raises(DataError, match="without masks"):
        tiles.stack([0])


def test_a_part_that_is_not_there_is_refused(tile_set: Callable[[Layout], Path]) -> None:
    for layout in ("pairs", "synthetic", "train_super"):
        with pytest.raises(DataError, match="has no test part"):
            load_tiles(tile_set(layout), labelled=False, part="test")
    only_test = tile_files(IMAGES, MASKS, "kaggle")
    folder = tile_set("kaggle").parent / "only_test"
    write_files(folder, {n: c for n, c in only_test.items() if n.startswith("test/")})
    with pytest.raises(DataError, match="has no train part"):
        load_tiles(folder)


def test_any_folder_of_images_will_do_without_masks(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {
            "b.png": png(IMAGES["t001"]),
            "line/b.png": png(IMAGES["t002"]),
            "notes.txt": b"not an image",
            ".b.png.writing": b"half written",
        },
    )
    tiles = load_tiles(tmp_path, labelled=False)
    assert (tiles.layout, tiles.ids) == ("images", ("b", "line/b"))


def test_one_image_is_enough_without_masks(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.png": png(IMAGES["t001"])})
    assert len(load_tiles(tmp_path, labelled=False)) == 1


def test_groups_and_depths_are_read_where_they_are(tile_set: Callable[[Layout], Path]) -> None:
    tiles = load_tiles(tile_set("synthetic"))
    assert tiles.groups == ("section0",) * 4 + ("section1",) * 4
    assert np.isnan(tiles.depths).all()
    kaggle = load_tiles(tile_set("kaggle"))
    assert kaggle.groups == kaggle.ids
    assert kaggle.depths.tolist() == [100, 101, 102, 103, 104, 105, 106, 107]
    assert kaggle.depths.dtype == np.float32


def test_what_the_tables_do_not_say_is_unknown(tmp_path: Path) -> None:
    folder = write_tiles(tmp_path, "pairs")
    (folder / "groups.csv").write_text("group,id\nwest,t001\n,t002\nwest,elsewhere\n")
    (folder / "depths.csv").write_bytes(b"\xef\xbb\xbfid,z\nt001,12.5\nt002,\n")
    tiles = load_tiles(folder)
    assert tiles.groups[:3] == ("t000", "west", "t002")
    np.testing.assert_array_equal(tiles.depths[:3], [np.nan, 12.5, np.nan])


@pytest.mark.parametrize(
    ("table", "content", "found"),
    [
        ("groups.csv", b"tile,section\na,b\n", r"groups\.csv has the columns tile, section"),
        ("groups.csv", b"", r"groups\.csv has the columns none"),
        ("groups.csv", b"id,group\na,b\na,c\n", r"groups\.csv names 'a' twice \(line 3\)"),
        ("groups.csv", b"id,group\n,b\n", "has a row without an id"),
        ("depths.csv", b"id,z\nt000,deep\n", r"depths\.csv gives t000 the depth 'deep'"),
        ("depths.csv", b"id,z\n\xff\xfe,1\n", r"depths\.csv cannot be read"),
        ("depths.csv", b'id,z\n"t000,1\n', r"depths\.csv cannot be read"),
    ],
)
def test_a_broken_table_is_refused(table: str, content: bytes, found: str, tmp_path: Path) -> None:
    folder = write_tiles(tmp_path, "pairs")
    (folder / table).write_bytes(content)
    with pytest.raises(DataError, match=found):
        load_tiles(folder)


def test_no_such_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no folder or zip"):
        load_tiles(tmp_path / "nowhere")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is empty"):
        load_tiles(tmp_path)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"readme.txt": b"hello"}, "has no known layout of tiles"),
        ({"images/readme.txt": b"hello"}, "there are no images in"),
        ({"images/a.png": png(IMAGES["t000"])}, "there are no masks in"),
    ],
)
def test_a_folder_without_tiles_is_refused(
    tmp_path: Path, files: dict[str, bytes], found: str
) -> None:
    with pytest.raises(DataError, match=found):
        load_tiles(write_files(tmp_path, files))


def test_a_broken_zip_is_refused(tmp_path: Path, tile_set: Callable[[Layout], Path]) -> None:
    whole = tile_set("kaggle_zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="is not a complete zip"):
        load_tiles(tmp_path / "cut.zip")
    (tmp_path / "text.zip").write_bytes(b"not a zip")
    with pytest.raises(DataError, match="is not a complete zip"):
        load_tiles(tmp_path / "text.zip")
    zip_files(tmp_path / "inner.zip", {"train.zip": b"not a zip", "train.csv": b""})
    with pytest.raises(DataError, match=r"train\.zip in .* is not a complete zip"):
        load_tiles(tmp_path / "inner.zip")


def test_a_changed_byte_inside_a_zip_is_found(tile_set: Callable[[Layout], Path]) -> None:
    archive = tile_set("kaggle_zip")
    content = bytearray(archive.read_bytes())
    content[content.index(b"IDAT") + 20] ^= 1
    archive.write_bytes(content)
    with pytest.raises(DataError, match="Bad CRC"):
        load_tiles(archive)


def test_a_link_that_leads_back_is_followed_once(tile_set: Callable[[Layout], Path]) -> None:
    folder = tile_set("pairs")
    (folder / "images" / "again").symlink_to(folder)
    assert len(load_tiles(folder)) == 8


def test_a_linked_folder_is_read(tmp_path: Path, tile_set: Callable[[Layout], Path]) -> None:
    folder = tile_set("pairs")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "images").symlink_to(folder / "images")
    (tmp_path / "linked" / "masks").symlink_to(folder / "masks")
    assert load_tiles(tmp_path / "linked").hash == load_tiles(folder).hash


@pytest.mark.parametrize("depth", ["1e300", "-1e300", "inf", "deep"])
def test_a_depth_that_is_none_is_refused(tile_set: Callable[[Layout], Path], depth: str) -> None:
    folder = tile_set("kaggle")
    table = (folder / "depths.csv").read_text().replace("100", depth)
    (folder / "depths.csv").write_text(table)
    with pytest.raises(DataError, match=f"the depth '{depth}'"):
        load_tiles(folder)
