"""`model.onnx` with its hash right: damaged graphs, other operators, tensors in other files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import onnx
from onnx import TensorProto

from diapir.bundle import INFO
from tests.fuzz.mutate import pick, spoil_bytes
from tests.fuzz.target import Rng
from tests.fuzz.targets.models import rewrite, sha256, use
from tests.surveys.made import onnx_bundle

_OPERATORS = (
    *("Conv", "Identity", "Relu", "Flatten", "Shape", "Softmax", "Transpose", "Squeeze", "Loop"),
    *("If", "Resize", "Sqrt", "MatMul", "Gather", "NonZero", "Unknown", "ConvTranspose", "MaxPool"),
)
_PLACES = ("w.bin", "../w.bin", "/etc/passwd", "", "card.md", "bundle.json", ".", "model.onnx")


class Inputs:
    def __init__(self, home: Path) -> None:
        self._model = onnx_bundle(home / "made")

    def make(self, rng: Rng, folder: Path) -> Callable[[], object]:
        model = folder / "model"
        shutil.copytree(self._model, model)
        path = model / "model.onnx"
        if rng.random() < 0.5:
            path.write_bytes(spoil_bytes(rng, path.read_bytes()))
        else:
            path.write_bytes(self._changed(rng, path).SerializeToString())
        (model / "w.bin").write_bytes(bytes(4096))
        info = json.loads((model / INFO).read_bytes())
        info["export"]["files"]["model.onnx"] = sha256(path)
        rewrite(model, info)
        return lambda: use(model)

    def _changed(self, rng: Rng, path: Path) -> onnx.ModelProto:
        network = onnx.load(path)
        graph = network.graph
        for _ in range(int(rng.integers(1, 4))):
            kind = int(rng.integers(7))
            if kind == 0:
                graph.node[0].op_type = pick(rng, _OPERATORS)
            elif kind == 1:
                tensor = graph.initializer[0]
                tensor.dims[int(rng.integers(4))] = pick(rng, (0, 1, 2, 3, 7, -1, 2**31, 2**62))
            elif kind == 2:
                tensor = graph.initializer[0]
                tensor.data_location = TensorProto.EXTERNAL
                entry = tensor.external_data.add()
                entry.key, entry.value = pick(rng, ("location", "offset")), pick(rng, _PLACES)
                tensor.ClearField("raw_data")
            elif kind == 3:
                graph.node[0].attribute[0].ints[:] = pick(
                    rng, ([], [3], [0] * 4, [-9] * 4, [9**9] * 4)
                )
            elif kind == 4:
                graph.initializer[0].data_type = pick(rng, (0, 2, 6, 7, 9, 10, 11, 16, 99))
            elif kind == 5:
                sides = graph.output[0].type.tensor_type.shape.dim
                del sides[int(rng.integers(4)) : int(rng.integers(1, 5))]
                graph.output.extend(graph.output[:1])
            else:
                node = graph.node.add()
                node.op_type = pick(rng, _OPERATORS)
                node.input.extend(["logits"])
                node.output.extend(["more"])
        return network
