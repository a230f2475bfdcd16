"""The engine for OpenVINO: runs an exported network on the CPU, without PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray

from diapir.inference.engine import default_threads, unusable


class OpenvinoEngine:
    """A network in OpenVINO, in float32.

    Args:
        network: `model.xml` (beside its `model.bin`) or `model.onnx` of a bundle.
        threads: CPU threads of one call; None for `default_threads`.

    Raises:
        BundleError: the file is not a network from images to logits of two classes.
    """

    def __init__(self, network: Path, *, threads: int | None = None) -> None:
        self.threads = threads or default_threads()
        self.name = "openvino on cpu"
        self._network = network
        core = openvino.Core()
        try:
            self._compiled = core.compile_model(
                network,
                "CPU",
                {
                    # not bfloat16, where the processor has it: the export was measured in float32
                    "INFERENCE_PRECISION_HINT": "f32",
                    "INFERENCE_NUM_THREADS": self.threads,
                    "PERFORMANCE_HINT": "LATENCY",
                },
            )
        except RuntimeError as error:
            raise unusable(network, "openvino", str(error).strip().splitlines()[-1]) from None
        inputs, outputs = self._compiled.inputs, self._compiled.outputs
        if len(inputs) != 1 or len(outputs) != 1:
            raise unusable(
                network, "openvino", f"it has {len(inputs)} inputs and {len(outputs)} outputs"
            )
        for port, channels in ((inputs[0], 3), (outputs[0], 2)):
            shape = port.get_partial_shape()
            if port.get_element_type() != openvino.Type.f32 or not shape.compatible(
                openvino.PartialShape([-1, channels, -1, -1])
            ):
                raise unusable(network, "openvino", f"it has the input or output {port}")

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of background and salt: `float32 (N, 3, H, W)` → `float32 (N, 2, H, W)`."""
        count, _, height, width = batch.shape
        try:
            found = self._compiled(np.ascontiguousarray(batch))[0]
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise unusable(self._network, "openvino", reason) from None
        if found.shape != (count, 2, height, width):
            raise unusable(
                self._network, "openvino", f"it makes {found.shape} of a batch {batch.shape}"
            )
        result: NDArray[np.float32] = found.copy()  # the next call reuses the memory
        return result
