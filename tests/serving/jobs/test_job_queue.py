"""Jobs: the queue, cancelling, resuming, and what a restart finds."""

import io
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from diapir.serving.jobs.job import Job, finish, load_job, save_job
from diapir.serving.jobs.job_process import JobProcess
from diapir.serving.jobs.job_queue import JOBS, JobQueue
from diapir.serving.settings import Limits
from diapir.surveys import open_store
from tests.serving.conftest import Made, Serve, id_of

PAINT = [
    {"label": "salt", "width": 20, "height": 24, "points": [[360, 80]]},
    {"label": "not salt", "width": 20, "height": 24, "points": [[310, 40]]},
]


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs wait, and are not run."""
    monkeypatch.setattr(JobQueue, "_start_next", lambda queue: False)


def ended(client: TestClient, identity: str, seconds: float = 120) -> dict[str, object]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        job = client.get(f"/api/jobs/{identity}").json()
        if job["status"] not in ("waiting", "running"):
            return job
        time.sleep(0.1)
    raise AssertionError(f"still {job['status']}: {job['log']}")


@pytest.mark.slow
def test_a_survey_is_predicted_and_its_files_can_be_taken_home(
    client: TestClient, made: Made, tmp_path: Path
) -> None:
    data = id_of(client, "block.sgy")
    started = client.post("/api/jobs", json={"kind": "predict", "data": data})
    assert started.status_code == 201
    job = ended(client, started.json()["id"])
    assert job["status"] == "done", job
    names = [file["name"] for file in job["files"]]  # type: ignore[union-attr,index]
    assert "block_probability.sgy" in names
    got = client.get(f"/api/jobs/{job['id']}/files/block_probability.sgy")
    packed = client.get(f"/api/jobs/{job['id']}/results.zip")
    with zipfile.ZipFile(io.BytesIO(packed.content)) as found:
        assert found.testzip() is None
        assert found.read(f"{job['id']}/block_probability.sgy") == got.content
        found.extractall(tmp_path)
    stores = [one for one in (tmp_path / str(job["id"])).iterdir() if one.is_dir()]
    (store,) = (one for one in stores if one.suffix in (".zarr", ".prediction"))
    copy = tmp_path / "copy.sgy"
    copy.write_bytes(got.content)
    import segyio

    with segyio.open(copy) as file:
        probability = segyio.tools.cube(file)
    assert probability.shape == (16, 120, 40)
    kept = open_store(store).read("probability", slice(None), slice(None))
    assert np.allclose(kept, probability, atol=1 / 254)
    (layer,) = client.get(f"/api/data/{data}").json()["predictions"]
    shown = client.get(f"/api/data/{data}/inline/4/tiles/{layer['layer']}/0/0/0").content
    assert shown[0] / 254 == pytest.approx(probability[4, 0, 0], abs=1e-6)
    flat = client.get(f"/api/data/{data}/slice/4/tiles/{layer['layer']}/0/0/0").content
    assert flat[3 * 120 + 5] / 254 == pytest.approx(probability[3, 5, 4], abs=1e-6)
    for name in ("../job.json", "..%2fjob.json", "../../../../etc/passwd", "nothing"):
        assert client.get(f"/api/jobs/{job['id']}/files/{name}").status_code == 404
    assert client.delete(f"/api/jobs/{job['id']}").status_code == 200
    assert client.get(f"/api/data/{data}").json()["predictions"] == []


def test_adapting_needs_strokes_and_keeps_those_it_was_started_with(
    client: TestClient, still: None, tmp_path: Path
) -> None:
    data = id_of(client, "block.sgy")
    asked = {"kind": "adapt", "data": data, "options": {"budget_s": 30}}
    assert client.post("/api/jobs", json=asked).status_code == 400
    strokes = {"sections": [{"inline": 104, "strokes": PAINT}]}
    client.put(f"/api/data/{data}/strokes", json=strokes)
    job = client.post("/api/jobs", json=asked).json()
    assert "--budget 30s" in job["command"]
    client.put(f"/api/data/{data}/strokes", json={"sections": []})
    kept = tmp_path / "out" / JOBS / job["id"] / "labels.json"
    assert "not salt" in kept.read_text()


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "dance"},
        {"kind": "predict"},
        {"kind": "predict", "data": "nothing"},
        {"kind": "predict", "options": {"out": "/tmp"}},
        {"kind": "predict", "options": {"threshold": "0.5 --out /tmp"}},
        {"kind": "predict", "options": []},
        {"kind": "predict", "model": "--out=/tmp"},
        {"kind": "adapt", "options": {"budget_s": 1e9}},
        {"kind": "suggest", "options": {"most": True}},
        {"kind": "products", "source": "nothing"},
    ],
)
def test_a_job_that_cannot_be_is_refused(
    client: TestClient, still: None, content: dict[str, object]
) -> None:
    if len(content) > 1 and "data" not in content and content["kind"] != "products":
        content = {"data": id_of(client, "block.sgy")} | content
    answer = client.post("/api/jobs", json=content)
    assert answer.status_code in (400, 404), answer.text
    assert client.get("/api/jobs").json()["jobs"] == []


def test_jobs_of_surveys_are_not_for_pictures(client: TestClient, still: None) -> None:
    data = id_of(client, "picture.png")
    assert client.post("/api/jobs", json={"kind": "suggest", "data": data}).status_code == 400


def test_a_full_queue_refuses_and_a_waiting_job_can_leave_it(serve: Serve, still: None) -> None:
    client = serve(limits=replace(Limits(), jobs=2))
    asked = {"kind": "predict", "data": id_of(client, "block.sgy")}
    first, second = (client.post("/api/jobs", json=asked).json()["id"] for _ in range(2))
    full = client.post("/api/jobs", json=asked)
    assert full.status_code == 503
    assert int(full.headers["retry-after"]) > 0
    assert client.delete(f"/api/jobs/{first}").status_code == 409
    assert client.post(f"/api/jobs/{first}/cancel").json()["status"] == "cancelled"
    assert client.post("/api/jobs", json=asked).status_code == 201
    assert client.post(f"/api/jobs/{second}/resume").status_code == 409
    assert client.delete(f"/api/jobs/{first}").status_code == 200


def test_a_command_that_fails_says_why(client: TestClient, made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "out" / JOBS
    queue = client.app.state.service.jobs  # type: ignore[attr-defined]
    words = ("survey", str(tmp_path / "nothing.sgy"))
    job = Job(id="survey-1", kind="predict", title="x", words=words, data="")
    client.portal.call(lambda: queue.add(job))  # type: ignore[union-attr]
    found = ended(client, "survey-1")
    assert found["status"] == "failed"
    assert "does not exist" in found["error"]["found"]  # type: ignore[index]
    assert found["error"]["fix"] == "correct the path"  # type: ignore[index]
    assert load_job(folder / "survey-1").status == "failed"  # type: ignore[union-attr]
    assert client.post("/api/jobs/survey-1/resume").json()["status"] == "waiting"


def test_a_restart_finds_waiting_and_interrupted_jobs(serve: Serve, tmp_path: Path) -> None:
    words = ("models", "--bundled")
    for name, status in (("a", "waiting"), ("b", "running"), ("c", "done")):
        place = tmp_path / "out" / JOBS / name
        place.mkdir(parents=True)
        job = Job(id=name, kind="suggest", title=name, words=words, data="", status=status)  # type: ignore[arg-type]
        save_job(place, job)
    (tmp_path / "out" / JOBS / "d").mkdir()
    client = serve()
    assert {job["id"] for job in client.get("/api/jobs").json()["jobs"]} == {"a", "b", "c"}
    for name in "abc":
        assert ended(client, name)["status"] == "done"


def test_a_process_is_found_by_its_lock(tmp_path: Path) -> None:
    job = Job(id="x", kind="suggest", title="x", words=("models", "--bundled"), data="")
    process = JobProcess.start(tmp_path, job)
    other = JobProcess.find(tmp_path)  # as another server would
    assert other is not None
    assert other.exit_code is None
    while process.alive():
        time.sleep(0.02)
    assert process.exit_code == 0
    assert not other.alive()
    assert JobProcess.find(tmp_path) is None
    assert finish(job, tmp_path, None).status == "done"


def test_a_process_can_be_stopped(tmp_path: Path) -> None:
    job = Job(id="x", kind="suggest", title="x", words=("models", "--bundled"), data="")
    process = JobProcess.start(tmp_path, job)
    process.kill()
    while process.alive():
        time.sleep(0.02)
    assert process.exit_code == -9
    assert finish(job, tmp_path, -9).status == "failed"
    asked = job.model_copy(update={"cancelled": True})
    assert finish(asked, tmp_path, -9).status == "cancelled"


def test_results_that_another_job_needs_are_not_removed(
    still: None, client: TestClient, made: Made
) -> None:
    data = id_of(client, "block.sgy")
    first = client.post("/api/jobs", json={"kind": "predict", "data": data}).json()["id"]
    queue = client.app.state.service.jobs  # type: ignore[attr-defined]
    assert client.get(f"/api/jobs/{first}/results.zip").status_code == 409
    queue._set(queue.get(first).model_copy(update={"status": "done"}))
    second = client.post("/api/jobs", json={"kind": "products", "source": first})
    assert second.status_code == 201
    assert client.get(f"/api/jobs/{first}/results.zip").status_code == 404  # nothing was made
    refused = client.delete(f"/api/jobs/{first}")
    assert refused.status_code == 409
    assert second.json()["id"] in refused.json()["error"]["found"]
    client.post(f"/api/jobs/{second.json()['id']}/cancel")
    assert client.delete(f"/api/jobs/{first}").status_code == 200
    assert not queue.place(first).exists()
