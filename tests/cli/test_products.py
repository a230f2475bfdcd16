from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diapir.surveys.prediction.prediction_store import create_store, encode
from tests.cli.conftest import RunCli
from tests.helpers.segy import write_segy
from tests.surveys.made import record
from tests.surveys.made_salt import ball, line_grid, volume_grid

SHAPE = (1, 60, 50)
RECORD = record(input="line.sgy")


def store(folder: Path, name: str = "line") -> Path:
    """A prediction as `diapir predict` leaves it."""
    path = folder / f"{name}.prediction"
    made = create_store(path, line_grid(60, 50), RECORD)
    whole = slice(None)
    made.add("probability", SHAPE, "uint8", made.fill)
    made.write("probability", whole, whole, encode(ball(SHAPE, (0, 30, 25), 9), "uint8"))
    return path


def test_products_lie_beside_the_prediction(run_cli: RunCli, tmp_path: Path) -> None:
    store(tmp_path)
    done = run_cli("products", tmp_path)
    assert done.code == 0
    out = tmp_path / "line.products"
    for name in ("horizons/top.dat", "horizons/base.dat", "bodies.csv", "report.html"):
        assert (out / name).is_file()
    assert "1 salt body" in done.stdout
    assert "top: 19 picks" in done.stdout
    assert "Sections show the probability" in done.stdout  # there is no line.sgy
    assert str(out / "report.html") in done.stdout


def test_json_has_the_facts_of_each_survey(run_cli: RunCli, tmp_path: Path) -> None:
    store(tmp_path, "b")
    store(tmp_path, "a")
    answer = run_cli("products", tmp_path, "--formats", "xyz", "--json").answer
    assert [product["name"] for product in answer["products"]] == ["a", "b"]
    first = answer["products"][0]
    assert first["options"]["formats"] == ["xyz"]
    assert first["picks"] == {"top": 19, "base": 19}
    assert first["report"] == str(tmp_path / "a.products" / "report.html")


def test_the_threshold_is_the_models_unless_given(
    run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diapir.reports.write_products_report", lambda products: products.out)
    path = store(tmp_path)
    used = run_cli("products", path, "--json").answer["products"][0]["options"]
    assert used["threshold"] == 0.5
    used = run_cli("products", path, "--threshold", "0.8", "--json").answer["products"][0]
    assert used["options"]["threshold"] == 0.8


def test_a_report_that_cannot_be_drawn_does_not_cost_the_products(
    run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path)

    def missing(products: object) -> Path:
        raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")

    monkeypatch.setattr("diapir.reports.write_products_report", missing)
    done = run_cli("products", tmp_path)
    assert done.code == 0
    assert (tmp_path / "line.products/horizons/top.dat").is_file()
    assert "no report" in done.stdout


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["nowhere"], "nowhere contains no predictions"),
        (["."], "contains no predictions"),
        (["line.prediction", "--threshold", "2"], "--threshold 2"),
        (["line.prediction", "--min-cells", "0"], "--min-cells 0"),
        (["line.prediction", "--formats", "gocad"], "gocad"),
    ],
)
def test_bad_input_is_one_plain_message(
    run_cli: RunCli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    found: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if words[0] != ".":
        store(tmp_path)
    done = run_cli("products", *words)
    assert done.code == 2
    assert found in done.stderr
    assert not list(tmp_path.glob("*.products"))


def test_a_broken_store_is_refused(run_cli: RunCli, tmp_path: Path) -> None:
    path = store(tmp_path)
    (path / "prediction.json").write_text("{")
    assert run_cli("products", path).code == 2


def test_a_volume_needs_no_zarr_to_have_products(run_cli: RunCli, tmp_path: Path) -> None:
    shape = (12, 14, 20)
    path = tmp_path / "block.prediction"
    made = create_store(path, volume_grid(shape), RECORD)
    made.add("probability", shape, "uint8", made.fill)
    held = encode(np.ones(shape, np.float32), "uint8")
    made.write("probability", slice(None), slice(None), held)
    done = run_cli("products", path)
    assert done.code == 0
    assert (tmp_path / "block.products/meshes/body-001.ply").is_file()
    assert "no top pick" in done.stdout


def test_predict_makes_them_too_when_asked(run_cli: RunCli, tmp_path: Path, trained: Path) -> None:
    line = tmp_path / "line.sgy"
    write_segy(line, np.random.default_rng(0).normal(size=(120, 110)), inlines=None)
    done = run_cli("predict", trained, line, "--out", tmp_path / "salt", "--horizons", "--json")
    assert done.code == 0, done.stderr
    (made,) = done.answer["products"]
    assert made["name"] == "line"
    assert made["options"]["threshold"] == done.answer["surveys"][0]["threshold"]
    assert (tmp_path / "salt/line.products/products.json").is_file()
    assert "could not be opened" not in done.stderr
