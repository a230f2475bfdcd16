"""Start training from the weights of an earlier run."""

from __future__ import annotations

from pathlib import Path

from diapir import bundle
from diapir.config import PreprocessConfig
from diapir.errors import ConfigError
from diapir.models import Network
from diapir.models.trained import misfits, put_weights
from diapir.text import listing


def start_from(network: Network, model: Path, preprocess: PreprocessConfig) -> str:
    """Load the weights of a model of the same architecture into a network.

    Args:
        network: the network; auxiliary outputs, which only training uses, may be missing in the
            bundle.
        model: a run folder, a bundle folder with weights, or the name of a bundled model.
        preprocess: how the network's input is made.

    Returns:
        A line for the log, with what is newly initialised, and where the preprocessing differs.

    Raises:
        BundleError: there is no bundle, or it has no trainable weights.
        ConfigError: the tensors do not fit the network.
    """
    source = bundle.load(model)
    tensors = source.tensors()
    if faults := misfits(network, tensors):
        raise ConfigError(
            f"train.start = {str(model)!r} does not fit the network: "
            + listing(faults, separator="; "),
            expected="a model of the same architecture",
            fix="use the model section of its recipe, or remove train.start",
        )
    initialised = put_weights(network, tensors)
    line = f"Started from {source.info.name} ({source.path})"
    if initialised:
        line += f"; newly initialised, as it lacks them: {listing(initialised)}"
    own, earlier = preprocess.model_dump(), source.info.preprocess.model_dump()
    for key, value in own.items():
        if key != "size" and value != earlier[key]:
            line += f"; it was trained with preprocess.{key} = {earlier[key]}, this run has {value}"
    return line
