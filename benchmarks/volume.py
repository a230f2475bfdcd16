"""Memory and time of predicting a volume, and the speed of sections compared with MONAI.

`growth` predicts generated SEG-Y volumes of several sizes, both views, with results as Zarr and
SEG-Y. The network is one small convolution, so that everything else is measured: reading, mapping,
windows, blending, storing, writing. Peak memory should not grow with the volume, and time should be
linear in its size.

`speed` predicts the same sections with the same network by the code path of `diapir predict` and by
MONAI's `sliding_window_inference` with the same windows, overlap, weights and batch, interleaved.
MONAI gets the network of `--model` in PyTorch, one section at a time, as `float32` in memory;
diapir runs each of `--ours`, that model or exports of it, in each of `--engines` that can run it.
Both have to have the same number of windows.

`workers` predicts a generated SEG-Y volume by Dask workers of one thread each, which it starts on
this machine, for each number of them in turn, and watches the memory of every process.

Each measurement runs in its own process, which reports its peak memory.

    pip install monai
    python benchmarks/volume.py growth --gb 0.25 1 4 --folder /tmp
    python benchmarks/volume.py speed --model salt --engines onnx openvino-bf16 --threads 2
    diapir export salt --to onnx --int8 --data TILES --out salt-int8
    python benchmarks/volume.py speed --model salt --ours salt salt-int8 --engines openvino-bf16
    python benchmarks/volume.py workers --gb 8 --workers 1 2 --folder /tmp
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import diapir

SEED = 1
BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    growth = verbs.add_parser("growth")
    growth.add_argument("--gb", type=float, nargs="+", default=[0.25, 1.0, 4.0])
    growth.add_argument("--folder", type=Path, default=None, help="a disk with room for it all")
    growth.add_argument("--threads", type=int, default=None)
    speed = verbs.add_parser("speed")
    speed.add_argument("--model", default="salt", help="a bundle with its trainable weights")
    speed.add_argument("--ours", nargs="+", help="exports of --model; by default --model itself")
    speed.add_argument("--engines", nargs="+", default=["onnx"], help="of diapir")
    speed.add_argument("--sections", type=int, default=4)
    speed.add_argument("--side", type=int, default=512, help="traces and samples of a section")
    speed.add_argument("--tile", type=int, default=128)
    speed.add_argument("--overlap", type=float, default=0.25)
    speed.add_argument("--rounds", type=int, default=3)
    speed.add_argument("--threads", type=int, default=2)
    workers = verbs.add_parser("workers")
    workers.add_argument("--gb", type=float, default=8.0)
    workers.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    workers.add_argument("--folder", type=Path, default=None, help="a disk with room for it all")
    workers.add_argument("--volume", type=Path, default=None, help="instead of a generated one")
    workers.add_argument("--model", default=None, help="instead of one small convolution")
    workers.add_argument("--view", default="both", help="both, inline or crossline")
    child = verbs.add_parser("child")
    child.add_argument("task")
    options = parser.parse_args()
    if options.verb == "child":
        task = json.loads(options.task)
        answer = globals()[f"_child_{task.pop('do')}"](**task)
        print(json.dumps(answer | {"peak_mb": _peak_mb(), "cpu_s": time.process_time()}))
    elif options.verb == "growth":
        _growth(options)
    elif options.verb == "workers":
        _workers(options)
    else:
        _speed(options)


def _in_child(**task: object) -> dict[str, float]:
    command = [sys.executable, __file__, "child", json.dumps(task)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _describe() -> None:
    import machine

    print(machine.describe())
    if hasattr(os, "getloadavg"):
        print(f"load before: {os.getloadavg()[0]:.1f}")


# --- growth


def _growth(options: argparse.Namespace) -> None:
    _describe()
    print(
        f"{'GB':>5} {'shape':>16} {'peak MB':>8} {'s':>7} {'CPU s':>7} {'Mpx/s':>6}   GB/h out GB"
    )
    for size in options.gb:
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            folder = Path(name)
            side = round((size * 1e9 / 4) ** (1 / 3) / 8) * 8
            _write_volume(folder / "volume.sgy", (side, side, side))
            _tiny_model(folder / "model")
            found = _in_child(do="growth", folder=name, threads=options.threads)
            print(
                f"{size:5.2f} {f'{side}³':>16} {found['peak_mb']:8.0f} {found['seconds']:7.1f} "
                f"{found['cpu_s']:7.1f} "
                f"{found['mpx_per_s']:6.2f} {size / found['seconds'] * 3600:6.1f} "
                f"{found['out_gb']:6.2f}",
                flush=True,
            )


def _child_growth(folder: str, threads: int | None) -> dict[str, float]:
    from diapir.inference import EngineOptions
    from diapir.surveys import SurveyOptions, open_survey, predict_survey

    place = Path(folder)
    survey = open_survey(place / "volume.sgy")
    started = time.perf_counter()
    summary = predict_survey(
        [place / "model"],
        survey,
        place / "out",
        SurveyOptions(tile=256, formats=("segy",), products=("probability",)),
        engine=EngineOptions(threads=threads, batch=8),
    )
    seconds = time.perf_counter() - started
    held = sum(path.stat().st_size for path in (place / "out").rglob("*") if path.is_file())
    return {"seconds": seconds, "mpx_per_s": summary.pixels / 1e6 / seconds, "out_gb": held / 1e9}


def _write_volume(path: Path, shape: tuple[int, int, int]) -> None:
    """Layered noise as SEG-Y, an inline at a time."""
    inlines, crosslines, samples = shape
    fields = {0: "i4", 28: "i2", 70: "i2", 114: "i2", 116: "i2", 180: "i4", 184: "i4"}
    fields |= {188: "i4", 192: "i4"}
    kind = np.dtype(
        {
            "names": [*map(str, fields), "samples"],
            "formats": [*(f">{code}" for code in fields.values()), (">f4", samples)],
            "offsets": [*fields, 240],
        }
    )
    random = np.random.default_rng(SEED)
    layers = np.convolve(random.normal(size=4 * samples), np.hanning(9), "same")
    numbers = np.arange(crosslines)
    with path.open("wb") as stream:
        head = np.zeros(3600, np.uint8)
        head[3216:3218] = np.frombuffer(np.array(4000, ">i2").tobytes(), np.uint8)
        head[3220:3222] = np.frombuffer(np.array(samples, ">i2").tobytes(), np.uint8)
        head[3224:3226] = 0, 5
        head[3500:3504] = 1, 0, 0, 1
        stream.write(head.tobytes())
        for inline in range(inlines):
            traces = np.zeros(crosslines, kind)
            traces["28"] = traces["70"] = 1
            traces["114"], traces["116"] = samples, 4000
            traces["180"], traces["184"] = 25 * inline, 25 * numbers
            traces["188"], traces["192"] = inline + 1, numbers + 1
            dip = (samples + 0.3 * inline + 0.5 * numbers).astype(int) % (2 * samples)
            traces["samples"] = layers[dip[:, None] + np.arange(samples)]
            stream.write(traces.tobytes())


def _tiny_model(folder: Path) -> None:
    """A bundle of one 3 × 3 convolution for ONNX Runtime."""
    import onnx
    from onnx import TensorProto, helper

    from diapir import bundle as bundles
    from diapir.architectures import UNetConfig
    from diapir.bundle import BundleInfo
    from diapir.config import PreprocessConfig

    kernel = np.random.default_rng(SEED).normal(size=(2, 3, 3, 3)).astype(np.float32)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, "h", "w"])
        for name, channels in (("images", 3), ("logits", 2))
    ]
    node = helper.make_node("Conv", ["images", "kernel"], ["logits"], pads=[1, 1, 1, 1])
    weights = [onnx.numpy_helper.from_array(kernel, "kernel")]
    graph = helper.make_graph([node], "network", ends[:1], ends[1:], weights)
    opset = [helper.make_opsetid("", 18)]
    network = folder.with_name("model.onnx")
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=opset), network)
    parity = {"reference": "none", "data": "none", "tiles": 1, "pixels": 1}
    parity |= {"logit": 0.0, "probability": 0.0, "flipped": 0}
    info = BundleInfo(
        name="convolution",
        model=UNetConfig(base=2, levels=2),
        preprocess=PreprocessConfig(size=128),
        weights_sha256="0" * 64,
    )
    bundles.save_export(
        folder, info, [network], form="onnx", half=False, any_size=True, parity=parity, versions={}
    )


# --- workers


def _workers(options: argparse.Namespace) -> None:
    _describe()
    print(
        f"{'workers':>7} {'open s':>7} {'s':>7} {'Mpx/s':>6}   peak MB: this process, the workers"
    )
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        side = round((options.gb * 1e9 / 4) ** (1 / 3) / 8) * 8
        volume = options.volume or folder / "volume.sgy"
        if options.volume is None:
            _write_volume(volume, (side, side, side))
        _tiny_model(folder / "model")
        for count in options.workers:
            with _dask(folder, count) as (address, processes):
                found = _in_child(
                    do="workers",
                    folder=name,
                    volume=str(volume.resolve()),
                    address=address,
                    model=options.model or str(folder / "model"),
                    view=options.view,
                    out=f"out{count}",
                )
                peaks = ", ".join(f"{_peak_mb(one.pid):.0f}" for one in processes)
                used = found["cpu_s"] + sum(_cpu_s(one.pid) for one in processes)
            print(
                f"{count:7} {found['open_s']:7.1f} {found['seconds']:7.1f} {used:7.1f} "
                f"{found['mpx_per_s']:6.2f}   {found['peak_mb']:.0f}, {peaks}",
                flush=True,
            )
            shutil.rmtree(folder / f"out{count}")


@contextlib.contextmanager
def _dask(folder: Path, count: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler's address and its workers, each a process of one thread."""
    file = folder / f"scheduler{count}.json"
    dask = [sys.executable, "-m", "dask"]
    place = ["--host", "127.0.0.1", "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    start = [*dask, "scheduler", *place, "--port", "0", "--scheduler-file", str(file)]
    processes = [subprocess.Popen(start, **quiet)]
    try:
        while not file.is_file() or not file.stat().st_size:
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        work = [*dask, "worker", address, *place, "--nthreads", "1", "--no-nanny"]
        # a relative PYTHONPATH would not hold in another folder: the workers would run other code
        here = os.environ | {"PYTHONPATH": str(Path(diapir.__file__).resolve().parents[1])}
        processes += [subprocess.Popen(work, cwd=folder, env=here, **quiet) for _ in range(count)]
        from distributed import Client

        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=120)
        yield address, processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _child_workers(
    folder: str, volume: str, address: str, model: str, view: str, out: str
) -> dict[str, float]:
    from diapir.inference import EngineOptions
    from diapir.surveys import SurveyOptions, open_survey, predict_survey

    place = Path(folder)
    started = time.perf_counter()
    survey = open_survey(volume)
    opened = time.perf_counter()
    summary = predict_survey(
        [model],
        survey,
        place / out,
        SurveyOptions(
            tile=256 if model == str(place / "model") else "own",
            formats=("none",),
            scheduler=address,
            view=view,
        ),
        engine=EngineOptions(threads=1, batch=8),
    )
    seconds = time.perf_counter() - opened
    speed = summary.pixels / 1e6 / seconds
    return {"open_s": opened - started, "seconds": seconds, "mpx_per_s": speed}


# --- speed


def _speed(options: argparse.Namespace) -> None:
    _describe()
    sides = {"sections": options.sections, "side": options.side}
    windows = {"tile": options.tile, "overlap": options.overlap}
    common = sides | windows | {"threads": options.threads}
    turns = _turns(options.model, options.ours or [options.model], options.engines)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in turns}
    for _ in range(options.rounds):
        for name, task in turns.items():
            found[name].append(_in_child(**task, **common))
    counts = {name: rows[0]["windows"] for name, rows in found.items()}
    if len(set(counts.values())) != 1:
        raise SystemExit(f"not the same number of windows: {counts}")
    theirs = max(row["mpx_per_s"] for row in found["MONAI, PyTorch float32"])
    idle = _in_child(do="idle")["peak_mb"]
    print(
        f"{options.model}, no test-time augmentation: {options.sections} sections of "
        f"{options.side}², windows of {options.tile}, "
        f"overlap {options.overlap:.0%}, {max(counts.values())} of them, {BATCH} in a batch or in "
        f"batches side by side; fastest of {options.rounds}; Python and NumPy alone take "
        f"{idle:.0f} MB"
    )
    for name, rows in found.items():
        speed = max(row["mpx_per_s"] for row in rows)  # other programs only ever slow one down
        cpu = min(row["cpu_s_per_mpx"] for row in rows)
        peak, before = (
            statistics.median(row[key] for row in rows) for key in ("peak_mb", "loaded_mb")
        )
        print(
            f"{name:40} {speed:6.3f} Mpx/s  {speed / theirs:5.2f} × MONAI  {cpu:6.2f} CPU s/Mpx  "
            f"peak {peak:5.0f} MB, {peak - before:5.0f} MB over the loaded model; "
            f"batches side by side: {rows[0]['lanes']}"
        )


def _turns(model: str, ours: list[str], engines: list[str]) -> dict[str, dict[str, str]]:
    """What is measured, by the names of its rows."""
    from diapir import bundle as bundles
    from diapir.inference.engines.open_engine import RUN_BY

    network = bundles.load(model).info.weights_sha256
    turns = {"MONAI, PyTorch float32": {"do": "monai", "model": model}}
    for one in ours:
        bundle = bundles.load(one)
        if bundle.info.weights_sha256 != network:
            raise SystemExit(f"{one} is no export of {model}: it has other weights")
        int8 = "int8 " if bundle.info.export and bundle.info.export.int8 else ""
        able = (*RUN_BY[bundle.info.form], *(["torch"] if bundle.info.trainable else []))
        for engine in (engine for engine in engines if engine in able):
            name = f"diapir, {int8}{Path(one).name} in {engine}"
            turns[name] = {"do": "ours", "model": one, "engine": engine}
    return turns


def _child_idle() -> dict[str, float]:
    return {}


def _sections(count: int, side: int) -> np.ndarray:
    """Grey sections `uint8 (count, traces, samples)`."""
    random = np.random.default_rng(SEED)
    return random.integers(0, 256, (count, side, side), dtype=np.uint8)


def _peak_mb(process: int | None = None) -> float:
    """Most memory that a process has had; this one's where none is given."""
    status = Path(f"/proc/{process or 'self'}/status")
    if status.is_file():  # getrusage would count the parent's memory that a fork begins with
        (line,) = (row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _cpu_s(process: int) -> float:
    """Processor time that a process has used."""
    words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _child_ours(
    model: str, engine: str, sections: int, side: int, tile: int, overlap: float, threads: int
) -> dict[str, float]:
    from diapir import bundle as bundles
    from diapir.inference import EngineOptions, Predictor, with_windows
    from diapir.inference.sections.window_batches import lanes_of
    from diapir.surveys.prediction.section_predictor import SectionPredictor

    # no test-time augmentation: MONAI uses none either
    options = EngineOptions(engine=engine, device="cpu", threads=threads, batch=BATCH, tta="none")
    network = Predictor(bundles.load(model), options)
    predictor = SectionPredictor(with_windows(network, size=tile, overlap=overlap))
    volume = _sections(sections, side)
    list(predictor.stream([(volume[:1], None)]))
    loaded = _peak_mb()
    result = np.empty(volume.shape, np.uint8)
    together = predictor.together(side, side)

    def mark_all() -> None:
        groups = (
            (volume[start : start + together], None) for start in range(0, sections, together)
        )
        for place, probability in enumerate(predictor.stream(groups)):
            result[place] = 254 * probability

    windows = sections * predictor.windows(side, side)
    counts = {"windows": windows, "lanes": lanes_of(network.engine)}
    return _timed(mark_all, volume.size) | {"loaded_mb": loaded} | counts


def _timed(work: Callable[[], object], pixels: int) -> dict[str, float]:
    """Speed by the clock, and by the processors' time, which other programs slow less."""
    started, used = time.perf_counter(), time.process_time()
    work()
    seconds, used = time.perf_counter() - started, time.process_time() - used
    return {"mpx_per_s": pixels / 1e6 / seconds, "cpu_s_per_mpx": used / (pixels / 1e6)}


def _child_monai(
    model: str, sections: int, side: int, tile: int, overlap: float, threads: int
) -> dict[str, float]:
    import torch
    from monai.inferers import sliding_window_inference

    from diapir import bundle as bundles
    from diapir.inference.engines.torch_engine import load_network

    torch.set_num_threads(threads)
    bundle = bundles.load(model)
    network = load_network(bundle)
    network.eval()
    volume = _sections(sections, side)
    mean = torch.tensor(bundle.info.preprocess.mean).view(1, 3, 1, 1)
    std = torch.tensor(bundle.info.preprocess.std).view(1, 3, 1, 1)

    run: list[int] = []

    def counted(windows: torch.Tensor) -> torch.Tensor:
        run.append(len(windows))
        return network(windows)

    def mark(section: np.ndarray) -> np.ndarray:
        grey = torch.from_numpy(np.ascontiguousarray(section.T)).float() / 255
        images = (grey.expand(1, 3, *grey.shape) - mean) / std
        logits = sliding_window_inference(
            images, tile, BATCH, counted, overlap=overlap, mode="gaussian"
        )
        return logits.softmax(1)[0, 1].T.numpy()

    with torch.inference_mode():
        mark(volume[0, :tile, :tile])
        loaded = _peak_mb()
        run.clear()
        timed = _timed(lambda: np.stack([mark(section) for section in volume]), volume.size)
    return timed | {"loaded_mb": loaded, "windows": sum(run), "lanes": 1}


if __name__ == "__main__":
    main()
