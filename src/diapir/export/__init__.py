"""From a model to the forms that other engines run: ONNX and OpenVINO, each measured.

`graph` makes the ONNX graph, `parity` compares what comes out with what went in, `exporting` puts
both together into a bundle.
"""

from diapir.export.exporting import export_bundle

__all__ = ["export_bundle"]
