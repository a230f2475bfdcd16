"""Weight averaging: several trainings as one network (SWA, Izmailov et al. 2018).

This works if the trainings lie in one basin of the loss, as those fine-tuned from the same weights
do (Wortsman et al. 2022, arXiv 2203.05482). Otherwise the average may be worthless, which only an
evaluation shows. Batch-norm statistics cannot be averaged: they are measured again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from diapir import bundle as bundles
from diapir import models, preprocess
from diapir.bundle import Bundle, BundleInfo, Fingerprints, all_tuned
from diapir.errors import ConfigError, RunError
from diapir.files import claim, disk_errors
from diapir.inference.ensemble import refuse_repeated
from diapir.models.device_choice import choose_device
from diapir.progress import Progress, ShowProgress, quiet
from diapir.run.folder import SPLIT
from diapir.tiles import Split, load_tiles

if TYPE_CHECKING:
    from diapir.tiles import TileSet

MADE_OF = "average of"
"""Key in the `training` of a bundle that marks it as an average."""

Tensors = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Averaged:
    """The result of `average_models`.

    Attributes:
        bundle: the average.
        members: number of models averaged.
        measured_on: number of tiles that batch-norm statistics were measured on; None if they are
            the mean of the models'.
    """

    bundle: Bundle
    members: int
    measured_on: int | None


def average_models(
    runs: Sequence[Path],
    out: Path,
    *,
    data: Path | None = None,
    device: str = "auto",
    show: ShowProgress = quiet,
) -> Averaged:
    """Average the weights of trainings of one recipe and save them as a bundle.

    Args:
        runs: run folders or bundle folders of one architecture and preprocessing.
        out: folder of the new bundle; an earlier average is replaced.
        data: tiles to measure batch-norm statistics on, those held out by any run left aside; None
            for the mean of the runs' statistics.
        device: where they are measured: `auto`, `cpu`, `cuda` or `mps`.
        show: opens a progress display.

    Raises:
        RunError: `out` holds something else.
        ConfigError: fewer than two models, the same model twice, or models that differ in
            architecture or preprocessing.
        BundleError: a model cannot be used, or the average cannot be written.
        DataError: tiles that cannot be read or do not fit the models.
        DeviceError: the device is not available.
    """
    _claim(out)
    members = [bundles.load(run) for run in runs]
    refuse_repeated(members)
    tensors = average_weights(members)
    info = members[0].info
    tiles = None
    if data is not None:
        tiles = _training_tiles(load_tiles(data, labelled=False), runs)
        with show("measuring batch norm") as progress:
            tensors = measure_statistics(info, tensors, tiles, device=device, progress=progress)
    with disk_errors(out, RunError):
        out.parent.mkdir(parents=True, exist_ok=True)
    count = len(members)
    averaged = bundles.save(
        out,
        tensors,
        name=f"average of {count} × {info.name}",
        model=info.model,
        preprocess=info.preprocess,
        tile=info.tile,
        windows=info.windows,
        section_window=info.section_window,
        classes=info.classes,
        threshold=sum(member.info.threshold for member in members) / count,
        tta=info.tta,
        min_area=round(sum(member.info.min_area for member in members) / count),
        training=_origin(members, tiles),
        training_tiles=Fingerprints.union(member.info.training_tiles for member in members),
        tuned=all_tuned(member.info for member in members),
    )
    return Averaged(averaged, count, None if tiles is None else len(tiles))


def average_weights(members: Sequence[Bundle]) -> Tensors:
    """The mean of each tensor; of integer tensors, which only count batches, the maximum.

    Args:
        members: at least two models of one architecture and preprocessing.

    Raises:
        ConfigError: fewer than two, or models that differ in architecture or preprocessing.
        BundleError: a bundle without weights.
    """
    if len(members) < 2:
        raise ConfigError(
            f"{len(members)} model to average",
            expected="at least two models",
            fix="name further runs of the same architecture",
        )
    first = members[0]
    for member in members[1:]:
        for field in ("model", "preprocess"):
            one, other = getattr(first.info, field), getattr(member.info, field)
            if one != other:
                raise ConfigError(
                    f"{first.path} and {member.path} differ in {field}: {one!r} and {other!r}",
                    expected="trainings of one recipe",
                    fix="average their predictions instead: `diapir evaluate` and `diapir "
                    "predict` take several models",
                )
    tensors = first.tensors()
    floating = {name for name, value in tensors.items() if np.issubdtype(value.dtype, np.floating)}
    totals = {name: value.astype(np.float64) for name, value in tensors.items()}
    for member in members[1:]:
        for name, value in member.tensors().items():
            if name in floating:
                totals[name] += value
            else:
                totals[name] = np.maximum(totals[name], value)
    return {
        name: (total / len(members) if name in floating else total).astype(tensors[name].dtype)
        for name, total in totals.items()
    }


def measure_statistics(
    info: BundleInfo,
    tensors: Mapping[str, NDArray[Any]],
    tiles: TileSet,
    *,
    device: str = "auto",
    batch: int = 32,
    progress: Progress | None = None,
) -> Tensors:
    """Measure the mean and variance of batch norm over tiles; nothing changes without batch norm.

    `torch.optim.swa_utils.update_bn` would switch the whole network to training, and so activate
    dropout; here only the batch-norm layers are.

    Args:
        info: architecture and preprocessing.
        tensors: weights by name.
        tiles: the tiles it was trained on; masks are not needed.
        device: `auto`, `cpu`, `cuda` or `mps`.
        batch: tiles in one forward pass; all passes have the same weight.
        progress: called with the number of tiles done and of all tiles.

    Raises:
        DataError: tiles that do not fit the preprocessing.
        DeviceError: the device is not available.
    """
    place = torch.device(choose_device(device, option="--device "))
    with torch.random.fork_rng(devices=[]):
        network = models.build(info.model)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    network.to(place).eval()
    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    if not layers:
        return dict(tensors)
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a cumulative mean over the passes
        layer.train()
    done = 0
    with torch.inference_mode():
        for images in _batches(tiles, batch):
            network(torch.from_numpy(preprocess.to_input(images, info.preprocess)).to(place))
            done += len(images)
            if progress:
                progress(done, len(tiles))
    return {name: value.cpu().numpy() for name, value in network.state_dict().items()}


def _claim(out: Path) -> None:
    """Refuse to replace anything but an earlier average."""

    def ours(folder: Path) -> bool:
        # a run folder is loaded as its best/ bundle, and is not to be replaced
        return (folder / bundles.INFO).is_file() and MADE_OF in bundles.load(folder).info.training

    claim(out, holds="an averaged model", ours=ours, kind=RunError)


def _training_tiles(tiles: TileSet, runs: Sequence[Path]) -> TileSet:
    """The tiles that no run held out for validation; all tiles if none are left."""
    held_out: set[str] = set()
    for run in runs:
        if (run / SPLIT).is_file():
            held_out |= set(Split.load(run / SPLIT).part("val"))
    return tiles.select([tile for tile in tiles.ids if tile not in held_out] or tiles.ids)


def _origin(members: Sequence[Bundle], tiles: TileSet | None) -> dict[str, Any]:
    """The bundle's `training`: what the members have in common, and how they were combined."""
    trainings = [member.info.training for member in members]
    shared = {
        key: value
        for key, value in trainings[0].items()
        if all(training.get(key) == value for training in trainings)
    }
    hashes = ", ".join(member.info.weights_sha256[:12] for member in members)
    measured = {} if tiles is None else {"batch norm measured on": f"{len(tiles)} tiles"}
    return shared | {MADE_OF: hashes} | measured


def _batches(tiles: TileSet, batch: int) -> Iterator[NDArray[np.uint8]]:
    """Images of one size at a time, shuffled so that no batch comes from one section."""
    order = np.random.default_rng(0).permutation(len(tiles))
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for index in order.tolist():
        by_shape.setdefault(tuple(tiles.shapes[index].tolist()), []).append(index)
    for members in by_shape.values():
        for start in range(0, len(members), batch):
            yield np.stack([tiles.image(index) for index in members[start : start + batch]])
