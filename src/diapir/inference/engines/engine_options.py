"""How networks are run: engine, device, threads, batch size and test-time augmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EngineChoice = Literal["auto", "onnx", "openvino", "openvino-bf16", "torch"]
TtaChoice = Literal["none", "flip"]


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How a network is run.

    Attributes:
        engine: what runs the network, among what the model's files allow.
        device: where it runs: auto, cpu, cuda, cuda:N or mps.
        threads: CPU threads; None for the engine's own choice.
        batch: tiles or windows that run at a time, divided among the cores; None for the engine's
            own choice: 16, and 192 on a GPU.
        tta: test-time augmentation: none, or flip (mean with the mirrored image); None for the
            model's own setting.
        pixels: pixels that will be predicted, as far as it is known. For many, the engine `auto`
            is the fastest on this machine; else the one that starts fastest.
    """

    engine: EngineChoice = "auto"
    device: str = "auto"
    threads: int | None = None
    batch: int | None = None
    tta: TtaChoice | None = None
    pixels: int | None = None
