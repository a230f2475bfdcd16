from __future__ import annotations

from pathlib import Path

import pytest

from diapir.bundle import load
from diapir.cli import demo
from diapir.config import load_recipe
from diapir.tiles import Split, load_tiles
from tests.cli.conftest import RunCli


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tiny_recipe: Path, tmp_path: Path) -> None:
    """A demonstration of a second, in an empty folder."""
    monkeypatch.setattr(demo, "TILES", 40)
    monkeypatch.setattr(demo, "RECIPE", str(tiny_recipe))
    monkeypatch.chdir(tmp_path)


def test_the_whole_program(run_cli: RunCli, tmp_path: Path) -> None:
    done = run_cli("demo", "--out", "here", "--json")
    assert done.code == 0
    here = Path("here")
    assert len(load_tiles(here / "survey")) == 40
    for key in ("report", "overlay", "model", "run", "survey"):
        assert Path(done.answer[key]).exists(), key
    tiles = load_tiles(here / "survey")
    seen = tiles.select(Split.load(here / "run" / "split.json").part("train")).groups
    assert Path(done.answer["overlay"]).stem not in seen
    # it trained on windows of its own sections, so that the section is predicted in such
    assert "section" in load(here / "run").info.training["windows"]
    info = load(here / "run").info
    assert info.windows == (101,)
    assert info.section_window == 101


def test_an_earlier_demonstration_is_kept(run_cli: RunCli) -> None:
    assert run_cli("demo", "--json").answer["out"] == "demo"
    again = run_cli("demo")
    assert again.code == 0
    assert str(Path("demo-2") / "run" / "report.html") in again.stdout


def test_a_folder_that_holds_something_is_refused(run_cli: RunCli) -> None:
    Path("full").mkdir()
    Path("full", "thesis.txt").write_text("all of it", encoding="utf-8")
    for occupied in ("full", "full/thesis.txt"):
        done = run_cli("demo", "--out", occupied)
        assert done.code == 2
        assert "--out" in done.stderr
    assert [path.name for path in Path("full").iterdir()] == ["thesis.txt"]


def test_the_shipped_recipe_suits_the_tiles() -> None:
    recipe = load_recipe("demo")
    assert recipe.preprocess.size == 112
    assert recipe.name == "demo"
