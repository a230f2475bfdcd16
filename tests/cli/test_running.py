from __future__ import annotations

import typing
from pathlib import Path

import pytest

from diapir.cli.predict import split_words
from diapir.cli.running import Running
from diapir.errors import DataError
from diapir.inference.engine_options import EngineOptions


def test_options_of_the_command_line_are_the_engine_options() -> None:
    assert Running().options() == EngineOptions()
    ours, theirs = typing.get_type_hints(Running), typing.get_type_hints(EngineOptions)
    assert ours["engine"] == theirs["engine"]
    assert ours["tta"] == theirs["tta"]


@pytest.mark.parametrize(
    ("words", "models", "inputs"),
    [
        ("run images", ["run"], ["images"]),
        ("run/best images tile.png", ["run/best"], ["images", "tile.png"]),
        ("images", [], ["images"]),
        ("images tile.png", [], ["images", "tile.png"]),
        ("tile.png images", [], ["tile.png", "images"]),
        ("line.sgy tile.png", [], ["line.sgy", "tile.png"]),
        ("run,other images", ["run", "other"], ["images"]),
        ("a,b images", [], ["a,b", "images"]),
        ("gone images", ["gone"], ["images"]),
        ("salt images", ["salt"], ["images"]),
        ("weights.pth images", ["weights.pth"], ["images"]),
        ("broken images", ["broken"], ["images"]),
    ],
)
def test_the_first_word_is_a_model_unless_it_can_only_be_an_input(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    models: list[str],
    inputs: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("run/best", "images", "a,b", "broken"):
        Path(folder).mkdir(parents=True)
    for file in ("run/best/bundle.json", "broken/config.yaml", "tile.png", "line.sgy"):
        Path(file).touch()
    Path("weights.pth").touch()
    found = split_words([Path(word) for word in words.split()])
    assert found == ([Path(name) for name in models], [Path(name) for name in inputs])


def test_a_model_alone_has_nothing_to_mark(tmp_path: Path) -> None:
    (tmp_path / "best").mkdir()
    with pytest.raises(DataError, match="no input is given"):
        split_words([tmp_path])
