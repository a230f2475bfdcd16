"""Progress of several trainings, and when all will be done."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diapir.comparison import display as module
from diapir.comparison.display import Display, Forecast, last_epoch_line, share_done


def test_with_a_budget_the_end_is_known_from_the_start() -> None:
    forecast = Forecast(4, 600, [])
    assert forecast.left_s(0, 0) == 2400
    assert forecast.left_s(100, 0.9) == 2300
    forecast.done(630)  # start-up and evaluation take time, too
    assert forecast.left_s(0, 0) == 3 * 630
    forecast.failed()
    assert forecast.left_s(700, 0) == 630  # over its time, and one more


def test_without_a_budget_it_is_known_from_the_epochs() -> None:
    forecast = Forecast(3, None, [])
    assert forecast.left_s(5, 0) is None
    assert forecast.left_s(50, 0.25) == 150 + 2 * 200
    forecast.done(100)
    assert forecast.left_s(0, 0) == 200
    assert forecast.left_s(30, 0.5) == 30 + 100


seconds = st.floats(0, 1e6)


@given(
    st.integers(1, 30),
    st.none() | st.floats(1, 1e5),
    st.lists(seconds, max_size=5),
    seconds,
    st.floats(0, 1),
)
def test_what_is_left_is_never_negative(
    total: int, budget: float | None, took: list[float], elapsed: float, share: float
) -> None:
    left = Forecast(total, budget, took).left_s(elapsed, share)
    assert left is None or left >= 0


@pytest.mark.parametrize(
    ("line", "share"),
    [
        ("Epoch [3/12] - Loss: 0.6725, CE: 0.1022", 0.25),
        ("Epoch [3/12], Batch [9/20], Loss: 1.5", 2.5 / 12),
        ("Epoch [12/12] - Loss: 0.1", 1),
        ("Validation - Loss: 0.6", 0),
        ("", 0),
    ],
)
def test_share_of_a_training(line: str, share: float) -> None:
    assert share_done(line) == pytest.approx(share)


def test_the_last_epoch_line_of_a_long_log(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    assert last_epoch_line(log) == ""
    lines = [f"Epoch [{epoch}/900] - Loss: 0.5\nValidation - Loss: 0.7" for epoch in range(1, 800)]
    log.write_text("\n".join(lines) + "\nA note of Epoch [1/2]\nEpoch [800/9")
    assert last_epoch_line(log) == "Epoch [799/900] - Loss: 0.5"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_the_current_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    (tmp_path / "log.txt").write_text("Epoch [5/20] - Loss: 0.4321\n")
    with Display(stream, total=3, budget_s=600, took_s=[]) as display:
        display.start("linknet", 42, 2, 0)
        display.look(tmp_path)
        shown = stream.getvalue()
        display.done("Kaggle mAP 0.7000", 605)
    assert "[2/3] linknet, seed 42" in shown
    assert "Epoch [5/20] - Loss: 0.4321" in shown
    assert "all done about" in shown
    assert "done in 10 min: Kaggle mAP 0.7000" in stream.getvalue()


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    with Display(stream, total=1, budget_s=None, took_s=[]) as display:
        display.start("linknet", 42, 1, 0)
    assert stream.getvalue() == "[1/1] linknet, seed 42: starts\n"


def test_an_end_on_another_day_names_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(module.datetime):
        @classmethod
        def now(cls, tz: object = None) -> Clock:
            return cls(2024, 3, 1, 22, 0, 30)  # a Friday

    monkeypatch.setattr(module, "datetime", Clock)
    stream = io.StringIO()
    Display(stream, total=4, budget_s=3600, took_s=[]).start("linknet", 42, 1, 0)
    assert "all done about Sat 02:00, in 4 h 0 min" in stream.getvalue()


def test_without_a_stream_nothing_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log.txt").write_text("Epoch [5/20] - Loss: 0.4321\n")
    with Display(None, total=1, budget_s=None, took_s=[]) as display:
        display.start("linknet", 42, 1, 0)
        display.look(tmp_path)
        display.done("Kaggle mAP 0.7000", 605)
    assert capsys.readouterr() == ("", "")


def test_long_lines_and_markup_stay_as_they_are() -> None:
    stream = io.StringIO()
    reason = "a [bold]key[/bold] :smile: " + 30 * "of many words "
    with Display(stream, total=1, budget_s=None, took_s=[]) as display:
        display.start("linknet", 42, 1, 0)
        display.failed(reason)
    assert stream.getvalue().splitlines()[1] == f"[1/1] linknet, seed 42: FAILED: {reason}"
