from pathlib import Path

import numpy as np
import pytest

from diapir.errors import SurveyError
from diapir.surveys import SurveyHints, SurveySpec, open_survey
from tests.helpers.segy import write_segy


def test_a_spec_is_a_flat_json_object(tmp_path: Path) -> None:
    path = write_segy(tmp_path / "a.sgy", np.random.default_rng(0).normal(size=(3, 4, 20)))
    spec = open_survey(path, SurveyHints(allow=("velocity",))).spec()
    assert spec.to_json() == {
        "path": str(path),
        "inline_byte": 189,
        "crossline_byte": 193,
        "x_byte": 181,
        "y_byte": 185,
        "endian": "big",
        "sample_format": 5,
        "domain": "unknown",
        "interval": 4.0,
        "allow": ["velocity"],
        "depth_unit": "m",
        "coordinate_unit": "m",
        "undefined": ["none"],
    }
    assert SurveySpec.from_json(spec.to_json()) == spec


def test_a_spec_of_an_array_leaves_out_header_bytes(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(4, 20)))
    spec = open_survey(tmp_path / "a.npy", SurveyHints(domain="depth", interval=5)).spec()
    units = ["depth_unit", "coordinate_unit"]
    assert list(spec.to_json()) == [
        *("path", "domain", "interval", "samples_axis"),
        *(*units, "undefined", "allow"),
    ]
    assert SurveySpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(("content", "error"), [({}, KeyError), ({"path": "a", "b": 1}, TypeError)])
def test_json_that_is_not_a_spec_is_refused(
    content: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        SurveySpec.from_json(content)


@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf")])
def test_an_interval_must_be_above_zero(interval: float) -> None:
    with pytest.raises(SurveyError, match="--interval"):
        SurveyHints(interval=interval)


def test_options_of_segy_are_spelt_as_on_the_command_line() -> None:
    hints = SurveyHints(inline_byte=0, endian="little", interval=4)
    assert hints.segy_only == ("--inline-byte", "--endian")
