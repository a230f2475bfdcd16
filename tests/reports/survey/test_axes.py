from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from diapir.reports.survey.axes import corners, label_traces


def ticks(numbers: list[int]) -> list[tuple[float, str]]:
    axes = Figure().subplots()
    label_traces(axes, np.array(numbers))
    return [
        (float(place), label.get_text())
        for place, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
    ]


def test_labels_are_round_numbers_at_their_traces() -> None:
    assert ticks(list(range(2003, 2205, 2))) == [
        (18.5, "2040"),
        (38.5, "2080"),
        (58.5, "2120"),
        (78.5, "2160"),
        (98.5, "2200"),
    ]


def test_falling_numbers_are_labelled_from_the_right() -> None:
    places = {label: place for place, label in ticks(list(range(50, 0, -1)))}
    assert places["10"] == 40
    assert places["50"] == 0


def test_a_gap_in_the_numbers_keeps_labels_at_their_traces() -> None:
    places = {label: place for place, label in ticks([0, 10, 20, 100, 110, 120])}
    assert places["100"] == 3
    assert places["20"] == 2


@pytest.mark.parametrize("numbers", [[7], [7, 7, 8], [3, 1, 2]])
def test_numbers_without_order_are_labelled_by_trace(numbers: list[int]) -> None:
    assert ticks(numbers)[0] == (0, str(numbers[0]))
    assert len(ticks(numbers)) == len(numbers)


def test_corners_lie_half_a_bin_around_the_centres() -> None:
    centres = np.array([[10.0, 12.0, 14.0], [20.0, 22.0, 24.0]])
    assert corners(centres).tolist() == [
        [4.0, 6.0, 8.0, 10.0],
        [14.0, 16.0, 18.0, 20.0],
        [24.0, 26.0, 28.0, 30.0],
    ]
