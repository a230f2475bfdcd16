"""Start-up: seconds from a command to its last line, and to the end of its process.

Each command runs as a process of its own on small generated inputs, with compiled bytecode and the
files in memory, as on a second call; the commands take turns. The peer loads the same network's
kind (a U-Net on EfficientNet-Lite0, without pretrained weights) in segmentation-models-pytorch and
predicts the same tile.

    python benchmarks/startup.py --repeats 7
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import machine
import numpy as np
from PIL import Image

COMMANDS = {
    "import diapir": ["-c", "import diapir; print()"],
    "diapir --help": ["-m", "diapir", "--help"],
    "diapir predict --help": ["-m", "diapir", "predict", "--help"],
    "predict tile.png (salt)": ["-m", "diapir", "predict", "tile.png", "--out", "tile"],
    "predict tile.png (general)": [
        *("-m", "diapir", "predict", "tile.png", "--model", "general", "--out", "general"),
    ],
    "predict section.png": ["-m", "diapir", "predict", "section.png", "--out", "section"],
    "predict line.sgy": ["-m", "diapir", "predict", "line.sgy", "--out", "line"],
    "survey line.sgy": ["-m", "diapir", "survey", "line.sgy"],
    "models": ["-m", "diapir", "models"],
    "data check (40 tiles)": ["-m", "diapir", "data", "check", "tiles"],
    "python -c pass": ["-c", "print()"],
    "peer: import": ["-c", "import segmentation_models_pytorch; print()"],
    "peer: tile.png": ["peer.py"],
}
PEER = """
import numpy as np, segmentation_models_pytorch as smp, torch
from PIL import Image
network = smp.Unet("timm-tf_efficientnet_lite0", encoder_weights=None).eval()
tile = np.pad(np.asarray(Image.open("tile.png")), ((13, 14), (13, 14)))
image = torch.from_numpy(tile.astype("float32") / 255).expand(1, 3, -1, -1)
with torch.inference_mode():
    salt = network(image).sigmoid()[0, 0].numpy()
Image.fromarray((salt * 255).astype("uint8")).save("peer.png")
print("done")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", default="", help="commands whose names contain this")
    parser.add_argument("--source", type=Path, help="src folder of another checkout of diapir")
    asked = parser.parse_args()
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if asked.source is not None:
        env["PYTHONPATH"] = str(asked.source.resolve())
    chosen = {name: words for name, words in COMMANDS.items() if asked.only in name}
    print(machine.describe())
    print(f"load before: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_inputs(folder, env)
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in chosen}
        for repeat in range(asked.repeats + 1):
            for name, words in chosen.items():
                seconds = timed([sys.executable, *words], folder, env)
                if repeat:  # the first one compiles bytecode
                    taken[name].append(seconds)
    print(f"{'':<28} last line   end: least  median   of {asked.repeats}, seconds")
    for name, seconds in taken.items():
        shown, ended = zip(*seconds, strict=True)
        print(f"{name:<28} {min(shown):9.3f} {min(ended):12.3f} {median(ended):7.3f}")


def timed(command: list[str], folder: Path, env: dict[str, str]) -> tuple[float, float]:
    """Seconds from the start of a process to its last output, and to its end."""
    start = last = time.perf_counter()
    with subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        while process.stdout.read1(1 << 16):
            last = time.perf_counter()
        told = process.stderr.read().decode()
    end = time.perf_counter()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: {told}")
    return last - start, end - start


def write_inputs(folder: Path, env: dict[str, str]) -> None:
    """A tile, a section and a line of noise smoothed along the layers; 40 tiles; the peer."""
    noise = np.random.default_rng(1).normal(size=(462, 951))
    layers = np.apply_along_axis(np.convolve, 1, noise, np.ones(41) / 6, "same")
    grey = np.clip(128 + 50 * layers, 0, 255).astype(np.uint8)
    Image.fromarray(grey[:101, :101]).save(folder / "tile.png")
    Image.fromarray(grey).save(folder / "section.png")
    write_line(folder / "line.sgy", layers[:200, :300].T)
    (folder / "peer.py").write_text(PEER, encoding="utf-8")
    make = [sys.executable, "-m", "diapir", "data", "synth", "--out", "tiles", "--tiles", "40"]
    subprocess.run(make, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)


def write_line(path: Path, traces: np.ndarray) -> None:
    """Write a 2D line as SEG-Y of revision 1: 4 ms, IEEE numbers, traces 25 m apart."""
    count, samples = traces.shape
    numbers = np.arange(1, count + 1)
    fields = {0: numbers, 20: numbers, 28: 1, 70: 1, 72: 25 * numbers, 114: samples, 116: 4000}
    kinds = {place: ">i4" if place in (0, 20, 72) else ">i2" for place in fields}
    names = [*map(str, kinds), "samples"]
    formats = [*kinds.values(), (">f4", samples)]
    records = np.zeros(
        count, np.dtype({"names": names, "formats": formats, "offsets": [*kinds, 240]})
    )
    for place, values in fields.items():
        records[str(place)] = values
    records["samples"] = 1000 * traces
    head = np.zeros(1800, ">i2")
    for place, value in ((3216, 4000), (3220, samples), (3224, 5), (3500, 256), (3502, 1)):
        head[place // 2] = value
    path.write_bytes(head.tobytes() + records.tobytes())


if __name__ == "__main__":
    main()
