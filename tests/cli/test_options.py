from __future__ import annotations

import pytest

from diapir.cli.options import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("20m", 1200), ("1.5h", 5400), (".5m", 30), ("2.s", 2), (" 3s ", 3)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "m", "0s", "-1m", "1e3s", "1d", "1m30s", "nan s", "²s"])
def test_other_texts_are_not_durations(text: str) -> None:
    with pytest.raises(ValueError, match="20m"):
        parse_duration(text)
