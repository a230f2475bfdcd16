import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diapir.errors import DataError
from diapir.tiles import load_tiles
from diapir.tiles.files import loading
from tests.helpers.scratch import abandoned
from tests.helpers.tile_sets import Layout, make_tiles, png, write_tiles

IMAGES, MASKS = make_tiles()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own."""
    monkeypatch.setenv("DIAPIR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tiles"


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Grows by one whenever a set is decoded instead of taken from the cache."""
    decoded: list[Path] = []
    decode = loading._decode

    def counted(path: Path, **options: object) -> object:
        decoded.append(path)
        return decode(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(loading, "_decode", counted)
    return decoded


def entries(cache: Path) -> list[Path]:
    return sorted(cache.iterdir()) if cache.exists() else []


@pytest.mark.parametrize("layout", ["kaggle_zip", "train_super", "pairs", "synthetic"])
def test_a_set_is_decoded_once(
    layout: Layout, tile_set: Callable[[Layout], Path], cache: Path, decodings: list[Path]
) -> None:
    source = tile_set(layout)
    first, second = load_tiles(source), load_tiles(source)
    assert len(decodings) == 1
    assert {file.name for file in entries(cache)[0].iterdir()} == {
        "images.npy",
        "masks.npy",
        "tiles.json",
    }
    for name in ("name", "path", "layout", "encoding", "ids", "groups", "content", "skipped"):
        assert getattr(second, name) == getattr(first, name)
    np.testing.assert_array_equal(second.depths, first.depths)
    np.testing.assert_array_equal(second.shapes, first.shapes)
    for index in range(len(first)):
        np.testing.assert_array_equal(second.image(index), first.image(index))
        np.testing.assert_array_equal(second.mask(index), first.mask(index))
    with pytest.raises(ValueError, match="read-only"):
        second.image(0)[0, 0] = 1


def test_images_without_masks_are_kept_too(
    tile_set: Callable[[Layout], Path], cache: Path, decodings: list[Path]
) -> None:
    source = tile_set("kaggle")
    test, train = (load_tiles(source, labelled=False, part=part) for part in ("test", "train"))
    again = load_tiles(source, labelled=False, part="test")
    assert len(decodings) == 2
    assert again.ids == test.ids != train.ids
    assert not again.labelled


def test_one_path_read_in_two_ways_is_kept_in_two_entries(
    tile_set: Callable[[Layout], Path], cache: Path, decodings: list[Path]
) -> None:
    source = tile_set("kaggle")
    assert [load_tiles(source).encoding for _ in range(2)] == ["grey16"] * 2
    assert [load_tiles(source, encoding="rle").encoding for _ in range(2)] == ["rle"] * 2
    assert len(decodings) == 2


def change_file(source: Path) -> None:
    file = source / "masks" / "t001.png"
    status = file.stat()
    changed = 1 - MASKS["t001"]
    file.write_bytes(png(changed * np.uint8(255)))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def add_tile(source: Path) -> None:
    for kind in ("images", "masks"):
        shutil.copy(source / kind / "t001.png", source / kind / "u001.png")


def remove_tile(source: Path) -> None:
    for kind in ("images", "masks"):
        (source / kind / "t001.png").unlink()


def rename_tile(source: Path) -> None:
    for kind in ("images", "masks"):
        (source / kind / "t001.png").rename(source / kind / "u001.png")


def add_groups(source: Path) -> None:
    (source / "groups.csv").write_text("id,group\nt001,west\n")


@pytest.mark.parametrize("change", [change_file, add_tile, remove_tile, rename_tile, add_groups])
def test_a_source_that_changed_is_decoded_again(
    change: Callable[[Path], None],
    tile_set: Callable[[Layout], Path],
    cache: Path,
    decodings: list[Path],
) -> None:
    source = tile_set("pairs")
    before = load_tiles(source)
    change(source)
    after = load_tiles(source)
    assert len(decodings) == 2
    assert (after.hash, after.groups) != (before.hash, before.groups)
    assert len(entries(cache)) == 1  # nobody will ask for the older state again


def test_a_zip_that_changed_is_decoded_again(
    tmp_path: Path, cache: Path, decodings: list[Path]
) -> None:
    before = load_tiles(write_tiles(tmp_path, "kaggle_zip"))
    after = load_tiles(write_tiles(tmp_path, "kaggle_zip", count=9))
    assert len(decodings) == 2
    assert (len(before), len(after)) == (8, 9)


def test_a_source_that_has_gone_is_missed(tile_set: Callable[[Layout], Path], cache: Path) -> None:
    source = tile_set("pairs")
    load_tiles(source)
    shutil.rmtree(source)
    with pytest.raises(DataError, match="there is no folder or zip"):
        load_tiles(source)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-5])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def pickled(file: Path) -> None:
    np.save(file.with_suffix(".npy"), np.array([{}], object), allow_pickle=True)


@pytest.mark.parametrize("damage", [cut, flip, empty, Path.unlink])
@pytest.mark.parametrize("name", ["images.npy", "masks.npy", "tiles.json"])
def test_a_damaged_entry_is_built_again_silently(
    name: str,
    damage: Callable[[Path], None],
    tile_set: Callable[[Layout], Path],
    cache: Path,
    decodings: list[Path],
) -> None:
    source = tile_set("pairs")
    before = load_tiles(source).hash
    damage(entries(cache)[0] / name)
    assert load_tiles(source).hash == before
    assert len(decodings) == 2
    load_tiles(source)
    assert len(decodings) == 2  # the entry is whole again


@pytest.mark.parametrize("content", ["null", "[]", "{}", '{"ids": 3, "checksum": 0}', "\x00"])
def test_an_entry_that_says_nonsense_is_built_again(
    content: str, tile_set: Callable[[Layout], Path], cache: Path, decodings: list[Path]
) -> None:
    source = tile_set("pairs")
    load_tiles(source)
    (entries(cache)[0] / "tiles.json").write_text(content)
    assert len(load_tiles(source)) == 8
    assert len(decodings) == 2


def test_pixels_that_are_a_pickle_are_not_unpickled(
    tile_set: Callable[[Layout], Path], cache: Path, decodings: list[Path]
) -> None:
    source = tile_set("pairs")
    load_tiles(source)
    pickled(entries(cache)[0] / "images.npy")
    assert len(load_tiles(source)) == 8
    assert len(decodings) == 2


def test_an_entry_edited_by_hand_is_not_believed(
    tile_set: Callable[[Layout], Path], cache: Path, decodings: list[Path]
) -> None:
    source = tile_set("pairs")
    load_tiles(source)
    file = entries(cache)[0] / "tiles.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"encoding": "seed"}))
    assert load_tiles(source).encoding == "grey8"


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, tile_set: Callable[[Layout], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("a file where the cache folder should be")
    monkeypatch.setenv("DIAPIR_CACHE", str(tmp_path / "file"))
    assert len(load_tiles(tile_set("pairs"))) == 8


def test_an_entry_of_a_killed_process_is_cleaned_up(
    tile_set: Callable[[Layout], Path], cache: Path
) -> None:
    source = tile_set("pairs")
    load_tiles(source)
    (entry,) = entries(cache)
    (entry / "tiles.json").unlink()  # a damaged entry, which is written again
    abandoned(entry).mkdir()
    load_tiles(source)
    assert entries(cache) == [entry]


def test_a_full_disk_leaves_nothing_half_written(
    tile_set: Callable[[Layout], Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = np.save

    def full(file: Path, *arguments: object) -> None:
        if file.name == "masks.npy":
            raise OSError(28, "No space left on device")
        save(file, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(np, "save", full)
    assert len(load_tiles(tile_set("pairs"))) == 8
    assert entries(cache) == []
