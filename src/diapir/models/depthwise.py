"""Faster depthwise convolutions for training in bfloat16 on a CPU.

oneDNN (in PyTorch 2.14) is fast in the forward pass, and for the gradients of 3 × 3 kernels with
stride 1. For the gradients of larger kernels, and with stride 2, it takes four to sixty times as
long as in float32. So the gradient of a larger kernel is computed in pieces of 3 × 3, and that of
the features with stride 2 in float32: `benchmarks/depthwise.py`.

On CPUs without AVX-512 oneDNN has no bfloat16 convolutions. PyTorch's fallback is slower than
float32, and adds the k² terms of a feature's gradient in bfloat16, with a rounding after each. So
everything is computed in float32 there, and rounded once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

_gradients = torch.ops.aten.convolution_backward


def wants_help(convolution: nn.Conv2d, features: Tensor) -> bool:
    """Whether `convolve` is to be used: for training in bfloat16 on a CPU, with these kernels."""
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
    """Depthwise convolution in bfloat16.

    Args:
        features: `(N, C, H, W)`, H and W multiples of `stride`.
        weight: `float32 (C, 1, k, k)`, k odd.
        stride: 1 or 2.
        before: rows and columns of zeros above and left of the features. There are
            k - stride - `before` below and right.

    Returns:
        `bfloat16 (N, C, H / stride, W / stride)`.
    """
    convolved: Tensor = _Depthwise.apply(features.bfloat16(), weight, stride, before)
    return convolved


class _Depthwise(torch.autograd.Function):
    """`convolve` and its gradients."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, stride: int, before: int) -> Tensor:
        ctx.save_for_backward(features, weight)
        ctx.stride, ctx.before = stride, before
        kernel, padding = even_padding(weight, before)
        dtype = fast_dtype()
        kernel = kernel.bfloat16().to(dtype)
        with torch.autocast("cpu", enabled=False):
            found = conv2d(features.to(dtype), kernel, None, stride, padding, groups=len(weight))
        return found.bfloat16()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        features, weight = ctx.saved_tensors
        stride, before = ctx.stride, ctx.before
        if fast_dtype() == torch.float32:
            wanted = list(ctx.needs_input_grad[:2])
            return *_in_float32(gradient, features, weight, stride, before, wanted), None, None
        of_features = of_weight = None
        if ctx.needs_input_grad[0]:
            of_features = _of_features(gradient, features, weight, stride, before)
        if ctx.needs_input_grad[1]:
            of_weight = _of_weight(gradient, features, weight, stride, before)
        return of_features, of_weight, None, None


def fast_dtype() -> torch.dtype:
    """The dtype to compute in: bfloat16 if oneDNN supports it on this CPU, else float32."""
    supported = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if supported else torch.float32


def even_padding(weight: Tensor, before: int) -> tuple[Tensor, int]:
    """The kernel for a padding that is the same on all sides, and this padding.

    Zeros before the kernel compensate for more padding there, which avoids copying the features.
    """
    half = weight.shape[-1] // 2
    ahead = half - before
    return pad(weight, (ahead, 0, ahead, 0)), half


def _in_float32(
    gradient: Tensor,
    features: Tensor,
    weight: Tensor,
    stride: int,
    before: int,
    wanted: list[bool],
) -> tuple[Tensor | None, Tensor | None]:
    """Both gradients in float32; None where not wanted."""
    kernel, padding = even_padding(weight, before)
    of_features, of_kernel = _call(
        gradient, features, kernel, stride, padding, torch.float32, wanted
    )
    ahead = kernel.shape[-1] - weight.shape[-1]
    return (
        of_features.to(features.dtype) if wanted[0] else None,
        of_kernel[:, :, ahead:, ahead:] if wanted[1] else None,
    )


def _of_features(
    gradient: Tensor, features: Tensor, weight: Tensor, stride: int, before: int
) -> Tensor:
    dtype = torch.bfloat16 if stride == 1 else torch.float32
    kernel, padding = even_padding(weight, before)
    found = _call(gradient, features, kernel, stride, padding, dtype, [True, False])[0]
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
            part = _call(gradient, seen, piece, stride, 0, torch.bfloat16, [False, True])[1]
            found[:, :, row : row + 3, column : column + 3] = part
    return found


def _call(
    gradient: Tensor,
    features: Tensor,
    weight: Tensor,
    stride: int,
    padding: int,
    dtype: torch.dtype,
    wanted: list[bool],
) -> tuple[Tensor, Tensor]:
    """The gradients of the features and of the kernel, those of the two that are wanted."""
    of_features, of_weight, _ = _gradients(
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
        [*wanted, False],
    )
    return of_features, of_weight
