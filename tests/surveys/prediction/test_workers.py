"""The same blocks by one process, by a pool, and by Dask workers of which one is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diapir.errors import BundleError, SurveyError
from diapir.inference import EngineOptions
from diapir.surveys import (
    SurveyHints,
    SurveyOptions,
    SurveySummary,
    open_store,
    open_survey,
    predict_survey,
)
from diapir.surveys.extent import Extent
from diapir.surveys.prediction import workers
from diapir.surveys.prediction.compute import run_block
from diapir.surveys.prediction.survey_options import View
from diapir.surveys.prediction.workers import Pool
from diapir.surveys.segy.traces import TraceFile
from tests.helpers.segy import write_segy
from tests.surveys.made import onnx_bundle, volume

ENGINE = EngineOptions(threads=1)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_bundle(tmp_path_factory.mktemp("model") / "convolution")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    present = np.ones((44, 50), bool)
    present[:9, :12] = False
    amplitude = volume((44, 50, 60))
    return write_segy(tmp_path_factory.mktemp("in") / "vol.sgy", amplitude, present=present)


def run(source: Path, model: Path, out: Path, progress: Any = None, **options: Any) -> Any:
    survey = open_survey(source)
    try:
        return predict_survey(
            [model],
            survey,
            out,
            SurveyOptions(**{"block": 8, "tile": 48} | options),
            engine=ENGINE,
            progress=progress,
        )
    finally:
        survey.close()


@pytest.fixture(scope="module")
def alone(source: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> SurveySummary:
    return run(source, model, tmp_path_factory.mktemp("alone"))


def assert_same(one: SurveySummary, other: SurveySummary) -> None:
    stores = [open_store(summary.store) for summary in (one, other)]
    assert stores[0].names == stores[1].names == ("probability", "uncertainty")
    for name in stores[0].names:
        first, second = (store.read(name, slice(None), slice(None)) for store in stores)
        np.testing.assert_array_equal(first, second)
    for first, second in zip(one.files, other.files, strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_a_pool_gives_what_one_process_gives(
    source: Path, model: Path, alone: SurveySummary, tmp_path: Path
) -> None:
    steps = []
    summary = run(source, model, tmp_path, lambda *step: steps.append(step), workers=2)
    assert_same(summary, alone)
    assert steps[-1] == (summary.plan.pixels, summary.plan.pixels)
    assert len(steps) == summary.plan.blocks == 13


def test_workers_read_no_trace_headers(
    source: Path, model: Path, alone: SurveySummary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The jobs of a pool, run in this process where reading headers fails."""

    class Here(Pool):
        def _round(self, view: View, blocks: Sequence[int]) -> Iterator[tuple[int, int]]:
            with monkeypatch.context() as patch:
                patch.setattr(TraceFile, "headers", None)
                yield from [(block, run_block(self._job, view, block)) for block in blocks]

    monkeypatch.setattr(workers, "Pool", Here)
    extent = Extent(inlines="101:140", time="16:200")
    for place, extents in (("whole", ()), ("part", (extent,))):
        survey = open_survey(source, SurveyHints(extents=extents))
        options = SurveyOptions(block=8, tile=48, workers=2)
        summary = predict_survey([model], survey, tmp_path / place, options, engine=ENGINE)
        assert not list((tmp_path / place).rglob("traces.npy"))
        if not extents:
            assert_same(summary, alone)
            continue
        options = SurveyOptions(block=8, tile=48)
        expected = predict_survey([model], survey, tmp_path / "one", options, engine=ENGINE)
        assert_same(summary, expected)


def children() -> list[int]:
    """Processes that this one has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
            command = (stat.parent / "cmdline").read_text()
        except OSError:
            continue
        if int(words[1]) == os.getpid() and "spawn_main" in command:
            found.append(int(stat.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="finds processes in /proc")
def test_a_process_of_the_pool_is_killed(
    source: Path, model: Path, alone: SurveySummary, tmp_path: Path
) -> None:
    killed = []

    def kill_once(done: int, total: int) -> None:
        if not killed:
            killed.append(children()[0])
            os.kill(killed[0], signal.SIGKILL)

    summary = run(source, model, tmp_path, kill_once, workers=2)
    assert killed
    assert_same(summary, alone)


def test_what_a_worker_meets_is_told(source: Path, model: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    shutil.copytree(model, taken)
    survey = open_survey(source)
    with pytest.raises(BundleError, match="no such model"):
        predict_survey(
            [taken],
            survey,
            tmp_path / "out",
            SurveyOptions(block=8, workers=2, tile="own"),
            engine=ENGINE,
            tell=lambda plan: shutil.rmtree(taken),
        )
    survey.close()
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".vol.unfinished.zarr"]


class Cluster:
    """A scheduler and workers in processes of their own, on 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []
        file = folder / "scheduler.json"
        self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", file)
        self.address = _waited_for(file)

    def add_worker(self) -> subprocess.Popen[bytes]:
        return self._start(
            "worker", self.address, "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1"
        )

    def _start(self, kind: str, *words: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", kind, "--no-dashboard", *map(str, words)]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
        )
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


def _waited_for(file: Path) -> str:
    for _ in range(600):
        if file.is_file():
            try:
                return str(json.loads(file.read_text())["address"])
            except ValueError:
                pass
        time.sleep(0.1)
    raise AssertionError("the scheduler did not start")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    pytest.importorskip("distributed")
    made = Cluster(tmp_path)
    yield made
    made.stop()


def test_dask_workers_of_which_one_is_killed(
    source: Path, model: Path, alone: SurveySummary, tmp_path: Path, cluster: Cluster
) -> None:
    with pytest.raises(SurveyError, match="has no workers"):
        run(source, model, tmp_path / "out", scheduler=cluster.address)
    lost, kept = cluster.add_worker(), cluster.add_worker()
    _wait_for_workers(cluster.address, 2)

    def kill_one(done: int, total: int) -> None:
        lost.kill()

    summary = run(source, model, tmp_path / "out", kill_one, scheduler=cluster.address)
    assert lost.wait() == -signal.SIGKILL
    assert kept.poll() is None
    assert_same(summary, alone)


def _wait_for_workers(address: str, count: int) -> None:
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=60)


def test_no_scheduler_there(
    source: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "ANSWERS_S", 0.5)
    with pytest.raises(SurveyError, match="no Dask scheduler answers"):
        run(source, model, tmp_path, scheduler="tcp://127.0.0.1:9")


def test_a_lost_scheduler_is_told_and_the_same_call_resumes(
    source: Path, model: Path, alone: SurveySummary, tmp_path: Path, cluster: Cluster
) -> None:
    cluster.add_worker()
    _wait_for_workers(cluster.address, 1)

    def lose_the_scheduler(done: int, total: int) -> None:
        cluster.processes[0].kill()

    with pytest.raises(SurveyError, match="was lost while predicting"):
        run(source, model, tmp_path / "out", lose_the_scheduler, scheduler=cluster.address)
    assert_same(run(source, model, tmp_path / "out"), alone)
