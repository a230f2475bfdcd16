import pytest

from diapir.errors import ConfigError
from diapir.surveys import PERCENTILE, SurveyOptions
from diapir.tiles.files.grey_levels import AMPLITUDE_PERCENTILE


def test_sections_are_shown_as_images_of_amplitudes_are() -> None:
    assert PERCENTILE == AMPLITUDE_PERCENTILE


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"overlap": 0.9}, "--overlap"),
        ({"tile": 15}, "--tile"),
        ({"block": 12}, "--block"),
        ({"threshold": 1.0}, "--threshold"),
        ({"workers": 0}, "--workers"),
        ({"match_sampling": 9.0}, "--match-sampling"),
        ({"equal_runs": 1}, "--equal-runs"),
        ({"percentile": 0.0}, "--percentile"),
        ({"scale": -1.0}, "--scale"),
        ({"scale": 0.0}, "--scale"),
        ({"scale": float("inf")}, "--scale"),
        ({"scale": float("nan")}, "--scale"),
        ({"scale": 1e39}, "--scale"),
        ({"block": 0}, "--block"),
        ({"block": -8}, "--block"),
    ],
)
def test_options_out_of_range(options: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        SurveyOptions(**options)


def test_options_that_do_not_change_the_store_are_not_compared() -> None:
    one = SurveyOptions(workers=4, formats=("npy",), threshold=0.3, products=("mask",))
    assert one.asked() == SurveyOptions().asked()
    assert one.asked() != SurveyOptions(view="inline").asked()
