"""Labelled sections of surveys and pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir.adaptation.survey_sections import are_surveys, read_sections
from diapir.errors import DataError, DiapirError
from tests.adaptation.made_pictures import made_section, write_pictures
from tests.helpers.segy import write_segy


def write_line(folder: Path, name: str, seed: int, *, labelled: bool = True) -> None:
    folder.mkdir(exist_ok=True)
    grey, mask = made_section(seed)
    write_segy(folder / f"{name}.sgy", grey.T.astype(np.float32) - 128, inlines=None)
    if labelled:
        Image.fromarray(mask * np.uint8(255)).save(folder / f"{name}_salt.png")


def test_pictures_and_their_masks(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 3, labelled=(0, 2))
    found = read_sections([tmp_path / "pictures"], [tmp_path / "pictures"], tmp_path / "run")
    assert [section.name for section in found.sections] == ["line0", "line2"]
    assert (found.kind, found.clip, found.name) == ("pictures", None, "pictures")
    grey, mask = made_section(2)
    assert np.array_equal(found.sections[1].image, grey)
    assert np.array_equal(found.sections[1].mask, mask)


def test_an_inline_of_a_volume(tmp_path: Path) -> None:
    cube = np.random.default_rng(0).normal(size=(10, 12, 30)).astype(np.float32)
    write_segy(tmp_path / "block.sgy", cube)
    mask = np.zeros((30, 12), np.uint8)
    mask[10:20, 3:9] = 255
    Image.fromarray(mask).save(tmp_path / "inline_104.png")
    found = read_sections([tmp_path / "block.sgy"], [tmp_path / "inline_104.png"], tmp_path / "run")
    (section,) = found.sections
    assert section.name == "inline 104"
    assert section.place == ("block inline", 4)
    assert section.image.shape == (30, 12)
    assert found.clip is not None
    # a larger amplitude is brighter
    assert np.corrcoef(section.image.ravel(), cube[4].T.ravel())[0, 1] > 0.95


def test_a_folder_of_lines_with_labels_of_some(tmp_path: Path) -> None:
    for number in range(3):
        write_line(tmp_path / "lines", f"line{number}", number, labelled=number != 1)
    found = read_sections([tmp_path / "lines"], [tmp_path / "lines"], tmp_path / "run")
    assert [section.name for section in found.sections] == ["line0", "line2"]
    assert found.kind == "survey"


def test_lines_without_any_labels_are_refused(tmp_path: Path) -> None:
    for number in range(2):
        write_line(tmp_path / "lines", f"line{number}", number, labelled=False)
    (tmp_path / "labels").mkdir()
    with pytest.raises(DataError, match="no labels"):
        read_sections([tmp_path / "lines"], [tmp_path / "labels"], tmp_path / "run")


def test_surveys_and_pictures_together_are_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 1)
    write_line(tmp_path / "lines", "line0", 0)
    with pytest.raises(DataError, match="some of the inputs are surveys"):
        are_surveys([tmp_path / "pictures", tmp_path / "lines"])


def test_two_lines_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_line(tmp_path / folder, "line", 0)
    with pytest.raises(DataError, match="same name"):
        read_sections([tmp_path / "a", tmp_path / "b"], [tmp_path / "a"], tmp_path / "run")


@pytest.mark.parametrize("name", ["missing.sgy", "missing"])
def test_missing_inputs_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DiapirError, match="does not exist"):
        read_sections([tmp_path / name], [tmp_path], tmp_path / "run")


def test_labels_where_there_is_no_signal_are_not_used(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    amplitude = np.cumsum(rng.normal(0, 100, (40, 120)), axis=1).astype(np.float32)
    amplitude -= amplitude.mean(axis=1, keepdims=True)
    amplitude[:, :30] = 0  # a mute
    amplitude[5] = 0  # a dead trace
    amplitude[9, 100:] = 1e30
    write_segy(tmp_path / "line.sgy", amplitude, inlines=None)
    mask = np.zeros((120, 40), np.uint8)
    mask[:60, 10:20] = 255
    Image.fromarray(mask).save(tmp_path / "salt.png")
    found = read_sections([tmp_path / "line.sgy"], [tmp_path / "salt.png"], tmp_path / "run")
    (section,) = found.sections
    empty = (~np.isfinite(np.where(amplitude > 1e29, np.nan, amplitude)) | (amplitude == 0)).T
    np.testing.assert_array_equal(section.mask == 255, empty)
    np.testing.assert_array_equal(section.mask[~empty] == 1, mask[~empty] == 255)
    assert len(np.unique(section.image[:30, 20])) > 5, "filled from below"
    assert any("of samples have no signal: runs of at least" in note for note in found.notes)
    strokes = np.full(mask.shape, 7, np.uint8)
    strokes[:10], strokes[10:20] = 0, 1
    np.save(tmp_path / "salt.npy", np.where(strokes == 7, 255, strokes))
    with pytest.raises(DataError, match="all labels lie where there is no signal: line"):
        read_sections([tmp_path / "line.sgy"], [tmp_path / "salt.npy"], tmp_path / "run")
