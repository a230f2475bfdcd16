"""Choosing a device by its name."""

import pytest
import torch

from diapir.errors import DeviceError
from diapir.models.device_choice import choose_device, computes_bfloat16, enough_memory


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("name", "device"),
    [("auto", "cuda"), ("cuda", "cuda"), ("cuda:0", "cuda:0"), ("cuda:1", "cuda:1"), ("cpu",) * 2],
)
def test_an_available_device(name: str, device: str) -> None:
    assert choose_device(name, option="--device ") == device
    assert torch.device(device).type in {"cuda", "cpu"}


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("name", ["cuda:2", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "mps", "tpu"])
def test_an_unavailable_device(name: str) -> None:
    with pytest.raises(DeviceError, match=f"'{name}' was requested") as caught:
        choose_device(name, option="--set device.name=")
    assert caught.value.expected == "auto or one of cuda, cpu"
    assert caught.value.fix.startswith("--set device.name=auto")


def test_auto_is_the_cpu_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto", option="--device ") == "cpu"


def test_a_gpu_that_emulates_bfloat16_does_not_compute_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int | None] = []
    current: list[int | None] = []

    class Chosen:
        def __init__(self, device: torch.device) -> None:
            self.index = device.index

        def __enter__(self) -> None:
            current.append(self.index)

        def __exit__(self, *_: object) -> None:
            current.pop()

    def supported(including_emulation: bool = True) -> bool:
        asked.append(current[-1])
        return including_emulation or current[-1] == 1

    monkeypatch.setattr(torch.cuda, "device", Chosen)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert not computes_bfloat16(torch.device("cuda:0"))
    assert computes_bfloat16(torch.device("cuda:1"))
    assert not computes_bfloat16(torch.device("cpu"))
    assert asked == [0, 1]


def test_too_little_memory_of_a_gpu_is_explained() -> None:
    text = (
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8.00 GiB of "
        "which 1.00 GiB is free. Including non-PyTorch memory, this process has 7.00 GiB memory in "
        "use. If reserved but unallocated memory is large try …"
    )
    with pytest.raises(DeviceError) as caught, enough_memory("give a smaller --batch"):
        raise torch.OutOfMemoryError(text)
    assert caught.value.found.endswith("of which 1.00 GiB is free.")
    assert caught.value.fix == "give a smaller --batch"
    with pytest.raises(RuntimeError, match="another"), enough_memory("…"):
        raise RuntimeError("another fault")
