"""Training, scoring and a volume on a CUDA GPU, compared with peers on the same GPU.

`training` times `diapir.training.session.Session.step` with the images of the next steps loaded
beside it, as a run does: the recipe `flagship` on tiles in every combination of precision, memory
format and compilation, and the recipe `general` on windows of sections with and without loading
ahead. The peer is segmentation-models-pytorch's model in its documented loop (training_step.py).

`scoring` times grey tiles to probabilities (`Predictor.probabilities`) by batch, and the peer's
U-Net on the same encoder on tiles prepared beforehand, in float32 and in bfloat16.

`volume` predicts the same sections by the code path of `diapir predict` on the GPU and on the CPU,
and by MONAI's `sliding_window_inference` with the same network, windows, overlap and batch on the
GPU; then in two processes at the same time on the same GPU.

    python benchmarks/gpu.py training scoring volume
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import machine
import numpy as np
import torch
from numpy.typing import NDArray

from diapir.training.step_images import AHEAD

ENCODER = "tf_efficientnet_lite2"
SEED = 1
LAYOUTS = ("contiguous", "channels_last")
SIDE, TILE = 512, 128
"""Sides of a section and of its windows in pixels."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="+", choices=["training", "scoring", "volume", "child"])
    parser.add_argument("--model", default="salt", help="a bundle with its trainable weights")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each figure of training")
    parser.add_argument("--batches", type=int, nargs="*", default=[24, 128])
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    parser.add_argument("--sections", type=int, default=48)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--task", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if "child" in options.what:
        print(json.dumps(_child(**json.loads(options.task))))
        return
    print(machine.describe(), flush=True)
    for what in options.what:
        print(f"\n{what}", flush=True)
        {"training": _training, "scoring": _scoring, "volume": _volume}[what](options)


# --- training


def _training(options: argparse.Namespace) -> None:
    from diapir.tiles import load_tiles, synthesise

    with tempfile.TemporaryDirectory() as name:
        survey = Path(name) / "survey"
        synthesise(survey, tiles=1024, seed=SEED)
        tiles = load_tiles(survey)
        for batch in options.batches:
            plain = _peer(survey, batch, options)
            for precision, layout, compiled in product(("fp32", "bf16"), LAYOUTS, (False, True)):
                if compiled and (not options.compile or (batch, layout) != (24, "channels_last")):
                    continue  # compiling takes a minute
                keys = [
                    f"device.precision={precision}",
                    f"device.channels_last={str(layout == 'channels_last').lower()}",
                    f"device.compile={str(compiled).lower()}",
                    f"train.batch={batch}",
                ]
                found = _steps("flagship", keys, tiles, options, ahead=AHEAD)
                how = f"{precision}, {layout}{', compiled' if compiled else ''}"
                _say(f"flagship, batch {batch}, {how}", found, plain)
        for ahead in (0, 1, AHEAD):
            sections = [f"data.mosaic={survey}", f"data.synthetic=[{survey}]"]
            for batch in (24, 96):
                keys = [*sections, f"train.batch={batch}"]
                found = _steps("general", keys, tiles, options, ahead=ahead)
                _say(f"general, batch {batch}, {ahead} steps ahead", found, None)


def _say(what: str, found: tuple[float, float], plain: float | None) -> None:
    speed, first = found
    ratio = f"{speed / plain:5.2f} × the peer" if plain else ""
    print(f"  {what:52} {speed:8.0f} tiles/s  first step {first:5.1f} s  {ratio}", flush=True)


def _steps(
    recipe: str, keys: list[str], tiles: object, options: argparse.Namespace, *, ahead: int
) -> tuple[float, float]:
    """Tiles a second, from the median step, and the seconds of the first."""
    from diapir.config import load_recipe
    from diapir.training.batches.tile_batches import epoch_batches
    from diapir.training.batches.windows import open_windows
    from diapir.training.device import close_device, open_device
    from diapir.training.session import Session

    config = load_recipe(
        recipe,
        [
            "model.weights=none",
            f"model.encoder={ENCODER}",
            "preprocess.size=128",
            f"device.name={options.device}",
            *keys,
        ],
    )
    device = open_device(config.device)
    windows = open_windows(config.data, tiles, 128)
    session = Session(config, device, pretrained=False, steps=100_000, windows=windows)
    draw = windows.epoch_batches if windows else epoch_batches
    count = config.train.batch
    batches = draw(len(tiles), count, seed=SEED, epoch=1, processes=1)
    batches = [batch for batch in batches if len(batch) == count]
    taken: list[float] = []
    ended = time.perf_counter() + options.seconds
    number = 0
    while len(taken) < 6 or (time.perf_counter() < ended and len(taken) < 400):
        upcoming = [batches[(number + one) % len(batches)] for one in range(1 + ahead)]
        _wait()
        started = time.perf_counter()
        session.step(tiles, upcoming[0], upcoming[1:])
        session.cursor.step += 1
        _wait()
        taken.append(time.perf_counter() - started)
        number += 1
    close_device(device)
    # the mean, as steps of windows of other sizes take other times
    rest = taken[3:]
    return count / statistics.fmean(rest), taken[0]


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _peer(survey: Path, batch: int, options: argparse.Namespace) -> float:
    import training_step

    training_step.ENCODER = ENCODER
    step = training_step.theirs(survey, 128, batch, torch.device(options.device))
    taken: list[float] = []
    ended = time.perf_counter() + options.seconds
    while len(taken) < 6 or (time.perf_counter() < ended and len(taken) < 400):
        started = time.perf_counter()
        step()
        _wait()
        taken.append(time.perf_counter() - started)
    speed = batch / statistics.fmean(taken[3:])
    _say(f"segmentation-models-pytorch, batch {batch}, its loop", (speed, taken[0]), speed)
    return speed


# --- scoring


def _scoring(options: argparse.Namespace) -> None:
    import segmentation_models_pytorch as smp

    from diapir import preprocess
    from diapir.config import PreprocessConfig
    from diapir.inference import EngineOptions, Predictor

    unet = smp.Unet(f"tu-{ENCODER}", encoder_weights=None, in_channels=3, classes=1)
    unet.eval().to(options.device)
    config = PreprocessConfig(size=128, pad="reflect", mean=(0.5,) * 3, std=(0.5,) * 3)
    random = np.random.default_rng(SEED)
    for count in (1, 16, 64, 512):
        tiles = list(random.integers(0, 256, (count, 101, 101), dtype=np.uint8))
        images = torch.from_numpy(preprocess.to_input(np.stack(tiles), config))
        calls: dict[str, Callable[[], object]] = {
            "segmentation-models-pytorch, float32": _peer_scoring(unet, images, torch.float32),
            "segmentation-models-pytorch, bfloat16": _peer_scoring(unet, images, torch.bfloat16),
        }
        for engine, device in (("torch", options.device), ("onnx", "cpu")):
            running = EngineOptions(engine=engine, device=device, tta="none")
            predictor = Predictor.load(options.model, running)
            calls[f"diapir, {predictor.engine.name}"] = _ours(predictor, tiles)
        seconds = _in_turns(calls)
        first = next(iter(seconds.values()))
        for name, taken in seconds.items():
            print(
                f"  {count:5} tiles, {name:38} {taken / count * 1e3:7.3f} ms/tile  "
                f"{count / taken:8.0f} tiles/s  {first / taken:5.2f} ×",
                flush=True,
            )


def _ours(predictor: object, tiles: list[NDArray[np.uint8]]) -> Callable[[], object]:
    return lambda: predictor.probabilities(tiles)


def _peer_scoring(
    unet: torch.nn.Module, images: torch.Tensor, dtype: torch.dtype
) -> Callable[[], object]:
    unet_device = next(unet.parameters()).device.type

    def score() -> None:
        with torch.inference_mode(), torch.autocast(unet_device, dtype, dtype != torch.float32):
            for part in images.split(64):
                unet(part.to(unet_device)).float().sigmoid().cpu().numpy()

    return score


def _in_turns(calls: dict[str, Callable[[], object]], rounds: int = 9) -> dict[str, float]:
    """Median seconds of each, after two calls that set it up."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 2):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if number >= 2:
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(times) for name, times in seconds.items()}


# --- volume


def _volume(options: argparse.Namespace) -> None:
    common = {"model": options.model, "sections": options.sections}
    turns = {
        "MONAI, float32, batch 64": {"do": "monai", "bf16": False, "device": options.device},
        "MONAI, bfloat16, batch 64": {"do": "monai", "bf16": True, "device": options.device},
        "diapir, torch on cuda": {"do": "ours", "engine": "torch", "device": options.device},
    }
    first = 0.0
    for name, task in turns.items():
        found = _result(_started(**task, **common))
        first = first or found["mpx_per_s"]
        _say_volume(name, [found], first)
    ours = {"do": "ours", "engine": "torch", "device": options.device, "together": True}
    pair = [_started(**ours, **common) for _ in range(2)]
    _say_volume("diapir, two processes on the GPU", [_result(one) for one in pair], first)


def _say_volume(name: str, rows: list[dict[str, float]], first: float) -> None:
    speed = sum(row["mpx_per_s"] for row in rows)
    print(
        f"  {name:34} {speed:7.2f} Mpx/s  {speed / first:5.2f} ×  peak "
        f"{max(row['peak_mb'] for row in rows):5.0f} MB, on the GPU "
        f"{sum(row['gpu_mb'] for row in rows):5.0f} MB",
        flush=True,
    )


def _started(**task: object) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "child", "--task", json.dumps(task)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _result(process: subprocess.Popen[str]) -> dict[str, float]:
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(process.returncode)
    return json.loads(out.splitlines()[-1])


def _child(do: str, sections: int, **task: object) -> dict[str, float]:
    import resource

    started_at = time.time()
    random = np.random.default_rng(SEED)
    volume = random.integers(0, 256, (sections, SIDE, SIDE), dtype=np.uint8)
    mark = {"ours": _child_ours, "monai": _child_monai}[do](**task)
    mark(volume[:8])
    if task.get("together"):  # both processes have started by then
        time.sleep(max(0.0, started_at + 15 - time.time()))
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        mark(volume)
        taken.append(time.perf_counter() - started)
    seconds = statistics.median(taken)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    held = torch.cuda.max_memory_reserved() / 2**20 if torch.cuda.is_available() else 0.0
    return {"mpx_per_s": volume.size / 1e6 / seconds, "peak_mb": peak, "gpu_mb": held}


def _child_ours(
    model: str, engine: str, device: str, together: bool = False
) -> Callable[[NDArray[np.uint8]], object]:
    from diapir.inference import EngineOptions, Predictor, with_windows
    from diapir.surveys.prediction.section_predictor import SectionPredictor

    options = EngineOptions(engine=engine, device=device, tta="none")
    predictor = Predictor.load(model, options)
    marker = SectionPredictor(with_windows(predictor, size=TILE, overlap=0.25))
    together = marker.together(SIDE, SIDE)

    def mark(volume: NDArray[np.uint8]) -> None:
        groups = (
            (volume[start : start + together], None) for start in range(0, len(volume), together)
        )
        result = np.empty(volume.shape, np.uint8)
        for place, probability in enumerate(marker.stream(groups)):
            result[place] = 254 * probability

    return mark


def _child_monai(model: str, bf16: bool, device: str) -> Callable[[NDArray[np.uint8]], object]:
    from monai.inferers import sliding_window_inference

    from diapir import bundle as bundles
    from diapir.inference.engines.torch_engine import load_network

    bundle = bundles.load(model)
    network = load_network(bundle).eval().to(device)
    mean, std = (
        torch.tensor(values, device=device).view(1, 3, 1, 1)
        for values in (bundle.info.preprocess.mean, bundle.info.preprocess.std)
    )

    @torch.inference_mode()
    def mark(volume: NDArray[np.uint8]) -> None:
        for section in volume:
            grey = torch.from_numpy(np.ascontiguousarray(section.T)).to(device).float() / 255
            images = (grey.expand(1, 3, *grey.shape) - mean) / std
            with torch.autocast(device, torch.bfloat16, enabled=bf16):
                logits = sliding_window_inference(
                    images, TILE, 64, network, overlap=0.25, mode="gaussian"
                )
            (254 * logits.float().softmax(1)[0, 1].T).byte().cpu().numpy()

    return mark


if __name__ == "__main__":
    main()
