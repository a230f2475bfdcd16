"""Draw page-predicted.png and page-labels.png: `diapir serve` on a synthetic survey.

The survey slides along one synthetic section. Its salt is predicted by the bundled model. Needs a
chromium, and Playwright of the dev extra.

    python docs/images/make_page.py
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from diapir.tiles.synthetic import make_section

HERE = Path(__file__).resolve().parent
SEED, SECTION = 1, 2
INLINES, TRACES = 40, 500


def main() -> None:
    """Make the survey, serve it, and draw the page."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        block = folder / "synthetic.npy"
        np.save(block, _volume())
        command = [sys.executable, "-m", "diapir", "serve", str(block), "--port", "0"]
        command += ["--out", str(folder / "out"), "--domain", "time", "--interval", "4"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
        try:
            line = server.stdout.readline() if server.stdout else ""
            _draw(re.search(r"http://\S+", line)[0])  # type: ignore[index]
        finally:
            server.terminate()
            server.wait()


def _volume() -> np.ndarray:
    """Amplitudes `float32 (inlines, crosslines, samples)`."""
    section = make_section(SEED, SECTION).grey.astype(np.float32) - 127.5
    traces = min(TRACES, section.shape[1] - INLINES)
    return np.stack([section[:, first : first + traces].T for first in range(INLINES)])


def _draw(address: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 760})
        page.goto(address)
        page.wait_for_selector("html[data-ready=yes]")
        page.click("#predict")
        _until(page, "document.getElementById('found').textContent.includes('are salt')")
        page.mouse.move(620, 330)
        time.sleep(1)
        page.screenshot(path=HERE / "page-predicted.png")
        page.click("#theme")
        for key, places in (
            ("s", [(490, 470), (640, 400)]),
            ("n", [(160, 180), (420, 190), (700, 180)]),
            ("n", [(760, 560), (900, 600)]),
        ):
            page.keyboard.press(key)
            page.mouse.move(*places[0])
            page.mouse.down()
            for place in places[1:]:
                page.mouse.move(*place, steps=8)
            page.mouse.up()
        page.mouse.move(560, 300)
        time.sleep(1)
        page.screenshot(path=HERE / "page-labels.png")
        browser.close()


def _until(page: object, condition: str) -> None:
    while not page.evaluate(f"() => {condition}"):  # type: ignore[attr-defined]
        time.sleep(0.1)


if __name__ == "__main__":
    main()
