"""Depthwise convolutions in bfloat16 on a CPU, whose gradients PyTorch leaves to slow fallbacks.

oneDNN (as PyTorch 2.14 has it) is fast at them forward, and at the gradients of 3 × 3 kernels of
stride 1. At those of larger kernels, and of stride 2, it takes four to sixty times as long as
in float32. So larger kernels get their gradient in pieces of 3 × 3, and stride 2 the images' in
float32: `benchmarks/depthwise.py`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

_gradients = torch.ops.aten.convolution_backward


def wants_help(convolution: nn.Conv2d, features: Tensor) -> bool:
    """Whether `convolve` is the faster way to learn: bfloat16 on a CPU, a kernel that it knows."""
    return (
        features.device.type == "cpu"
        and torch.is_grad_enabled()
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
        and convolution.bias is None
        and convolution.groups == convolution.in_channels == convolution.out_channels > 1
        and convolution.kernel_size in {(3, 3), (5, 5)}
        and convolution.stride in {(1, 1), (2, 2)}
        and convolution.dilation == (1, 1)
    )


def convolve(features: Tensor, weight: Tensor, stride: int, before: int) -> Tensor:
    """Convolve each channel with a kernel of its own, in bfloat16.

    Args:
        features: `(N, C, H, W)`, H and W multiples of `stride`.
        weight: `float32 (C, 1, k, k)`, k odd.
        stride: 1 or 2.
        before: rows and columns of zeros above and left of the features; k - stride - `before`
            come below and right, so that the result is `(N, C, H / stride, W / stride)`.
    """
    convolved: Tensor = _Depthwise.apply(features.bfloat16(), weight, stride, before)
    return convolved


class _Depthwise(torch.autograd.Function):
    """`convolve`, and its gradients."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, stride: int, before: int) -> Tensor:
        ctx.save_for_backward(features, weight)
        ctx.stride, ctx.before = stride, before
        kernel, padding = even_padding(weight, before)
        return conv2d(features, kernel.bfloat16(), None, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        features, weight = ctx.saved_tensors
        stride, before = ctx.stride, ctx.before
        of_features = of_weight = None
        if ctx.needs_input_grad[0]:
            of_features = _of_features(gradient, features, weight, stride, before)
        if ctx.needs_input_grad[1]:
            of_weight = _of_weight(gradient, features, weight, stride, before)
        return of_features, of_weight, None, None


def even_padding(weight: Tensor, before: int) -> tuple[Tensor, int]:
    """A kernel and a padding that is the same on all sides.

    A row and a column of zeros before the kernel stand for padding less there, which spares a copy
    of the features.
    """
    half = weight.shape[-1] // 2
    ahead = half - before
    return pad(weight, (ahead, 0, ahead, 0)), half


def _of_features(
    gradient: Tensor, features: Tensor, weight: Tensor, stride: int, before: int
) -> Tensor:
    dtype = torch.bfloat16 if stride == 1 else torch.float32
    kernel, padding = even_padding(weight, before)
    found: Tensor = _call(gradient, features, kernel, stride, padding, dtype, 0)
    return found.to(features.dtype)


def _of_weight(
    gradient: Tensor, features: Tensor, weight: Tensor, stride: int, before: int
) -> Tensor:
    size = weight.shape[-1]
    height, width = gradient.shape[2:]
    after = size - stride - before
    around = pad(features, (before, after, before, after))
    found = torch.empty_like(weight)
    piece = weight[:, :, :3, :3]
    for row in range(0, size - 2, 2):
        for column in range(0, size - 2, 2):
            seen = around[
                :,
                :,
                row : row + (height - 1) * stride + 3,
                column : column + (width - 1) * stride + 3,
            ]
            part = _call(gradient, seen, piece, stride, 0, torch.bfloat16, 1)
            found[:, :, row : row + 3, column : column + 3] = part
    return found


def _call(
    gradient: Tensor,
    features: Tensor,
    weight: Tensor,
    stride: int,
    padding: int,
    dtype: torch.dtype,
    which: int,
) -> Tensor:
    """The gradient of the features (`which` 0) or of the kernel (1)."""
    found: tuple[Tensor, ...] = _gradients(
        gradient.to(dtype),
        features.to(dtype),
        weight.to(dtype),
        None,
        [stride, stride],
        [padding, padding],
        [1, 1],
        False,
        [0, 0],
        len(weight),
        [which == 0, which == 1, False],
    )
    return found[which]
