"""What a recipe leaves open is taken from the model whose weights its training starts from."""

from __future__ import annotations

from typing import Any

from diapir.architectures import Section
from diapir.bundle.bundle import read_info
from diapir.bundle.info import BundleInfo
from diapir.config import RunConfig

OF_TRAINING = frozenset({"weights", "freeze"})
"""Keys of `model` that say how it was trained, not which tensors it has; they are not taken."""


def adopt(config: RunConfig, earlier: RunConfig | None = None) -> RunConfig:
    """The recipe with the architecture and preprocessing of the model that it starts from.

    Keys of `model` and `preprocess` that the recipe gives stay as they are. Where it gives another
    architecture, none of the model's arguments are taken; its weights will not fit.

    Args:
        config: a recipe, with `train.start` or without.
        earlier: the configuration of the run that is resumed with the recipe, if there is one. It
            has taken all already, and the model may be gone.

    Raises:
        BundleError: there is no such model.
    """
    if config.train.start is None or not (_open(config.model) or _open(config.preprocess)):
        return config
    if earlier is not None and earlier.train.start == config.train.start:
        source: RunConfig | BundleInfo = earlier
    else:
        source = read_info(config.train.start)
    changes: dict[str, Any] = {"preprocess": _filled(config.preprocess, source.preprocess)}
    if "model" not in config.model_fields_set:
        changes["model"] = _filled(
            type(source.model).model_validate({"name": source.model.name}), source.model
        )
    elif config.model.name == source.model.name:
        changes["model"] = _filled(config.model, source.model)
    return config.model_copy(update=changes)


def _open(section: Section) -> set[str]:
    """The keys that a recipe does not give."""
    return set(type(section).model_fields) - section.model_fields_set - {"name"} - OF_TRAINING


def _filled(section: Section, source: Section) -> Section:
    """A section whose open keys have the values of another."""
    return section.model_copy(update={key: getattr(source, key) for key in _open(section)})
