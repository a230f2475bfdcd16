"""Whatever a caller gives becomes the pixels that a file of it would have."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from diapir.api.any_pictures import array_pixels_of, read_any
from diapir.errors import DataError
from diapir.inference.sources import on_one_scale
from diapir.tiles.files.picture_options import PictureOptions

GREY = np.random.default_rng(0).integers(0, 256, (12, 9), dtype=np.uint8)
COLOURS = np.random.default_rng(1).integers(0, 256, (12, 9, 3), dtype=np.uint8)


def grey_of(given: Any) -> tuple[np.ndarray, list[str]]:
    """Grey levels of one image, and the notes."""
    found = read_any(given, PictureOptions())
    assert found.single
    sources, notes = on_one_scale(found.sources, PictureOptions())
    return sources[0].read(), [*found.notes, *notes]


@pytest.mark.parametrize(
    "same",
    [
        GREY,
        GREY[..., None],
        GREY[None],
        np.repeat(GREY[..., None], 3, axis=2),
        np.repeat(GREY[None], 3, axis=0),
        np.dstack([GREY, GREY, GREY, np.full_like(GREY, 7)]),
        np.dstack([GREY, np.full_like(GREY, 7)]),
        np.asfortranarray(GREY),
        GREY[::-1][::-1],
        torch.from_numpy(GREY),
        torch.from_numpy(GREY)[None],
        np.ma.masked_array(GREY),
        Image.fromarray(GREY),
        Image.fromarray(GREY).convert("RGB"),
        Image.fromarray(GREY).convert("RGBA"),
    ],
)
def test_eight_bit_grey_stays_as_it_is(same: Any) -> None:
    np.testing.assert_array_equal(grey_of(same)[0], GREY)


@pytest.mark.parametrize(
    "numbers",
    [
        GREY.astype(np.int64),
        GREY.astype(">u2") * np.uint16(257),
        (GREY / 255).astype(np.float32),
        GREY / 255,
        torch.from_numpy(GREY / 255).requires_grad_(),
        np.repeat((GREY / 255)[..., None], 3, axis=2),
        Image.fromarray(GREY.astype(np.int32)),
    ],
)
def test_other_numbers_are_scaled_and_it_is_said(numbers: Any) -> None:
    found, notes = grey_of(numbers)
    np.testing.assert_allclose(found.astype(int), GREY.astype(int), atol=1)
    assert any("scaled from 0 (black) to" in note for note in notes)


def test_amplitudes_keep_zero_in_the_middle_and_their_sign() -> None:
    amplitudes = np.random.default_rng(2).normal(size=(40, 30)) * 1e4
    found, notes = grey_of(amplitudes)
    assert any("amplitudes clipped at ±" in note for note in notes)
    clear = np.abs(amplitudes) > 500  # beyond the rounding of a grey level
    np.testing.assert_array_equal(found[clear] > 127, amplitudes[clear] > 0)
    turned, _ = grey_of(-amplitudes)
    np.testing.assert_allclose(found.astype(int) + turned, 255, atol=1)


def test_missing_values_are_mid_grey_among_amplitudes() -> None:
    amplitudes = np.random.default_rng(2).normal(size=(40, 30))
    masked = np.ma.masked_array(amplitudes, np.zeros_like(amplitudes, bool))
    masked[5, 6] = np.ma.masked
    hole = amplitudes.copy()
    hole[5, 6] = np.nan
    for given_ in (masked, hole):
        assert grey_of(given_)[0][5, 6] in (127, 128)


def test_colours_of_floats_and_16_bits_are_those_of_8_bits() -> None:
    expected = array_pixels_of(COLOURS, "", [])
    for full, kind in ((1.0, np.float32), (65535, np.uint16)):
        notes: list[str] = []
        given_ = (COLOURS / 255 * full).astype(kind)
        found = array_pixels_of(given_, "", notes)
        np.testing.assert_allclose(found.astype(int), expected.astype(int), atol=1)
        assert notes == [f"colours of {np.dtype(kind)} taken as 0 to {int(full)}"]


def test_channels_first_is_said() -> None:
    notes: list[str] = []
    found = array_pixels_of(np.moveaxis(COLOURS, 2, 0), "", notes)
    np.testing.assert_array_equal(found, COLOURS)
    assert notes == ["shape (3, 12, 9) taken as channels first"]


def test_booleans_are_black_and_white() -> None:
    found, notes = grey_of(GREY > 128)
    np.testing.assert_array_equal(found, (GREY > 128) * np.uint8(255))
    assert notes[0].startswith("booleans taken as black and white")


@pytest.mark.parametrize(
    "bad",
    [
        *(None, 3.0, "a" * 10, {"image": 1}, np.array(["a"]), np.zeros((3, 4), complex)),
        *(np.zeros(4), np.zeros((0, 4)), np.zeros((5, 6, 7)), np.zeros((1, 2, 3, 4))),
        *(COLOURS - 300.0, COLOURS * np.nan, COLOURS * 1e6, object()),
    ],
)
def test_what_is_no_image_is_refused(bad: Any) -> None:
    with pytest.raises(DataError) as caught:
        read_any(bad, PictureOptions())
    assert caught.value.fix


def test_a_stack_is_told_apart_from_an_image() -> None:
    with pytest.raises(DataError, match="list"):
        read_any(np.zeros((5, 20, 30), np.float32), PictureOptions())


def test_a_survey_is_sent_elsewhere(tmp_path: Path) -> None:
    np.save(tmp_path / "line.npy", np.zeros((20, 30)))
    with pytest.raises(DataError) as caught:
        read_any(tmp_path / "line.npy", PictureOptions())
    assert "predict_survey" in caught.value.fix
    assert "numpy.load" in caught.value.fix


def test_lists_folders_and_names(tmp_path: Path) -> None:
    for name in ("b", "a"):
        Image.fromarray(GREY).save(tmp_path / f"{name}.png")
    found = read_any(tmp_path, PictureOptions())
    assert ([one.name for one in found.sources], found.single) == (["a", "b"], False)
    with Image.open(tmp_path / "a.png") as picture:
        found = read_any([GREY, picture, str(tmp_path / "a.png"), GREY], PictureOptions())
        names = [one.name for one in found.sources]
    assert names == ["image_0", "a", "a_2", "image_3"]
    assert not found.single


@settings(max_examples=60, deadline=None)
@given(
    arrays(
        st.sampled_from(
            [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64, np.bool_]
        ),
        array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=9),
    )
)
def test_any_numbers_become_grey_or_a_refusal(values: np.ndarray) -> None:
    refusal = None
    try:
        found, _ = grey_of(values)
    except DataError as error:
        refusal = error
    if refusal:
        assert refusal.fix
    else:
        assert found.dtype == np.uint8
        assert found.ndim == 2


def test_the_orientation_of_a_pillow_image_is_left_and_said() -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(GREY).save(file, "PNG", exif=exif)
    found = read_any(Image.open(file), PictureOptions())
    assert "EXIF orientation of a Pillow image is not applied" in found.notes[0]
    np.testing.assert_array_equal(found.sources[0].read(), GREY)
    assert read_any(Image.fromarray(GREY), PictureOptions()).notes == []
