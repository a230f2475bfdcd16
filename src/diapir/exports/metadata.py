"""What an exported network says of itself: preprocessing, outputs, classes and threshold.

In an ONNX file these are `metadata_props`, in an OpenVINO file `rt_info` under `diapir`: a name
and a JSON value each, so that a program needs neither `bundle.json` nor diapir to use the network.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx

from diapir.bundle import BundleInfo
from diapir.version import __version__

TILES, HEIGHT, WIDTH = "tiles", "height", "width"
"""Names of the dimensions that may have any length."""


def network_facts(info: BundleInfo, *, any_size: bool) -> dict[str, Any]:
    """The facts of a network from normalised images to logits, as JSON values by name."""
    config = info.preprocess
    return _facts(info) | {
        "input": {
            "name": "images",
            "type": "float32",
            "layout": [TILES, 3, HEIGHT, WIDTH],
            "channels": "the same grey plane three times, normalised by mean and std of each",
            "grey": "uint8 levels, 0 black to 255 white",
            "normalisation": "(grey / 255 - mean) / std",
            "mean": config.mean,
            "std": config.std,
            "size": config.size,
            "pad": config.pad,
            "padding": "before normalisation, the image centred; an odd pixel at bottom or right",
            "any_size": any_size,
            "multiple_of": info.input_step if any_size else config.size,
        },
        "output": {
            "name": "logits",
            "type": "float32",
            "layout": [TILES, len(info.classes), HEIGHT, WIDTH],
            "meaning": "logits of the classes in order; their softmax is the probability",
        },
    }


def grey_facts(info: BundleInfo, kind: str, *, any_size: bool) -> dict[str, Any]:
    """The facts of a network from grey levels to probabilities, as JSON values by name."""
    config = info.preprocess
    return _facts(info) | {
        "input": {
            "name": "grey",
            "type": kind,
            "layout": [TILES, HEIGHT, WIDTH],
            "grey": "levels, 0 black to 255 white; padding and normalisation are in the network",
            "size": config.size,
            "pad": config.pad,
            "mean": config.mean,
            "std": config.std,
            "largest": None if any_size else config.size,
        },
        "output": {
            "name": "probability",
            "type": "float32",
            "layout": [TILES, HEIGHT, WIDTH],
            "meaning": "probability of salt, 0 to 1; 0 where an image is constant",
        },
    }


def _facts(info: BundleInfo) -> dict[str, Any]:
    return {
        "diapir": __version__,
        "name": info.name,
        "architecture": info.model.model_dump(mode="json"),
        "classes": info.classes,
        "threshold": info.threshold,
        "min_area": info.min_area,
        "tta": info.tta,
        "weights_sha256": info.weights_sha256,
    }


def write_facts(network: Path, facts: dict[str, Any]) -> None:
    """Write facts into an ONNX file, and give its free dimensions the names that they mention.

    Args:
        network: the file, which is replaced; tensors that it reads from other files stay there.
        facts: JSON values by name.
    """
    model = onnx.load(network, load_external_data=False)
    graph = model.graph
    for values, side in ((graph.input, "input"), (graph.output, "output")):
        dims = values[0].type.tensor_type.shape.dim
        for dim, name in zip(dims, facts[side]["layout"], strict=True):
            if isinstance(name, str) and not dim.HasField("dim_value"):
                dim.dim_param = name
    del model.metadata_props[:]
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=json.dumps(value, ensure_ascii=False))
    onnx.save(model, network)


def read_facts(network: Path) -> dict[str, Any]:
    """The facts in an ONNX file, as `write_facts` wrote them."""
    model = onnx.load(network, load_external_data=False)
    return {prop.key: json.loads(prop.value) for prop in model.metadata_props}
