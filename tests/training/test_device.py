"""Where a run computes, and in which precision."""

import pytest
import torch

from diapir.config import DeviceConfig
from diapir.training.device import close_device, open_device, settled


def config(**values: object) -> DeviceConfig:
    return DeviceConfig.model_validate({"name": "cpu", **values})


@pytest.mark.parametrize(
    ("able", "precision", "expected"),
    [
        ({}, "auto", "fp32"),
        ({"avx512_bf16": True}, "auto", "bf16"),
        ({"amx_bf16": True}, "auto", "bf16"),
        ({"avx512_bf16": False, "amx_bf16": False}, "auto", "fp32"),
        ({"amx_bf16": True}, "fp32", "fp32"),
        ({}, "bf16", "bf16"),
    ],
)
def test_auto_is_bfloat16_where_the_cpu_computes_it(
    able: dict[str, bool], precision: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert settled(config(precision=precision)).precision == expected
    device = open_device(config(precision=precision))
    try:
        name = {"bf16": "bfloat16", "fp32": "float32"}[expected]
        assert device.describe().endswith(name)
    finally:
        close_device(device)


@pytest.mark.parametrize(
    ("earlier", "expected"), [("fp32", "fp32"), ("bf16", "bf16"), ("auto", "fp32")]
)
def test_a_resumed_run_keeps_its_precision(
    earlier: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a run whose recipe still says auto is of a version in which that was float32
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": earlier != "bf16"})
    found = settled(config(precision="auto"), config(precision=earlier))
    assert found.precision == expected
    assert settled(config(precision="bf16"), config(precision=earlier)).precision == "bf16"
