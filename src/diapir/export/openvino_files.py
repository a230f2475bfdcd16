"""From an ONNX file to the two files of OpenVINO."""

from __future__ import annotations

from pathlib import Path

import openvino


def write_openvino(network: Path, *, half: bool) -> tuple[Path, Path]:
    """Write `model.xml` and `model.bin` beside an ONNX file.

    Args:
        network: the ONNX file.
        half: whether the weights are stored as float16; the arithmetic stays float32.
    """
    # not openvino.convert_model, which would report its use over the network
    model = openvino.Core().read_model(network)
    file = network.with_suffix(".xml")
    openvino.save_model(model, file, compress_to_fp16=half)
    return file, network.with_suffix(".bin")
