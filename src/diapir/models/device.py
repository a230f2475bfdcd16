"""Which device a network computes on."""

from __future__ import annotations

import torch

from diapir.errors import DeviceError


def choose_device(name: str, *, option: str) -> str:
    """The device that a name stands for: `cuda`, `mps` or `cpu`.

    Args:
        name: one of these, or `auto` for the first of them that is there.
        option: how the user says it, such as `--device`; named in the error.

    Raises:
        DeviceError: it is not there.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return next(kind for kind, there in available.items() if there)
    if not available.get(name, False):
        raise DeviceError(
            f"device {name!r} was asked for, and PyTorch {torch.__version__} finds none",
            expected="auto or one of "
            + ", ".join(kind for kind, there in available.items() if there),
            fix=f"{option}auto, or install the driver and the PyTorch build for the device",
        )
    return name
