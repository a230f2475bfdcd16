"""The engine for OpenVINO: runs an exported network on the CPU, without PyTorch."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import openvino
from numpy.typing import NDArray

from diapir.errors import DeviceError
from diapir.inference.engines.engine import OnCpu, default_threads, unusable

PIECES = (16, 4, 1)
"""Images in a network of fixed shape. A batch is cut into these, so that few are compiled."""
NETWORKS = 8
"""Compiled networks that are kept."""

_Shape = tuple[int, int, int]
"""Images, height and width."""


class _Slot(NamedTuple):
    """A request, which serves one call at a time, and its memory."""

    request: openvino.InferRequest
    images: NDArray[np.float32]
    logits: NDArray[np.float32]


class OpenvinoEngine(OnCpu):
    """A network in OpenVINO, in float32 or bfloat16.

    Square images, which are nearly all, run in networks compiled for their size and for 16, 4 or 1
    at a time, as OpenVINO is faster when it knows the shape; others run in one for any shape. How
    an image is run depends on its own shape and on the number of images, not on earlier calls.

    Args:
        network: `model.xml` (beside its `model.bin`) or `model.onnx` of a bundle.
        threads: CPU threads of one call; None for `default_threads`.
        bf16: compute in bfloat16, which not every CPU can.

    Raises:
        BundleError: the file is not a network from images to logits of two classes.
        DeviceError: the CPU has no bfloat16.
    """

    def __init__(self, network: Path, *, threads: int | None = None, bf16: bool = False) -> None:
        self.threads = threads or default_threads()
        self.name = f"openvino{' bf16' if bf16 else ''} on cpu"
        self._network = network
        self._core = openvino.Core()
        if bf16 and "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise DeviceError(
                "the engine 'openvino-bf16' was requested, but this CPU has no bfloat16",
                expected="a CPU with AVX512_BF16 or AMX",
                fix="use --engine openvino or --engine onnx; a prediction that was begun with "
                "bfloat16 starts again in another --out",
            )
        self._settings = {
            # float32 otherwise: the export was measured in it
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
            "INFERENCE_NUM_THREADS": self.threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            self._model = self._core.read_model(network)
        except RuntimeError as error:
            raise self._unusable(error) from None
        self._check_ports()
        self._compiled: dict[_Shape | None, openvino.InferRequest] = {}
        self._lock = threading.Lock()  # a request serves one call at a time
        self._lanes: _Lanes | None = None

    def lane(self, threads: int) -> OpenvinoEngine:
        """The same network on fewer threads, for several callers at a time; see `Shared`."""
        if threads == self.threads:
            return self
        if self._lanes is None or self._lanes.threads != threads:
            self._lanes = _Lanes(self, threads)
        return self._lanes

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of background and salt: `float32 (N, 3, H, W)` → `float32 (N, 2, H, W)`."""
        count, _, height, width = batch.shape
        result = np.empty((count, 2, height, width), np.float32)
        with self._lock:
            for piece in _pieces(count) if height == width else (slice(count),):
                images = np.ascontiguousarray(batch[piece])
                expected = result[piece]
                shape = (len(images), height, width) if height == width else None
                try:
                    found = self._request(shape).infer(
                        images, share_inputs=True, share_outputs=True
                    )[0]
                except RuntimeError as error:
                    raise self._unusable(error) from None
                if found.shape != expected.shape:
                    raise self._unusable(f"it makes {found.shape} of a batch {images.shape}")
                expected[...] = found
        return result

    def _request(self, shape: _Shape | None) -> openvino.InferRequest:
        """A compiled network for images of a shape, or of any; the last few are kept."""
        request = self._compiled.pop(shape, None)
        if request is None:
            request = self._compile(shape).create_infer_request()
        self._compiled[shape] = request
        while len(self._compiled) > NETWORKS:
            del self._compiled[next(iter(self._compiled))]
        return request

    def _compile(self, shape: _Shape | None) -> openvino.CompiledModel:
        model = self._model
        if shape is not None:
            model = model.clone()
            model.reshape([shape[0], 3, *shape[1:]])
        return self._core.compile_model(model, "CPU", self._settings)

    def _check_ports(self) -> None:
        inputs, outputs = self._model.inputs, self._model.outputs
        if len(inputs) != 1 or len(outputs) != 1:
            raise self._unusable(f"it has {len(inputs)} inputs and {len(outputs)} outputs")
        for port, channels in ((inputs[0], 3), (outputs[0], 2)):
            shape = port.get_partial_shape()
            if port.get_element_type() != openvino.Type.f32 or not shape.compatible(
                openvino.PartialShape([-1, channels, -1, -1])
            ):
                raise self._unusable(f"it has the input or output {port}")

    def _unusable(self, reason: object) -> Exception:
        return unusable(self._network, "openvino", str(reason).strip().splitlines()[-1])


class _Lanes(OpenvinoEngine):
    """The network of an engine for several callers at a time, which share its weights.

    Every shape of a batch has a compiled network of its own.

    Args:
        whole: the engine.
        threads: CPU threads of each caller.
    """

    even = True

    def __init__(self, whole: OpenvinoEngine, threads: int) -> None:
        self.__dict__.update(copy.copy(whole.__dict__))
        self.threads = threads
        self._settings = whole._settings | {"NUM_STREAMS": whole.threads // threads}
        self._lock = threading.Lock()
        self._networks: dict[_Shape, tuple[openvino.CompiledModel, list[_Slot]]] = {}

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of a batch, called by several threads; see `OpenvinoEngine.logits`."""
        count, _, height, width = batch.shape
        try:
            # memory is handed over here, as OpenVINO's own way blocks where threads meet in it
            with self._lock:
                free, slot = self._slot((count, height, width))
            slot.images[...] = batch
            slot.request.infer()
        except RuntimeError as error:
            raise self._unusable(error) from None
        if slot.logits.shape != (count, 2, height, width):
            raise self._unusable(f"it makes {slot.logits.shape} of a batch {batch.shape}")
        result = slot.logits.copy()
        free.append(slot)
        return result

    def _slot(self, shape: _Shape) -> tuple[list[_Slot], _Slot]:
        """A free request, and the list that it goes back to."""
        if shape not in self._networks:
            self._networks[shape] = self._compile(shape), []
        compiled, free = self._networks[shape] = self._networks.pop(shape)  # the last one used
        while len(self._networks) > NETWORKS:
            del self._networks[next(iter(self._networks))]
        if free:
            return free, free.pop()
        request = compiled.create_infer_request()
        images, logits = request.get_input_tensor(), request.get_output_tensor()
        return free, _Slot(request, images.data, logits.data)


def _pieces(count: int) -> Iterator[slice]:
    """A batch cut into as few pieces as possible."""
    start = 0
    for size in PIECES:
        while count - start >= size:
            yield slice(start, start + size)
            start += size
