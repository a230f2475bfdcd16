"""Restoring what a checkpoint holds, after checking that it fits: its file may be anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from pydantic import TypeAdapter
from torch import Tensor
from torch.optim import Optimizer

_MOMENTS = frozenset({"exp_avg", "exp_avg_sq", "momentum_buffer"})
"""Tensors that AdamW, Adam, Muon and SGD keep of each weight, of its shape."""
_ADAM = frozenset({"step", "exp_avg", "exp_avg_sq"})

_Values = TypeVar("_Values")


def restore_values(kind: type[_Values], saved: object) -> _Values:
    """A dataclass of plain values from what `asdict` gave.

    Raises:
        ValueError: a value of another type, or a negative count.
    """
    values = TypeAdapter(kind).validate_python(saved)
    for name, value in vars(values).items():
        if isinstance(value, int) and value < 0:
            raise ValueError(f"{name} = {value}")
    return values


def restore_optimizer(optimizer: Optimizer, saved: Mapping[str, Any]) -> None:
    """Restore the moments and learning rates of an optimiser; the recipe has its other settings.

    Raises:
        LookupError, TypeError, ValueError: the state is not that of an optimiser of these weights.
    """
    own = optimizer.state_dict()["param_groups"]
    groups = [
        group | {"lr": float(before["lr"])}
        for group, before in zip(own, saved["param_groups"], strict=True)
    ]
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    sgd = "dampening" in own[0]
    for number, moments in saved["state"].items():
        _check_moments(moments, weights[number], sgd=sgd)
    optimizer.load_state_dict({"state": saved["state"], "param_groups": groups})


def _check_moments(moments: Mapping[str, Any], weight: Tensor, *, sgd: bool) -> None:
    names = moments.keys()
    alone = sgd if "use_muon" not in names else "step" not in names  # a momentum and nothing else
    if names and not alone and not names >= _ADAM:
        raise ValueError(f"the optimiser's state has {', '.join(map(str, names))} of a weight")
    for name, value in moments.items():
        fits = (
            isinstance(value, bool)
            if name == "use_muon"
            else isinstance(value, Tensor)
            and value.dtype.is_floating_point
            and value.shape == (torch.Size() if name == "step" else weight.shape)
            and (name == "step" or name in _MOMENTS)
        )
        if not fits:
            raise ValueError(f"the optimiser's {name} does not fit its weight")


def known_values(saved: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The plain values of a saved state that the state to restore has as well.

    Raises:
        TypeError: one of them is not of the same type.
    """
    known = {name: value for name, value in saved.items() if name in own}
    for name, value in known.items():
        number = isinstance(own[name], int | float) and isinstance(value, int | float)
        if not number and type(value) is not type(own[name]):
            raise TypeError(f"{name} is {type(value).__name__}")
    return known
