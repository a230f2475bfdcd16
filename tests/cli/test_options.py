from __future__ import annotations

import typing

import pytest

from diapir.cli.options import DeviceName, Encoding, parse_duration
from diapir.config import DeviceConfig, MaskEncoding


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("20m", 1200), ("1.5h", 5400), (".5m", 30), ("2.s", 2), (" 3s ", 3)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "m", "0s", "-1m", "1e3s", "1d", "1m30s", "nan s", "²s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="20m"):
        parse_duration(text)


def test_choices_are_those_of_a_recipe() -> None:
    devices = typing.get_args(DeviceConfig.model_fields["name"].annotation)
    assert typing.get_args(DeviceName) == devices
    assert typing.get_args(Encoding) == ("auto", *typing.get_args(MaskEncoding))
