"""Training speed compared with segmentation-models-pytorch's model in its documented loop.

Ours is `diapir.training.session.Session.step` with the recipe lite0/unet. Theirs is the training
step of the library's first example (binary segmentation: a Dataset of image files, a DataLoader,
`DiceLoss`, Adam, `get_stats`) without Lightning around it. Encoder, batch, size, tiles and threads
are the same; weights start at random, which does not affect speed. One process, alternating steps,
so that other load slows both alike.

    python benchmarks/training_step.py --size 128 --batch 16 --steps 20
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import machine
import numpy as np
import segmentation_models_pytorch as smp
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from diapir.config import load_recipe
from diapir.tiles import load_tiles, synthesise
from diapir.training.device import close_device, open_device
from diapir.training.session import Session

ENCODER = "tf_efficientnet_lite0"


class Tiles(Dataset):
    """Tiles and masks read from their files, padded to the network's size."""

    def __init__(self, folder: Path, size: int) -> None:
        self.images = sorted((folder / "images").iterdir())
        self.masks = folder / "masks"
        self.size = size

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        path = self.images[index]
        image = np.array(Image.open(path).convert("RGB"))
        mask = np.array(Image.open(self.masks / path.name)) > 0
        down, across = self.size - mask.shape[0], self.size - mask.shape[1]
        margins = ((down // 2, down - down // 2), (across // 2, across - across // 2))
        image = np.pad(image, (*margins, (0, 0)), mode="reflect").transpose(2, 0, 1)
        mask = np.pad(mask, margins)
        return torch.from_numpy(image).float(), torch.from_numpy(mask[None]).float()


def theirs(folder: Path, size: int, batch: int, device: torch.device) -> Callable[[], None]:
    """One step of the documented loop."""
    model = smp.Unet(f"tu-{ENCODER}", encoder_weights=None, in_channels=3, classes=1).to(device)
    mean = torch.full((1, 3, 1, 1), 127.5, device=device)
    loss_fn = smp.losses.DiceLoss(smp.losses.BINARY_MODE, from_logits=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-4)
    loader = DataLoader(Tiles(folder, size), batch_size=batch, shuffle=True, drop_last=True)
    batches = _forever(loader)

    def step() -> None:
        model.train()
        images, masks = (part.to(device) for part in next(batches))
        logits = model((images - mean) / mean)
        loss = loss_fn(logits, masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        predicted = logits.sigmoid() > 0.5
        smp.metrics.get_stats(predicted.long(), masks.long(), mode="binary")
        loss.item()

    return step


def _forever(loader: DataLoader) -> Iterator[list[Tensor]]:
    while True:
        yield from loader


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=None)
    options = parser.parse_args()
    config = load_recipe(
        "lite0/unet",
        [
            "model.weights=none",
            f"preprocess.size={options.size}",
            f"train.batch={options.batch}",
            f"device.threads={options.threads or 'null'}",
        ],
    )
    device = open_device(config.device)
    print(machine.describe())
    if hasattr(os, "getloadavg"):
        print(f"load before: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        survey = Path(folder) / "tiles"
        synthesise(survey, tiles=4 * options.batch, seed=1)
        tiles = load_tiles(survey)
        session = Session(config, device)
        batches = itertools.cycle(np.arange(len(tiles)).reshape(4, options.batch))
        turns: dict[str, Callable[[], object]] = {
            "diapir": lambda: session.step(tiles, next(batches)),
            "segmentation-models-pytorch": theirs(
                survey, options.size, options.batch, device.torch_device
            ),
        }
        seconds: dict[str, list[float]] = {name: [] for name in turns}
        for number in range(options.steps + 2):
            for name, step in turns.items():
                start = time.perf_counter()
                step()
                if number >= 2:  # the first steps set memory up
                    seconds[name].append(time.perf_counter() - start)
    close_device(device)
    print(f"U-Net on {ENCODER}, {options.size} px, batch {options.batch}, {options.steps} steps")
    speeds = {name: options.batch / statistics.median(times) for name, times in seconds.items()}
    for name, speed in speeds.items():
        quartiles = statistics.quantiles(seconds[name], n=4)
        print(
            f"{name:28} {speed:7.2f} tiles/s  (middle half of the steps: "
            f"{options.batch / quartiles[2]:.2f} to {options.batch / quartiles[0]:.2f})"
        )
    ours, other = speeds.values()
    print(f"ratio {ours / other:.2f}")


if __name__ == "__main__":
    main()
