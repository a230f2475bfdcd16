"""The section to label next: the one that the model is least sure of."""

import json
from pathlib import Path

import numpy as np
import pytest

from diapir.adaptation import suggest
from diapir.adaptation import suggest_sections as module
from diapir.errors import DataError
from tests.adaptation.made_pictures import write_pictures
from tests.helpers.tiny import small_bundle


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_bundle(tmp_path_factory.mktemp("model") / "small").path


def test_pictures_are_ranked_by_their_doubt(model: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path, 3)
    found = suggest(model, tmp_path)
    assert {each.name for each in found} == {"line0", "line1", "line2"}
    doubts = [each.doubt for each in found]
    assert doubts == sorted(doubts, reverse=True)
    assert all(0 < doubt <= 1 for doubt in doubts)


def test_labelled_sections_and_their_neighbours_are_left_out(model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "block.npy", np.random.default_rng(0).normal(size=(90, 40, 40)))
    whole = suggest(model, tmp_path / "block.npy", top=40, most=20)
    assert {each.name.split()[0] for each in whole} == {"inline", "crossline"}
    places = {"inline 40": ["block inline", 39]}
    record = {"finished": {"places": places}}
    (model / "adapt.json").write_text(json.dumps(record), encoding="utf-8")
    rest = suggest(model, tmp_path / "block.npy", top=40, most=20)
    (model / "adapt.json").unlink()
    inlines = [int(each.name.split()[1]) for each in rest if each.name.startswith("inline")]
    assert inlines
    assert min(abs(number - 40) for number in inlines) > module.LINE_GAP


def test_nothing_left_is_an_error(model: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path, 1)
    record = {"finished": {"places": {"line0": None}}}
    (model / "adapt.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(DataError, match="left to suggest"):
        suggest(model, tmp_path)
    (model / "adapt.json").unlink()


def test_two_sure_and_equal_views_have_no_doubt(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path, 2)
    answers = iter((0.0, 0.0, 1.0, 0.0))
    monkeypatch.setattr(
        "diapir.inference.Predictor.probabilities",
        lambda self, images: [np.full(images[0].shape, next(answers), np.float32)],
    )
    notes: list[str] = []
    (only,) = suggest(model, tmp_path, tell=notes.append)
    assert (only.name, only.doubt) == ("line1", 1)  # one view says salt, the other does not
    assert notes == ["the model is sure of 1 of 2 sections (doubt below 0.05 %), left out"]


@pytest.mark.parametrize(("probability", "count"), [(0.0002, 0), (0.00026, 2)])
def test_sections_that_would_show_no_doubt_are_not_named(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, probability: float, count: int
) -> None:
    write_pictures(tmp_path, 2)
    monkeypatch.setattr(
        "diapir.inference.Predictor.probabilities",
        lambda self, images: [np.full(images[0].shape, probability, np.float32)],
    )
    assert len(suggest(model, tmp_path)) == count
