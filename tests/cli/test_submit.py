from __future__ import annotations

import csv
from pathlib import Path

from tests.cli.conftest import RunCli
from tests.helpers.tile_sets import write_tiles


def test_a_line_for_every_test_tile(
    run_cli: RunCli, trained: Path, second: Path, tmp_path: Path
) -> None:
    archive = write_tiles(tmp_path / "tgs", "kaggle_zip", count=6)
    out = tmp_path / "submission.csv"
    words = ("submit", trained, second, "--data", archive, "--out", out)
    done = run_cli(*words, "--threshold", 0.001)
    assert done.code == 0
    assert f"6 tiles written to {out}" in done.stdout
    header, *rows = csv.reader(out.read_text(encoding="utf-8").splitlines())
    assert header == ["id", "rle_mask"]
    assert [row[0] for row in rows] == [f"xt{number:03d}" for number in range(6)]
    assert all(row[1] for row in rows)
    answer = run_cli(*words, "--threshold", 0.999, "--min-area", 9999, "--json").answer
    assert (answer["tiles"], answer["empty"], answer["salt_share"]) == (6, 6, 0)
    assert "replaces" not in done.stdout
    assert answer["replaced"]
    assert f"replaces an earlier submission of the same tiles in {out}" in answer["notes"]
    assert (
        f"note: replaces an earlier submission of the same tiles in {out}" in run_cli(*words).stdout
    )


def test_what_cannot_be_submitted_is_refused(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path
) -> None:
    out = tmp_path / "submission.csv"
    for words, message in (
        (("--data", survey), "has no test part"),
        (("--data", tmp_path / "gone"), "there is no folder or zip"),
        (("--data", survey, "--threshold", 1), "the threshold is 1"),
    ):
        done = run_cli("submit", trained, *words, "--out", out)
        assert done.code == 2
        assert message in done.stderr
        assert not out.exists()
