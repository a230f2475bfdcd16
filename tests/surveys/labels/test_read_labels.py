from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from diapir.errors import ConfigError, DataError, DiapirError
from diapir.surveys import open_survey
from diapir.surveys.labels.label_options import LabelOptions
from diapir.surveys.labels.read_labels import read_labels
from tests.conftest import SHARED
from tests.surveys.labels.made_labels import Geometry
from tests.surveys.made_salt import line_grid, volume_grid

VOLUME = volume_grid((4, 6, 30), domain="time")


def mask_image(path: Path, mask: np.ndarray) -> Path:  # type: ignore[type-arg]
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(mask.astype(np.uint8)).save(path)
    return path


def test_images_name_their_section(tmp_path: Path) -> None:
    mask = np.zeros((30, 6))
    mask[5:9] = 255
    mask_image(tmp_path / "inline_102.png", mask)
    mask_image(tmp_path / "xl303_salt.png", mask[:, :4])
    labels = read_labels(tmp_path, Geometry(VOLUME))
    assert [(one.axis, one.index) for one in labels] == [("inline", 1), ("crossline", 3)]
    assert (labels[0].mask == mask // 255).all()
    assert labels[0].slices == (slice(1, 2), slice(None))
    assert labels[1].slices == (slice(None), slice(3, 4))
    assert labels[1].name(VOLUME) == "crossline 303"


def test_an_image_of_a_line_needs_no_name(tmp_path: Path) -> None:
    mask = np.zeros((20, 6))
    mask[5:9] = 1
    path = mask_image(tmp_path / "drawn.png", mask)
    (one,) = read_labels(path, Geometry(line_grid(6, 20)))
    assert (one.mask == mask).all()
    assert one.name(line_grid(6, 20)) == "line"


def test_files_named_for_a_line_are_of_that_line(tmp_path: Path) -> None:
    mask = np.zeros((20, 6))
    mask[5:9] = 1
    for name in ("L1.png", "L1_2.png", "L2_mask.png"):
        mask_image(tmp_path / name, mask if name == "L1.png" else np.roll(mask, 3, axis=0))
    (one,) = read_labels(tmp_path, Geometry(line_grid(6, 20), "L1"))
    assert (one.mask == mask).all()
    (one,) = read_labels(tmp_path, Geometry(line_grid(6, 20), "L2"))
    assert (one.mask == np.roll(mask, 3, axis=0)).all()


def test_labels_of_several_kinds_are_put_together(tmp_path: Path) -> None:
    mask = np.full((30, 6), 255)
    mask[5:9] = 1
    mask_image(tmp_path / "inline_102.png", mask)
    (tmp_path / "top.dat").write_text("104 303 240\n104 302 240\n")
    square = [[304, 280], [302, 280], [302, 300], [304, 300]]
    (tmp_path / "salt.json").write_text(
        json.dumps(
            {
                "type": "Feature",
                "properties": {"inline": 100},
                "geometry": {"type": "Polygon", "coordinates": [square]},
            }
        )
    )
    labels = read_labels(tmp_path, Geometry(VOLUME))
    assert [one.index for one in labels] == [0, 1, 2]
    assert len(labels.notes) >= 4


def test_labels_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    mask = np.zeros((30, 6))
    mask[5:9] = 1
    first = mask_image(tmp_path / "a" / "inline_102.png", mask)
    second = mask_image(tmp_path / "b" / "inline_102.png", np.roll(mask, 2, axis=0))
    with pytest.raises(DataError, match=r"contradict.*inline 102: 24 samples"):
        read_labels([first, second], Geometry(VOLUME))
    mask_image(second, mask)
    (one,) = read_labels([first, second], Geometry(VOLUME))
    assert (one.mask == mask).all()


def test_labels_may_differ_by_rounding(tmp_path: Path) -> None:
    mask = np.zeros((30, 6))
    mask[5:9] = 1
    first = mask_image(tmp_path / "a" / "inline_102.png", mask)
    mask[9, 0] = 1
    second = mask_image(tmp_path / "b" / "inline_102.png", mask)
    labels = read_labels([first, second], Geometry(VOLUME))
    assert labels[0].mask[9, 0] == 255
    assert any("left out" in note for note in labels.notes)


@pytest.mark.parametrize(
    ("name", "shape", "found"),
    [
        ("inline_103.png", (30, 6), "no inline 103"),
        ("drawn.png", (30, 6), "--section"),
        ("inline_102.png", (6, 30), "6 × 30 pixels; it may be transposed"),
        ("inline_102.png", (30, 5), "30 × 5"),
    ],
)
def test_images_that_cannot_be_used(
    tmp_path: Path, name: str, shape: tuple[int, int], found: str
) -> None:
    mask = np.zeros(shape)
    mask[:2] = 1
    with pytest.raises(DataError, match=found):
        read_labels(mask_image(tmp_path / name, mask), Geometry(VOLUME))


def test_paths_without_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_labels(tmp_path / "nowhere", Geometry(VOLUME))
    (tmp_path / "README.txt").write_text("no labels")
    with pytest.raises(DataError, match="holds no labels"):
        read_labels(tmp_path, Geometry(VOLUME))


@pytest.mark.parametrize(
    "options",
    [
        {"label_kind": "drawings"},
        {"z_unit": "fathoms"},
        {"salt_thickness": -1.0},
        {"section": "slice 3"},
        {"label_sections": 0},
        {"salt_down_to": 3.0, "salt_thickness": 3.0},
        {"outside": "shale"},
    ],
)
def test_options_out_of_range(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        LabelOptions(**options)  # type: ignore[arg-type]


@pytest.mark.real
def test_a_polygon_on_a_real_inline(tmp_path: Path) -> None:
    folder = SHARED / "foreign" / "f3_sections"
    if not folder.is_dir():
        pytest.skip(f"the sections are not at {folder}")
    np.save(tmp_path / "inline_241.npy", np.load(folder / "inline_241.npy").T)
    from diapir.surveys import SurveyHints

    survey = open_survey(tmp_path / "inline_241.npy", SurveyHints(interval=4.0, domain="time"))
    path = tmp_path / "dome.csv"
    path.write_text("cdp,time (s)\n600,1.5\n650,1.3\n700,1.5\n720,1.8\n580,1.8\n")
    labels = read_labels(path, survey)
    (one,) = labels
    assert one.mask.shape == (462, 951)
    # the area of the polygon in samples × traces
    assert abs(int((one.mask == 1).sum()) - 50 * (100 + 0) / 2 - 75 * (100 + 140) / 2) < 150


FIELDS = ("102", "303", "240", "1e30", "nan", "X", "inline", "#1:", ";", ",", "0,5", ">", "-", "{")
WORDS = st.sampled_from(FIELDS)
LINES = st.lists(st.lists(WORDS, max_size=6).map(" ".join), max_size=6).map("\n".join)


@settings(max_examples=80, deadline=None)
@given(LINES | st.text(max_size=40), st.sampled_from(["auto", "horizons", "polygons", "crossings"]))
def test_any_text_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str, kind: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "labels.txt"
    path.write_text(text, encoding="utf-8", errors="replace")
    for grid in (VOLUME, line_grid(6, 20)):
        try:
            labels = read_labels(path, Geometry(grid), LabelOptions(label_kind=kind))  # type: ignore[arg-type]
        except DiapirError:
            continue
        assert {0, 1} <= set(np.concatenate([one.mask.ravel() for one in labels]).tolist())
