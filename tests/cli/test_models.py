from __future__ import annotations

import re
import subprocess
import sys

import pytest

from diapir.architectures import ARCHITECTURES
from tests.cli.conftest import Done, RunCli


def fields(line: str) -> list[str]:
    """The columns of a row of the table."""
    return re.split(r"\s{2,}", line.strip())


def test_the_table_has_a_line_for_each_architecture(run_cli: RunCli) -> None:
    done = run_cli("models")
    assert done.code == 0
    lines = done.stdout.splitlines()
    assert [fields(line)[0] for line in lines[-len(ARCHITECTURES) :]] == list(ARCHITECTURES)
    unet = next(line for line in lines if line.startswith("unet "))
    paper = "Ronneberger et al. 2015, arXiv:1505.04597"
    assert fields(unet) == ["unet", "31.0 M", "12.04 G", "16", paper]
    hrnet = next(line for line in lines if line.startswith("hrnet "))
    assert fields(hrnet)[3:5] == ["32", "hrnet_w48"]


def test_json_has_the_figures_in_full(run_cli: RunCli) -> None:
    answer = run_cli("models", "--json").answer
    assert answer["size"] == 128
    assert [model["name"] for model in answer["models"]] == list(ARCHITECTURES)
    assert answer["models"][0] == {
        "name": "unet",
        "parameters": 31_031_810,
        "multiply_adds": 12_042_895_360,
        "divisor": 16,
        "encoder": None,
        "paper": "Ronneberger et al. 2015",
        "link": "https://arxiv.org/abs/1505.04597",
    }


def test_a_narrow_terminal_breaks_the_papers_only(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    done: Done = run_cli("models")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "…" not in done.stdout
    assert "arXiv:1505.04597" in done.stdout


def test_the_bundled_models_are_listed(run_cli: RunCli) -> None:
    done = run_cli("models", "--bundled")
    assert done.code == 0
    general, salt = done.stdout.split("\n\n")
    for name, text in (("general", general), ("salt", salt)):
        assert text.startswith(f"{name}: ")
        assert f"trainable (--init {name})" in text
        assert text.index("in sections") < text.index("tiles alone")
        assert f"shipped/{name}/card.md" in text.replace("\\", "/")
    assert "inside 24 sections" in general


def test_json_has_all_that_is_known_of_the_bundled_models(run_cli: RunCli) -> None:
    models = run_cli("models", "--bundled", "--json").answer["models"]
    assert [model["name"] for model in models] == ["general", "salt"]
    for model in models:
        assert (model["trainable"], model["half"], model["architecture"]) == (True, True, "halite")
        assert 4.9e6 < model["parameters"] < 5.1e6
        assert 10e6 < model["bytes"] < 15e6
        assert {"dice", "kaggle_map", "flips"} <= model["in_sections"].keys()
        assert model["tiles"]["n_images"] == 560
        assert model["training"]["tiles"] > 2000


def test_the_bundled_models_are_listed_without_pytorch() -> None:
    program = (
        "import sys; sys.modules['torch'] = None; from diapir.cli import main; "
        "main(['models', '--bundled'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "general: sections and surveys" in done.stdout
