from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.surveys import Survey, open_survey
from diapir.surveys.labels.label_options import LabelOptions
from diapir.surveys.labels.read_labels import read_labels
from tests.helpers.segy import write_segy
from tests.surveys.made import volume

SHAPE = (6, 8, 20)


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    return open_survey(write_segy(tmp_path / "survey.sgy", volume(SHAPE)))


def salt(shape: tuple[int, ...] = SHAPE) -> NDArray[np.float32]:
    mask = np.zeros(shape, np.float32)
    mask[..., 3:, 5:9] = 1
    return mask


def test_a_mask_of_the_whole_survey(tmp_path: Path, survey: Survey) -> None:
    path = write_segy(tmp_path / "mask.sgy", salt())
    labels = read_labels(path, survey)
    assert [(one.axis, one.index) for one in labels] == [("inline", place) for place in range(6)]
    for one in labels:  # traces of zeros are labelled: nothing is salt there
        assert (one.mask == salt()[one.index].T).all()
    assert any("--salt-value" in note for note in labels.notes)


def test_a_subset_of_lines_traces_and_samples(tmp_path: Path, survey: Survey) -> None:
    path = write_segy(
        tmp_path / "mask.sgy",
        salt()[1:5:3, 2:7, 4:12],
        inlines=[101, 104],
        crosslines=np.arange(302, 307),
        delay=16,
    )
    labels = read_labels(path, survey)
    assert [one.index for one in labels] == [1, 4]
    inside = np.full((20, 8), 255)
    inside[4:12, 2:7] = salt()[1, 2:7, 4:12].T
    assert (labels[0].mask == inside).all()


def test_dead_and_missing_traces_are_not_labelled(tmp_path: Path) -> None:
    amplitude = volume(SHAPE)
    amplitude[0, 0] = 0  # dead in the survey
    opened = open_survey(write_segy(tmp_path / "survey.sgy", amplitude))
    present = np.ones(SHAPE[:2], bool)
    present[1, 4] = False
    ids = np.ones(48, int)
    ids[2] = 2
    path = write_segy(tmp_path / "mask.sgy", salt(), present=present, fields={29: ids[:47]})
    first, second, *_ = read_labels(path, opened)
    assert np.flatnonzero((first.mask == 255).all(axis=0)).tolist() == [0, 2]
    assert np.flatnonzero((second.mask == 255).all(axis=0)).tolist() == [4]


def test_one_crossline(tmp_path: Path, survey: Survey) -> None:
    mask = np.zeros((6, 1, 20), np.float32)
    mask[2:4, 0, 5:9] = 1
    path = write_segy(tmp_path / "mask.sgy", mask, crosslines=[304])
    (one,) = read_labels(path, survey)
    assert (one.axis, one.index) == ("crossline", 4)
    assert (one.mask == mask[:, 0].T).all()


def test_class_numbers(tmp_path: Path, survey: Survey) -> None:
    path = write_segy(tmp_path / "mask.sgy", salt() * 5 + 2)
    with pytest.raises(DataError, match="several classes: 2, 7"):
        read_labels(path, survey)
    labels = read_labels(path, survey, LabelOptions(salt_value=7))
    assert (labels[0].mask == salt()[0].T).all()


def test_arrays(tmp_path: Path, survey: Survey) -> None:
    path = tmp_path / "mask.npy"
    mask = salt().astype(np.uint8)
    mask[2:] = 255
    np.save(path, mask)
    labels = read_labels(path, survey)
    assert [one.index for one in labels] == [0, 1]
    np.save(path, mask[:, :-1])
    with pytest.raises(DataError, match="does not fit the survey"):
        read_labels(path, survey)


def test_an_array_of_one_section(tmp_path: Path, survey: Survey) -> None:
    np.save(tmp_path / "mask.npy", salt()[3])
    with pytest.raises(DataError, match="--section"):
        read_labels(tmp_path / "mask.npy", survey)
    (one,) = read_labels(tmp_path / "mask.npy", survey, LabelOptions(section="inline:103"))
    assert (one.axis, one.index) == ("inline", 3)
    assert (one.mask == salt()[3].T).all()
    np.save(tmp_path / "inline_102.npy", salt()[2].T)
    (one,) = read_labels(tmp_path / "inline_102.npy", survey)
    assert (one.mask == salt()[2].T).all()


def test_zarr(tmp_path: Path, survey: Survey) -> None:
    zarr = pytest.importorskip("zarr")
    array = zarr.create_array(str(tmp_path / "mask.zarr"), data=salt()[1:3].astype("u1"))
    array.attrs.update(inlines=[101, 102], crosslines=list(range(300, 308)), interval=4.0)
    labels = read_labels(tmp_path / "mask.zarr", survey)
    assert [one.index for one in labels] == [1, 2]


def test_an_array_of_a_line_may_stand_either_way(tmp_path: Path) -> None:
    line = open_survey(write_segy(tmp_path / "line.sgy", volume(SHAPE)[0], inlines=None))
    for number, mask in enumerate((salt()[0], salt()[0].T, salt()[0].T > 0)):
        np.save(tmp_path / f"{number}.npy", mask)
        (one,) = read_labels(tmp_path / f"{number}.npy", line)
        assert (one.mask == salt()[0].T).all()
    np.save(tmp_path / "words.npy", np.array([["salt"]]))
    with pytest.raises(DataError, match="<U4"):
        read_labels(tmp_path / "words.npy", line)


def test_255_may_be_salt(tmp_path: Path, survey: Survey) -> None:
    np.save(tmp_path / "mask.npy", (salt() * 255).astype("u1"))
    labels = read_labels(tmp_path / "mask.npy", survey)
    assert (labels[0].mask == salt()[0].T).all()
    assert any("255 read as salt" in note for note in labels.notes)


def test_a_mask_of_a_line(tmp_path: Path) -> None:
    line = open_survey(write_segy(tmp_path / "line.sgy", volume(SHAPE)[0], inlines=None))
    path = write_segy(
        tmp_path / "mask.sgy", salt()[0, 1:6], inlines=None, crosslines=range(301, 306)
    )
    (one,) = read_labels(path, line)
    assert (one.mask[:, 1:6] == salt()[0, 1:6].T).all()
    assert (one.mask[:, [0, 6, 7]] == 255).all()


@pytest.mark.parametrize(
    ("values", "options", "found"),
    [
        (salt() * 0, {}, "every labelled sample is not salt"),
        (salt() * 0 + 1, {}, "every labelled sample is salt"),
        (salt() * 0.3, {}, "fractions"),
        (salt(), {"inlines": np.arange(900, 906)}, "no line or trace"),
        (salt(), {"interval_us": 2000}, "interval of 2"),
        (salt(), {"delay": 4000}, "begins at 4000"),
        (salt(), {"cut": 30}, "truncated"),
        (salt()[0], {"inlines": None}, "2D mask"),
    ],
)
def test_masks_that_cannot_be_used(
    tmp_path: Path,
    survey: Survey,
    values: NDArray[np.float32],
    options: dict[str, object],
    found: str,
) -> None:
    path = write_segy(tmp_path / "mask.sgy", values, **options)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=found):
        read_labels(path, survey)
