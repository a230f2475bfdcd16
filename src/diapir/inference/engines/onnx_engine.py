"""The engine for ONNX Runtime: runs an exported network on the CPU, without PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from diapir.inference.engines.engine import OnCpu, default_threads, unusable

_FATAL = 4
"""Severity from which ONNX Runtime prints; it raises errors, which need no second message."""


class OnnxEngine(OnCpu):
    """A network in ONNX Runtime, in float32.

    Args:
        network: the `model.onnx` of a bundle.
        threads: CPU threads of one call; None for `default_threads`.
        optimised: whether its graph is optimised first, which takes as long as some seven images of
            128 px. The results differ by rounding, about 1e-6 in a probability.

    Raises:
        BundleError: the file is not a network from images to logits of two classes.
    """

    def __init__(
        self, network: Path, *, threads: int | None = None, optimised: bool = True
    ) -> None:
        self.threads = threads or default_threads()
        self.name = "onnxruntime on cpu"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = _FATAL
        if not optimised:
            level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            options.graph_optimization_level = level
        try:
            self._session = onnxruntime.InferenceSession(
                network, options, providers=["CPUExecutionProvider"]
            )
        # ONNX Runtime's errors have no common base class
        except Exception as error:
            raise unusable(network, "onnx", str(error).strip()) from None
        try:
            inputs, outputs = (
                [(one.name, one.type, one.shape) for one in found]
                for found in (self._session.get_inputs(), self._session.get_outputs())
            )
        except UnicodeError as error:
            raise unusable(network, "onnx", f"a name in it is no text: {error}") from None
        if len(inputs) != 1 or len(outputs) != 1:
            raise unusable(
                network, "onnx", f"it has {len(inputs)} inputs and {len(outputs)} outputs"
            )
        self._network, self._optimised = network, optimised
        self._lane: OnnxEngine | None = None
        self._input = inputs[0][0]
        for (name, kind, shape), channels in ((inputs[0], 3), (outputs[0], 2)):
            if kind != "tensor(float)" or len(shape) != 4 or shape[1] != channels:
                raise unusable(network, "onnx", f"{name} is {kind} of shape {shape}")

    def lane(self, threads: int) -> OnnxEngine:
        """The same network on fewer threads, for several callers at a time; see `Shared`."""
        if threads == self.threads:
            return self
        if self._lane is None or self._lane.threads != threads:
            self._lane = OnnxEngine(self._network, threads=threads, optimised=self._optimised)
        return self._lane

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of background and salt: `float32 (N, 3, H, W)` → `float32 (N, 2, H, W)`."""
        count, _, height, width = batch.shape
        try:
            result: NDArray[np.float32] = self._session.run(None, {self._input: batch})[0]
        except Exception as error:  # as above; a graph may load and fail when it is run
            raise unusable(self._network, "onnx", str(error).strip()) from None
        if result.shape != (count, 2, height, width):
            raise unusable(
                self._network, "onnx", f"it makes {result.shape} of a batch {batch.shape}"
            )
        return result
