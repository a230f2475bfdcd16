import pytest

from diapir.errors import ConfigError
from diapir.tiles.files.picture_options import MAX_PIXELS, PictureOptions


@pytest.mark.parametrize(
    ("text", "limits"), [("0:4095", (0, 4095)), ("-1:1", (-1, 1)), ("1e3:-1e3", (1000, -1000))]
)
def test_levels_are_black_and_white(text: str, limits: tuple[float, float]) -> None:
    assert PictureOptions(levels=text).limits() == limits


@pytest.mark.parametrize("text", ["", "5", "3:3", "a:b", "0:nan", "0:inf", "1:2:3"])
def test_levels_that_are_no_range_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--levels"):
        PictureOptions(levels=text)


def test_the_limit_of_pixels_is_in_millions() -> None:
    assert PictureOptions().max_pixels == MAX_PIXELS
    assert PictureOptions(max_megapixels=0.5).max_pixels == 500_000
    with pytest.raises(ConfigError, match="--max-megapixels"):
        PictureOptions(max_megapixels=0)
