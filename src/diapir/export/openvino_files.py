"""Conversion of an ONNX file to the two files of OpenVINO."""

from __future__ import annotations

from pathlib import Path

import openvino


def write_openvino(network: Path) -> tuple[Path, Path]:
    """Write `model.xml` and `model.bin` beside an ONNX file; float16 weights stay float16."""
    # not openvino.convert_model, which sends usage statistics over the network
    model = openvino.Core().read_model(network)
    file = network.with_suffix(".xml")
    openvino.save_model(model, file, compress_to_fp16=False)
    return file, network.with_suffix(".bin")
