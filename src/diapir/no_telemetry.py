"""Switch off the telemetry of ONNX Runtime and OpenVINO before either is imported.

Both report to their makers on the network and leave files in the user's home, ONNX Runtime from
its import on, so its own function `disable_telemetry_events` comes too late.
"""

from __future__ import annotations

import os
import sys

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# openvino falls back to a stub that sends nothing where this package cannot be imported
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
