"""Depthwise convolutions for training: the same result and gradients, faster."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.layers import Conv2dSame
from torch import Tensor, nn

from diapir import models
from diapir.architectures import HaliteConfig
from diapir.models import depthwise
from diapir.models.encoders import SameConv2d


def plain(channels: int, kernel: int, stride: int) -> nn.Conv2d:
    """Timm's depthwise convolution, which pads as TensorFlow does."""
    options = {"groups": channels, "bias": False}
    if stride == 1:
        return nn.Conv2d(channels, channels, kernel, padding=kernel // 2, **options)
    return Conv2dSame(channels, channels, kernel, stride=stride, padding=0, **options)


def exact(*shape: int) -> Tensor:
    """Numbers that bfloat16 has."""
    return torch.randn(shape).bfloat16().float()


@settings(deadline=None, max_examples=30)
@given(
    kernel=st.sampled_from([3, 5]),
    stride=st.sampled_from([1, 2]),
    channels=st.integers(2, 40),
    half_height=st.integers(1, 6),
    half_width=st.integers(1, 6),
    count=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_result_and_gradients_are_those_of_float32(
    kernel: int,
    stride: int,
    channels: int,
    half_height: int,
    half_width: int,
    count: int,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    reference = plain(channels, kernel, stride)
    with torch.no_grad():
        reference.weight.copy_(exact(*reference.weight.shape))
    features = exact(count, channels, 2 * half_height, 2 * half_width).requires_grad_()
    expected = reference(features)
    gradient = exact(*expected.shape)
    expected_gradients = torch.autograd.grad(expected, (features, reference.weight), gradient)

    ours = SameConv2d(reference)
    assert depthwise.wants_help(ours, features)
    found = ours(features)
    gradients = torch.autograd.grad(found, (features, ours.weight), gradient)
    for one, other in zip((found, *gradients), (expected, *expected_gradients), strict=True):
        assert one.shape == other.shape
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * other.abs().max().item() + 1e-6)

    with torch.autocast("cpu", torch.bfloat16):
        assert depthwise.wants_help(ours, features)
        found = ours(features)
    assert found.dtype == torch.bfloat16
    gradients = torch.autograd.grad(found, (features, ours.weight), gradient.bfloat16())
    for one, other in zip((found, *gradients), (expected, *expected_gradients), strict=True):
        assert one.shape == other.shape
        # a rounding to bfloat16 changes a value by 2**-8 at most; two are allowed, the second for
        # products that oneDNN keeps in bfloat16
        assert (one.float() - other).abs().max() <= 2**-7 * other.abs().max()
    assert gradients[1].dtype == torch.float32  # the optimiser's weights


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_gradients_are_right_whatever_onednn_supports(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, kernel: int, stride: int
) -> None:
    monkeypatch.setattr(depthwise, "fast_dtype", lambda _: dtype)
    torch.manual_seed(0)
    reference = plain(5, kernel, stride)
    with torch.no_grad():
        reference.weight.copy_(exact(*reference.weight.shape))
    features = exact(2, 5, 12, 8).requires_grad_()
    result = reference(features)
    gradient = exact(*result.shape)
    expected = torch.autograd.grad(result, (features, reference.weight), gradient)
    with torch.autocast("cpu", torch.bfloat16):
        ours = SameConv2d(reference)(features)
    found = torch.autograd.grad(ours, (features, reference.weight), gradient.bfloat16())
    for one, other in zip(found, expected, strict=True):
        # without oneDNN, PyTorch may round each of the k² partial sums to bfloat16
        roundings = 1 if dtype == torch.float32 else kernel**2
        assert (one - other).abs().max() <= roundings * 2**-8 * other.abs().max()


def test_it_is_used_for_training_only() -> None:
    convolution = SameConv2d(plain(8, 3, 1))
    features = torch.randn(1, 8, 4, 4)
    assert depthwise.wants_help(convolution, features)
    assert not depthwise.wants_help(convolution, features.half())
    assert not depthwise.wants_help(convolution, features.to("meta"))
    with torch.inference_mode():
        assert not depthwise.wants_help(convolution, features)
    with torch.autocast("cpu", torch.float16):
        assert not depthwise.wants_help(convolution, features)
    with torch.autocast("cpu", torch.bfloat16):
        assert depthwise.wants_help(convolution, features)
        assert not depthwise.wants_help(SameConv2d(plain(8, 7, 1)), features)
        assert not depthwise.wants_help(nn.Conv2d(8, 8, 3, bias=False), features)


def test_an_encoder_has_its_depthwise_convolutions_and_tensors() -> None:
    network = models.build(HaliteConfig(encoder="tf_efficientnet_lite0"))
    channelwise = [
        module
        for module in network.modules()
        if isinstance(module, nn.Conv2d) and module.groups > 1
    ]
    assert len(channelwise) == 16
    assert all(type(module) is SameConv2d for module in channelwise)


@pytest.mark.parametrize("frozen", [0, 2])
def test_a_network_trains_in_bfloat16(frozen: int) -> None:
    torch.manual_seed(0)
    network = models.build(HaliteConfig(encoder="tf_efficientnet_lite0")).train()
    still = [value for part in network.encoder_parts[:frozen] for value in part.parameters()]
    for value in still:
        value.requires_grad_(False)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = network(torch.randn(2, 3, 64, 64), auxiliary=True)
    parts = (outputs.logits, outputs.salt, *outputs.deep)
    sum(part.float().square().mean() for part in parts).backward()
    assert all(value.grad is None for value in still)
    learnt = [value.grad for value in network.parameters() if value.requires_grad]
    assert len(learnt) + len(still) == len(list(network.parameters()))
    assert all(found is not None and found.isfinite().all() and found.any() for found in learnt)
