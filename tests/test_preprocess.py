import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diapir.config import PreprocessConfig
from diapir.errors import DataError
from diapir.preprocess import crop, pad_masks, padding, to_input

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


@st.composite
def _sizes(draw: st.DrawFn) -> tuple[int, int, int]:
    size = draw(st.integers(16, 48))
    return draw(st.integers(1, size)), draw(st.integers(1, size)), size


@settings(deadline=None)
@given(sizes=_sizes(), pad=st.sampled_from(["zero", "edge"]), count=st.integers(1, 3))
def test_crop_undoes_padding(sizes: tuple[int, int, int], pad: str, count: int) -> None:
    height, width, size = sizes
    config = PreprocessConfig.model_validate({"size": size, "pad": pad, **PLAIN})
    images = np.random.default_rng(0).integers(0, 256, (count, height, width), dtype=np.uint8)
    inputs = to_input(images, config)
    assert inputs.shape == (count, 3, size, size)
    assert inputs.dtype == np.float32
    np.testing.assert_array_equal(
        np.rint(crop(inputs, height, width) * 255), np.repeat(images[:, None], 3, axis=1)
    )
    masks = (images > 128).astype(np.uint8)
    padded = pad_masks(masks, config)
    np.testing.assert_array_equal(crop(padded.astype(np.float32), height, width), masks)
    assert (padded == 255).sum() == count * (size * size - height * width)


def test_values_by_hand() -> None:
    config = PreprocessConfig(size=16, mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 2.0))
    inputs = to_input(np.array([[[255, 51]]], np.uint8), config)
    # one row and two columns: 7 rows above and 8 below, 7 columns on either side
    np.testing.assert_allclose(inputs[0, :, 7, 7], [1.0, 3.0, 0.5])
    np.testing.assert_allclose(inputs[0, :, 7, 8], [-0.6, -0.2, 0.1], rtol=1e-6)
    # padding is black before normalising
    np.testing.assert_allclose(inputs[0, :, 0, 0], [-1.0, -1.0, 0.0])


@pytest.mark.parametrize(
    ("pad", "row"),
    [
        ("zero", [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 0, 0]),
        ("edge", [1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10]),
        ("reflect", [4, 3, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 9, 8, 7]),
    ],
)
def test_kinds_of_padding(pad: str, row: list[int]) -> None:
    config = PreprocessConfig.model_validate({"size": 16, "pad": pad, **PLAIN})
    image = np.tile(np.arange(1, 11, dtype=np.uint8), (16, 1))
    inputs = to_input(image[None], config)
    assert np.rint(inputs[0, 0, 5] * 255).tolist() == row


def test_the_odd_pixel_goes_to_the_bottom_and_the_right() -> None:
    assert padding(101, 100, PreprocessConfig(size=128)) == (13, 14, 14, 14)
    assert padding(202, 202, PreprocessConfig(size=224)) == (11, 11, 11, 11)


@given(size=st.integers(16, 300))
def test_the_least_size_the_error_names_can_be_reflected(size: int) -> None:
    config = PreprocessConfig(size=size, pad="reflect")
    with pytest.raises(DataError, match="too small for reflection") as caught:
        padding(3, size, config)
    least = int(caught.value.expected.split("at least ")[1].split()[0])
    padding(least, size, config)
    padding(size, least, config)
    with pytest.raises(DataError):
        padding(size, least - 1, config)


@pytest.mark.parametrize("shape", [(17, 16), (16, 17)])
def test_a_larger_tile_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(DataError, match=r"larger than preprocess\.size = 16") as caught:
        to_input(np.zeros((1, *shape), np.uint8), PreprocessConfig(size=16))
    assert "at least 17" in caught.value.fix
