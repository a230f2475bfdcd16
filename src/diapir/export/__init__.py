"""Exporting models to ONNX and OpenVINO, with the differences measured.

`graph` writes the ONNX graph, `parity` compares an export with its original, and `exporting`
combines both into a bundle.
"""

import diapir.no_telemetry  # noqa: F401  (before any engine's library)

# isort: split
from diapir.export.exporting import export_bundle

__all__ = ["export_bundle"]
