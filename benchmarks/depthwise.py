"""Time of the gradients of depthwise convolutions on a CPU.

The depthwise convolutions of Halite's EfficientNet-Lite2, on maps of their size: a forward and
backward step by PyTorch and by `diapir.models.depthwise`, in float32 and in bfloat16. One process,
interleaved.

    python benchmarks/depthwise.py --size 128 --batch 24
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable

import machine
import torch
from network_step import LAYOUT, in_turns
from torch import Tensor, nn
from torch.nn.functional import conv2d

from diapir.config import load_recipe
from diapir.models import build, depthwise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=None)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(machine.describe())
    print("channels, kernel, stride, map: ms in float32, as diapir, in bfloat16, as diapir")
    total = [0.0] * 4
    for (channels, kernel, stride, side), times in _found(options.size).items():
        features = torch.randn(options.batch, channels, side, side).to(memory_format=LAYOUT)
        weight = torch.randn(channels, 1, kernel, kernel)
        taken = in_turns(_ways(features, weight, stride), options.steps)
        shown = [seconds * 1e3 for seconds in taken.values()]
        total = [sum_ + times * one for sum_, one in zip(total, shown, strict=True)]
        words = "  ".join(f"{one:7.2f}" for one in shown)
        print(f"{times} of {channels:5}, {kernel}, {stride}, {side:3}:  {words}")
    print(f"all:                    {'  '.join(f'{one:7.1f}' for one in total)}")


def _found(size: int) -> Counter[tuple[int, int, int, int]]:
    """Channels, kernel, stride and side of the map, and how often the network has it."""
    network = build(load_recipe("flagship", ["model.weights=none"]).model).eval()
    found: Counter[tuple[int, int, int, int]] = Counter()

    def note(module: nn.Conv2d, inputs: tuple[Tensor], _: Tensor) -> None:
        side = inputs[0].shape[-1]
        found[module.in_channels, module.kernel_size[0], module.stride[0], side] += 1

    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            module.register_forward_hook(note)
    with torch.no_grad():
        network(torch.zeros(1, 3, size, size))
    return found


def _ways(features: Tensor, weight: Tensor, stride: int) -> dict[str, Callable[[], object]]:
    def plain(dtype: torch.dtype) -> Callable[[], object]:
        def convolve(features: Tensor, weight: Tensor) -> Tensor:
            kernel, padding = depthwise.even_padding(weight, stride)
            return conv2d(features, kernel, None, stride, padding, groups=len(weight))

        return _step(convolve, features.to(dtype), weight.to(dtype))

    def ours(dtype: torch.dtype) -> Callable[[], object]:
        def convolve(features: Tensor, weight: Tensor) -> Tensor:
            with torch.autocast("cpu", dtype, enabled=dtype == torch.bfloat16):
                return depthwise.convolve(features, weight, stride)

        return _step(convolve, features.to(dtype), weight)

    return {
        "float32": plain(torch.float32),
        "diapir, float32": ours(torch.float32),
        "bfloat16": plain(torch.bfloat16),
        "diapir, bfloat16": ours(torch.bfloat16),
    }


def _step(
    convolve: Callable[[Tensor, Tensor], Tensor], features: Tensor, weight: Tensor
) -> Callable[[], object]:
    features, weight = features.clone().requires_grad_(), weight.clone().requires_grad_()
    gradient = torch.randn_like(convolve(features, weight))
    return lambda: torch.autograd.grad(convolve(features, weight), (features, weight), gradient)


if __name__ == "__main__":
    main()
