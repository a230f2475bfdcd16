"""The state file of a comparison: what it keeps, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diapir.comparison.state import (
    STATE,
    StateFile,
    TrainingState,
    begin,
    hold,
    open_state,
    save_result,
)
from diapir.errors import RunError


def test_read_back_as_it_was_saved(tmp_path: Path) -> None:
    state = StateFile(tmp_path / STATE, {"seeds": 2})
    state.result = {"out": tmp_path, "score": np.float64(0.5), "none": float("nan")}
    state.note("a-seed1", TrainingState("failed", spent_s=1.5, peak_memory=7, reason="why"))
    again = open_state(tmp_path)
    assert again == StateFile(
        tmp_path / STATE,
        {"seeds": 2},
        {"a-seed1": TrainingState("failed", spent_s=1.5, peak_memory=7, reason="why")},
        {"out": str(tmp_path), "score": 0.5, "none": None},
    )


def test_a_new_folder_an_empty_one_and_one_with_a_lock_hold_nothing(tmp_path: Path) -> None:
    assert open_state(tmp_path / "new") is None
    assert open_state(tmp_path) is None
    (tmp_path / ".lock").touch()
    assert open_state(tmp_path) is None


def test_another_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunError, match=r"not a comparison: it holds thesis\.tex"):
        open_state(tmp_path)
    with pytest.raises(RunError, match=r"thesis\.tex is a file"):
        open_state(tmp_path / "thesis.tex")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 9}', '{"format": 1, "trainings": {"a": {"odd": 1}}}']
)
def test_a_state_file_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / STATE).write_text(text)
    with pytest.raises(RunError, match=r"compare\.json cannot be read") as caught:
        open_state(tmp_path)
    assert "--out" in caught.value.fix


def test_a_new_request_begins_and_the_same_resumes(tmp_path: Path) -> None:
    new = begin(tmp_path, None, {"seeds": 1})
    assert new == StateFile(tmp_path / STATE, {"seeds": 1})
    assert not new.path.exists()
    new.save()
    before = open_state(tmp_path)
    assert begin(tmp_path, before, {"seeds": 1}) is before


def test_a_changed_request_is_refused_and_the_changes_listed(tmp_path: Path) -> None:
    before = StateFile(tmp_path / STATE, {"seeds": 1, "budget": "60 s"})
    with pytest.raises(RunError, match="--budget: 60 s → none; --seeds: 1 → 2"):
        begin(tmp_path, before, {"budget": "none", "seeds": 2})
    with pytest.raises(RunError, match=r"RUN: None → \['a'\]"):
        begin(tmp_path, before, {"RUN": ["a"]})


def test_the_result_is_kept_beside_the_trainings(tmp_path: Path) -> None:
    save_result(tmp_path, {"score": 1.0})  # there is no comparison
    assert not (tmp_path / STATE).exists()
    StateFile(tmp_path / STATE, {}, {"a": TrainingState("done")}).save()
    save_result(tmp_path, {"score": 1.0})
    kept = open_state(tmp_path)
    assert kept is not None
    assert (kept.trainings, kept.result) == ({"a": TrainingState("done")}, {"score": 1.0})


def test_one_command_holds_a_folder(tmp_path: Path) -> None:
    refused = pytest.raises(RunError, match="another `diapir compare` is running")
    with hold(tmp_path), refused, hold(tmp_path):
        pass
    with hold(tmp_path / "new"):
        assert (tmp_path / "new").is_dir()


def test_time_counts_up_to_the_last_save(tmp_path: Path) -> None:
    assert (
        TrainingState("begun", spent_s=5, begun_at=100).settled(tmp_path).spent_s == 5
    )  # never saved
    (tmp_path / "last").mkdir()
    manifest = tmp_path / "last" / "manifest.json"
    manifest.touch()
    os.utime(manifest, (130, 130))
    settled = TrainingState("begun", spent_s=5, begun_at=100).settled(tmp_path)
    assert (settled.state, settled.spent_s) == ("waiting", 35)
    assert settled.settled(tmp_path) == settled  # counted once
    # a save of an attempt before
    assert TrainingState("begun", spent_s=5, begun_at=200).settled(tmp_path).spent_s == 5
    done = TrainingState("done", spent_s=5, begun_at=100)
    assert done.settled(tmp_path) == done


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"trainings": {"a": {"spent_s": "long"}}}, "spent_s"),
        ({"trainings": {"a": {"state": "lost"}}}, "state"),
        ({"trainings": {"a": 3}}, "cannot be read"),
        ({"command": [1]}, "dict"),
        ({"command": {"recipes": {"a": 3}}}, "a: "),
    ],
)
def test_values_of_other_types_are_refused(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    content = {"format": 1, "command": {}, "trainings": {}, "result": {}}
    (tmp_path / STATE).write_text(json.dumps(content | change))
    with pytest.raises(RunError, match=named):
        open_state(tmp_path)
