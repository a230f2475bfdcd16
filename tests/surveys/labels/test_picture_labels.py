from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diapir.errors import DataError
from diapir.surveys.labels.label_options import LabelOptions
from diapir.surveys.labels.picture_labels import read_picture_labels
from diapir.surveys.labels.picture_masks import split_pictures
from tests.conftest import SHARED

MASK = np.array([[0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]], np.uint8)


def picture(path: Path, values: NDArray[np.uint8] | None = None) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    grey = np.full(MASK.shape, 100, np.uint8) if values is None else values
    Image.fromarray(grey).save(path)
    return path


@pytest.mark.parametrize("name", ["a_salt.png", "a_mask.png", "a-label.png", "masks/a.png"])
@pytest.mark.parametrize("values", [MASK, MASK * 255])
def test_masks_are_found_beside_their_pictures(
    tmp_path: Path, name: str, values: NDArray[np.uint8]
) -> None:
    a, b = picture(tmp_path / "a.png"), picture(tmp_path / "b.png")
    picture(tmp_path / name, values)
    labels = read_picture_labels(tmp_path, [a, b])
    assert list(labels) == [a]
    assert (labels[a] == MASK).all()
    assert any("--encoding" in note for note in labels.notes)


def test_masks_in_a_folder_of_their_own(tmp_path: Path) -> None:
    a = picture(tmp_path / "pictures" / "a.png")
    picture(tmp_path / "drawn" / "a.png", MASK)
    assert (read_picture_labels(tmp_path / "drawn", [a])[a] == MASK).all()
    assert (read_picture_labels(tmp_path / "drawn" / "a.png", [a])[a] == MASK).all()


def test_255_beside_1_is_not_labelled_however_much_of_it_there_is(tmp_path: Path) -> None:
    a = picture(tmp_path / "a.png")
    partial = np.full(MASK.shape, 255, np.uint8)
    partial[0, :2] = [0, 1]
    picture(tmp_path / "a_mask.png", partial)
    assert (read_picture_labels(tmp_path, [a])[a] == partial).all()


def test_masks_beside_pictures_in_folders_below(tmp_path: Path) -> None:
    a, b = picture(tmp_path / "x" / "a.png"), picture(tmp_path / "y" / "b.png")
    picture(tmp_path / "x" / "a_salt.png", MASK)
    picture(tmp_path / "y" / "masks" / "b.png", MASK * 0)
    labels = read_picture_labels(tmp_path, [a, b])
    assert [int(mask.sum()) for mask in labels.values()] == [3, 0]


def test_a_value_may_be_named_as_salt(tmp_path: Path) -> None:
    a = picture(tmp_path / "a.png")
    picture(tmp_path / "a_mask.png", MASK * 9 + 1)
    labels = read_picture_labels(tmp_path, [a], LabelOptions(salt_value=10))
    assert (labels[a] == MASK).all()
    with pytest.raises(DataError, match="--salt-value 3"):
        read_picture_labels(tmp_path, [a], LabelOptions(salt_value=3))


def test_pictures_are_told_from_masks(tmp_path: Path) -> None:
    names = ["a.png", "a_salt.png", "b_salt.png", "masks/b.png"]
    pictures, masks = split_pictures([tmp_path / name for name in names])
    assert [path.name for path in pictures] == ["a.png", "b_salt.png"]
    assert [path.name for path in masks] == ["a_salt.png", "b.png"]


def test_masks_that_cannot_be_used(tmp_path: Path) -> None:
    a = picture(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"no mask of a.png"):
        read_picture_labels(tmp_path, [a])
    with pytest.raises(DataError, match="does not exist"):
        read_picture_labels(tmp_path / "nowhere", [a])
    mask = picture(tmp_path / "a_mask.png", MASK[:2])
    with pytest.raises(DataError, match=r"2 × 4 pixels.*3 × 4"):
        read_picture_labels(tmp_path, [a])
    picture(mask, np.ones_like(MASK))
    with pytest.raises(DataError, match="every labelled sample is salt"):
        read_picture_labels(tmp_path, [a])
    picture(mask, MASK * 0)
    with pytest.raises(DataError, match="every labelled sample is not salt"):
        read_picture_labels(tmp_path, [a])
    picture(mask, MASK)
    picture(tmp_path / "masks" / "a.png", MASK)
    with pytest.raises(DataError, match=r"both masks of a.png"):
        read_picture_labels(tmp_path, [a])


@pytest.mark.real
def test_the_masks_of_real_pictures() -> None:
    folder = SHARED / "foreign" / "f3_pictures"
    if not folder.is_dir():
        pytest.skip(f"the pictures are not at {folder}")
    pictures, masks = split_pictures(sorted(folder.glob("*.png")))
    assert len(pictures) == len(masks) == 6
    labels = read_picture_labels(folder, pictures)
    shares = {path.stem: round(100 * float((mask == 1).mean()), 1) for path, mask in labels.items()}
    assert shares == {
        "test1_0": 0.6,
        "test1_99": 2.4,
        "test1_199": 2.3,
        "test2_0": 3.9,
        "test2_99": 0.0,
        "test2_199": 6.4,
    }
