import os

import pytest

from diapir.inference.engines.engine import default_threads


@pytest.mark.parametrize(("wanted", "threads"), [("3", 3), ("2,1", 2), (" 4 ", 4)])
def test_threads_are_those_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, wanted: str, threads: int
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", wanted)
    assert default_threads() == threads


@pytest.mark.parametrize("unset", ["", "0", "many"])
def test_threads_default_to_the_cores_of_this_process(
    monkeypatch: pytest.MonkeyPatch, unset: str
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", unset)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 5}, raising=False)
    assert default_threads() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert default_threads() == 1
