"""Start training from the weights of an earlier run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from diapir import bundle
from diapir.bundle import Bundle
from diapir.bundle.starting import OF_TRAINING
from diapir.config import RunConfig
from diapir.errors import ConfigError
from diapir.models import Network
from diapir.models.trained import AUXILIARY, misfits, put_weights
from diapir.run.folder import SPLIT
from diapir.text import integer, listing, plural
from diapir.training.run_tiles import RunTiles


@dataclass(frozen=True)
class Start:
    """The weights that a training started from.

    Attributes:
        line: for the log: what was loaded, what was not, and where the preprocessing differs; ""
            for none.
        record: what the bundle says about them.
    """

    line: str = ""
    record: dict[str, str] = field(default_factory=dict)


def start_from(network: Network, config: RunConfig) -> Start:
    """Load the weights of the model that `train.start` names into a network.

    Args:
        network: the network of the recipe; auxiliary outputs, which only training uses, may be
            missing in the model. With `train.start_head` `fresh` they and its last layers keep
            their own values.
        config: the recipe, after `adopt`.

    Raises:
        BundleError: there is no bundle, or it has no trainable weights.
        ConfigError: the tensors do not fit the network.
    """
    source = bundle.load(config.train.start)
    fresh = config.train.start_head == "fresh"
    optional = (network.head_name, *AUXILIARY) if fresh else AUXILIARY
    tensors = {
        name: tensor
        for name, tensor in source.tensors().items()
        if not (fresh and name.startswith(tuple(f"{part}." for part in optional)))
    }
    if faults := misfits(network, tensors, optional):
        raise _unfit(config, source, faults)
    initialised = put_weights(network, tensors, optional)
    line = f"Started from {source.info.name} ({source.path}): {plural(len(tensors), 'tensor')}"
    if initialised:
        why = "" if fresh else ", as it lacks them"
        line += f"; newly initialised{why}: {listing(initialised)}"
    line += "".join(_other_preprocessing(config, source))
    return Start(line, _record(source, initialised))


def _record(source: Bundle, initialised: tuple[str, ...]) -> dict[str, str]:
    return {
        "started from": source.info.name,
        "start weights hash": source.info.weights_sha256,
        **({"newly initialised": ", ".join(initialised)} if initialised else {}),
    }


def _unfit(config: RunConfig, source: Bundle, faults: list[str]) -> ConfigError:
    own, theirs = config.model.model_dump(), source.info.model.model_dump()
    keys = ["name"] if own["name"] != theirs["name"] else [*own]
    other = [key for key in keys if own[key] != theirs[key] and key not in OF_TRAINING]
    found = "; ".join(f"model.{key} = {own[key]!r}, not {theirs[key]!r}" for key in other)
    settings = " ".join(f"--set {_setting(key, theirs[key])}" for key in other)
    return ConfigError(
        f"the weights of {source.path} do not fit the network of the recipe: "
        + (found or listing(faults, separator="; ")),
        expected=f"a model of the recipe's architecture, {own['name']}, with the same arguments",
        fix=(f"{settings}, or " if settings and other != ["name"] else "")
        + "--recipe finetune, which takes architecture and preprocessing from the model",
    )


def _setting(key: str, value: object) -> str:
    """What `--set` takes, quoted for the shell."""
    text = value if isinstance(value, str) else json.dumps(value)
    return shlex.quote(f"model.{key}={text}")


def _other_preprocessing(config: RunConfig, source: Bundle) -> Iterator[str]:
    own, earlier = config.preprocess.model_dump(), source.info.preprocess.model_dump()
    for key, value in own.items():
        if key != "size" and value != earlier[key]:
            yield f"; it was trained with preprocess.{key} = {earlier[key]}, this run has {value}"


def seen_note(model: str, tiles: RunTiles) -> str | None:
    """A line for the log if the start was trained on tiles that this run validates on.

    Args:
        model: what `train.start` names.
        tiles: of the run.

    Raises:
        BundleError: there is no such model.
    """
    known = bundle.read_info(model).training_tiles
    seen = (
        0 if known is None else sum(each in known.known for each in tiles.validation.fingerprints)
    )
    if seen:
        file = Path(model) / SPLIT
        held_out = f"; --set data.split={file} validates on the tiles that it held out"
        return (
            f"Note: {model} was trained on {integer(seen)} of the "
            f"{plural(len(tiles.validation), 'validation tile')}, so scores are optimistic"
            + (held_out if file.is_file() else "")
        )
    if known is None or not known.complete:
        return f"Note: the bundle of {model} does not record all tiles that it was trained on"
    return None
