"""Bodies kept and merged by number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diapir.errors import ConfigError
from diapir.surveys.products.bodies import Bodies, label
from diapir.surveys.products.body_choice import choose_bodies
from diapir.surveys.products.interval_file import IntervalFile
from diapir.surveys.products.intervals import INTERVAL
from tests.surveys.made_salt import Made, ball, interval_file, volume_grid

SHAPE = (40, 12, 20)


@pytest.fixture
def salt(tmp_path: Path) -> tuple[IntervalFile, Bodies]:
    """Balls 1 to 4, the largest first, from inline 5 to 35."""
    balls = [
        ball(SHAPE, (at, 6, 10), radius) for at, radius in ((5, 4.6), (15, 4), (25, 3.4), (35, 2.8))
    ]
    made = Made(volume_grid(SHAPE), np.maximum.reduce(balls))
    intervals = interval_file(tmp_path / "intervals", made, (7, 5))
    bodies = label(intervals, SHAPE, 1)
    assert bodies.numbers == (1, 2, 3, 4)
    return intervals, bodies


def rows(intervals: IntervalFile) -> np.ndarray:
    return np.concatenate([np.zeros(0, INTERVAL), *(found for _, found in intervals)])


def test_kept_bodies_keep_their_numbers(salt: tuple[IntervalFile, Bodies]) -> None:
    intervals, bodies = salt
    chosen = choose_bodies(intervals, bodies, SHAPE[1], keep=(3, 1))
    assert chosen.numbers == (1, 3)
    np.testing.assert_array_equal(chosen.table, bodies.table[[0, 2]])
    assert set(rows(intervals)["body"]) == {0, 1, 3}
    assert "2 bodies" in chosen.notes[0]


def test_merged_bodies_have_the_smallest_number(salt: tuple[IntervalFile, Bodies]) -> None:
    intervals, bodies = salt
    chosen = choose_bodies(intervals, bodies, SHAPE[1], merge=((4, 2), (4, 3)))
    assert chosen.numbers == (1, 2)
    together = bodies.table[1:]
    for name in ("cells", "found", "traces"):
        assert chosen.table[1][name] == together[name].sum()
    assert chosen.table[1]["inline0"] == together["inline0"].min()
    assert chosen.table[1]["inline1"] == together["inline1"].max()
    assert set(rows(intervals)["body"]) == {1, 2}


def test_keeping_a_member_keeps_what_it_was_merged_into(salt: tuple[IntervalFile, Bodies]) -> None:
    intervals, bodies = salt
    chosen = choose_bodies(intervals, bodies, SHAPE[1], keep=(4,), merge=((2, 4),))
    assert chosen.numbers == (2,)
    assert chosen.table[0]["cells"] == bodies.table[[1, 3]]["cells"].sum()


@pytest.mark.parametrize("choice", [{"keep": (5,)}, {"merge": ((1, 9),)}, {"keep": (0,)}])
def test_an_unknown_number_is_refused(
    salt: tuple[IntervalFile, Bodies], choice: dict[str, tuple[int, ...]]
) -> None:
    with pytest.raises(ConfigError, match="there is no body") as refused:
        choose_bodies(*salt, SHAPE[1], **choice)  # type: ignore[arg-type]
    assert "1 to 4" in refused.value.expected
