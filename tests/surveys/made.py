"""Surveys in memory, and models whose answers can be computed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from diapir import bundle as bundles
from diapir.architectures import UNetConfig
from diapir.bundle import Bundle, BundleInfo
from diapir.bundle.info import Parity
from diapir.config import PreprocessConfig
from diapir.inference import EngineOptions, Predictor
from diapir.surveys import Grid, SurveyHints, SurveySpec
from diapir.surveys.prediction.record import PredictionRecord


class MemorySurvey:
    """A survey in an array; NaN where there is no value."""

    def __init__(self, amplitude: NDArray[np.float32], name: str = "made") -> None:
        self.amplitude = amplitude
        self.name = name
        self.path = Path(f"{name}.memory")
        self.notes: tuple[str, ...] = ()
        rows, columns, samples = amplitude.shape
        live = np.isfinite(amplitude).any(axis=2)
        self.grid = Grid(
            kind="3d",
            inlines=np.arange(100, 100 + rows),
            crosslines=np.arange(300, 300 + 2 * columns, 2),
            samples=samples,
            interval=4.0,
            start=0.0,
            domain="time",
            live=live,
            easting=np.full((rows, columns), np.nan),
            northing=np.full((rows, columns), np.nan),
        )

    def read(self, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        return self.amplitude[inlines, crosslines].copy()

    def spec(self) -> SurveySpec:
        return SurveySpec(str(self.path), SurveyHints())

    def close(self) -> None:
        pass


def record(**changes: Any) -> PredictionRecord:
    """The record of a prediction that never ran."""
    facts: dict[str, Any] = {
        "diapir": "0",
        "asked": {},
        "model": {"name": "made"},
        "model_name": "made",
        "weights_sha256": ("0" * 64,),
        "input": "made.sgy",
        "survey": SurveySpec("made.sgy", SurveyHints()),
        "threshold": 0.5,
        "views": ("inline",),
        "scale": 1.0,
        "polarity": "normal",
        "stretch": 1.0,
        "tile": 16,
        "block": 8,
    }
    return PredictionRecord(**facts | changes)


class Pointwise:
    """A network that sees one pixel: the logit of salt is its normalised grey value."""

    name = "pointwise"
    threads = 1

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.stack([np.zeros_like(batch[:, 0]), 3 * batch[:, 0]], axis=1)


class Smoothing:
    """A network that sees three pixels down, and one to the left and the right."""

    name = "smoothing"
    threads = 1

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        grey = np.pad(batch[:, 0], ((0, 0), (0, 3), (1, 1)), mode="edge")
        height, width = batch.shape[2:]
        salt = sum(
            grey[:, down : down + height, across : across + width]
            for down in range(4)
            for across in range(3)
        )
        return np.stack([np.zeros_like(salt), salt / 4], axis=1)


class Pooling(Pointwise):
    """A network that sees the mean of its whole window."""

    name = "pooling"

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        salt = batch[:, 0] - 5 * batch[:, 0].mean(axis=(1, 2), keepdims=True)
        return np.stack([np.zeros_like(salt), salt], axis=1)


def predictor(
    engine: Any,
    size: int = 16,
    *,
    tile: int | None = None,
    windows: tuple[int, ...] = (),
    batch: int = 4,
) -> Predictor:
    """A predictor on an engine of this file, with windows of at most `size` pixels."""
    info = BundleInfo(
        name="made",
        model=UNetConfig(base=2, levels=2),
        preprocess=PreprocessConfig(
            size=size, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), pad="reflect"
        ),
        tile=tile,
        windows=windows,
        weights_sha256="0" * 64,
    )
    return Predictor(Bundle(Path("made"), info), EngineOptions(batch=batch), engine=engine)


def probability_of(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The probabilities of `Pointwise` for grey levels."""
    return 1 / (1 + np.exp(-3 * (grey / 255 - 0.5) / 0.25))


def volume(shape: tuple[int, int, int], seed: int = 0) -> NDArray[np.float32]:
    """Smooth noise around zero, different along every axis."""
    noise = np.random.default_rng(seed).normal(size=shape)
    for axis, width in enumerate((2, 3, 5)):
        kernel = np.hanning(min(width, shape[axis]) + 2)[1:-1]
        noise = np.apply_along_axis(np.convolve, axis, noise, kernel, mode="same")
    return noise.astype(np.float32)


def onnx_bundle(folder: Path, size: int = 32) -> Path:
    """A bundle for ONNX Runtime: one 7 × 7 convolution, so that positions matter.

    It loads fast, which matters where many processes load it.
    """
    kernel = np.random.default_rng(3).normal(0, 0.3, (2, 3, 7, 7)).astype(np.float32)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, "h", "w"])
        for name, channels in (("images", 3), ("logits", 2))
    ]
    node = helper.make_node("Conv", ["images", "kernel"], ["logits"], pads=[3, 3, 3, 3])
    weights = [onnx.numpy_helper.from_array(kernel, "kernel")]
    graph = helper.make_graph([node], "network", ends[:1], ends[1:], weights)
    network = folder / "model.onnx"
    folder.mkdir(parents=True)
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=opset), network)
    info = BundleInfo(
        name="convolution",
        model=UNetConfig(base=2, levels=2),
        preprocess=PreprocessConfig(size=size, pad="reflect"),
        weights_sha256="1" * 64,
    )
    parity = Parity(
        reference="none", data="none", tiles=1, pixels=1, logit=0, probability=0, flipped=0
    )
    return bundles.save_export(
        folder / "best",
        info,
        [network],
        form="onnx",
        half=False,
        any_size=True,
        parity=parity,
        versions={},
    ).path
