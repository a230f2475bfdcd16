"""The sample interval where headers disagree, or state it in ms or m."""

from pathlib import Path

import numpy as np
import pytest

from diapir.surveys import SurveyHints, open_survey
from tests.helpers.segy import write_segy

CUBE = np.random.default_rng(2).normal(0, 100, (3, 4, 50))


@pytest.mark.parametrize(
    ("binary", "traces", "interval", "note"),
    [
        (4000, 4000, 4, ""),
        (4000, 0, 4, ""),
        (0, 2000, 2, ""),
        (2000, 4000, 2, "trace headers state 4: --interval 4"),
        (4000, 2000, 4, "trace headers state 2: --interval 2"),
        (4, 4, 4, "read as 4 ms or m; --interval 0.004"),
        (4, 4000, 4, "read as 4 ms or m; --interval 0.004"),
        (4000, 4, 4, ""),
        (0, 10, 10, "read as 10 ms or m; --interval 0.01"),
        (25, 25, 0.025, "unusual; if the headers state it in ms or m, --interval 25"),
        (100, 100, 0.1, ""),
        (50_000, 50_000 - 2**16, 50, ""),
    ],
)
@pytest.mark.parametrize("revision", [(0, 0), (1, 0)])
def test_a_doubtful_interval_is_noted(
    tmp_path: Path,
    binary: int,
    traces: int,
    interval: float,
    note: str,
    revision: tuple[int, int],
) -> None:
    path = tmp_path / "a.sgy"
    write_segy(path, CUBE, interval_us=binary, fields={117: traces}, revision=revision)
    survey = open_survey(path)
    assert survey.grid.interval == interval
    assert (note in survey.notes[0]) if note else survey.notes == ()
    given = open_survey(path, SurveyHints(interval=3))
    assert (given.grid.interval, given.notes) == (3, ())
