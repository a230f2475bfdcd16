"""A folder of 2D lines from SEG-Y to horizons over all lines."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import RunCli
from tests.helpers.segy import write_segy
from tests.surveys.made import onnx_bundle, volume


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_bundle(tmp_path_factory.mktemp("model") / "convolution")


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Two lines of one name, one of another, and one that is cut off."""
    folder = tmp_path / "lines"
    for number, name in enumerate(("north/a", "south/a", "b", "damaged")):
        path = folder / f"{name}.sgy"
        path.parent.mkdir(parents=True, exist_ok=True)
        cut = 9 if name == "damaged" else 0
        write_segy(path, volume((1, 40, 36), seed=number)[0], inlines=None, cut=cut)
    return folder


def test_a_folder_of_lines_is_one_job(
    run_cli: RunCli, model: Path, lines: Path, tmp_path: Path
) -> None:
    out = tmp_path / "salt"
    words = ("predict", model, lines, "--out", out, "--threads", 1, "--horizons")
    done = run_cli(*words)
    assert done.code == 2
    last = done.stdout.splitlines()
    assert last[-2].startswith("failed: damaged: ")
    assert last[-1] == f"3 of 4 surveys done, 1 failed (see above); in {out}"
    assert "called north_a, as two files have the name" in done.stdout
    for name in ("north/a/a", "south/a/a", "b/b"):
        assert (out / f"{name}.prediction").is_dir()
        assert (out / f"{name}_probability.sgy").is_file()
    with (out / "lines.csv").open(newline="") as stream:
        rows = {row["line"]: row for row in csv.DictReader(stream)}
    assert sorted(rows) == ["b", "damaged", "north_a", "south_a"]
    assert "is truncated" in rows["damaged"]["error"]
    assert rows["b"]["report"] == "b/b.products/report.html"
    assert int(rows["b"]["bodies"]) > 0
    notes = [note.rstrip(".").lower() for note in rows["b"]["notes"].split(" | ")]
    assert len(notes) == len(set(notes)) > 0
    page = (out / "lines.html").read_text(encoding="utf-8")
    for said in ("north_a", "is truncated", "b/b.products/report.html"):
        assert said in page
    merged = out / "all-lines.products"
    tops = [row.split() for row in (merged / "horizons/top.dat").read_text().splitlines()]
    assert {row[0] for row in tops} == {"b", "north_a", "south_a"}
    own = (out / "b/b.products/horizons/top.dat").read_text().splitlines()
    assert [" ".join(row[1:]) for row in tops if row[0] == "b"] == own
    write_segy(lines / "damaged.sgy", volume((1, 40, 36), seed=3)[0], inlines=None)
    answer = run_cli(*words, "--json").answer
    assert [survey["mpx_per_s"] > 0 for survey in answer["surveys"]] == [False, True, False, False]
    assert answer["failed"] == []
    assert len(answer["products"]) == 4


def test_failures_are_in_the_json(run_cli: RunCli, model: Path, lines: Path) -> None:
    words = ("predict", model, lines, "--out", lines / "salt", "--threads", 1, "--json")
    done = run_cli(*words, "--crosslines", "310:330", "--formats", "none")
    assert done.code == 2
    (failed,) = done.answer["failed"]
    assert failed["name"] == "damaged"
    assert "is truncated" in failed["found"]
    assert failed["mend"]
    assert [survey["plan"]["shape"] for survey in done.answer["surveys"]] == [[1, 21, 36]] * 3
    again = run_cli("products", lines / "salt", "--formats", "csv", "--min-cells", 1, "--json")
    assert again.code == 0
    assert [made["name"] for made in again.answer["products"]] == ["b", "a", "a"]
    merged = lines / "salt/all-lines.products"
    assert str(merged / "horizons/top.csv") in again.answer["merged"]
    with (merged / "horizons/top.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["line"] for row in rows} == {"b", "north_a", "south_a"}
    assert all(310 <= int(row["cdp"]) <= 330 for row in rows)


def test_a_bad_file_among_given_files_stops_no_other(
    run_cli: RunCli, model: Path, lines: Path, tmp_path: Path
) -> None:
    files = (lines / "damaged.sgy", lines / "b.sgy")
    done = run_cli("predict", model, *files, "--out", tmp_path / "salt", "--threads", 1)
    assert done.code == 2
    assert "failed: damaged" in done.stdout
    assert (tmp_path / "salt/b.prediction").is_dir()
    assert not (tmp_path / "salt/lines.csv").exists()


def test_picks_snap_to_the_peaks_of_a_line(run_cli: RunCli, model: Path, tmp_path: Path) -> None:
    trace = np.cos(2 * np.pi * (np.arange(60) - 20.25) / 12)  # peaks at 8.25, 20.25, 32.25 …
    line = write_segy(tmp_path / "line.sgy", np.tile(trace, (40, 1)), inlines=None)
    out = tmp_path / "salt"
    words = ("predict", model, line, "--out", out, "--threads", 1, "--domain", "time")
    assert run_cli(*words, "--formats", "none").code == 0
    words = ("products", out, "--formats", "csv", "--min-cells", 1)
    done = run_cli(*words, "--snap", "peak", "--snap-window", 24, "--threshold", 0.51)
    assert done.code == 0, done.stderr
    assert "snapped to the nearest peak within ±24 ms" in done.stdout
    with (out / "line.products/horizons/top.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    moved = [float(row["z_ms"]) for row in rows if row["z_ms"] != row["unsnapped_ms"]]
    assert moved
    peaks = 4 * (8.25 + 12 * np.arange(5))
    np.testing.assert_allclose(np.abs(np.subtract.outer(moved, peaks)).min(axis=1), 0, atol=0.2)
