from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diapir.errors import DataError
from diapir.tiles.mosaic.pseudo_files import pseudo_path, read_pseudo


def save(folder: Path, labels: NDArray[np.uint8]) -> None:
    path = pseudo_path(folder, "one")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(path)


def test_pseudo_labels_are_read_as_they_were_written(tmp_path: Path) -> None:
    labels = np.random.default_rng(1).choice(np.array([0, 1, 255], np.uint8), (12, 20))
    save(tmp_path, labels)
    assert np.array_equal(read_pseudo(tmp_path, "one", (12, 20)), labels)


def test_a_section_without_pseudo_labels_is_ignored(tmp_path: Path) -> None:
    assert (read_pseudo(tmp_path, "one", (3, 4)) == np.full((3, 4), 255)).all()


def test_another_size_is_refused(tmp_path: Path) -> None:
    save(tmp_path, np.zeros((12, 20), np.uint8))
    with pytest.raises(DataError, match="12 × 20 pixels") as refused:
        read_pseudo(tmp_path, "one", (20, 12))
    assert "diapir data pseudo" in str(refused.value)


@pytest.mark.parametrize("value", [2, 128, 254])
def test_other_values_are_refused(tmp_path: Path, value: int) -> None:
    labels = np.zeros((12, 20), np.uint8)
    labels[3, 4] = value
    save(tmp_path, labels)
    with pytest.raises(DataError, match=f"the value {value}"):
        read_pseudo(tmp_path, "one", (12, 20))
