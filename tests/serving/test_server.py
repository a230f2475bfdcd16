"""The server as a process: its address, kill -9 and a restart, one service per folder."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diapir.errors import ConfigError
from diapir.serving.server import address_of, serve
from diapir.serving.settings import Settings
from tests.adaptation.made_block import made_block
from tests.helpers.segy import write_segy

Start = Callable[..., "tuple[subprocess.Popen[str], str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `diapir serve`; gives the process and its address."""
    running: list[subprocess.Popen[str]] = []

    def begin(*words: object) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-m", "diapir", "serve", *map(str, words)]
        command += ["--port", "0", "--out", str(tmp_path / "out"), "--threads", "1"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found
        return process, found[0]

    yield begin
    for process in running:
        process.terminate()
        process.wait(60)
        if process.stdout is not None:
            process.stdout.close()


def ask(address: str, content: object = None) -> Any:
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_an_address_in_use_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            serve(Settings(out=tmp_path / "out", port=port), lambda address: None)
    assert "--port 0" in caught.value.fix
    assert not (tmp_path / "out").exists()


def test_the_address_has_the_token(tmp_path: Path) -> None:
    settings = Settings(out=tmp_path, host="::", token="abcdefgh12345678")
    assert address_of(settings, 99) == "http://127.0.0.1:99/?token=abcdefgh12345678"
    assert address_of(Settings(out=tmp_path, host="::1"), 9) == "http://[::1]:9/"


@pytest.mark.slow
@pytest.mark.parametrize("both", [False, True])
def test_a_killed_server_finds_its_job_again(tmp_path: Path, start: Start, both: bool) -> None:
    """Of a server that is killed, alone or with its job: the job ends, once."""
    amplitude = np.tile(made_block()[0], (4, 1, 4))  # (64, 120, 160): some seconds of work
    block = write_segy(tmp_path / "block.sgy", amplitude)
    server, address = start(block)
    (file,) = ask(address + "api/files")["files"]
    job = ask(address + "api/jobs", {"kind": "predict", "data": file["id"]})["id"]

    def state() -> Any:
        return ask(f"{address}api/jobs/{job}")

    wait_for(lambda: bool((state()["progress"] or {}).get("done")))
    server.send_signal(signal.SIGKILL)
    server.wait()
    pid = int((tmp_path / "out" / "jobs" / job / "lock").read_text())
    if both:
        os.killpg(pid, signal.SIGKILL)
    else:
        os.kill(pid, 0)  # it works on
    server, address = start(block)
    wait_for(lambda: state()["status"] == "done")
    assert len(ask(address + "api/jobs")["jobs"]) == 1
    names = [one["name"] for one in state()["files"]]
    assert "block_probability.sgy" in names


@pytest.mark.slow
def test_a_slow_client_is_given_up_and_stops_no_other(tmp_path: Path, start: Start) -> None:
    block = write_segy(tmp_path / "block.sgy", made_block()[0])
    _, address = start(block, "--body-seconds", 1)
    port = int(address.rstrip("/").rpartition(":")[2])
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(30)]
    for one in slow:
        one.sendall(
            b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
            b"Content-Length: 1000\r\n\r\nx"
        )
    assert len(ask(address + "api/files")["files"]) == 1
    for one in slow:
        one.settimeout(30)
        assert b" 408 " in one.recv(100)
        one.close()


@pytest.mark.slow
def test_one_service_per_folder_and_a_stopped_one_keeps_its_jobs(
    tmp_path: Path, start: Start
) -> None:
    block = write_segy(tmp_path / "block.sgy", np.tile(made_block()[0], (4, 1, 4)))
    server, address = start(block)
    words = [sys.executable, "-m", "diapir", "serve", str(block), "--port", "0"]
    second = subprocess.run(
        [*words, "--out", str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    assert second.returncode == 2
    assert "in use by process" in second.stderr
    (file,) = ask(address + "api/files")["files"]
    job = ask(address + "api/jobs", {"kind": "predict", "data": file["id"]})["id"]
    wait_for(lambda: ask(f"{address}api/jobs/{job}")["status"] == "running")
    server.terminate()
    assert server.wait(60) is not None
    kept = json.loads((tmp_path / "out" / "jobs" / job / "job.json").read_text())
    assert kept["status"] in ("waiting", "done")
