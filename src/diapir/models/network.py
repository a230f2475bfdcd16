"""The base class of all networks, and checks of their input."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from diapir.architectures import ModelConfig
from diapir.errors import ConfigError

_CHANNEL_HINTS = {
    1: "repeat the grey plane: images.expand(-1, 3, -1, -1), normalised by diapir.preprocess",
    4: "drop the alpha plane: images[:, :3]",
}


class Outputs(NamedTuple):
    """The logits of a network, with auxiliary outputs for training.

    Attributes:
        logits: `float32 (N, 2, H, W)` of background and salt.
        salt: `float32 (N,)`, the logit of any salt in the tile; None where the network has no such
            head.
        deep: logits `float32 (N, 2, h, w)` of coarser maps for deep supervision, coarsest first;
            h and w divide H and W.
    """

    logits: Tensor
    salt: Tensor | None = None
    deep: tuple[Tensor, ...] = ()


class Network(nn.Module):
    """Maps `float32 (N, 3, H, W)` to logits `(N, 2, H, W)` of background and salt.

    An architecture implements `logits` and sets `divisor`; `forward` checks the images first. One
    with auxiliary outputs for training implements `outputs` as well.

    Attributes:
        divisor: H and W must be multiples of this number of pixels.
        encoder_name: timm's name of the image classifier whose weights fit the network's
            `encoder`, by the names of the tensors; None without an encoder.
        torchvision_name: torchvision's name of the network, under which it published weights of
            encoder and decoder; None without such weights.
        head_name: the module with the last layers, which a training may begin anew.
        weights_found: source of the pretrained weights; None without them.
        weights_parts: what was filled from it.
        settings: what it was built from; None for a custom network.
    """

    divisor: int
    encoder_name: str | None = None
    torchvision_name: str | None = None
    head_name: str = "head"
    weights_found: str | None = None
    weights_parts: str = "encoder"
    settings: ModelConfig | None = None

    @property
    def encoder_parts(self) -> list[nn.Module]:
        """Stem and stages of the encoder in order; empty without an encoder."""
        return []

    def forward(self, images: Tensor, auxiliary: bool = False) -> Tensor | Outputs:
        """Logits of background and salt: `float32 (N, 3, H, W)` → `float32 (N, 2, H, W)`.

        Args:
            images: normalised.
            auxiliary: return `Outputs`, with auxiliary outputs for training.

        Raises:
            ConfigError: another number of channels, or a size that is not a multiple of `divisor`.
        """
        check_images(images, self.divisor)
        return self.outputs(images) if auxiliary else self.logits(images)

    def outputs(self, images: Tensor) -> Outputs:
        """Logits and auxiliary outputs of images that have been checked."""
        return Outputs(self.logits(images))

    def logits(self, images: Tensor) -> Tensor:
        """Logits of images that have been checked."""
        raise NotImplementedError


class PooledBatchNorm2d(nn.BatchNorm2d):
    """Batch norm after a global pooling, where a batch of one leaves one value per channel.

    A single value has no variance, so the running statistics are used, as in evaluation. The
    tensors are those of `BatchNorm2d`.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Normalise `(N, C, H, W)`."""
        count, _, height, width = features.shape
        if self.training and count * height * width == 1:
            return nn.functional.batch_norm(
                features,
                self.running_mean,
                self.running_var,
                self.weight,
                self.bias,
                training=False,
                eps=self.eps,
            )
        return super().forward(features)


def check_images(images: Tensor, divisor: int) -> None:
    """Refuse images that a network does not accept.

    Args:
        images: expected as `(N, 3, H, W)`, H and W multiples of `divisor`.
        divisor: the network's divisor.

    Raises:
        ConfigError: another shape; the fix says how to change it.
    """
    shape = tuple(images.shape)
    expected = f"(N, 3, H, W) with H and W multiples of {divisor}"
    if len(shape) != 4 or shape[1] != 3:
        hint = _CHANNEL_HINTS.get(shape[1]) if len(shape) == 4 else None
        raise ConfigError(
            f"images have shape {shape}",
            expected=expected,
            fix=hint or "give three normalised planes, as diapir.preprocess.to_input returns",
        )
    height, width = shape[2:]
    if not (height and width) or height % divisor or width % divisor:
        raise ConfigError(
            f"images are {height} × {width} pixels",
            expected=expected,
            fix=f"pad them to {_next(height, divisor)} × {_next(width, divisor)} pixels",
        )


def check_size(network: Network, size: int) -> None:
    """Refuse an input size of a recipe or bundle that the network does not accept.

    Raises:
        ConfigError: `size` is not a multiple of the network's divisor; the fix names the next.
    """
    step = network.divisor
    if size % step:
        raise ConfigError(
            f"preprocess.size = {size} is not a multiple of {step}",
            expected=f"a multiple of {step}, the network's divisor",
            fix=f"--set preprocess.size={_next(size, step)}",
        )


def _next(size: int, divisor: int) -> int:
    return max(1, -(-size // divisor)) * divisor
