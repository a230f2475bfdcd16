"""Which tiles models are evaluated on: pure plans from the splits of run folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir.config import parse_config
from diapir.errors import ConfigError, SplitError
from diapir.evaluation.held_out import ALL, PART, Share, groups_file, plan, share_validation
from diapir.run.folder import CONFIG, SPLIT
from diapir.tiles import Split, TileSet, fold_split, load_tiles, make_folds
from tests.helpers.tile_sets import write_tiles


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> TileSet:
    return load_tiles(write_tiles(tmp_path_factory.mktemp("held_out") / "tiles", count=12))


@pytest.fixture(scope="module")
def folds(tiles: TileSet) -> Split:
    return make_folds(tiles, folds=3)


def write_run(folder: Path, split: Split, **data: object) -> Path:
    """A run folder, as far as a plan looks at it."""
    folder.mkdir()
    split.save(folder / SPLIT)
    config = parse_config({"model": {"name": "unet"}, "data": data}, source="test")
    (folder / CONFIG).write_text(config.to_yaml(), encoding="utf-8")
    return folder


@pytest.fixture
def runs(folds: Split, tmp_path: Path) -> list[Path]:
    """A run for each fold."""
    return [write_run(tmp_path / f"fold{fold}", fold_split(folds, fold)) for fold in range(3)]


def test_a_run_is_evaluated_on_its_validation_part(
    runs: list[Path], folds: Split, tiles: TileSet
) -> None:
    planned = plan(runs[:1], tiles)
    assert planned.part == "val"
    assert planned.shares == (Share(folds.part("fold0"), (runs[0],)),)
    (note,) = planned.notes
    assert str(runs[0] / SPLIT) in note


def test_runs_of_one_split_share_their_validation_part(
    runs: list[Path], folds: Split, tiles: TileSet, tmp_path: Path
) -> None:
    other = write_run(tmp_path / "seed2", fold_split(folds, 0))
    planned = plan([runs[0], other], tiles)
    assert planned.part == "val"
    assert planned.shares == (Share(folds.part("fold0"), (runs[0], other)),)


def test_folds_are_evaluated_out_of_fold(runs: list[Path], folds: Split, tiles: TileSet) -> None:
    planned = plan(runs, tiles)
    assert planned.part == PART
    assert list(planned.shares) == share_validation(runs, tiles)
    assert [share.models for share in planned.shares] == [(run,) for run in runs]
    assert sorted(tile for share in planned.shares for tile in share.ids) == sorted(folds.tiles)


def test_models_without_a_split_are_evaluated_on_all_tiles(tiles: TileSet, tmp_path: Path) -> None:
    for models in ([], [tmp_path]):
        planned = plan(models, tiles)
        assert planned.part == ALL
        assert planned.shares == (Share(tiles.ids, tuple(models)),)
        assert planned.notes == ()


def test_runs_on_other_tiles_are_evaluated_on_all(
    runs: list[Path], tiles: TileSet, tmp_path: Path
) -> None:
    other = load_tiles(write_tiles(tmp_path / "other", count=4))
    planned = plan(runs[:1], other)
    assert planned.part == ALL
    assert str(runs[0]) in planned.notes[0]
    assert other.name in planned.notes[0]


def test_a_run_that_was_trained_on_all_tiles_is_optimistic(
    runs: list[Path], folds: Split, tiles: TileSet, tmp_path: Path
) -> None:
    everything = write_run(tmp_path / "all", fold_split(folds, 0), use_all=True)
    planned = plan([everything], tiles)
    assert planned.part == ALL
    assert "optimistic" in planned.notes[0]
    with pytest.raises(SplitError, match=r"data\.use_all"):
        plan([runs[0], everything], tiles)


def test_overlapping_validation_parts_are_refused(
    runs: list[Path], folds: Split, tiles: TileSet, tmp_path: Path
) -> None:
    first, second = folds.part("fold0"), folds.part("fold1")
    mixed = (*first[:1], *second)
    train = tuple(sorted(set(folds.tiles) - set(mixed)))
    split = Split({"train": train, "val": mixed}, folds.tiles, 1, "holdout")
    other = write_run(tmp_path / "mixed", split)
    with pytest.raises(SplitError) as error:
        plan([runs[0], other], tiles)
    for name in (str(runs[0]), str(other), first[0]):
        assert name in error.value.found


def test_a_split_that_cannot_be_read_is_refused(runs: list[Path], tiles: TileSet) -> None:
    (runs[0] / SPLIT).write_text("{", encoding="utf-8")
    with pytest.raises(SplitError, match=SPLIT):
        plan(runs[:1], tiles)


def test_a_part_is_out_of_fold_where_all_of_it_was_held_out(
    runs: list[Path], folds: Split, tiles: TileSet, tmp_path: Path
) -> None:
    wanted = tuple(sorted((*folds.part("fold0"), *folds.part("fold1")[:1])))
    rest = tuple(sorted(set(folds.tiles) - set(wanted)))
    split = Split({"train": rest, "val": wanted}, folds.tiles, 1, "holdout")
    split.save(tmp_path / "part.json")
    planned = plan(runs, tiles, f"{tmp_path / 'part.json'}:val")
    assert planned.part == "val"
    shares = {share.models: share.ids for share in planned.shares}
    assert shares == {(runs[0],): folds.part("fold0"), (runs[1],): folds.part("fold1")[:1]}
    assert "optimistic" not in planned.notes[0]
    # two of the three runs leave one fold that both were trained on
    planned = plan(runs[1:], tiles, f"{tmp_path / 'part.json'}:val")
    assert planned.shares == (Share(wanted, tuple(runs[1:])),)
    for note, run, count in zip(planned.notes, runs[1:], (4, 5), strict=True):
        assert f"{run} was trained on {count} of these 5 tiles" in note
        assert "optimistic" in note


@pytest.mark.parametrize("given", ["split.json", "split.json:", ":val"])
def test_a_part_needs_its_form(tiles: TileSet, given: str) -> None:
    with pytest.raises(ConfigError) as error:
        plan([], tiles, given)
    assert "--split split.json:val" in error.value.fix


def test_an_unknown_part_names_those_there_are(
    folds: Split, tiles: TileSet, tmp_path: Path
) -> None:
    folds.save(tmp_path / "folds.json")
    with pytest.raises(SplitError) as error:
        plan([], tiles, f"{tmp_path / 'folds.json'}:val")
    assert "fold0, fold1, fold2" in error.value.expected


def test_groups_are_those_the_runs_were_trained_with(
    runs: list[Path], folds: Split, tmp_path: Path
) -> None:
    table = tmp_path / "groups.csv"
    run = write_run(tmp_path / "grouped", fold_split(folds, 0), groups=str(table))
    assert groups_file([*runs, run]) is None  # the table does not exist
    table.touch()
    assert groups_file([*runs, run]) == table


def test_changed_tiles_are_not_held_out(runs: list[Path], tiles: TileSet, tmp_path: Path) -> None:
    folder = write_tiles(tmp_path / "tiles", count=12)
    image = min((folder / "images").glob("*.png"))
    Image.fromarray(255 - np.asarray(Image.open(image))).save(image)
    with pytest.raises(SplitError, match="changed"):
        share_validation(runs, load_tiles(folder))
