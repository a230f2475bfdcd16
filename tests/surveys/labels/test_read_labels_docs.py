"""The examples of docs/labels.md, read as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from diapir.surveys import open_survey
from diapir.surveys.labels.read_labels import read_labels
from diapir.surveys.survey import Survey
from tests.helpers.segy import write_segy
from tests.surveys.made import volume

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "labels.md").read_text(encoding="utf-8")
EXAMPLES = {
    re.findall(r"^`(\w+\.\w+)`", PAGE[: block.start()], re.MULTILINE)[-1]: block[1]
    for block in re.finditer(r"```(?:text|json)\n(.*?)```", PAGE, re.DOTALL)
}
"""Text of each example by the name that stands before it."""


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    folder = tmp_path_factory.mktemp("block")
    path = write_segy(
        folder / "block.sgy",
        volume((31, 121, 463)),
        inlines=np.arange(200, 262, 2),
        crosslines=np.arange(300, 421),
        origin=(500_000.0, 6_000_000.0),
        steps=((0.0, 50.0), (12.5, 0.0)),
    )
    return open_survey(path)


def test_every_format_has_an_example() -> None:
    assert sorted(EXAMPLES) == sorted(
        [
            "base_salt.dat",
            "dome.txt",
            "salt.geojson",
            "salt_polygons.csv",
            "strokes.json",
            "top.charisma",
            "top.csv",
            "top.xyz",
            "top_salt.dat",
        ]
    )


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - {"base_salt.dat"}))
def test_the_example_is_read(tmp_path: Path, survey: Survey, name: str) -> None:
    (tmp_path / name).write_text(EXAMPLES[name])
    if name == "top_salt.dat":
        (tmp_path / "base_salt.dat").write_text(EXAMPLES["base_salt.dat"])
    labels = read_labels(tmp_path, survey)
    assert labels[0].name(survey.grid) == "inline 230"
    column = labels[0].mask[:, {"strokes.json": 30}.get(name, 40)]
    salt = np.flatnonzero(column == 1) * 4
    if name in ("top_salt.dat", "top.charisma", "top.csv", "top.xyz"):
        assert salt[0] == 816  # the pick at 812.5 ms lies between two samples
    if name == "top_salt.dat":
        assert salt[-1] == 1204
        assert set(labels[0].mask[-1, 40:43].tolist()) == {0, 255}
    assert set(np.unique(labels[0].mask)) >= {0, 1}


def test_the_python_example(
    tmp_path: Path,
    survey: Survey,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "block.sgy").write_bytes(survey.path.read_bytes())
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "top.xyz").write_text(EXAMPLES["top.xyz"])
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    exec(code, {})  # noqa: S102 - the documentation's own
    assert "inline 230 (463, 121)" in capsys.readouterr().out
