"""Scores in sections: by hand, with models that are functions of the image."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diapir.errors import DataError
from diapir.evaluation import (
    InSections,
    SectionModels,
    evaluate_in_sections,
    evaluate_model,
    open_sections,
    save_in_sections,
)
from diapir.evaluation.in_sections import saved_block
from diapir.evaluation.summary import summary
from diapir.tiles import TileSet, load_tiles
from tests.helpers.mosaics import Function, Section, squares, write_sections
from tests.helpers.tiny import SIZE, write_bright_salt

Image8 = NDArray[np.uint8]


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> TileSet:
    return load_tiles(write_bright_salt(tmp_path_factory.mktemp("tiles") / "bright", count=16))


@pytest.fixture
def mosaic(tiles: TileSet, tmp_path: Path) -> Path:
    """Tiles 0 to 3, and tiles 4 and 5 beside a tile without labels; the others are in none."""
    sections: dict[str, Section] = squares(tiles.ids[:4])
    other = {(0, 0): tiles.ids[4], (0, 1): "unlabelled", (1, 0): tiles.ids[5]}
    return write_sections(tmp_path / "mosaic", tiles, sections | {"other": other})


def in_sections(
    mosaic: Path, tiles: TileSet, model: Function, trained: Sequence[str] = ()
) -> InSections:
    evaluation, probabilities = evaluate_model(model, tiles, part="val", resamples=50)
    models = [SectionModels(frozenset(tiles.ids), model, frozenset(trained))]
    sections = open_sections(mosaic, tiles)
    return evaluate_in_sections(sections, evaluation, tiles, probabilities, models)


def bright(image: Image8) -> NDArray[np.bool_]:
    return image >= 120


def dice(pairs: Sequence[tuple[Image8, NDArray[np.bool_]]]) -> float:
    overlap = sum(int(((mask == 1) & found).sum()) for mask, found in pairs)
    return 2 * overlap / sum(int((mask == 1).sum() + found.sum()) for mask, found in pairs)


def test_a_model_that_needs_no_context_scores_the_same_in_sections(
    mosaic: Path, tiles: TileSet
) -> None:
    model = Function(bright)
    found = in_sections(mosaic, tiles, model)
    block = found.block()
    assert block["dice"] == block["alone"]["dice"] == block["kaggle_map"] == 1
    assert block["flips"] == 0
    assert (block["n_tiles"], block["n_sections"], block["n_groups"]) == (6, 2, 2)
    assert set(block["ci95"]) == {*set(block["alone"]) - {"ci95", "soft_dice"}, "flips"}
    assert found.inside.data["part"] == "val"
    # each section as a whole, then padded by half a window
    assert model.shapes[-4:] == [(60, 60), (75, 75)] * 2


def test_scores_in_sections_by_hand(mosaic: Path, tiles: TileSet) -> None:
    def first_row_in_sections(image: Image8) -> NDArray[np.bool_]:
        found = bright(image)
        found[SIZE:] = False  # a tile has no more rows
        return found

    found = in_sections(mosaic, tiles, Function(first_row_in_sections))
    block = found.block()
    empty = np.zeros((SIZE, SIZE), np.bool_)
    chosen = [0, 1, 2, 3, 4, 5]
    predicted = {
        index: bright(tiles.image(index)) if index in (0, 1, 4) else empty for index in chosen
    }
    expected = dice([(tiles.mask(index), predicted[index]) for index in chosen])
    assert 0 < expected < 1
    assert block["dice"] == pytest.approx(expected)
    # tile 0 and 4 have no salt; 2, 3 and 5 are missed
    assert block["kaggle_map"] == pytest.approx(3 / 6)
    assert block["alone"]["dice"] == block["alone"]["kaggle_map"] == 1
    assert block["precision"] == 1
    rows = {row["id"]: row for row in found.rows()}
    assert rows[tiles.ids[2]]["dice_in_section"] == 0
    assert rows[tiles.ids[2]]["dice_alone"] == 1
    assert (rows[tiles.ids[2]]["row"], rows[tiles.ids[2]]["column"]) == (1, 0)
    assert {row["section"] for row in rows.values()} == {"section0", "other"}


def test_flips_are_counted_in_tiles_of_the_sections(mosaic: Path, tiles: TileSet) -> None:
    def stripes(image: Image8) -> NDArray[np.bool_]:
        """Whose stripes are as wide as the shift: half a window."""
        found = np.zeros(image.shape, np.bool_)
        found[np.arange(len(image)) // 15 % 2 == 1] = True
        return found

    everything = in_sections(mosaic, tiles, Function(stripes))
    assert everything.flips == 1
    assert [each.pixels for each in everything.sections] == [4 * SIZE**2, 3 * SIZE**2]
    assert everything.flips_interval == [1, 1]
    assert in_sections(mosaic, tiles, Function(stripes, window=60)).flips == 0


def test_a_component_is_as_large_as_in_its_section(tiles: TileSet, tmp_path: Path) -> None:
    beside = {(0, 0): tiles.ids[1], (0, 1): tiles.ids[2]}
    mosaic = write_sections(tmp_path / "seam", tiles, {"seam": beside})

    def bar(image: Image8) -> NDArray[np.bool_]:
        """20 pixels at the tile's right end, and 40 across the seam of the section."""
        found = np.zeros(image.shape, np.bool_)
        found[10, 10 : SIZE + 20] = True
        return found

    found = in_sections(mosaic, tiles, Function(bar, min_area=30))
    predicted = [score.predicted * score.pixels for score in found.inside.tiles]
    assert predicted == pytest.approx([20, 20])
    assert [score.predicted for score in found.alone.tiles] == [0, 0]
    assert found.mask(found.sections[0]).sum() == 40
    assert found.flips_interval is None  # one section
    assert found.block()["min_area"] == 30


def test_sections_with_training_tiles_are_named(mosaic: Path, tiles: TileSet) -> None:
    assert in_sections(mosaic, tiles, Function(bright)).notes == ()
    (note,) = in_sections(mosaic, tiles, Function(bright), ["unlabelled"]).notes
    assert note.startswith("1 of the 2 sections")
    assert "optimistic" in note


def test_each_share_is_predicted_by_its_models(mosaic: Path, tiles: TileSet) -> None:
    def nothing(image: Image8) -> NDArray[np.bool_]:
        return np.zeros(image.shape, np.bool_)

    evaluation, probabilities = evaluate_model(Function(bright), tiles, resamples=0)
    models = [
        SectionModels(frozenset(tiles.ids[:2]), Function(bright)),
        SectionModels(frozenset(tiles.ids[2:]), Function(nothing)),
    ]
    sections = open_sections(mosaic, tiles)
    found = evaluate_in_sections(sections, evaluation, tiles, probabilities, models)
    scores = {row["id"]: row["dice_in_section"] for row in found.rows()}
    assert [scores[tile] for tile in tiles.ids[:6]] == [1, 1, 0, 0, 1, 0]
    assert len(found.sections) == 3
    assert found.block()["n_sections"] == 2


def test_the_lines_begin_with_the_sections(mosaic: Path, tiles: TileSet) -> None:
    found = in_sections(mosaic, tiles, Function(bright))
    evaluation, _ = evaluate_model(Function(bright), tiles)
    lines = list(summary(evaluation, found))
    assert "6 tiles inside 2 sections of mosaic, and the same 6 tiles alone" in lines[0]
    assert lines[2].split() == ["Dice", *["1.0000", "(1.0000", "to", "1.0000)"] * 2]
    assert any("shift by half their size: 0.0 % (95% CI 0.0 % to 0.0 %)" in line for line in lines)
    assert lines[lines.index("") + 1 :] == list(summary(evaluation))


def test_what_is_saved_is_read_again_and_removed(
    mosaic: Path, tiles: TileSet, tmp_path: Path
) -> None:
    found = in_sections(mosaic, tiles, Function(bright))
    save_in_sections(tmp_path, found)
    block = saved_block(tmp_path)
    assert block is not None
    assert {key: block[key] for key in found.block()} == found.block()
    assert [each["name"] for each in block["sections"]] == ["section0", "other"]
    with (tmp_path / "in_sections.csv").open(newline="") as table:
        assert [row["id"] for row in csv.DictReader(table)] == list(tiles.ids[:6])
    (tmp_path / "in_sections.json").write_text("{}")
    with pytest.raises(DataError, match="cannot be read"):
        saved_block(tmp_path)
    save_in_sections(tmp_path, None)
    assert not list(tmp_path.glob("in_sections*"))
    assert saved_block(tmp_path) is None


# a folder that does not fit


def test_a_folder_without_a_mosaic_is_refused(tiles: TileSet, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no mosaic") as refused:
        open_sections(tmp_path, tiles)
    assert "diapir data mosaic" in str(refused.value)
    for content in ("nonsense", "[]", '{"sections": [{"name": "a"}]}', '{"sections": [7]}'):
        (tmp_path / "mosaic.json").write_text(content)
        with pytest.raises(DataError, match="holds no mosaic"):
            open_sections(tmp_path, tiles)


def test_a_mosaic_of_other_data_is_refused(mosaic: Path, tiles: TileSet) -> None:
    content = (mosaic / "mosaic.json").read_text().replace('"tile0', '"other0')
    (mosaic / "mosaic.json").write_text(content)
    with pytest.raises(DataError, match="not a mosaic of bright"):
        open_sections(mosaic, tiles)


def test_a_mosaic_without_a_scored_tile_is_refused(mosaic: Path, tiles: TileSet) -> None:
    assert [each.name for each in open_sections(mosaic, tiles, [tiles.ids[5]])] == ["other"]
    with pytest.raises(DataError, match=r"no section of .* holds one of the 3 scored tiles"):
        open_sections(mosaic, tiles, tiles.ids[10:13])


def test_a_tile_that_differs_from_its_section_is_refused(mosaic: Path, tiles: TileSet) -> None:
    path = mosaic / "sections" / "other.png"
    image = np.asarray(Image.open(path)).copy()
    image[-1, 0] ^= 255
    Image.fromarray(image).save(path)
    with pytest.raises(DataError, match=rf"tile {tiles.ids[5]} .*differs from its image"):
        open_sections(mosaic, tiles)
    path.unlink()
    with pytest.raises(DataError):
        open_sections(mosaic, tiles)
    assert json.loads((mosaic / "mosaic.json").read_text())["format"] == 1
