"""The fastest engine on this machine that gives the model's results.

The engines are timed on a few tiles in a fraction of a second, which pays for much work only, and
remembered. bfloat16 counts where the CPU computes in it and the results stay those of float32: as
the export recorded, or else as measured on a synthetic section. So does PyTorch on a GPU, where the
model has its weights.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from diapir.bundle import Bundle, Parity
from diapir.errors import DeviceError, DiapirError, install_command
from diapir.inference.engines.agreement import MAX_FLIPPED, MAX_MEAN, agrees, compare
from diapir.inference.engines.engine import Engine, batch_of, default_threads, lanes_of
from diapir.inference.engines.engine_cache import Measured, has_bf16, key_of, remember, remembered
from diapir.inference.engines.engine_options import EngineChoice
from diapir.text import percent

FASTER = 0.9
"""Share of the first engine's time that another may take at most to be chosen: results should not
change with the noise of a measurement."""
NAMES: Mapping[EngineChoice, str] = {
    "onnx": "ONNX Runtime",
    "openvino": "OpenVINO",
    "openvino-bf16": "OpenVINO bf16",
    "torch": "PyTorch on the GPU",
}
_TILES, _FEW, _SLOW_S = 16, 4, 0.02
"""Tiles that are timed at a time; few of a network that takes longer than this for each."""
_ROUNDS = 4

Open = Callable[[EngineChoice], Engine]
"""Opens one of the engines."""


def fastest(
    bundle: Bundle, able: Sequence[EngineChoice], open_one: Open, threads: int | None
) -> tuple[EngineChoice, str]:
    """Choose the engine for much work.

    Args:
        bundle: an exported model.
        able: engines that can run it, the reference first.
        open_one: opens one.
        threads: CPU threads of a call; None for `default_threads`.

    Returns:
        The engine, and what is said of it: an empty text where there was no choice.
    """
    if find_spec("openvino") is None and "torch" not in able:
        return able[0], _could_be_faster()
    key = key_of(bundle, able, threads or default_threads())
    measured = remembered(key)
    if measured is None:
        measured = measure(bundle, able, open_one)
        remember(key, measured)
    return choose(measured, able[0], measured.bf16 or _recorded(bundle))


def choose(
    measured: Measured, first: EngineChoice, bf16: Parity | None
) -> tuple[EngineChoice, str]:
    """Choose by what was measured.

    Args:
        measured: the times.
        first: the reference, preferred where another is hardly faster.
        bf16: differences of bfloat16 from float32.

    Returns:
        The engine, and what is said of it.
    """
    seconds = dict(measured.seconds)
    refused = ""
    inexact: list[tuple[EngineChoice, Parity | None, str]] = [
        ("openvino-bf16", bf16, "bfloat16"),
        ("torch", measured.gpu, "the GPU"),
    ]
    for choice, parity, name in inexact:
        if parity is not None and agrees(parity):
            continue
        seconds.pop(choice, None)
        refused += _refused(name, parity) if parity else ""
    best = min(seconds, key=lambda one: seconds[one])
    if first in seconds and seconds[best] > FASTER * seconds[first]:
        best = first
    others = [f"{NAMES[one]} {1e3 * taken:.2g}" for one, taken in seconds.items() if one != best]
    times = "; ".join([f"{1e3 * seconds[best]:.2g} ms/tile", *others, "measured on this machine"])
    return best, f"engine: {NAMES[best]} ({times}; --engine){refused}"


def _refused(name: str, parity: Parity) -> str:
    return (
        f"; {name} is not used, as {percent(parity.flipped / parity.pixels, 1)} of pixels change "
        f"class and probabilities differ by {parity.mean or 0:.1g} on average ({parity.data}; "
        f"tolerated: {percent(MAX_FLIPPED, 1)} and {MAX_MEAN:g})"
    )


def measure(bundle: Bundle, able: Sequence[EngineChoice], open_one: Open) -> Measured:
    """Time the reference against bfloat16, or against OpenVINO in float32 where that is no match.

    A GPU is timed as well.

    Args:
        bundle: an exported model.
        able: engines that can run it, the reference first.
        open_one: opens one.
    """
    engines = {able[0]: open_one(able[0])}
    bf16 = _recorded(bundle)
    if "openvino-bf16" in able and (bf16 is None or agrees(bf16)):
        _open_also(engines, "openvino-bf16", open_one)
        if "openvino-bf16" in engines and bf16 is None:
            bf16 = _compared(bundle, engines[able[0]], engines["openvino-bf16"])
    usable = "openvino-bf16" in engines and bf16 is not None and agrees(bf16)
    if "openvino" in able and not usable:
        _open_also(engines, "openvino", open_one)
    gpu = None
    if "torch" in able:
        _open_also(engines, "torch", open_one)
        if "torch" in engines:
            gpu = _compared(bundle, engines[able[0]], engines["torch"])
    return Measured(seconds=_timed(engines, bundle), bf16=bf16, gpu=gpu)


def _recorded(bundle: Bundle) -> Parity | None:
    return None if bundle.info.export is None else bundle.info.export.bf16


def _open_also(engines: dict[EngineChoice, Engine], choice: EngineChoice, open_one: Open) -> None:
    """Open another engine, unless this machine or the network does not allow it."""
    with contextlib.suppress(DiapirError):
        if choice not in engines:
            engines[choice] = open_one(choice)


def _compared(bundle: Bundle, reference: Engine, other: Engine) -> Parity | None:
    """Compare engines on tiles of a synthetic section, where the export recorded nothing."""
    from diapir.tiles.synthetic import make_section

    grey = make_section(0, 0).grey
    size = min(bundle.info.window, *grey.shape)
    rows, columns = (range(0, side - size + 1, size) for side in grey.shape)
    tiles = [grey[row : row + size, column : column + size] for row in rows for column in columns]
    with contextlib.suppress(DiapirError):
        return compare(
            reference, other, tiles[:_TILES], bundle.info, data=f"{_TILES} synthetic tiles"
        )
    return None


def _timed(engines: Mapping[EngineChoice, Engine], bundle: Bundle) -> dict[EngineChoice, float]:
    """Seconds of each engine for a tile, the shortest of a few."""
    noise = np.random.default_rng(0).normal(size=(_TILES, 3, *[bundle.info.preprocess.side] * 2))
    batch = noise.astype(np.float32)
    first = next(iter(engines.values()))
    if _seconds(first, batch[:1]) > _SLOW_S and _seconds(first, batch[:1]) > _SLOW_S:
        batch = batch[:_FEW]
    best: dict[EngineChoice, float] = {}
    # one after the other, as threads of an engine wait busily for a while after a call
    for choice, engine in engines.items():
        count = batch_of(engine) // lanes_of(engine)
        mine = np.resize(batch, (count, *batch.shape[1:])) if count > _TILES else batch
        with contextlib.suppress(DeviceError):  # a GPU with too little memory is none
            engine.logits(mine)  # what it prepares for a new shape is not timed
            best[choice] = min(_seconds(engine, mine) for _ in range(_ROUNDS)) / len(mine)
    return best


def _seconds(engine: Engine, batch: NDArray[np.float32]) -> float:
    started = time.perf_counter()
    engine.logits(batch)
    return time.perf_counter() - started


def _could_be_faster() -> str:
    """What is said where a faster engine is not installed and the CPU would make use of it."""
    if not has_bf16():
        return ""
    return (
        "engine: ONNX Runtime; this processor computes in bfloat16, with which OpenVINO is about "
        f"twice as fast: {install_command('openvino')}"
    )
