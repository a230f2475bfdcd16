"""An evaluation is read back as it was written, whole or not at all."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diapir.errors import DataError, RunError
from diapir.evaluation import Evaluation, TileScore, evaluate
from tests.evaluation.made import random_tiles

shares = st.floats(0, 1)
names = st.text(st.characters(exclude_characters="\0"), min_size=1)
tile_scores = st.builds(TileScore, names, names, st.integers(1, 2**40), *[shares] * 5)


@cache
def evaluated() -> Evaluation:
    tiles, probabilities = random_tiles(30, seed=0, ignored=0.1)
    return evaluate(tiles, probabilities, model={"name": "m", "training": {"epoch": 3}})


def scored(*tiles: tuple[str, float, float, float]) -> Evaluation:
    """Tiles of (id, coverage, predicted, dice)."""
    return replace(
        evaluated(),
        tiles=[
            TileScore(name, name, 100, coverage, predicted, dice, dice / (2 - dice), 0.0)
            for name, coverage, predicted, dice in tiles
        ],
    )


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_read_back_equal(tmp_path: Path) -> None:
    evaluation = evaluated()
    evaluation.save(tmp_path / "runs" / "evaluation")
    assert Evaluation.load(tmp_path / "runs" / "evaluation") == evaluation
    assert names_in(tmp_path / "runs" / "evaluation") == {"evaluation.json", "tiles.csv"}


@settings(max_examples=30, deadline=None)
@given(st.lists(tile_scores, max_size=5))
def test_any_ids_and_floats_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, tiles: list[TileScore]
) -> None:
    evaluation = replace(evaluated(), tiles=tiles)
    folder = tmp_path_factory.getbasetemp() / "any"
    evaluation.save(folder)
    assert Evaluation.load(folder) == evaluation


@pytest.mark.parametrize(
    "name", ["007", "1e5", "nan", 'a,"b"', "a\r\nb", "a\rb", "\udcff", chr(0xD800), " "]
)
def test_ids_that_look_like_something_else(tmp_path: Path, name: str) -> None:
    evaluation = scored((name, 0.5, 0.5, 1.0))
    evaluation.save(tmp_path)
    assert Evaluation.load(tmp_path) == evaluation


def test_tiles_csv_is_for_any_reader(tmp_path: Path) -> None:
    evaluation = evaluated()
    evaluation.save(tmp_path)
    with (tmp_path / "tiles.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    columns = "id group pixels coverage predicted dice iou kaggle_ap"
    assert list(rows[0]) == columns.split()
    assert [row["id"] for row in rows] == [tile.id for tile in evaluation.tiles]
    assert [float(row["dice"]) for row in rows] == [tile.dice for tile in evaluation.tiles]


def test_evaluation_json_holds_the_keys_of_the_design(tmp_path: Path) -> None:
    evaluated().save(tmp_path)
    content = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert {"metrics", "by_coverage", "sweep", "calibration", "model", "data"} < set(content)
    assert content["metrics"]["ci95"]["kaggle_map"][0] < content["metrics"]["kaggle_map"]


def test_a_newer_evaluation_replaces_the_older(tmp_path: Path) -> None:
    evaluated().save(tmp_path)
    newer = scored(("only", 0.5, 0.5, 1.0))
    newer.save(tmp_path)
    assert Evaluation.load(tmp_path) == newer


def test_a_save_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = evaluated()
    before.save(tmp_path)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="No space left on device"):
        scored(("only", 0.5, 0.5, 1.0)).save(tmp_path)
    monkeypatch.undo()
    assert Evaluation.load(tmp_path) == before
    assert names_in(tmp_path) == {"evaluation.json", "tiles.csv"}


def test_a_save_cut_off_between_its_files_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated().save(tmp_path)
    rename = os.replace

    def only_the_scores(source: Path, target: Path) -> None:
        if Path(target).name == "tiles.csv":
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(os, "replace", only_the_scores)
    with pytest.raises(RunError):
        scored(("only", 0.5, 0.5, 1.0)).save(tmp_path)
    with pytest.raises(DataError, match="not the table that"):
        Evaluation.load(tmp_path)


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "evaluation").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        evaluated().save(tmp_path / "evaluation")


def test_nothing_to_load(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file") as error:
        Evaluation.load(tmp_path / "none")
    assert "diapir evaluate" in error.value.fix


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[]", "cannot be read"),
        ("{}", "has no 'format'"),
        ('{"format": 99}', "does not have format"),
        ('{"format": 2}', "has no 'tiles_sha256'"),
    ],
)
def test_json_that_is_no_evaluation(tmp_path: Path, text: str, found: str) -> None:
    evaluated().save(tmp_path)
    (tmp_path / "evaluation.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=found):
        Evaluation.load(tmp_path)


def test_a_changed_table_is_refused(tmp_path: Path) -> None:
    evaluated().save(tmp_path)
    table = tmp_path / "tiles.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("0.", "1.", 1), encoding="utf-8")
    with pytest.raises(DataError, match="not the table"):
        Evaluation.load(tmp_path)


def test_worst_tiles() -> None:
    evaluation = scored(
        ("good", 0.5, 0.5, 0.9),
        ("sliver missed", 0.01, 0.0, 0.0),
        ("empty kept", 0.0, 0.0, 1.0),
        ("whole tile false", 0.0, 0.9, 0.0),
        ("bad", 0.5, 0.5, 0.2),
    )
    assert evaluation.worst(4) == ["whole tile false", "sliver missed", "bad", "good"]
    assert evaluation.worst(0) == []
    assert len(evaluation.worst(99)) == 5


def test_best_tiles_have_salt() -> None:
    evaluation = scored(
        ("empty kept", 0.0, 0.0, 1.0),
        ("small", 0.1, 0.1, 0.95),
        ("large", 0.9, 0.9, 0.95),
        ("perfect", 0.2, 0.2, 1.0),
        ("empty lost", 0.0, 0.5, 0.0),
    )
    assert evaluation.best(5) == ["perfect", "large", "small", "empty kept", "empty lost"]


def test_wrong_is_the_share_of_wrong_pixels() -> None:
    tiles, probabilities = random_tiles(20, seed=0)
    for tile, mask, probability in zip(
        evaluate(tiles, probabilities, resamples=0).tiles, tiles.masks, probabilities, strict=True
    ):
        expected = np.mean((probability >= 0.5) != (mask == 1))
        assert tile.wrong == pytest.approx(expected)


@pytest.mark.parametrize("pixels", ["inf", "nan", "-inf", '"many"'])
def test_a_table_with_numbers_that_are_none_is_refused(tmp_path: Path, pixels: str) -> None:
    scored(("a", 0.5, 0.5, 0.5)).save(tmp_path)
    head, row = (tmp_path / "tiles.csv").read_text().splitlines()
    table = f"{head}\n{row.replace(',100,', f',{pixels},')}\n".encode()
    (tmp_path / "tiles.csv").write_bytes(table)
    scores = json.loads((tmp_path / "evaluation.json").read_bytes())
    scores["tiles_sha256"] = hashlib.sha256(table).hexdigest()
    (tmp_path / "evaluation.json").write_text(json.dumps(scores))
    with pytest.raises(DataError, match="cannot be read"):
        Evaluation.load(tmp_path)


@pytest.mark.parametrize("change", [{"metrics": [1]}, {"data": 3}, {"sweep": {}}])
def test_values_of_other_types_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    evaluated().save(tmp_path)
    scores = json.loads((tmp_path / "evaluation.json").read_bytes())
    (tmp_path / "evaluation.json").write_text(json.dumps(scores | change))
    with pytest.raises(DataError, match=next(iter(change))):
        Evaluation.load(tmp_path)
