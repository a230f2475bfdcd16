"""What a person reads of a run: exact lines in logs, a display in a terminal that stays clean."""

import contextlib
import errno
import io
import os
import pty
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from diapir.errors import RunError
from diapir.training.cursor import StepTerms
from diapir.training.display.console import Console
from diapir.training.validation import Validation

SEED_LINES = """\
Epoch [1/50], Batch [0/425], Loss: 1.5469, CE: 0.7188, Dice Loss: 0.6656, Dice Score: 0.3344
Epoch [15/50] - Loss: 0.6725, CE: 0.1022, Dice Loss: 0.3044, Dice Score: 0.6956
Validation - Loss: 0.6455, CE: 0.1224, Dice Loss: 0.3044
New best model saved! Validation loss: 0.6455
Early stopping triggered after 15 epochs.
A note [in brackets] that is no markup
"""


def run_as_the_seed_did(console: Console) -> None:
    console.start_epoch(1)
    for batch in range(3):
        terms = StepTerms(loss=1.54686, ce=0.71884, dice=0.33442, norm=1.0)
        console.batch(batch, terms, tiles_per_s=12.3, lr=5e-4, line=batch == 0)
    console.train_epoch(15, StepTerms(loss=0.6725, ce=0.1022, dice=0.69561, norm=1.0))
    console.validating(1, 2)
    console.validating(2, 2)
    scores = Validation(0.6455, 0.1224, soft_dice=0.6956, dice=0.7, iou=0.6, kaggle_map=0.5)
    console.validation(scores)
    console.best(0.6455)
    console.early_stopping(15)
    console.note("A note [in brackets] that is no markup")


def open_console(log: Path, stream: TextIO, **options: bool | float) -> Console:
    return Console(log, epochs=50, batches=425, stream=stream, **options)  # type: ignore[arg-type]


# -- lines -----------------------------------------------------------------------------------


def test_log_and_stream_read_as_the_seed_does(tmp_path: Path) -> None:
    stream = io.StringIO()
    with open_console(tmp_path / "log.txt", stream) as console:
        run_as_the_seed_did(console)
    assert stream.getvalue() == SEED_LINES
    assert (tmp_path / "log.txt").read_text() == SEED_LINES


def test_every_line_is_in_the_log_as_soon_as_it_is_said(tmp_path: Path) -> None:
    console = open_console(tmp_path / "log.txt", io.StringIO())
    console.note("one")
    assert (tmp_path / "log.txt").read_text() == "one\n"
    console.close()
    console.close()


@pytest.mark.parametrize(
    ("before", "after"),
    [("a line\n", "a line\nnew\n"), ("a torn li", "a torn li\nnew\n"), ("", "new\n")],
)
def test_a_resumed_run_appends_to_the_log(tmp_path: Path, before: str, after: str) -> None:
    log = tmp_path / "log.txt"
    log.write_text(before)
    with open_console(log, io.StringIO(), resumed=True) as console:
        console.note("new")
    assert log.read_text() == after


def test_a_resumed_run_whose_log_is_gone_begins_another(tmp_path: Path) -> None:
    with open_console(tmp_path / "log.txt", io.StringIO(), resumed=True) as console:
        console.note("new")
    assert (tmp_path / "log.txt").read_text() == "new\n"


def test_a_new_run_begins_its_log_afresh(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("of another run\n")
    open_console(tmp_path / "log.txt", io.StringIO()).close()
    assert (tmp_path / "log.txt").read_text() == ""


def test_a_log_that_cannot_be_opened_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"log\.txt cannot be written: No such file"):
        open_console(tmp_path / "missing" / "log.txt", io.StringIO())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_a_plain_error() -> None:
    console = open_console(Path("/dev/full"), io.StringIO())
    with pytest.raises(RunError, match="No space left") as caught:
        console.note("does not fit")
    assert "resume" in caught.value.fix
    console.close()


class Gone(io.StringIO):
    """A pipe whose reader has left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_a_reader_that_leaves_does_not_end_the_run(tmp_path: Path) -> None:
    with open_console(tmp_path / "log.txt", Gone()) as console:
        run_as_the_seed_did(console)
    assert (tmp_path / "log.txt").read_text() == SEED_LINES


def test_a_stream_that_knows_few_letters_still_gets_the_line(tmp_path: Path) -> None:
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding="ascii")
    with open_console(tmp_path / "log.txt", stream) as console:
        console.note("tiles of Überseestraße")
    assert written.getvalue() == b"tiles of ?berseestra?e\n"
    assert (tmp_path / "log.txt").read_text(encoding="utf-8") == "tiles of Überseestraße\n"


def test_scores_stand_beside_the_lines_of_the_seed(tmp_path: Path) -> None:
    scores = Validation(0.6455, 0.1224, soft_dice=0.6956, dice=0.7, iou=0.6, kaggle_map=0.5)
    line = (
        "Scores - Dice: 0.7000, IoU: 0.6000, Kaggle mAP: 0.5000; LR: 3.50e-04; "
        "best: epoch 2, validation loss 0.6"
    )
    with open_console(tmp_path / "log.txt", io.StringIO()) as console:
        console.scores(scores, 3.5e-4, "epoch 2, validation loss 0.6", 725.0)
        console.scores(scores, 3.5e-4, "epoch 2, validation loss 0.6", 0.0)
        console.scores(scores, 3.5e-4, "epoch 2, validation loss 0.6")
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert lines == [f"{line}; about 12 min left", line, line]


# -- a terminal ------------------------------------------------------------------------------


class Terminal:
    """A pseudo-terminal that remembers what it was sent and what stands on its screen."""

    def __init__(self) -> None:
        self._reader, writer = pty.openpty()
        os.set_blocking(self._reader, False)
        self.stream = os.fdopen(writer, "w", encoding="utf-8")
        self._bytes = b""
        self.cursor_shown = True

    @property
    def sent(self) -> str:
        return self._bytes.decode()

    def close(self) -> None:
        self.stream.close()
        os.close(self._reader)

    def screen(self) -> list[str]:
        """The lines on an endless, wide screen after all that was written so far."""
        self.stream.flush()
        with contextlib.suppress(BlockingIOError):
            while True:
                self._bytes += os.read(self._reader, 65536)  # may end within a character
        lines, row, column = [""], 0, 0
        for code in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", self.sent):
            if code == "\r":
                column = 0
            elif code == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif code == "\x1b[2K":
                lines[row] = ""
            elif code.startswith("\x1b[") and code.endswith("A"):
                row -= int(code[2:-1])
            elif code in ("\x1b[?25l", "\x1b[?25h"):
                self.cursor_shown = code.endswith("h")
            elif code.startswith("\x1b["):
                assert code.endswith("m"), f"a code that this screen does not know: {code!r}"
            else:
                lines[row] = (
                    lines[row][:column].ljust(column) + code + lines[row][column + len(code) :]
                )
                column += len(code)
        while lines and not lines[-1]:
            lines.pop()
        return lines


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "24")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("diapir.training.display.live.REFRESH_SECONDS", 0)
    pseudo = Terminal()
    yield pseudo
    pseudo.close()


def a_batch(console: Console, batch: int) -> None:
    terms = StepTerms(loss=0.9876, ce=0.1234, dice=0.5678, norm=1.0)
    console.batch(batch, terms, tiles_per_s=98.76, lr=2.5e-4, line=True)


def test_a_terminal_shows_bars_and_figures_and_no_line_of_a_batch(
    tmp_path: Path, terminal: Terminal
) -> None:
    with Console(
        tmp_path / "log.txt", epochs=8, batches=4, stream=terminal.stream, best_loss=0.8765
    ) as console:
        console.start_epoch(3, 1)
        a_batch(console, 1)
        a_batch(console, 2)
        epoch, batch, figures = terminal.screen()
        assert re.fullmatch(r"Epoch +3/8 ━+[╸╺]━+ \d+:\d\d left", epoch)
        assert re.fullmatch(r"Batch +3/4 ━+[╸╺]?━+ \d+:\d\d left", batch)
        assert figures == (
            "Loss 0.9876  CE 0.1234  Soft Dice 0.5678  Tiles/s 98.8  LR 2.5e-04  Best 0.8765"
        )
        console.validating(2, 7)
        console.validating(3, 7)
        assert re.fullmatch(r"Validation +3/7 ━+[╸╺]?━+ \d+:\d\d left", terminal.screen()[1])
        console.scores(Validation(1, 1, 0.1, dice=0.25, iou=0.2, kaggle_map=0.75), 1e-3, "epoch 1")
        assert terminal.screen()[-1] == "Validation Dice 0.2500  Kaggle mAP 0.7500"
    assert (tmp_path / "log.txt").read_text() == (
        "Epoch [3/8], Batch [1/4], "
        "Loss: 0.9876, CE: 0.1234, Dice Loss: 0.4322, Dice Score: 0.5678\n"
        "Epoch [3/8], Batch [2/4], "
        "Loss: 0.9876, CE: 0.1234, Dice Loss: 0.4322, Dice Score: 0.5678\n"
        "Scores - Dice: 0.2500, IoU: 0.2000, Kaggle mAP: 0.7500; LR: 1.00e-03; best: epoch 1\n"
    )


def test_lines_of_epochs_stay_above_the_bars_and_alone_at_the_end(
    tmp_path: Path, terminal: Terminal
) -> None:
    permanent = SEED_LINES.splitlines()[1:]
    with open_console(tmp_path / "log.txt", terminal.stream) as console:
        run_as_the_seed_did(console)
        screen = terminal.screen()
        assert screen[: len(permanent)] == permanent
        assert len(screen) == len(permanent) + 3
        assert screen[-1].endswith("Best 0.6455")
    assert terminal.screen() == permanent
    assert (tmp_path / "log.txt").read_text() == SEED_LINES


def test_many_batches_are_drawn_few_times(
    tmp_path: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diapir.training.display.live.REFRESH_SECONDS", 3600)
    with open_console(tmp_path / "log.txt", terminal.stream) as console:
        console.start_epoch(1)
        for batch in range(200):
            a_batch(console, batch)
        terminal.screen()
    assert terminal.sent.count("Batch ") == 1


@pytest.mark.parametrize("columns", [1, 7, 12, 40, 80, 200])
def test_no_drawing_is_wider_than_the_terminal(
    tmp_path: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    with open_console(tmp_path / "log.txt", terminal.stream, best_loss=0.5) as console:
        console.start_epoch(1)
        a_batch(console, 423)
        screen = terminal.screen()
        assert 0 < max(len(line) for line in screen) <= columns
        console.validating(1, 2)
        assert len(terminal.screen()) == len(screen), "drawn over itself, not below"
    assert terminal.screen() == []


def test_the_figures_fit_one_line_of_80_columns(
    tmp_path: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with open_console(tmp_path / "log.txt", terminal.stream, best_loss=0.5) as console:
        console.start_epoch(1)
        a_batch(console, 0)
        assert len(terminal.screen()) == 3


def test_an_error_restores_the_cursor_and_removes_the_bars(
    tmp_path: Path, terminal: Terminal
) -> None:
    def interrupted_run() -> None:
        with open_console(tmp_path / "log.txt", terminal.stream) as console:
            console.start_epoch(1)
            a_batch(console, 0)
            assert len(terminal.screen()) == 3
            assert not terminal.cursor_shown
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_run()
    assert terminal.screen() == []
    assert terminal.cursor_shown


def test_an_error_before_the_first_epoch_finds_the_terminal_untouched(
    tmp_path: Path, terminal: Terminal
) -> None:
    with open_console(tmp_path / "log.txt", terminal.stream) as console:
        console.note("only this")
    assert terminal.screen() == ["only this"]
    assert "\x1b[?25" not in terminal.sent


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(
    tmp_path: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with open_console(tmp_path / "log.txt", terminal.stream) as console:
        run_as_the_seed_did(console)
    assert terminal.screen() == SEED_LINES.splitlines()
    assert "\x1b" not in terminal.sent


class LostTerminal(io.StringIO):
    """A terminal whose session is lost after some time."""

    lost = False

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.lost:
            raise OSError(errno.EIO, "Input/output error")
        return super().write(text)


def test_a_terminal_that_is_lost_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = LostTerminal()
    with open_console(tmp_path / "log.txt", stream) as console:
        console.start_epoch(1)
        assert stream.getvalue()
        stream.lost = True
        run_as_the_seed_did(console)
    assert (tmp_path / "log.txt").read_text() == SEED_LINES
