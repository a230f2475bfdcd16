"""Networks that are not diapir's: modules given from Python, and architectures of entry points.

Their code comes from the caller or from an installed package, never from a bundle: a bundle holds
the name of an entry point at most, and names no module to import.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from diapir.architectures import CUSTOM, ENTRY_POINTS, OtherConfig, installed_architectures
from diapir.errors import ConfigError
from diapir.models.network import Network

Module = nn.Module
"""The type of somebody else's network, for parts that do not import PyTorch."""

_STEP = 32
"""Largest divisor that is tried where a module names none."""
_EXPECTED = (
    "a torch.nn.Module from float32 (N, 3, H, W) to logits (N, 2, H, W) of background and salt, or "
    "(N, 1, H, W) of salt"
)


class CustomNetwork(Network):
    """A module of somebody else as a network.

    Args:
        module: maps `float32 (N, 3, H, W)` to logits `(N, 2, H, W)` of background and salt, or
            `(N, 1, H, W)` of salt; a dictionary with these as `out`, as torchvision's, will do.
        divisor: height and width must be multiples of this.
    """

    def __init__(self, module: nn.Module, divisor: int) -> None:
        super().__init__()
        self.module, self.divisor = module, divisor

    def logits(self, images: Tensor) -> Tensor:
        """Logits of background and salt.

        Raises:
            ConfigError: the module returns something else.
        """
        found: Any = self.module(images)
        if isinstance(found, dict) and "out" in found:
            found = found["out"]
        if not isinstance(found, Tensor) or found.ndim != 4 or found.shape[1] not in (1, 2):
            raise ConfigError(
                f"{module_name(self.module)} returns {_words(found)}",
                expected=_EXPECTED,
                fix="change its last layer, or wrap it in a module that returns the logits",
            )
        # the softmax over 0 and x is the sigmoid of x
        return found if found.shape[1] == 2 else torch.cat([torch.zeros_like(found), found], dim=1)


def wrap(module: nn.Module, size: int, divisor: int | None = None) -> CustomNetwork:
    """A module as a network, after a trial run.

    Args:
        module: see `CustomNetwork`. Its attribute `divisor` is what height and width must be
            multiples of; without one, 32 is tried, and then `size` alone.
        size: height and width of the images that it will be trained on.
        divisor: of a module that was trained before, instead of a trial.

    Raises:
        ConfigError: it is no module, or does not turn such images into logits.
    """
    if not isinstance(module, nn.Module):
        kind = f"the class {module.__name__}" if isinstance(module, type) else repr(module)[:80]
        raise ConfigError(
            f"model={kind} is not a module",
            expected=_EXPECTED,
            fix="give an instance, such as model=MyNet()",
        )
    own = divisor or getattr(module, "divisor", None)
    if isinstance(own, int) and own > 0:
        network = CustomNetwork(module, own)
        if not size % own:  # else the caller refuses the size
            _try(network, size)
        return network
    step = math.gcd(size, _STEP)
    network = CustomNetwork(module, step)
    _try(network, size)
    try:
        _try(network, size + step)
    except Exception:  # it takes one size only
        network.divisor = size
    return network


def _try(network: CustomNetwork, size: int) -> None:
    """Run a network once, in evaluation mode, which changes nothing in it.

    Raises:
        ConfigError: it fails, or its output has another height or width.
    """
    training = {module: module.training for module in network.modules()}
    network.eval()
    device = next((one.device for one in network.parameters()), torch.device("cpu"))
    name = module_name(network.module)
    try:
        with torch.no_grad():
            found = network.logits(torch.zeros(1, 3, size, size, device=device))
    except ConfigError:
        raise
    except Exception as error:  # somebody else's code
        raise ConfigError(
            f"{name} cannot run images of shape (1, 3, {size}, {size}): "
            f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
            expected=_EXPECTED,
            fix="mend the module, or choose another preprocess.size",
        ) from error
    finally:
        for module, before in training.items():
            module.training = before
    if found.shape[-2:] != (size, size):
        raise ConfigError(
            f"{name} makes logits of {tuple(found.shape[-2:])} of images of {size} × {size} px",
            expected="logits of the height and width of the images",
            fix="upsample them in the module: nn.functional.interpolate(logits, images.shape[-2:])",
        )


def build_other(config: OtherConfig, module: nn.Module | None, size: int) -> CustomNetwork:
    """The network of an architecture that is not diapir's.

    Args:
        config: its name and arguments.
        module: the module, where the caller has it; None for that of the entry point.
        size: height and width of the images.

    Raises:
        ConfigError: there is no module, or it does not fit.
    """
    if module is None:
        module = _of_entry_point(config)
    return wrap(module, size, config.divisor)


def _of_entry_point(config: OtherConfig) -> nn.Module:
    name = config.name
    if name == CUSTOM:
        kind = config.arguments.get("module", "a module")
        raise ConfigError(
            f"the network is {kind}, which was given from Python and is not part of the model",
            expected="the module, as loading a model runs no code from it",
            fix="give it: diapir.load(path, module=net), or diapir.train(…, model=net)",
        )
    entry = installed_architectures().get(name)
    if entry is None:
        raise ConfigError(
            f"the architecture {name!r} is not installed",
            expected=f"a package with an entry point {name!r} in the group {ENTRY_POINTS!r}",
            fix="install the package that has it, or give the module: diapir.load(path, "
            "module=net)",
        )
    try:
        made: nn.Module = entry.load()(**config.arguments)
    except Exception as error:  # somebody else's code
        raise ConfigError(
            f"the architecture {name!r} ({entry.value}) cannot be built: "
            f"{type(error).__name__}: {error}",
            expected="a callable that takes the other keys of the section model and returns a "
            "torch.nn.Module",
            fix=f"check the keys of model ({', '.join(config.arguments) or 'none'}) and the "
            "package",
        ) from error
    return made


def module_name(part: object) -> str:
    """The name of somebody's class or function, as recipes record it."""
    kind = part if hasattr(part, "__qualname__") else type(part)
    return f"{kind.__module__}.{kind.__qualname__}"


def _words(found: object) -> str:
    shape = getattr(found, "shape", None)
    return f"a tensor of shape {tuple(shape)}" if shape is not None else f"a {type(found).__name__}"
