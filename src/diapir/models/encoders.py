"""Encoders from timm, and networks of such an encoder, a decoder and a head.

Decoders come from segmentation-models-pytorch where they follow the papers. Its universal encoder
(`tu-`) returns the feature maps of any timm model at strides 2 to 32. (Its own EfficientNet-Lite,
`timm-tf_efficientnet_lite0`, has another padding and epsilon than the published weights.)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import timm
import torch
from timm.layers import Conv2dSame
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from diapir.errors import ConfigError
from diapir.models import depthwise
from diapir.models.network import Network


class EncoderDecoder(Network):
    """Logits are `head(decoder(feature maps of the encoder))`.

    Args:
        features: `TimmUniversalEncoder`: images → feature maps from stride 1 to the coarsest.
        decoder: feature maps → one map.
        head: that map → logits of the images' size.
        encoder_name: timm's name of the encoder.
        stem_stride: stride of the first feature map after the images; the others' strides are
            `stem_stride / 2` times timm's.
    """

    def __init__(
        self,
        features: Any,
        decoder: nn.Module,
        head: nn.Module,
        *,
        encoder_name: str,
        stem_stride: int = 2,
    ) -> None:
        super().__init__()
        self.features = features
        self.decoder = decoder
        self.head = head
        self.encoder_name = encoder_name
        self.divisor = features.output_stride * stem_stride // 2
        _pad_by_rule(features)
        _check_strides(features, stem_stride)

    @property
    def encoder(self) -> nn.Module:
        """The timm model up to its last feature map."""
        model: nn.Module = self.features.model
        inner = dict(model.named_children())
        # timm wraps models that it cannot truncate
        return next((inner[name] for name in ("model", "body") if set(inner) == {name}), model)

    @property
    def encoder_parts(self) -> list[nn.Module]:
        """The modules before the first feature map (the stem), then those before each later one."""
        ends = {_flat(name) for name in self.features.model.feature_info.module_name()}
        parts: list[nn.Module] = []
        part = nn.ModuleList()
        for name, module in _units(self.encoder, ends):
            part.append(module)
            if name in ends:
                parts.append(part)
                part = nn.ModuleList()
        return [*parts, part] if len(part) else parts

    def logits(self, images: Tensor) -> Tensor:
        """Logits of images that have been checked."""
        logits: Tensor = self.head(self.decoder(self.features(images)))
        return logits


@contextmanager
def usable(encoder: str) -> Iterator[str]:
    """Check the name of an encoder, and explain errors of building a network on it.

    Args:
        encoder: timm's name, with or without the tag of its weights (`resnet18.a1_in1k`).

    Yields:
        Its name in segmentation-models-pytorch.

    Raises:
        ConfigError: timm has no such model, it accepts one image size only, or it does not return
            feature maps.
    """
    _check_name(encoder)
    try:
        yield f"tu-{encoder}"
    except Exception as error:  # timm's models fail in many ways
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _unfit(encoder, f"it does not return feature maps ({reason})") from error


def drop_unused(model: Any) -> None:
    """Remove layers after the last feature map, which timm's EfficientNets compute for nothing.

    Args:
        model: a timm model created with `features_only`.
    """
    last = _flat(model.feature_info.module_name()[-1])
    names = [name for name, _ in _units(model, {last})]
    for name in names[names.index(last) + 1 :] if last in names else []:
        rest = getattr(model, name.rpartition("_")[0], None)
        if isinstance(rest, nn.Sequential):
            del rest[-1]


def keep_resolution(model: nn.Module) -> None:
    """Set the stride of an encoder's first convolution to 1.

    Args:
        model: a timm model created with `features_only`.

    Raises:
        ValueError: the first convolution has another stride than 2.
    """
    stem = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    if stem.stride != (2, 2):
        raise ValueError(f"the first convolution has stride {stem.stride} instead of (2, 2)")
    stem.stride = (1, 1)


class SameConv2d(nn.Conv2d):
    """TensorFlow's SAME convolution with stride 1, or with stride 2 for even height and width.

    Depthwise convolutions train faster than PyTorch's on a CPU (`depthwise`).

    With stride 2, SAME pads one more row and column below and right than above and left. A kernel
    with an additional row and column of zeros gives the same result without copying the feature
    map, which saves a tenth of a training step of EfficientNet-Lite0 on a CPU.

    Args:
        same: timm's or PyTorch's convolution with odd kernel and without dilation; its weights are
            shared.
    """

    def __init__(self, same: nn.Conv2d) -> None:
        high, wide = same.kernel_size
        with torch.device("meta"):
            super().__init__(
                same.in_channels,
                same.out_channels,
                (high, wide),
                stride=(same.stride[0], same.stride[1]),
                padding=(high // 2, wide // 2),
                groups=same.groups,
                bias=same.bias is not None,
            )
        self.weight, self.bias = same.weight, same.bias

    def forward(self, features: Tensor) -> Tensor:
        """Convolve `(N, C, H, W)` to `(N, out, H / stride, W / stride)`."""
        high, wide = (side // 2 for side in self.kernel_size)
        if depthwise.wants_help(self, features):
            convolved = depthwise.convolve(features, self.weight, self.stride[0])
        elif self.stride == (1, 1):
            convolved = self._conv_forward(features, self.weight, self.bias)
        elif torch.compiler.is_exporting():  # explicit padding for other runtimes
            around = pad(features, (wide - 1, wide, high - 1, high))
            convolved = conv2d(around, self.weight, self.bias, self.stride, groups=self.groups)
        else:
            ahead = pad(self.weight, (1, 0, 1, 0))
            convolved = self._conv_forward(features, ahead, self.bias)
        return convolved


def _pad_by_rule(features: nn.Module) -> None:
    """Replace convolutions whose padding depends on the image size; halved maps are always even."""
    for name, module in list(features.named_modules()):
        if (
            isinstance(module, Conv2dSame)
            and module.stride in {(1, 1), (2, 2)}
            and module.dilation == (1, 1)
            and all(side % 2 for side in module.kernel_size)
        ) or _is_same_depthwise(module):
            features.set_submodule(name, SameConv2d(module), strict=True)


def _is_same_depthwise(module: nn.Module) -> bool:
    """Whether a module is a plain depthwise convolution with SAME padding."""
    return (
        type(module) is nn.Conv2d
        and module.groups == module.in_channels == module.out_channels > 1
        and module.stride == module.dilation == (1, 1)
        and module.padding_mode == "zeros"
        and module.padding == tuple(side // 2 for side in module.kernel_size)
        and all(side % 2 for side in module.kernel_size)
    )


def _check_strides(features: Any, stem_stride: int) -> None:
    """Check the feature maps' strides by a forward pass, as timm's metadata may be wrong."""
    size = 64
    device = next(features.parameters()).device
    with torch.no_grad():
        maps = features.eval()(torch.zeros(1, 3, size, size, device=device))
    features.train()
    found = [size / feature_map.shape[-1] for feature_map in maps]
    strides = [min(2**level, features.output_stride) for level in range(1, len(maps))]
    expected = [1, *(stride * stem_stride // 2 for stride in strides)]
    if found != expected:
        raise ValueError(f"strides {found} instead of {expected}")


def _check_name(encoder: str) -> None:
    name, _, tag = encoder.partition(".")
    if not timm.is_model(encoder):
        names = timm.list_models()
        near = difflib.get_close_matches(name, names, n=3)
        raise ConfigError(
            f"timm {timm.__version__} has no model.encoder = {encoder!r}"
            + (f" (did you mean {', '.join(near)}?)" if near else ""),
            expected=f"one of timm's {len(names)} image models",
            fix="list them: python -c \"import timm; print(*timm.list_models('*resnet*'))\"",
        )
    if tag and not timm.models.is_model_pretrained(encoder):
        tags = timm.list_models(f"{name}.*", pretrained=True)
        raise ConfigError(
            f"model.encoder = {encoder!r}: timm has no weights {tag!r} for {name}",
            expected=" or ".join([name, *tags]),
            fix=f"--set model.encoder={name}",
        )
    published = timm.models.get_pretrained_cfg(encoder)
    if published.fixed_input_size:
        size = " × ".join(map(str, published.input_size[1:]))
        raise _unfit(encoder, f"it accepts images of {size} pixels only")


def _unfit(encoder: str, reason: str) -> ConfigError:
    return ConfigError(
        f"model.encoder = {encoder!r} cannot be used by this architecture: {reason}",
        expected="an encoder for any image size, with feature maps at strides 4 to 32 (for "
        "deeplabv3plus and pspnet also dilated)",
        fix="--set model.encoder=resnet50, or resnet18, or tf_efficientnet_lite0",
    )


def _units(model: nn.Module, ends: set[str], prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The modules of an encoder in order; modules that contain a feature map are expanded."""
    for name, module in model.named_children():
        path = prefix + _flat(name)
        if path not in ends and any(end.startswith(f"{path}_") for end in ends):
            yield from _units(module, ends, f"{path}_")
        else:
            yield path, module


def _flat(name: str) -> str:
    # timm replaces the dot by an underscore where it flattens a sequence
    return name.replace(".", "_")
