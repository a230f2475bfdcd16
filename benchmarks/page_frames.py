"""Frame times of the page of `diapir serve` while a large section is moved and zoomed.

Makes a synthetic 2D line of 3,000 traces × 1,500 samples, predicts it and extracts its horizons
through the API, opens the page in a headless chromium (drawn in software), and moves the mouse and
the wheel as a user does. Frames are counted by `requestAnimationFrame` while the section moves.
Needs a chromium, and Playwright of the dev extra.

    python benchmarks/page_frames.py --prepare FOLDER     # predict once
    python benchmarks/page_frames.py FOLDER               # measure
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
from PIL import Image

TRACES, SAMPLES = 3000, 1500
WAIT_S = 20
FRAMES = """() => { window.frames_ = []; let last = 0;
    const tick = (now) => { if (last) window.frames_.push(now - last); last = now;
        window.ticking = requestAnimationFrame(tick); };
    window.ticking = requestAnimationFrame(tick); }"""
STOP = "() => { cancelAnimationFrame(window.ticking); return window.frames_; }"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--prepare", action="store_true", help="make, predict, extract horizons")
    options.add_argument("--moves", type=int, default=240, help="movements of each kind")
    options.add_argument("--size", default="1600x900", help="of the window")
    asked = options.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    if not (asked.folder / "line.npy").exists():
        np.save(asked.folder / "line.npy", line())
    command = [sys.executable, "-m", "diapir", "serve", str(asked.folder / "line.npy")]
    command += ["--port", "0", "--out", str(asked.folder / "out"), "--interval", "2"]
    server = subprocess.Popen([*command, "--domain", "time"], stdout=subprocess.PIPE, text=True)
    try:
        address = re.search(r"http://\S+", server.stdout.readline())[0]
        if asked.prepare:
            prepare(address)
        else:
            measure(address, asked.moves, tuple(map(int, asked.size.split("x"))))
    finally:
        server.terminate()
        server.wait()


def line() -> np.ndarray:
    """Amplitudes `float32 (traces, samples)` of a synthetic section, with salt."""
    from diapir.tiles.synthetic import make_section

    grey = Image.fromarray(make_section(1, 2).grey)
    large = np.asarray(grey.resize((TRACES, SAMPLES), Image.Resampling.BICUBIC), np.float32) - 127.5
    return (large + np.random.default_rng(1).normal(0, 6, large.shape)).T.astype(np.float32)


def ask(address: str, path: str, content: object = None) -> dict:
    body = None if content is None else json.dumps(content).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(address + path, body, headers)  # noqa: S310 - our own service
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return json.load(answer)


def prepare(address: str) -> None:
    """Predict the line, and extract its horizons."""
    (file,) = ask(address, "api/files")["files"]
    source = run_job(address, {"kind": "predict", "data": file["id"]})
    run_job(address, {"kind": "products", "source": source})


def run_job(address: str, asked: dict) -> str:
    job = ask(address, "api/jobs", asked)
    while job["status"] in ("waiting", "running"):
        time.sleep(0.5)
        job = ask(address, f"api/jobs/{job['id']}")
    assert job["status"] == "done", job
    return job["id"]


def measure(address: str, moves: int, size: tuple[int, int]) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        page.goto(address)
        page.wait_for_selector("html[data-ready=yes]")
        end = time.monotonic() + WAIT_S
        while page.evaluate("() => document.getElementById('horizons').disabled"):
            if time.monotonic() > end:
                raise SystemExit(f"no horizons after {WAIT_S} s: run with --prepare first")
            time.sleep(0.1)
        page.mouse.move(600, 400)
        time.sleep(1.5)
        everything = [
            frames(page, name, moves) for name in ("still", "zoom", "pan", "zoom and pan")
        ]
        tell("all movements", np.concatenate(everything[1:]))
        browser.close()


def frames(page, kind: str, moves: int) -> np.ndarray:
    """Milliseconds of each frame during one kind of movement."""
    page.keyboard.press("0")
    time.sleep(0.5)
    if kind == "pan":  # at the full size of the samples
        for _ in range(6):
            page.mouse.wheel(0, -200)
    time.sleep(0.5)
    page.evaluate(FRAMES)
    if kind == "still":
        time.sleep(1)
    if kind != "still" and kind != "zoom":
        page.mouse.down()
    for number in range(moves if kind != "still" else 0):
        turn = 2 * np.pi * number / moves
        if kind == "zoom" or (kind == "zoom and pan" and number % 4 == 0):
            page.mouse.wheel(0, -40 if np.sin(turn) > 0 else 40)
        if kind != "zoom":
            page.mouse.move(600 + 300 * np.sin(3 * turn), 400 + 200 * np.sin(2 * turn))
    page.mouse.up()
    found = np.array(page.evaluate(STOP))
    tell(kind, found)
    return found


def tell(kind: str, found: np.ndarray) -> None:
    p50, p95 = np.percentile(found, [50, 95])
    words = f"median {p50:.1f} ms, p95 {p95:.1f} ms, most {found.max():.0f} ms"
    print(f"{kind}: {len(found)} frames, {words}", flush=True)


if __name__ == "__main__":
    main()
