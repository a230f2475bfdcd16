"""Choosing the device that a network runs on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from diapir.errors import DeviceError


def choose_device(name: str, *, option: str) -> str:
    """Resolve the name of a device.

    Args:
        name: `cuda`, `cuda:N`, `mps` or `cpu`, or `auto` for the first kind that is available.
        option: how the user gives it, such as `--device `; part of the error's fix.

    Returns:
        A name that `torch.device` accepts.

    Raises:
        DeviceError: the device is not available.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return next(kind for kind, there in available.items() if there)
    kind, colon, number = name.partition(":")
    found = available.get(kind, False)
    if colon:
        found = found and kind == "cuda" and number.isdecimal()
        found = found and int(number) < torch.cuda.device_count()
    if not found:
        raise DeviceError(
            f"device {name!r} was requested, but PyTorch {torch.__version__} does not find it",
            expected="auto or one of "
            + ", ".join(kind for kind, there in available.items() if there),
            fix=f"{option}auto, or install the driver and the PyTorch build for the device",
        )
    return name


@contextlib.contextmanager
def enough_memory(fix: str) -> Iterator[None]:
    """Explain a GPU whose memory does not suffice for what is done within.

    Args:
        fix: what needs less of it.

    Raises:
        DeviceError: it does not.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        found = str(error).partition(" Including non-PyTorch")[0].partition(" If reserved")[0]
        raise DeviceError(
            f"the memory of the GPU does not suffice: {found}",
            expected="a GPU with more free memory, or less to compute at a time",
            fix=fix,
        ) from None


def computes_bfloat16(device: torch.device) -> bool:
    """Whether a device is a CUDA GPU that computes in bfloat16; older ones only emulate it."""
    if device.type != "cuda":
        return False
    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
