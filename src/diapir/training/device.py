"""The device of a run: hardware, precision, memory format, processes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from torch import Tensor
from torch.distributed.nn.functional import all_reduce

from diapir.config import DeviceConfig
from diapir.errors import DeviceError
from diapir.memory import keep_freed
from diapir.models.device_choice import choose_device, computes_bfloat16

_OPTION = "--set device.name="


@dataclass(frozen=True)
class Device:
    """An opened device.

    Attributes:
        accelerator: Hugging Face Accelerate's object for device, precision and processes.
        channels_last: whether images and weights are stored as `(N, H, W, C)`.
    """

    accelerator: Accelerator
    channels_last: bool

    @property
    def torch_device(self) -> torch.device:
        """The device of tensors."""
        device: torch.device = self.accelerator.device
        return device

    @property
    def drawing_device(self) -> torch.device:
        """Where tiles are augmented: a CUDA GPU, else the CPU, which can sample by reflection."""
        device = self.torch_device
        return device if device.type == "cuda" else torch.device("cpu")

    @property
    def rank(self) -> int:
        """This process's number among `world`."""
        return int(self.accelerator.process_index)

    @property
    def world(self) -> int:
        """Number of processes that train together."""
        return int(self.accelerator.num_processes)

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes and prints."""
        return bool(self.accelerator.is_main_process)

    def images(self, images: Tensor) -> Tensor:
        """Images `(N, 3, H, W)` on the device, in its memory format."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return images.to(self.torch_device, non_blocking=True, memory_format=layout)

    def sum(self, values: Tensor) -> Tensor:
        """The sum of `values` over all processes, with gradient."""
        if self.world == 1:
            return values
        summed: Tensor = all_reduce(values)  # type: ignore[no-untyped-call]
        return summed

    def total(self, values: Tensor) -> Tensor:
        """The sum of `values` (on the CPU) over all processes, on the CPU, without gradient."""
        if self.world == 1:
            return values
        shared = values.to(self.torch_device)
        torch.distributed.all_reduce(shared)
        return shared.cpu()

    def highest(self, value: int) -> int:
        """The largest `value` of all processes, so that all take the same decision."""
        if self.world == 1:
            return value
        shared = torch.tensor(value, device=self.torch_device)
        torch.distributed.all_reduce(shared, torch.distributed.ReduceOp.MAX)
        return int(shared)

    def wait(self) -> None:
        """Wait for all processes."""
        self.accelerator.wait_for_everyone()

    def describe(self) -> str:
        """One line for the log: hardware, precision and number of processes."""
        if self.torch_device.type == "cuda":
            name = torch.cuda.get_device_name(self.torch_device)
        else:
            threads = torch.get_num_threads()
            name = f"{self.torch_device.type}, {threads} thread{'s' if threads > 1 else ''}"
        precision = {"no": "float32"}.get(self.accelerator.mixed_precision, "bfloat16")
        processes = f", {self.world} processes" if self.world > 1 else ""
        return f"{name}, {precision}{processes}"


def settled(config: DeviceConfig, earlier: DeviceConfig | None = None) -> DeviceConfig:
    """The settings with a precision in place of `auto`, which a run keeps when it is resumed.

    `auto` takes bfloat16 where the hardware computes it faster: on CUDA GPUs that support it, and
    on CPUs with AVX512_BF16 or AMX, where docs/results.md measured a gain for every architecture.

    Args:
        config: the settings.
        earlier: those of the run that is resumed, if there is one.

    Raises:
        DeviceError: the device is not available.
    """
    if config.precision != "auto":
        return config
    device = torch.device(choose_device(config.name, option=_OPTION))
    if earlier is not None and earlier.precision != "auto":
        precision = earlier.precision
    elif earlier is not None and device.type == "cpu":
        precision = "fp32"  # the run is of a version in which `auto` was float32 on all CPUs
    else:
        precision = "bf16" if _fast_bfloat16(device) else "fp32"
    return config.model_copy(update={"precision": precision})


def _fast_bfloat16(device: torch.device) -> bool:
    if device.type != "cpu":
        return computes_bfloat16(device)
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def open_device(config: DeviceConfig) -> Device:
    """Choose and open the device.

    `auto` takes CUDA, then MPS, then the CPU; the precision of `settled`; channels_last on CUDA
    and on CPUs with AVX-512, where docs/results.md measured a gain. It never compiles: beside
    channels_last there was no gain, and the first steps may take a minute.

    Raises:
        DeviceError: the requested device or precision is not available.
    """
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    kind = choose_device(config.name, option=_OPTION)
    bf16 = settled(config).precision == "bf16"
    if bf16 and kind == "cuda" and not computes_bfloat16(torch.device(kind)):
        raise DeviceError(
            "this GPU does not support bfloat16",
            expected="a GPU of compute capability 8.0 or later",
            fix="--set device.precision=fp32",
        )
    keep_freed(kind == "cpu")
    accelerator = Accelerator(
        cpu=kind == "cpu",
        mixed_precision="bf16" if bf16 else "no",
        dynamo_backend="inductor" if config.compile is True else "no",
    )
    channels_last = config.channels_last
    if channels_last == "auto":
        wide = kind == "cpu" and torch.backends.cpu.get_cpu_capability() == "AVX512"
        channels_last = kind == "cuda" or wide
    return Device(accelerator, channels_last)


def close_device(device: Device) -> None:
    """Leave the process group, so that this process can open another device."""
    device.accelerator.end_training()
    keep_freed(False)
    # Accelerate keeps one state per process and then refuses another precision
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
