from __future__ import annotations

import math

import numpy as np
import pytest

from diapir import text as words


def test_decimals() -> None:
    assert words.decimal(0.8531) == "0.853"
    assert words.decimal(-0.25, 1) == "−0.2"
    assert words.decimal(math.nan) == words.decimal(None) == "–"


def test_a_little_is_not_nothing_in_percent() -> None:
    assert words.percent(0.248) == "25 %"
    assert words.percent(0) == "0 %"
    assert words.percent(0.0001) == "< 1 %"
    assert words.percent(0.0001, 1) == "< 0.1 %"
    assert words.percent(math.inf) == "–"


def test_large_numbers_are_grouped() -> None:
    assert words.integer(31042434) == "31,042,434"
    assert words.integer(np.int64(2720)) == "2,720"
    assert words.plural(1, "tile") == "1 tile"
    assert words.plural(2720, "tile") == "2,720 tiles"
    assert words.plural(1, "salt body") == "1 salt body"
    assert words.plural(2, "salt body") == "2 salt bodies"
    assert words.plural(0, "survey") == "0 surveys"


@pytest.mark.parametrize(
    ("count", "text"),
    [(100, "100"), (5800, "5,800"), (31_042_434, "31.0 million")],
)
def test_parameters(count: int, text: str) -> None:
    assert words.parameters(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (12.3, "12 s"), (300, "5 min"), (5040, "84 min"), (7260, "2 h 1 min"), (0, "")],
)
def test_durations(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (31_042_434, "31.0 M"),
        (54_230_000_000, "54.2 G"),
        (999_999, "1.00 M"),
        (5_810, "5.81 k"),
        (100, "100"),
        (math.nan, "–"),
        (None, "–"),
    ],
)
def test_short_counts(count: object, text: str) -> None:
    assert words.short(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234.5, "1,234"),
        (99.96, "100"),
        (62.04, "62.0"),
        (9.996, "10.0"),
        (1.234, "1.23"),
        (0.1234, "0.123"),
        (None, "–"),
    ],
)
def test_three_digits(value: object, text: str) -> None:
    assert words.significant(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123, "+0.012"), (-0.0123, "−0.012"), (-0.0001, "0.000"), (0, "0.000"), (None, "–")],
)
def test_signed(value: object, text: str) -> None:
    assert words.signed(value) == text


def test_a_listing_counts_what_it_does_not_show() -> None:
    assert words.listing([]) == ""
    assert words.listing(["a", "b", "c"]) == "a, b, c"
    assert words.listing(["a", "b", "c", "d"]) == "a, b, c and 1 more"
    assert words.listing(range(2000), 2, separator="; ") == "0; 1 and 1,998 more"


@pytest.mark.parametrize(
    ("count", "text"), [(3_200, "3 kB"), (12_300_000, "12.3 MB"), (4e9, "4.0 GB")]
)
def test_sizes(count: float, text: str) -> None:
    assert words.size(count) == text


def test_cells_that_spreadsheets_would_take_for_formulas() -> None:
    for text in ('=cmd|"/C calc"!A1', "@x", "+1+1", "-x", "\t=1"):
        assert words.csv_cell(text) == f"'{text}"
    for text in ("tile", "-12", "+3.5", "", "a=b", "images/=x.png"):
        assert words.csv_cell(text) == text
