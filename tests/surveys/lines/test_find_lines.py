"""Which files of a folder are surveys, and what their results are called."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from diapir.errors import ConfigError
from diapir.surveys.lines.find_lines import find_surveys, holds_surveys, is_survey


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_folder_is_searched_and_results_are_left_out(tmp_path: Path) -> None:
    touch(
        tmp_path,
        *("b.sgy", "a.SEGY", "notes.txt", "north/c.npy", ".hidden/d.sgy", "salt/a/a_mask.sgy"),
        *("e.zarr/zarr.json", "f.products/bodies.sgy"),
    )
    found = find_surveys([tmp_path], tmp_path / "salt")
    assert [(file.name, file.folder) for file in found] == [
        ("a", PurePath("a")),
        ("b", PurePath("b")),
        ("e", PurePath("e")),
        ("c", PurePath("north/c")),
    ]
    assert holds_surveys(tmp_path)
    assert not holds_surveys(tmp_path / "b.sgy")
    assert is_survey(Path("LINE.SGY"))


def test_lines_of_one_name_are_called_by_their_place(tmp_path: Path) -> None:
    touch(tmp_path, "north/a.sgy", "south/a.sgy", "south/b.sgy", "south/b.segy")
    found = find_surveys([tmp_path], tmp_path / "salt")
    assert [(file.name, file.folder.as_posix()) for file in found] == [
        ("north_a", "north/a"),
        ("south_a", "south/a"),
        ("b_segy", "south/b_segy"),
        ("b_sgy", "south/b_sgy"),
    ]


def test_files_keep_their_place_in_the_output(tmp_path: Path) -> None:
    touch(tmp_path, "a.sgy", "b.sgy")
    found = find_surveys([tmp_path / "b.sgy", tmp_path / "a.sgy"], tmp_path / "salt")
    assert [(file.name, file.folder) for file in found] == [("b", PurePath()), ("a", PurePath())]


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "north/a.sgy", "south/a.sgy")
    with pytest.raises(ConfigError, match="both be written as a"):
        find_surveys([tmp_path / "north/a.sgy", tmp_path / "south/a.sgy"], tmp_path / "salt")
    with pytest.raises(ConfigError, match="both be written as a"):
        find_surveys([tmp_path / "north", tmp_path / "south"], tmp_path / "salt")


def test_a_folder_of_images_is_no_folder_of_surveys(tmp_path: Path) -> None:
    touch(tmp_path, "tiles/a.png", "tiles/depths.npy", "both/a.png", "both/line.sgy")
    assert not holds_surveys(tmp_path / "tiles")
    with pytest.raises(ConfigError, match=r"both\b.* holds images and SEG-Y files"):
        holds_surveys(tmp_path / "both")


def test_results_do_not_go_among_the_lines(tmp_path: Path) -> None:
    touch(tmp_path, "a.sgy")
    with pytest.raises(ConfigError, match="folder of the surveys"):
        find_surveys([tmp_path], tmp_path)
