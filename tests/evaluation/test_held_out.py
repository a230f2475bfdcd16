"""Which tiles models are evaluated on: pure plans from the splits of run folders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir.architectures import UNetConfig
from diapir.bundle import INFO, BundleInfo, Fingerprints, TunedOn
from diapir.bundle.bundle import _text
from diapir.config import PreprocessConfig, parse_config
from diapir.errors import ConfigError, DataError, SplitError
from diapir.evaluation.evaluation_plan import ALL, PART, REST, Plan, Share
from diapir.evaluation.held_out import (
    groups_file,
    plan,
    plan_validation,
    split_notes,
)
from diapir.run.folder import BEST, CONFIG, SPLIT
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
    assert planned == plan_validation(runs, tiles)
    assert [share.models for share in planned.shares] == [(run,) for run in runs]
    assert sorted(tile for share in planned.shares for tile in share.ids) == sorted(folds.tiles)


def test_of_models_without_a_record_nothing_is_known(tiles: TileSet, tmp_path: Path) -> None:
    planned = plan([tmp_path], tiles)
    assert planned.part == ALL
    assert planned.shares == (Share(tiles.ids, (tmp_path,)),)
    assert planned.trained_on is None
    (note,) = planned.notes
    assert f"not recorded which tiles {tmp_path} was trained on" in note


def test_the_bundled_model_was_trained_on_other_tiles(tiles: TileSet) -> None:
    planned = plan([], tiles)
    assert planned.part == ALL
    assert planned.shares == (Share(tiles.ids, ()),)
    assert planned.record == {"n_training_tiles": 0, "n_left_out": 0}
    (note,) = planned.notes
    assert "none of these 12 tiles is a training tile of the bundled model salt" in note


def test_a_run_that_was_trained_on_all_tiles_is_refused(
    runs: list[Path], folds: Split, tiles: TileSet, tmp_path: Path
) -> None:
    everything = write_run(tmp_path / "all", fold_split(folds, 0), use_all=True)
    with pytest.raises(DataError, match=f"all 12 tiles are training tiles of {everything}") as got:
        plan([everything], tiles)
    assert "--all-tiles" in got.value.fix
    planned = plan([everything], tiles, all_tiles=True)
    assert planned.part == ALL
    assert planned.trained_on == 12
    assert "WARNING" in planned.notes[0]
    with pytest.raises(SplitError, match=r"data\.use_all"):
        plan([runs[0], everything], tiles)


# fingerprints in bundles


def write_bundle(folder: Path, tiles: TileSet | None, **fields: object) -> Path:
    """The description of a bundle that was trained on tiles; None for an older one."""
    folder.mkdir(parents=True)
    known = None if tiles is None else Fingerprints.of(tiles.fingerprints)
    info = BundleInfo(
        name="made",
        model=UNetConfig(),
        preprocess=PreprocessConfig(size=32),
        weights_sha256="0" * 64,
        **{"training_tiles": known} | fields,
    )
    (folder / INFO).write_text(_text(info), encoding="utf-8")
    return folder


def scored(planned: Plan) -> list[str]:
    return sorted(planned.ids)


def test_training_tiles_of_a_bundle_are_left_out(
    folds: Split, tiles: TileSet, tmp_path: Path
) -> None:
    train, val = fold_split(folds, 0).part("train"), folds.part("fold0")
    bundle = write_bundle(tmp_path / "bundle", tiles.select(train))
    planned = plan([bundle], tiles)
    assert planned.part == REST
    assert planned.shares == (Share(val, (bundle,)),)
    assert planned.record == {"n_training_tiles": 0, "n_left_out": len(train)}
    assert planned.notes[0].startswith(f"{len(train)} of these 12 tiles are training tiles of")
    planned = plan([bundle], tiles, all_tiles=True)
    assert planned.part == ALL
    assert planned.ids == tiles.ids
    assert planned.trained_on == len(train)
    assert f"{bundle} was trained on {len(train)} of these 12 tiles" in planned.notes[0]


def test_a_named_part_is_scored_without_training_tiles(
    folds: Split, tiles: TileSet, tmp_path: Path
) -> None:
    folds.save(tmp_path / "folds.json")
    first, second = folds.part("fold0"), folds.part("fold1")
    bundle = write_bundle(tmp_path / "bundle", tiles.select([*first[:2], *second]))
    planned = plan([bundle], tiles, f"{tmp_path / 'folds.json'}:fold0")
    assert planned.part == f"fold0, {REST}"
    assert planned.ids == first[2:]
    with pytest.raises(DataError, match="training tiles"):
        plan([bundle], tiles, f"{tmp_path / 'folds.json'}:fold1")
    whole = plan([bundle], tiles, f"{tmp_path / 'folds.json'}:fold1", all_tiles=True)
    assert (whole.part, whole.ids) == ("fold1", second)


def test_bundles_of_folds_are_evaluated_out_of_fold(
    folds: Split, tiles: TileSet, tmp_path: Path
) -> None:
    bundles = [
        write_bundle(tmp_path / f"{fold}", tiles.select(fold_split(folds, fold).part("train")))
        for fold in range(3)
    ]
    planned = plan(bundles, tiles)
    assert planned.part == PART
    assert {share.models: share.ids for share in planned.shares} == {
        (bundle,): folds.part(f"fold{fold}") for fold, bundle in enumerate(bundles)
    }
    assert planned.left_out == 0
    # of two, each tile of the third fold was trained on by both
    planned = plan(bundles[:2], tiles)
    assert scored(planned) == sorted((*folds.part("fold0"), *folds.part("fold1")))
    assert planned.left_out == len(folds.part("fold2"))


def test_models_of_one_split_are_evaluated_together(
    runs: list[Path], folds: Split, tiles: TileSet, tmp_path: Path
) -> None:
    bundle = write_bundle(tmp_path / "bundle", tiles.select(fold_split(folds, 0).part("train")))
    planned = plan([runs[0], bundle], tiles)
    assert planned.shares == (Share(folds.part("fold0"), (runs[0], bundle)),)


def test_constant_images_are_in_no_held_out_part(tmp_path: Path) -> None:
    folder = write_tiles(tmp_path / "tiles", count=6)
    for place, image in enumerate(sorted((folder / "images").glob("*.png"))[:2]):
        Image.fromarray(np.full_like(np.asarray(Image.open(image)), 30 * place)).save(image)
    tiles = load_tiles(folder)
    bundle = write_bundle(tmp_path / "bundle", tiles.select(tiles.ids[:4]))
    planned = plan([bundle], tiles)
    assert planned.ids == tiles.ids[4:]
    other = write_bundle(tmp_path / "other", tiles.select(tiles.ids[4:]))
    planned = plan([other], tiles)
    assert planned.ids == tiles.ids[2:4]
    assert "nor are 2 constant images" in planned.notes[0]
    elsewhere = load_tiles(write_tiles(tmp_path / "elsewhere", count=4, seed=9))
    assert plan([bundle], elsewhere).ids == elsewhere.ids


def test_tiles_of_the_model_that_training_started_from_are_left_out(
    runs: list[Path], folds: Split, tiles: TileSet
) -> None:
    train, val = fold_split(folds, 0).part("train"), folds.part("fold0")
    write_bundle(runs[0] / BEST, tiles.select([*train, val[0]]))
    planned = plan(runs[:1], tiles)
    assert (planned.part, planned.ids) == ("val", val[1:])
    assert f"1 of these {len(val)} tiles are not scored" in planned.notes[1]
    write_bundle(runs[1] / BEST, tiles)
    with pytest.raises(DataError, match="training tiles"):
        plan(runs[1:2], tiles)
    planned = plan(runs, tiles)  # out of fold, with the third
    assert scored(planned) == sorted((*val[1:], *folds.part("fold2")))


def test_a_run_is_evaluated_on_other_tiles_without_those_it_knows(
    runs: list[Path], folds: Split, tiles: TileSet
) -> None:
    write_bundle(runs[0] / BEST, tiles.select(fold_split(folds, 0).part("train")))
    some = tiles.select(tiles.ids[:7])  # its split does not fit
    planned = plan(runs[:1], some)
    assert scored(planned) == sorted(set(some.ids) & set(folds.part("fold0")))


def test_older_bundles_have_the_hash_of_their_tiles(
    folds: Split, tiles: TileSet, tmp_path: Path
) -> None:
    split = fold_split(folds, 0)
    split.save(tmp_path / "split.json")
    training = {"data hash": tiles.hash, "split hash": split.hash, "tiles": 8}
    metrics = {"kaggle_map": 0.625, "dice": 0.75, "data": {"n_images": 4, "part": "val"}}
    old = write_bundle(tmp_path / "old", None, training=training, metrics=metrics)
    planned = plan([old], tiles)
    assert planned.part == ALL
    assert planned.trained_on is None
    assert "was trained on 8 tiles of this very set" in planned.notes[0]
    assert "Kaggle mAP 0.6250" in planned.notes[0]
    held_out = plan([old], tiles, f"{tmp_path / 'split.json'}:val")
    assert held_out.ids == split.part("val")
    assert held_out.trained_on == 0
    with pytest.raises(DataError, match="training tiles"):
        plan([old], tiles, f"{tmp_path / 'split.json'}:train")
    further = write_bundle(
        tmp_path / "further", None, training=training | {"further tiles": "more"}
    )
    assert plan([further], tiles, f"{tmp_path / 'split.json'}:val").trained_on is None


def test_what_was_made_from_an_unknown_model_is_not_fully_known(
    tiles: TileSet, tmp_path: Path
) -> None:
    some = Fingerprints.of(tiles.fingerprints[:5], complete=False)
    bundle = write_bundle(tmp_path / "bundle", None, training_tiles=some)
    planned = plan([bundle], tiles)
    assert planned.ids == tiles.ids[5:]
    assert planned.trained_on is None
    assert "made from a model whose training tiles are not recorded" in planned.notes[1]


def test_tuned_tiles_are_scored_and_named(folds: Split, tiles: TileSet, tmp_path: Path) -> None:
    val = tiles.select(folds.part("fold0"))
    tuned = TunedOn(
        data="made",
        part="val",
        hash=val.hash,
        kaggle_map=0.75,
        cross_validated=0.5,
        tiles=Fingerprints.of(val.fingerprints),
    )
    train = tiles.select(fold_split(folds, 0).part("train"))
    bundle = write_bundle(tmp_path / "bundle", train, tuned=(tuned,))
    planned = plan([bundle], tiles)
    assert planned.ids == val.ids
    note = planned.notes[-1]
    assert f"{bundle} was tuned on these tiles" in note
    assert "Kaggle mAP 0.7500 when it was tuned, 0.5000 cross-validated" in note
    planned = plan([bundle], tiles, all_tiles=True)
    assert f"was tuned on {len(val)} of these tiles" in planned.notes[-1]


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
    assert planned.shares == (Share(folds.part("fold1")[:1], (runs[1],)),)
    assert planned.left_out == 4
    planned = plan(runs[1:], tiles, f"{tmp_path / 'part.json'}:val", all_tiles=True)
    assert planned.shares == (Share(wanted, tuple(runs[1:])),)
    for note, run, count in zip(planned.notes, runs[1:], (4, 5), strict=False):
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
        plan_validation(runs, load_tiles(folder))


def test_a_random_split_of_tgs_tiles_is_named(tiles: TileSet) -> None:
    assert split_notes(tiles) == ()  # nothing is known of other tiles
    for layout in ("kaggle", "train_super"):
        tgs = replace(tiles, layout=layout)
        (note,) = split_notes(tgs)
        assert "diapir data mosaic" in note
        assert split_notes(replace(tgs, groups=("one",) * 6 + tgs.ids[6:])) == ()


def test_enlarged_tiles_cannot_be_matched(tiles: TileSet) -> None:
    planned = plan([], replace(tiles, layout="train_super"))
    assert planned.part == ALL
    assert planned.trained_on is None
    (note,) = planned.notes
    assert note.startswith("WARNING: these are TGS tiles enlarged ×2")
