"""An ensemble as one network: the mean of its members' probabilities in one ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import compose, helper, numpy_helper

from diapir.exports.graph import INPUT, OUTPUT
from diapir.inference.engines.engine import Engine

MIN_PROBABILITY = 1e-30
"""Replaces a probability of 0, whose logarithm is infinite."""


class MeanEngine:
    """Several engines as one: the logarithm of their mean probabilities.

    Args:
        members: engines of networks with the same input.
    """

    def __init__(self, members: Sequence[Engine]) -> None:
        self.members = tuple(members)
        self.name = "mean of " + ", ".join(member.name for member in members)
        self.threads = members[0].threads

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of background and salt: `float32 (N, 3, H, W)` → `float32 (N, 2, H, W)`."""
        mean = np.mean([_softmax(member.logits(batch)) for member in self.members], axis=0)
        logits: NDArray[np.float32] = np.log(np.maximum(mean, MIN_PROBABILITY)).astype(np.float32)
        return logits


def write_mean(networks: Sequence[Path], path: Path) -> None:
    """Write the mean of networks as ONNX: `images (N, 3, H, W)` → `logits (N, 2, H, W)`.

    Args:
        networks: ONNX files of such networks.
        path: the new file.
    """
    models = [
        compose.add_prefix(onnx.load(network), f"{place}.", rename_inputs=False)
        for place, network in enumerate(networks)
    ]
    first = models[0]
    graph = first.graph
    for other in models[1:]:
        graph.node.extend(other.graph.node)
        graph.initializer.extend(other.graph.initializer)
    members = []
    for model in models:
        logits = model.graph.output[0].name
        members.append(f"{logits}.probability")
        graph.node.append(helper.make_node("Softmax", [logits], [members[-1]], axis=1))
    graph.initializer.append(
        numpy_helper.from_array(np.array(MIN_PROBABILITY, np.float32), "minimum")
    )
    graph.node.extend(
        [
            helper.make_node("Mean", members, ["mean"]),
            helper.make_node("Clip", ["mean", "minimum"], ["probability"]),
            helper.make_node("Log", ["probability"], [OUTPUT]),
        ]
    )
    graph.output[0].name = OUTPUT
    assert [value.name for value in graph.input] == [INPUT]  # noqa: S101 - as `graph` names it
    onnx.checker.check_model(first)
    onnx.save(first, path)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares
