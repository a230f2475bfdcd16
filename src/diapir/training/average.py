"""Several trainings' weights as one network of the cost of one (Izmailov et al. 2018, SWA).

That works where the trainings lie in one basin of the loss, as those that were fine-tuned from the
same weights do (Wortsman et al. 2022, arXiv 2203.05482); elsewhere the average may be worthless,
which only judging it shows. Batch norm's statistics are not an average: they are measured again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from diapir import models, preprocess
from diapir.errors import ConfigError
from diapir.models.device import choose_device

if TYPE_CHECKING:
    from diapir.bundle import Bundle, BundleInfo
    from diapir.tiles import TileSet

Tensors = dict[str, NDArray[Any]]


def average_weights(bundles: Sequence[Bundle]) -> Tensors:
    """The mean of each tensor; of whole numbers, which only count batches, the largest.

    Args:
        bundles: at least two, of one architecture and one preprocessing.

    Raises:
        ConfigError: fewer, or models whose tensors do not mean the same.
        BundleError: a bundle without weights.
    """
    if len(bundles) < 2:
        raise ConfigError(
            f"{len(bundles)} model to average",
            expected="at least two",
            fix="name further runs of the same architecture",
        )
    first = bundles[0]
    for bundle in bundles[1:]:
        for what in ("model", "preprocess"):
            one, other = getattr(first.info, what), getattr(bundle.info, what)
            if one != other:
                raise ConfigError(
                    f"{first.path} and {bundle.path} differ in {what}: {one!r} and {other!r}",
                    expected="trainings of one recipe, whose weights mean the same",
                    fix="average their predictions instead: `diapir evaluate` and `diapir "
                    "predict` take several models",
                )
    mean = {name: value.astype(np.float64) for name, value in first.tensors().items()}
    kinds = {name: value.dtype for name, value in first.tensors().items()}
    for bundle in bundles[1:]:
        for name, value in bundle.tensors().items():
            if np.issubdtype(kinds[name], np.floating):
                mean[name] += value
            else:
                mean[name] = np.maximum(mean[name], value)
    return {
        name: (value / len(bundles) if np.issubdtype(kinds[name], np.floating) else value).astype(
            kinds[name]
        )
        for name, value in mean.items()
    }


def measure_statistics(
    info: BundleInfo,
    tensors: Mapping[str, NDArray[Any]],
    tiles: TileSet,
    *,
    device: str = "auto",
    batch: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> Tensors:
    """Batch norm's mean and variance anew, over all tiles; without batch norm, nothing changes.

    Args:
        info: what the network is and how tiles are shown to it.
        tensors: its weights.
        tiles: what it learnt from; masks are not needed.
        device: `auto`, `cpu`, `cuda` or `mps`.
        batch: tiles of a pass; each pass counts alike.
        progress: called with the tiles done and all tiles.

    Raises:
        DataError: tiles that the preprocessing does not take.
        DeviceError: a device that is not there.
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
        layer.momentum = None  # a plain mean over the passes
        layer.train()
    done = 0
    with torch.inference_mode():
        for images in _batches(tiles, batch):
            network(torch.from_numpy(preprocess.to_input(images, info.preprocess)).to(place))
            done += len(images)
            if progress:
                progress(done, len(tiles))
    return {name: value.cpu().numpy() for name, value in network.state_dict().items()}


def _batches(tiles: TileSet, batch: int) -> Iterator[NDArray[np.uint8]]:
    """Images of one size at a time, shuffled, so that no pass is of one section alone."""
    order = np.random.default_rng(0).permutation(len(tiles))
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for index in order.tolist():
        by_shape.setdefault(tuple(tiles.shapes[index].tolist()), []).append(index)
    for members in by_shape.values():
        for start in range(0, len(members), batch):
            yield np.stack([tiles.image(index) for index in members[start : start + batch]])
