"""Conversion of an ONNX file to the two files of OpenVINO."""

from __future__ import annotations

import json
from pathlib import Path

import openvino

from diapir.exports.metadata import read_facts


def write_openvino(network: Path) -> tuple[Path, Path]:
    """Write an XML and a BIN file beside an ONNX file, with what that says of itself.

    Weights stored as float16 stay float16.
    """
    # not openvino.convert_model, which sends usage statistics over the network
    model = openvino.Core().read_model(network)
    for key, value in read_facts(network).items():
        model.set_rt_info(json.dumps(value, ensure_ascii=False), ["diapir", key])
    file = network.with_suffix(".xml")
    openvino.save_model(model, file, compress_to_fp16=False)
    return file, network.with_suffix(".bin")
