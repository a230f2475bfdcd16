"""Faster gradients of depthwise convolutions on a CPU, in float32 and in bfloat16.

oneDNN (in PyTorch 2.14) is fast in the forward pass, and for the gradients of 3 × 3 kernels with
stride 1. For the weights of larger kernels it takes three to ten times as long as for those of
3 × 3, and in bfloat16 with stride 2 up to a hundred times: `benchmarks/depthwise.py`. So the
gradient of a larger kernel is computed in pieces of 3 × 3. With stride 2 the features are taken as
four maps, one for each parity of row and column, between which the convolution has stride 1. The
gradient of the features is a forward convolution of the outputs' gradient.

On CPUs without AVX-512 oneDNN has no bfloat16 convolutions. PyTorch's fallback is slower than
float32, and adds the k² terms of a feature's gradient in bfloat16, with a rounding after each. So
everything is computed in float32 there, and rounded once.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

_gradients = torch.ops.aten.convolution_backward


def wants_help(convolution: nn.Conv2d, features: Tensor) -> bool:
    """Whether `convolve` is to be used: for training on a CPU, with these kernels."""
    return (
        features.device.type == "cpu"
        and torch.is_grad_enabled()
        and _dtype(features) is not None
        and not torch.compiler.is_exporting()
        and convolution.bias is None
        and convolution.groups == convolution.in_channels == convolution.out_channels > 1
        and convolution.kernel_size in {(3, 3), (5, 5)}
        and convolution.stride in {(1, 1), (2, 2)}
        and convolution.dilation == (1, 1)
    )


def _dtype(features: Tensor) -> torch.dtype | None:
    """The dtype of the result, float32 or bfloat16; None where neither is asked for."""
    if not torch.is_autocast_enabled("cpu"):
        return torch.float32 if features.dtype == torch.float32 else None
    dtype = torch.get_autocast_dtype("cpu")
    return dtype if dtype == torch.bfloat16 else None


def convolve(features: Tensor, weight: Tensor, stride: int) -> Tensor:
    """Depthwise convolution with TensorFlow's SAME padding, in bfloat16 where autocast says so.

    Args:
        features: `(N, C, H, W)`, H and W multiples of `stride`.
        weight: `float32 (C, 1, k, k)`, k 3 or 5.
        stride: 1 or 2.

    Returns:
        `(N, C, H / stride, W / stride)`.
    """
    convolved: Tensor = _Depthwise.apply(features.to(_dtype(features)), weight, stride)
    return convolved


class _Depthwise(torch.autograd.Function):
    """`convolve` and its gradients."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(features, weight)
        ctx.stride = stride
        kernel, padding = even_padding(weight, stride)
        dtype = fast_dtype(features.dtype)
        kernel = kernel.to(features.dtype).to(dtype)
        with torch.autocast("cpu", enabled=False):
            found = conv2d(features.to(dtype), kernel, None, stride, padding, groups=len(weight))
        return found.to(features.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        features, weight = ctx.saved_tensors
        dtype = fast_dtype(features.dtype)
        gradient, kernel = gradient.to(dtype), weight.to(features.dtype).to(dtype)
        of_features = of_weight = None
        if ctx.needs_input_grad[0]:
            of_features = _of_features(gradient, features, kernel, ctx.stride).to(features.dtype)
        if ctx.needs_input_grad[1]:
            of_weight = _of_weight(gradient, features.to(dtype), kernel, ctx.stride).to(
                weight.dtype
            )
        return of_features, of_weight, None


def fast_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype to compute in: float32 for bfloat16 that oneDNN does not support on this CPU."""
    if dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return torch.float32
    return dtype


def _before(size: int, stride: int) -> int:
    """Rows and columns of zeros above and left of the features; half a kernel is below and right.

    With stride 2, and an even height and width, SAME pads one less there.
    """
    return size // 2 - stride + 1


def even_padding(weight: Tensor, stride: int) -> tuple[Tensor, int]:
    """The kernel for a padding that is the same on all sides, and this padding.

    Zeros before the kernel compensate for more padding there, which avoids copying the features.
    """
    half = weight.shape[-1] // 2
    ahead = half - _before(weight.shape[-1], stride)
    return pad(weight, (ahead, 0, ahead, 0)), half


def _of_features(gradient: Tensor, features: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """The gradient of the features, in the dtype of `gradient` and `kernel`."""
    channels, size = len(kernel), kernel.shape[-1]
    if stride == 1:
        return conv2d(gradient, kernel.flip(2, 3), None, 1, size // 2, groups=channels)
    if gradient.dtype == torch.float32:  # oneDNN is fast here
        even, padding = even_padding(kernel, stride)
        return _call(gradient, features.float(), even, stride, padding, (True, False))[0]
    found = torch.empty_like(features, dtype=gradient.dtype)
    parts = _parted(kernel)
    for row, column in product(range(2), repeat=2):
        part = parts[:, :, row::2, column::2].flip(2, 3)
        found[:, :, row::2, column::2] = conv2d(gradient, part, None, 1, 1, groups=channels)
    return found


def _of_weight(gradient: Tensor, features: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """The gradient of the kernel; all in one dtype."""
    size = kernel.shape[-1]
    piece = kernel[:, :, :3, :3]
    if size > 3 and stride == 2:
        parts = torch.zeros_like(_parted(kernel))
        for row, column in product(range(2), repeat=2):
            seen = features[:, :, row::2, column::2]
            parts[:, :, row::2, column::2] = _of_nine_weights(gradient, seen, piece)
        ahead = 2 - _before(size, stride)
        return parts[:, :, ahead : ahead + size, ahead : ahead + size]
    if size == 3 and stride == 1:
        return _of_nine_weights(gradient, features, kernel)
    before, after = _before(size, stride), size // 2
    around = pad(features, (before, after, before, after))
    height, width = ((side - 1) * stride + 3 for side in gradient.shape[2:])
    found = torch.empty_like(kernel)
    for row, column in product(range(0, size - 2, 2), repeat=2):
        seen = around[:, :, row : row + height, column : column + width]
        part = _call(gradient, seen, piece, stride, 0, (False, True))[1]
        found[:, :, row : row + 3, column : column + 3] = part
    return found


def _of_nine_weights(gradient: Tensor, features: Tensor, kernel: Tensor) -> Tensor:
    """The gradient of a kernel of 3 × 3 with stride 1 and a padding of 1."""
    padding = 1
    if min(features.shape[2:]) < 3:  # oneDNN takes up to a hundred times as long to pad these
        features, padding = pad(features, (1, 1, 1, 1)), 0
    return _call(gradient, features, kernel, 1, padding, (False, True))[1]


def _parted(kernel: Tensor) -> Tensor:
    """The kernel of stride 2 with zeros around it: `(C, 1, 6, 6)`.

    Every second row and column from (a, b) is a kernel of 3 × 3 between the outputs and the
    features whose row and column have the parities a and b, with one row and column of padding.
    """
    size = kernel.shape[-1]
    ahead = 2 - _before(size, 2)
    behind = 6 - size - ahead
    return pad(kernel, (ahead, behind, ahead, behind))


def _call(
    gradient: Tensor,
    features: Tensor,
    kernel: Tensor,
    stride: int,
    padding: int,
    wanted: tuple[bool, bool],
) -> tuple[Tensor, Tensor]:
    """The gradients, by oneDNN, of the features and of the kernel: those that are wanted."""
    of_features, of_kernel, _ = _gradients(
        gradient,
        features,
        kernel,
        None,
        [stride, stride],
        [padding, padding],
        [1, 1],
        False,
        [0, 0],
        len(kernel),
        [*wanted, False],
    )
    return of_features, of_kernel
