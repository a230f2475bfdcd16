"""Exporting models to ONNX and OpenVINO, with the differences measured.

`graph` writes the ONNX graph, `metadata` what it says of itself, `grey_network` a second one with
the preprocessing in it, `parity` compares an export with its original, and `exporting` combines all
into a bundle.
"""

import diapir.no_telemetry  # noqa: F401  (before any engine's library)

# isort: split
from diapir.exports.exporting import export_bundle
from diapir.exports.grey_network import GREY_NETWORK

__all__ = ["GREY_NETWORK", "export_bundle"]
