"""What a run hands to W&B, read back from the offline run file; no server, no network."""

import contextlib
import json
import os
import re
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import wandb
from PIL import Image
from wandb.proto import wandb_internal_pb2

from diapir.config import RunConfig, TrackConfig
from diapir.training.epoch_metrics import COLUMNS, METRICS
from diapir.training.tracking import wandb_tracker
from diapir.training.tracking.metrics_file import read_metrics
from diapir.training.tracking.tracker import Tracking
from diapir.training.tracking.wandb_tracker import (
    WandbTracker,
    answers,
    chart_name,
    choose_mode,
    is_logged_in,
)

SERVER = wandb.Settings().base_url
EPOCHS = (1, 2, 3)
IDS = ["000e218f21", "003c477d7c"]


@pytest.fixture(autouse=True)
def own_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither the user's login nor his settings, and no service left behind."""
    for name in list(os.environ):
        if name.startswith("WANDB_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / ".netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(home / "config"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(home / "cache"))
    monkeypatch.setenv("WANDB_DATA_DIR", str(home / "data"))
    # what the tracker sets itself; named here so that it is unset again
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    yield
    wandb.teardown()


def configuration(**track: Any) -> RunConfig:
    return RunConfig(
        name="baseline", track=TrackConfig(trackers=("wandb",), project="salt", **track)
    )


def a_row(epoch: int) -> dict[str, float | int]:
    figures = {column: epoch + number / 8 for number, column in enumerate(COLUMNS)}
    return {**figures, "epoch": epoch, "skipped_steps": 0, "best": 1}


def example_tiles(epoch: int) -> tuple[Any, Any, Any]:
    """Grey tiles with salt below a row, predicted one row lower with each epoch."""
    images = np.tile(np.arange(30, dtype=np.uint8), (2, 20, 1))
    masks = np.zeros((2, 20, 30), np.uint8)
    masks[:, 10:] = 1
    masks[1, :, 25:] = 255
    probabilities = np.zeros((2, 20, 30), np.float32)
    probabilities[:, 10 + epoch :] = 0.75
    return images, masks, probabilities


def best_model(run: Path) -> Path:
    best = run / "best"
    best.mkdir(exist_ok=True)
    (best / "model.safetensors").write_bytes(b"weights")
    (best / "bundle.json").write_text("{}")
    return best


def track_a_run(run: Path, config: RunConfig, notes: list[str], **options: Any) -> Tracking:
    tracking = Tracking(run, config, note=notes.append, **options)
    for epoch in EPOCHS:
        tracking.epoch(a_row(epoch))
        tracking.examples(epoch, IDS, *example_tiles(epoch))
    return tracking


# -- the offline run file --------------------------------------------------------------------


def run_folders(run: Path) -> list[Path]:
    return sorted((run / "wandb").glob("offline-run-*"))


def records(folder: Path) -> Iterator[Any]:
    """Records of a .wandb file: LevelDB's log format after a header of seven bytes."""
    (path,) = folder.glob("*.wandb")
    content = path.read_bytes()
    assert content.startswith(b":W&B")
    at, message = 7, b""
    while at + 7 <= len(content):
        left_in_block = 32768 - at % 32768
        if left_in_block < 7:
            at += left_in_block
            continue
        _, size, kind = struct.unpack("<IHB", content[at : at + 7])
        message += content[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # a whole record, or the last part of one
            record = wandb_internal_pb2.Record()
            record.ParseFromString(message)
            message = b""
            yield record


def of_kind(folder: Path, kind: str) -> list[Any]:
    return [
        getattr(record, kind)
        for record in records(folder)
        if record.WhichOneof("record_type") == kind
    ]


def history(folder: Path) -> list[dict[str, Any]]:
    rows = []
    for record in of_kind(folder, "history"):
        row: dict[str, Any] = {}
        for item in record.item:
            *parents, last = item.nested_key or [item.key]
            inner = row
            for parent in parents:
                inner = inner.setdefault(parent, {})
            inner[last] = json.loads(item.value_json)
        rows.append(row)
    return rows


@pytest.fixture
def tracked(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    """The folder of a finished offline run that said nothing to the terminal."""
    notes: list[str] = []
    tracking = track_a_run(tmp_path, configuration(), notes)
    (place,) = tracking.places()
    assert place.startswith("W&B: offline, project ")
    assert place.endswith(f"; upload with: wandb sync {tmp_path}/wandb/offline-run-*")
    assert service_is_running()
    tracking.finish(best_model(tmp_path))
    assert not service_is_running()
    assert notes == []
    assert capfd.readouterr() == ("", "")
    (folder,) = run_folders(tmp_path)
    return folder


def test_all_that_a_run_hands_over_is_in_the_offline_file(tracked: Path) -> None:
    (run,) = of_kind(tracked, "run")
    assert (run.project, run.display_name) == ("salt", "baseline")
    config = {update.key: json.loads(update.value_json) for update in run.config.update}
    config.pop("_wandb")
    assert RunConfig.model_validate(config) == configuration()

    axes = {
        metric.name or metric.glob_name: metric.step_metric for metric in of_kind(tracked, "metric")
    }
    assert axes["*"] == "epoch"

    rows = history(tracked)
    assert [row["epoch"] for row in rows] == list(EPOCHS)
    for row in rows:
        assert row["_step"] == row["epoch"]
        for metric in METRICS:
            assert row[chart_name(metric)] == a_row(row["epoch"])[metric.name]

    for row in rows:
        examples = row["examples"]
        assert examples["captions"] == IDS
        assert examples["count"] == len(IDS)
        assert len(examples["all_masks"]) == len(IDS)
        assert all(set(masks) == {"truth", "prediction"} for masks in examples["all_masks"])

    (artifact,) = of_kind(tracked, "artifact")
    assert artifact.type == "model"
    assert "best" in artifact.aliases
    contents = {entry.path: Path(entry.local_path) for entry in artifact.manifest.contents}
    assert contents["model.safetensors"].read_bytes() == b"weights"
    assert contents["bundle.json"].read_text() == "{}"

    (end,) = of_kind(tracked, "exit")
    assert end.exit_code == 0


def test_tiles_truth_and_prediction_are_read_back_pixel_by_pixel(tracked: Path) -> None:
    def pixels(drawing: dict[str, Any]) -> Any:
        return np.asarray(Image.open(tracked / "files" / drawing["path"]))

    for row in history(tracked):
        images, masks, probabilities = example_tiles(row["epoch"])
        files = row["examples"]["filenames"]
        for number in range(len(IDS)):
            np.testing.assert_array_equal(pixels({"path": files[number]}), images[number])
            drawn = row["examples"]["all_masks"][number]
            np.testing.assert_array_equal(pixels(drawn["truth"]), masks[number])
            np.testing.assert_array_equal(pixels(drawn["prediction"]), probabilities[number] > 0.5)


def test_nothing_is_written_outside_the_run_folder_but_service_logs(
    tracked: Path, tmp_path: Path
) -> None:
    assert {path.name for path in tmp_path.iterdir()} == {"home", "wandb", "metrics.csv", "best"}
    outside = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert {path.parent for path in outside} <= {tmp_path / "home" / "cache" / "wandb" / "logs"}


def test_the_model_handed_over_outlives_a_better_one(tracked: Path, tmp_path: Path) -> None:
    (tmp_path / "best").rename(tmp_path / "old")
    best_model(tmp_path).joinpath("model.safetensors").write_bytes(b"better")
    (artifact,) = of_kind(tracked, "artifact")
    weights = next(e for e in artifact.manifest.contents if e.path == "model.safetensors")
    assert Path(weights.local_path).read_bytes() == b"weights"


def test_a_file_system_without_links_gets_a_copy_of_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(source: str, target: str) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(wandb_tracker.os, "link", no_links)
    Tracking(tmp_path, configuration(), note=pytest.fail).finish(best_model(tmp_path))
    (kept,) = (tmp_path / "wandb").glob("model-*")
    assert (kept / "model.safetensors").read_bytes() == b"weights"


def test_a_run_without_examples_and_best_model_is_complete_too(tmp_path: Path) -> None:
    tracking = Tracking(tmp_path, configuration(examples=0), note=pytest.fail)
    for epoch in EPOCHS:
        tracking.epoch(a_row(epoch))
    tracking.finish(None)
    (folder,) = run_folders(tmp_path)
    assert [row["val/loss"] for row in history(folder)] == [
        a_row(epoch)["val_loss"] for epoch in EPOCHS
    ]
    assert of_kind(folder, "artifact") == []
    assert len(of_kind(folder, "exit")) == 1


def test_a_resumed_run_keeps_its_id_and_continues_at_its_epoch(tmp_path: Path) -> None:
    notes: list[str] = []
    first = track_a_run(tmp_path, configuration(), notes)
    state = json.loads(json.dumps(first.state()))
    first.finish(None)
    again = Tracking(tmp_path, configuration(), epochs_done=3, state=state, note=notes.append)
    again.epoch(a_row(4))
    assert again.state() == state
    again.finish(None)
    assert notes == []
    # both may have begun within one second, so their names do not order them
    steps = sorted([row["_step"] for row in history(folder)] for folder in run_folders(tmp_path))
    assert steps == [[1, 2, 3], [4]]
    ids = {run.run_id for folder in run_folders(tmp_path) for run in of_kind(folder, "run")}
    assert ids == {state["wandb"]["id"]}


# -- faults ----------------------------------------------------------------------------------


def test_an_error_of_wandb_ends_only_the_tracking_to_wandb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object, *values: object, **options: object) -> None:
        raise RuntimeError("the service is gone")

    notes: list[str] = []
    tracking = Tracking(tmp_path, configuration(), note=notes.append)
    tracking.epoch(a_row(1))
    monkeypatch.setattr(wandb.Run, "log", broken)
    tracking.epoch(a_row(2))
    tracking.epoch(a_row(3))
    tracking.examples(3, IDS, *example_tiles(3))
    tracking.finish(best_model(tmp_path))
    assert notes == ["W&B failed (the service is gone); continuing without it"]
    assert [row["epoch"] for row in read_metrics(tmp_path / "metrics.csv")] == [1, 2, 3]
    assert not service_is_running()
    (folder,) = run_folders(tmp_path)
    assert [row["epoch"] for row in history(folder)] == [1]


def test_a_start_that_fails_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**options: object) -> None:
        raise RuntimeError("no room\nfor a run")

    notes: list[str] = []
    monkeypatch.setattr(wandb, "init", broken)
    track_a_run(tmp_path, configuration(), notes).finish(None)
    assert notes == ["wandb cannot start (no room for a run); continuing without it"]
    assert len(read_metrics(tmp_path / "metrics.csv")) == 3
    assert not service_is_running()


def service_is_running() -> bool:
    """Whether a service of W&B would take further runs; its address is kept in the environment."""
    return "WANDB_SERVICE" in os.environ


def test_a_run_of_the_calling_program_is_left_alone(tmp_path: Path) -> None:
    with wandb.init(
        mode="offline", dir=tmp_path / "home", settings=wandb.Settings(silent=True, console="off")
    ) as own:
        Tracking(tmp_path, configuration(), note=pytest.fail).finish(None)
        own.log({"still": "alive"})
        assert wandb.run is own


# -- online or offline -----------------------------------------------------------------------


@pytest.fixture
def closed_port() -> str:
    """The address of a server that is not there."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


class Refusing(BaseHTTPRequestHandler):
    """A server that answers, but takes no run."""

    def do_HEAD(self) -> None:
        self.send_response(404)
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.reply(401, {})

    def reply(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *ignored: object) -> None:
        pass


class Taking(Refusing):
    """As much of W&B's server as a run without an artifact talks to."""

    requests: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        request = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.requests.append(request)
        owner = {"id": "p", "name": "salt", "entity": {"id": "e", "name": "me"}}
        bucket = {"id": "b", "name": self.run_id(), "displayName": "", "project": owner}
        self.reply(
            200,
            {
                "data": {
                    "upsertBucket": {"bucket": bucket, "inserted": True},
                    "createRunFiles": {"runID": "b", "uploadHeaders": [], "files": []},
                    "model": {"bucket": None},
                }
            },
        )

    def run_id(self) -> str:
        for request in self.requests:
            variables = json.loads(request).get("variables") or {}
            if "upsertBucket" in request and variables.get("name"):
                return str(variables["name"])
        return ""


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def refusing_server() -> Iterator[str]:
    with serving(Refusing) as address:
        yield address


def test_a_server_that_takes_the_run_gets_every_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Taking, "requests", [])
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    notes: list[str] = []
    with serving(Taking) as address:
        monkeypatch.setenv("WANDB_BASE_URL", address)
        tracking = track_a_run(tmp_path, configuration(), notes)
        (place,) = tracking.places()
        assert re.match(r"W&B: project .+, run .+ \(id \w+\), http", place)
        tracking.finish(None)
    assert notes == []
    assert capfd.readouterr() == ("", "")
    assert not run_folders(tmp_path), "nothing is left to be synchronised"
    lines: list[dict[str, Any]] = []
    for request in Taking.requests:
        uploaded = json.loads(request).get("files", {}).get("wandb-history.jsonl")
        lines += [json.loads(line) for line in uploaded["content"]] if uploaded else []
    assert [line["epoch"] for line in lines] == list(EPOCHS)
    assert [line["val/loss"] for line in lines] == [a_row(e)["val_loss"] for e in EPOCHS]


@pytest.mark.parametrize("mode", ["auto", "online"])
def test_a_server_that_is_not_there_is_found_out_before_wandb_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed_port: str, mode: Any
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", closed_port)
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    modes: list[str] = []
    start = wandb.init
    monkeypatch.setattr(wandb, "init", lambda **o: (modes.append(o["mode"]), start(**o))[1])
    notes: list[str] = []
    tracking = track_a_run(tmp_path, configuration(wandb_mode=mode), notes)
    assert tracking.places() == []  # the note has said it
    tracking.finish(best_model(tmp_path))
    assert modes == ["offline"]
    assert len(notes) == 1
    assert notes[0].startswith(f"W&B is offline: {closed_port} does not answer; ")
    (folder,) = run_folders(tmp_path)
    assert len(history(folder)) == len(EPOCHS)


def test_a_server_that_refuses_the_run_leaves_it_offline_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusing_server: str
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", refusing_server)
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    notes: list[str] = []
    track_a_run(tmp_path, configuration(), notes).finish(best_model(tmp_path))
    assert len(notes) == 1
    assert notes[0].startswith(f"W&B is offline: {refusing_server} refused the run")
    (folder,) = run_folders(tmp_path)
    assert [row["epoch"] for row in history(folder)] == list(EPOCHS)
    assert len(of_kind(folder, "artifact")) == 1


def test_online_without_a_login_asks_nobody(tmp_path: Path) -> None:
    notes: list[str] = []
    Tracking(tmp_path, configuration(wandb_mode="online"), note=notes.append).finish(None)
    assert len(notes) == 1
    assert f"no login for {SERVER}" in notes[0]
    assert len(run_folders(tmp_path)) == 1


def test_a_lost_server_is_noted_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed_port: str
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", closed_port)
    notes: list[str] = []
    tracker = WandbTracker(tmp_path, configuration(), state=None, note=notes.append)
    tracker.mode = "online"  # as it was while the server still answered
    tracker.epoch(a_row(1))
    tracker.finish(best_model(tmp_path))
    assert len(notes) == 1
    assert f"{closed_port} no longer answers" in notes[0]
    assert not service_is_running()


@pytest.mark.parametrize(
    ("asked", "logged_in", "switched_off", "reachable", "mode", "said"),
    [
        ("auto", True, False, True, "online", ""),
        ("auto", True, False, False, "offline", "does not answer"),
        ("auto", True, True, True, "offline", ""),
        ("auto", False, False, True, "offline", ""),
        ("online", True, False, True, "online", ""),
        ("online", True, True, True, "online", ""),
        ("online", True, False, False, "offline", "does not answer"),
        ("online", False, False, True, "offline", "no login"),
        ("offline", True, False, True, "offline", ""),
    ],
)
def test_the_mode_follows_wish_login_and_server(
    monkeypatch: pytest.MonkeyPatch,
    asked: Any,
    logged_in: bool,
    switched_off: bool,
    reachable: bool,
    mode: str,
    said: str,
) -> None:
    asked_servers: list[str] = []
    monkeypatch.setattr(
        wandb_tracker, "answers", lambda server: asked_servers.append(server) or reachable
    )
    chosen, reason = choose_mode(
        asked, server=SERVER, logged_in=logged_in, switched_off=switched_off
    )
    assert chosen == mode
    assert (said in reason) if said else reason == ""
    if asked == "offline" or not logged_in:
        assert asked_servers == [], "nobody is asked where the answer does not matter"


@pytest.mark.parametrize(
    ("netrc", "known"),
    [
        (f"machine 127.0.0.1 login user password {'k' * 40}\n", True),
        (f"machine elsewhere.org login user password {'k' * 40}\n", False),
        ("machine 127.0.0.1 login user password short\n", False),
        ("this is no netrc file", False),
        (None, False),
    ],
)
def test_a_login_in_netrc_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, netrc: str | None, known: bool
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1")
    if netrc is not None:
        path = tmp_path / "home" / ".netrc"
        path.write_text(netrc)
        path.chmod(0o600)
    assert is_logged_in() == known


@pytest.mark.parametrize(
    ("variables", "asks"),
    [
        ({}, False),
        ({"WANDB_API_KEY": "k" * 40}, True),
        ({"WANDB_API_KEY": "k" * 40, "WANDB_MODE": "offline"}, False),
        ({"WANDB_API_KEY": "k" * 40, "WANDB_MODE": "disabled"}, False),
    ],
)
def test_the_environment_says_whether_auto_asks_the_server(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    asks: bool,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    asked: list[str] = []
    monkeypatch.setattr(wandb_tracker, "answers", lambda server: asked.append(server) is not None)
    Tracking(tmp_path, configuration(), note=lambda line: None).finish(None)
    assert asked == [SERVER] * asks
    assert len(run_folders(tmp_path)) == 1


# -- the probe -------------------------------------------------------------------------------


def test_any_answer_is_an_answer(refusing_server: str) -> None:
    assert answers(refusing_server)


def test_a_closed_port_is_none(closed_port: str) -> None:
    assert not answers(closed_port)


def test_a_server_that_takes_calls_and_says_nothing_gives_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wandb_tracker, "PROBE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not answers(f"http://127.0.0.1:{silent.getsockname()[1]}")
