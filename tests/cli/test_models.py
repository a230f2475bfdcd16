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
    lines = done.stdout.splitlines()[:-2]
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


@pytest.mark.parametrize("columns", [64, 80, 99])
def test_a_narrow_terminal_has_a_line_for_each(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    done: Done = run_cli("models")
    shown = re.sub(r"\x1b\]8;[^\\]*\x1b\\|\x1b\[[0-9;]*m", "", done.stdout)
    table = shown.partition("\n\n")[0].splitlines()
    assert max(map(len, table)) <= columns
    assert len(table) == 3 + len(ARCHITECTURES)  # two lines of headings, a rule
    assert "…" not in shown
    assert ("arXiv:1505.04597" in done.stdout) == (columns >= 80)


def test_an_architecture_is_described_with_its_keys(run_cli: RunCli) -> None:
    done = run_cli("models", "halite")
    assert done.code == 0
    assert "  model.scse = true  (true or false)" in done.stdout
    assert "model.base" not in done.stdout
    assert "diapir train --recipe halite" in done.stdout
    answer = run_cli("models", "unet", "--json").answer
    assert (answer["name"], answer["parameters"]) == ("unet", 31_031_810)
    assert [key["name"] for key in answer["keys"]] == ["model.name", "model.base", "model.levels"]


def test_one_bundled_model_is_described(run_cli: RunCli) -> None:
    done = run_cli("models", "salt")
    assert done.stdout.startswith("salt: ")
    assert "general: " not in done.stdout


@pytest.mark.parametrize("words", [["linkent"], ["linkent", "--bundled"]])
def test_an_unknown_model_is_a_plain_message(run_cli: RunCli, words: list[str]) -> None:
    done = run_cli("models", *words)
    assert done.code == 2
    assert "no architecture and no bundled model 'linkent'" in done.stderr
    assert ("did you mean 'linknet'?" in done.stderr) == (len(words) == 1)


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


@pytest.mark.parametrize(
    ("word", "shown"), [("--bundled", "general: sections and surveys"), ("unet", "31.0 M")]
)
def test_models_are_listed_without_pytorch(word: str, shown: str) -> None:
    program = (
        "import sys; sys.modules['torch'] = None; from diapir.cli import main; "
        f"main(['models', {word!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout
