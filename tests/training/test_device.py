"""Where a run computes, and what it is told of it."""

import pytest
import torch

from diapir.config import DeviceConfig
from diapir.training.device import close_device, open_device


@pytest.mark.parametrize(
    ("amx", "precision", "told"),
    [(True, "auto", True), (False, "auto", False), (True, "fp32", False), (True, "bf16", False)],
)
def test_a_cpu_with_amx_is_worth_a_word(
    amx: bool, precision: str, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": amx})
    config = DeviceConfig.model_validate({"name": "cpu", "precision": precision})
    device = open_device(config)
    try:
        advice = device.advice(config)
        assert device.describe().endswith("bfloat16" if precision == "bf16" else "float32")
    finally:
        close_device(device)
    assert (advice is not None) == told
    assert advice is None or "--set device.precision=bf16" in advice
