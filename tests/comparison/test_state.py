"""What a comparison remembers, and what it refuses to build on."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from diapir.comparison.state import LEDGER, Entry, Ledger, open_ledger, refuse_change
from diapir.errors import RunError


def test_read_back_as_it_was_saved(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / LEDGER, {"seeds": 2})
    ledger.result = {"out": tmp_path, "score": np.float64(0.5), "none": float("nan")}
    ledger.note("a-seed1", Entry("failed", spent_s=1.5, peak_memory=7, reason="why"))
    again = open_ledger(tmp_path)
    assert again == Ledger(
        tmp_path / LEDGER,
        {"seeds": 2},
        {"a-seed1": Entry("failed", spent_s=1.5, peak_memory=7, reason="why")},
        {"out": str(tmp_path), "score": 0.5, "none": None},
    )


def test_a_new_folder_an_empty_one_and_one_with_a_lock_hold_nothing(tmp_path: Path) -> None:
    assert open_ledger(tmp_path / "new") is None
    assert open_ledger(tmp_path) is None
    (tmp_path / ".lock").touch()
    assert open_ledger(tmp_path) is None


def test_another_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunError, match=r"holds thesis\.tex and is no comparison"):
        open_ledger(tmp_path)
    with pytest.raises(RunError, match="is no folder"):
        open_ledger(tmp_path / "thesis.tex")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 9}', '{"format": 1, "trainings": {"a": {"odd": 1}}}']
)
def test_what_is_no_ledger_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / LEDGER).write_text(text)
    with pytest.raises(RunError, match=r"compare\.json cannot be read") as caught:
        open_ledger(tmp_path)
    assert "--out" in caught.value.fix


def test_a_changed_command_is_refused_and_shown(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / LEDGER, {})
    refuse_change(ledger, {})
    with pytest.raises(RunError, match="--seeds: 1 → 2; --budget: 60 s → none"):
        refuse_change(ledger, {"--seeds": (1, 2), "--budget": ("60 s", "none")})


def test_time_counts_up_to_the_last_save(tmp_path: Path) -> None:
    assert Entry("begun", spent_s=5, begun_at=100).settled(tmp_path).spent_s == 5  # never saved
    (tmp_path / "last").mkdir()
    manifest = tmp_path / "last" / "manifest.json"
    manifest.touch()
    os.utime(manifest, (130, 130))
    settled = Entry("begun", spent_s=5, begun_at=100).settled(tmp_path)
    assert (settled.state, settled.spent_s) == ("waiting", 35)
    assert settled.settled(tmp_path) == settled  # counted once
    # a save of an attempt before
    assert Entry("begun", spent_s=5, begun_at=200).settled(tmp_path).spent_s == 5
    done = Entry("done", spent_s=5, begun_at=100)
    assert done.settled(tmp_path) == done
