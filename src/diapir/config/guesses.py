"""Keys of a recipe as people guess them: without their section, or by their name elsewhere."""

from __future__ import annotations

import difflib

from diapir.architectures import ARCHITECTURES
from diapir.config.reference import MODEL, key_names
from diapir.errors import ConfigError

ELSEWHERE = {
    "amp": "device.precision",
    "arch": "model.name",
    "architecture": "model.name",
    "backbone": "model.encoder",
    "batch_size": "train.batch",
    "bs": "train.batch",
    "gradient_clip_val": "optimizer.clip_norm",
    "image_size": "preprocess.size",
    "img_size": "preprocess.size",
    "imgsz": "preprocess.size",
    "input_size": "preprocess.size",
    "k_folds": "data.folds",
    "learning_rate": "optimizer.lr",
    "lr0": "optimizer.lr",
    "lr_scheduler": "schedule.name",
    "max_epochs": "train.epochs",
    "n_epochs": "train.epochs",
    "num_epochs": "train.epochs",
    "patch_size": "preprocess.size",
    "pretrained": "model.weights",
    "scheduler": "schedule.name",
    "test_size": "data.val_fraction",
    "val_split": "data.val_fraction",
    "wd": "optimizer.weight_decay",
}
"""Keys by the names that they have in other programs; these are suggested, never assumed."""


def resolve_key(key: str, architecture: str) -> str:
    """A key with its section: `lr` is `optimizer.lr`, if only one section has a key of this name.

    Args:
        key: as it was given.
        architecture: the architecture whose `model` section applies.

    Returns:
        The whole name; `key` itself where it is one, or where no section has such a key.

    Raises:
        ConfigError: several sections have such a key.
    """
    names = key_names(architecture if architecture in ARCHITECTURES else "unet")
    wanted = key.replace("-", "_")
    if wanted in names:
        return wanted
    found = [name for name in names if name.endswith(f".{wanted}")]
    if len(found) > 1:
        raise ConfigError(
            f"several sections have a key {key!r}: {', '.join(found)}",
            expected="the key with its section",
            fix=f"--set {found[0]}=VALUE, or --set {found[1]}=VALUE",
        )
    return found[0] if found else key


def suggest_key(key: str, architecture: str = "unet") -> str:
    """What an unknown key probably stands for, in quotes; empty where nothing is similar."""
    names = {name.rpartition(".")[2]: name for name in key_names(architecture)}
    last = key.replace("-", "_").rpartition(".")[2]
    meant = names.get(last) or ELSEWHERE.get(last)
    if meant:
        return repr(meant)
    having = [other for other in ARCHITECTURES if f"{MODEL}.{last}" in key_names(other)]
    if having:
        return f"'{MODEL}.{last}' of {' or '.join(having)}"
    near = difflib.get_close_matches(last, [*names, *ELSEWHERE], n=1, cutoff=0.7)
    return repr(names.get(near[0]) or ELSEWHERE[near[0]]) if near else ""
