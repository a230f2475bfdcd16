"""Load on `diapir serve`: sections from many clients, and pictures at the queue's limit.

Starts the service on a synthetic volume, on 127.0.0.1 and a free port, and stops it. Every answer
is compared with the file, so that none is lost, mixed up or answered twice.

    python benchmarks/serving.py --requests 10000 --clients 16 --pictures 200
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

SHAPE = (64, 256, 256)
"""Inlines, crosslines, samples."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--requests", type=int, default=10_000)
    options.add_argument("--clients", type=int, default=16)
    options.add_argument("--pictures", type=int, default=200)
    options.add_argument("--threads", type=int, default=1, help="threads of the network")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        volume = np.random.default_rng(1).normal(0, 100, SHAPE).astype(np.float32)
        np.save(folder / "block.npy", volume)
        command = [sys.executable, "-m", "diapir", "serve", str(folder / "block.npy")]
        command += ["--port", "0", "--out", str(folder / "out"), "--threads", str(asked.threads)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            found = re.search(r"http://\S+", server.stdout.readline())
            host = urlsplit(found[0]).netloc
            sections(host, volume, asked.requests, asked.clients)
            pictures(host, asked.pictures, asked.clients)
        finally:
            server.terminate()
            server.wait()


def run(clients: int, count: int, work) -> tuple[np.ndarray, float]:
    """Let clients do `work(connection, number)` for each number; seconds of each, and in all."""
    seconds = np.full(count, np.nan)
    numbers = iter(range(count))
    lock = threading.Lock()
    faults: list[BaseException] = []

    def client() -> None:
        connection = http.client.HTTPConnection(work.host, timeout=300)
        try:
            while not faults:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                started = time.perf_counter()
                work(connection, number)
                seconds[number] = time.perf_counter() - started
        except BaseException as fault:
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return seconds, time.perf_counter() - started


class Sections:
    """Asks for the tile of one inline after the other, and compares it with the file."""

    def __init__(self, host: str, volume: np.ndarray) -> None:
        self.host = host
        connection = http.client.HTTPConnection(host, timeout=60)
        connection.request("GET", "/api/files")
        (file,) = json.load(connection.getresponse())["files"]
        connection.request("GET", f"/api/data/{file['id']}")
        clip = json.load(connection.getresponse())["clip"]
        self.base = f"/api/data/{file['id']}/inline"
        grey = np.floor(np.clip(volume * np.float32(127.5 / clip), -127.5, 127.5) + 128)
        self.wanted = np.clip(grey, 1, 255).astype(np.uint8)

    def __call__(self, connection: http.client.HTTPConnection, number: int) -> None:
        inline = number % SHAPE[0]
        connection.request("GET", f"{self.base}/{inline}/tiles/amplitude/0/0/0")
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, (answer.status, content[:200])
        found = np.frombuffer(content, np.uint8).reshape(SHAPE[2], SHAPE[1])
        assert np.abs(found.astype(int) - self.wanted[inline].T).max() <= 1, inline


class Pictures:
    """Sends pictures of different widths; asks again where the queue is full."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.answered: Counter[int] = Counter()
        self.refused = 0

    def __call__(self, connection: http.client.HTTPConnection, number: int) -> None:
        import io

        width = 40 + number
        content = io.BytesIO()
        noise = np.random.default_rng(number).integers(0, 255, (64, width), np.uint8)
        Image.fromarray(noise).save(content, "PNG")
        while True:
            headers = {"Content-Type": "image/png"}
            connection.request("POST", "/predict", content.getvalue(), headers)
            answer = connection.getresponse()
            found = json.loads(answer.read())
            if answer.status != 503:
                break
            self.refused += 1
            time.sleep(min(1.0, float(answer.headers["Retry-After"])))
        assert answer.status == 200, found
        assert found["width"] == width, (found, width)
        self.answered[number] += 1


def sections(host: str, volume: np.ndarray, count: int, clients: int) -> None:
    seconds, total = run(clients, count, Sections(host, volume))
    tell(f"{count} section requests from {clients} clients", seconds, total)


def pictures(host: str, count: int, clients: int) -> None:
    work = Pictures(host)
    seconds, total = run(2 * clients, count, work)  # more than may wait
    assert sorted(work.answered) == list(range(count))
    assert set(work.answered.values()) == {1}
    tell(f"{count} pictures from {2 * clients} clients, {work.refused} times 503", seconds, total)


def tell(what: str, seconds: np.ndarray, total: float) -> None:
    assert not np.isnan(seconds).any(), "an answer is missing"
    p50, p99 = 1000 * np.percentile(seconds, [50, 99])
    print(f"{what}: none lost, p50 {p50:.1f} ms, p99 {p99:.1f} ms, {len(seconds) / total:.0f}/s")


if __name__ == "__main__":
    main()
