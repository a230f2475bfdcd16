from __future__ import annotations

import pytest

from diapir.cli.options import join_settings, parse_duration, with_settings
from diapir.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("90s", 90), ("20m", 1200), ("1.5h", 5400), (".5m", 30), ("2.s", 2), (" 3s ", 3)),
        *(("20min", 1200), ("20 min", 1200), ("2 Hours", 7200), ("90sec", 90), ("1d", 86400)),
        *(("1m30s", 90), ("1h 30min", 5400), ("1d2h3m4s", 93784)),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "m", "0s", "-1m", "1e3s", "nan s", "²s"])
def test_other_texts_are_not_durations(text: str) -> None:
    with pytest.raises(ValueError, match="20m"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["30s1m", "1m1m", "1h30", "20 moments", "m20", "1h, 2m"])
def test_durations_in_parts_fall(text: str) -> None:
    with pytest.raises(ValueError, match="20m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("words", "joined"),
    [
        ("train --set train.batch 4 --out a", "train --set train.batch=4 --out a"),
        ("train --set=train.batch 4", "train --set=train.batch=4"),
        ("train --set lr -1e-3", "train --set lr=-1e-3"),
        ("train --set lr --out a", "train --set lr --out a"),
        ("train --set lr = 1e-3", "train --set lr=1e-3"),
        ("train --set lr =1e-3", "train --set lr=1e-3"),
        ("train --set lr=1 4", "train --set lr=1 4"),
        ("train --set lr", "train --set lr"),
        (
            "train --data a --set epochs 3 --set batch 4",
            "train --data a --set epochs=3 --set batch=4",
        ),
        ("predict --out set b", "predict --out set b"),
        ("", ""),
    ],
)
def test_a_key_and_its_value_may_be_two_words(words: str, joined: str) -> None:
    assert join_settings(words.split()) == joined.split()


def test_options_that_stand_for_keys_are_settings() -> None:
    options = {"train.epochs": 3, "optimizer.lr": None}
    assert with_settings(("seed=1",), options) == ["seed=1", "train.epochs=3"]


@pytest.mark.parametrize("setting", ["train.epochs=5", "epochs=5", "epochs =5"])
def test_a_key_given_in_both_ways_is_refused(setting: str) -> None:
    with pytest.raises(ConfigError, match="both given"):
        with_settings([setting], {"train.epochs": 3})
