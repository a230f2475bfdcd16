import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diapir.errors import DataError
from diapir.tiles import load_tiles, make_mosaic, make_split
from diapir.tiles.groups import read_groups
from diapir.tiles.mosaic import mosaic_files as files
from tests.helpers.tile_sets import Images, Layout, tile_files, write_files, write_tiles
from tests.tiles.mosaic.sections import SIDE, make_section

ROWS, COLUMNS = 2, 3
SECTION = make_section(1, ROWS, COLUMNS)
SALT = (SECTION > 150).astype(np.uint8)


def named(whole: NDArray[np.uint8]) -> Images:
    """The tiles of the section, called by their place: `t00`, `t01`, …"""
    return {
        f"t{row}{column}": whole[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
        for row, column in np.ndindex(ROWS, COLUMNS)
    }


def write_section(folder: Path, layout: Layout = "pairs") -> Path:
    return write_tiles(folder, layout, images=named(SECTION), masks=named(SALT))


def read(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_sections_labels_groups_and_placements_are_written(tmp_path: Path) -> None:
    source = write_section(tmp_path / "tiles")
    summary = make_mosaic(source, tmp_path / "mosaic")
    out = tmp_path / "mosaic"
    assert read_groups(out / "groups.csv") == dict.fromkeys(named(SECTION), "t00")
    np.testing.assert_array_equal(read(out / "sections" / "t00.png"), SECTION)
    np.testing.assert_array_equal(read(out / "sections" / "masks" / "t00.png"), SALT)
    placements = json.loads((out / "mosaic.json").read_text())
    assert placements["sections"] == [
        {
            "name": "t00",
            "group": "t00",
            "tiles": [
                {"id": f"t{row}{column}", "row": row, "column": column}
                for row, column in np.ndindex(ROWS, COLUMNS)
            ],
        }
    ]
    assert {(link["first"], link["second"], link["side"]) for link in placements["links"]} == {
        *(
            (f"t{row}{column}", f"t{row}{column + 1}", "right")
            for row in (0, 1)
            for column in (0, 1)
        ),
        *((f"t0{column}", f"t1{column}", "below") for column in range(3)),
    }
    assert placements["tiles"] == summary.figures["tiles"]
    assert summary.figures["tiles"]["placed"] == 6
    drawn = read(out / "report" / "01-t00.png")
    assert drawn.shape == (*SECTION.shape, 3)
    salt = drawn[(SALT == 1) & (drawn[..., 1] != files._FRAME[1])]
    assert (salt[:, 0] > salt[:, 1]).all()


def test_where_no_tile_lies_a_section_is_black_and_its_labels_unknown(tmp_path: Path) -> None:
    source = write_section(tmp_path / "tiles")
    for folder in ("images", "masks"):
        (source / folder / "t02.png").unlink()
    make_mosaic(source, tmp_path / "mosaic")
    sections = tmp_path / "mosaic" / "sections"
    gap = np.s_[:SIDE, 2 * SIDE :]
    assert (read(sections / "t00.png")[gap] == 0).all()
    labels = read(sections / "masks" / "t00.png")
    assert (labels[gap] == 255).all()
    np.testing.assert_array_equal(labels[SIDE:], SALT[SIDE:])


def test_unlabelled_test_tiles_bridge_what_lies_between_labelled_ones(tmp_path: Path) -> None:
    images, masks = named(SECTION), named(SALT)
    between = {"t01", "t11"}
    contents = tile_files(
        {tile: image for tile, image in images.items() if tile not in between},
        {tile: mask for tile, mask in masks.items() if tile not in between},
        "kaggle",
    )
    contents = {name: data for name, data in contents.items() if not name.startswith("test/")}
    bridge = tile_files({tile: images[tile] for tile in between}, {}, "pairs")
    alone = make_mosaic(write_files(tmp_path / "alone", contents), tmp_path / "a")
    assert alone.figures["sections"]["count"] == 2
    assert "no test part" in alone.notes[0]
    source = write_files(
        tmp_path / "both", contents | {f"test/{name}": data for name, data in bridge.items()}
    )
    out = tmp_path / "b"
    summary = make_mosaic(source, out)
    assert summary.notes == ()
    assert summary.figures["tiles"] == {
        "all": 6,
        "labelled": 4,
        "placed": 6,
        "labelled_placed": 4,
    }
    assert set(read_groups(out / "groups.csv").values()) == {"t00"}
    labels = read(out / "sections" / "masks" / "t00.png")
    assert (labels[:, SIDE : 2 * SIDE] == 255).all()
    tiles = load_tiles(source, groups=out / "groups.csv")
    assert set(tiles.groups) == {"t00"}
    with pytest.raises(DataError):  # one section cannot be in two parts
        make_split(tiles)


def test_a_mosaic_is_replaced_and_anything_else_refused(tmp_path: Path) -> None:
    source, out = write_section(tmp_path / "tiles"), tmp_path / "mosaic"
    make_mosaic(source, out)
    (out / "sections" / "old.png").write_bytes(b"")
    make_mosaic(source, out)
    assert sorted(path.name for path in (out / "sections").glob("*.png")) == ["t00.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mosaic", "tiles"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    for taken in (other, other / "thesis.txt", source):
        with pytest.raises(DataError, match=r"is not a mosaic|is a file"):
            make_mosaic(source, taken)
    assert (other / "thesis.txt").read_text() == "mine"


def test_a_failed_write_leaves_the_earlier_mosaic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = write_section(tmp_path / "tiles"), tmp_path / "mosaic"
    make_mosaic(source, out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_save", full)
    with pytest.raises(DataError, match="No space left"):
        make_mosaic(source, out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mosaic", "tiles"]


def test_tiles_of_several_sizes_or_of_few_pixels_are_refused(tmp_path: Path) -> None:
    mixed = write_tiles(tmp_path / "mixed", count=2)
    larger = write_tiles(tmp_path / "larger", count=4, size=(30, 30), seed=1)
    for folder in ("images", "masks"):
        for name in ("t002.png", "t003.png"):
            shutil.copy(larger / folder / name, mixed / folder / name)
    with pytest.raises(DataError, match="21 × 19, 30 × 30"):
        make_mosaic(mixed, tmp_path / "out")
    small = write_tiles(tmp_path / "small", size=(15, 40))
    with pytest.raises(DataError, match="15 × 40"):
        make_mosaic(small, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_tiles_of_the_least_size_are_taken(tmp_path: Path) -> None:
    summary = make_mosaic(write_tiles(tmp_path / "least", size=(16, 16)), tmp_path / "out")
    assert summary.figures["tiles"]["all"] == 8
