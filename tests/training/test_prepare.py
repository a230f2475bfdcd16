"""Every recipe trains on tiles of any size as it is."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from diapir import models
from diapir.architectures import UNetConfig
from diapir.config import RunConfig, load_recipe, recipe_names
from diapir.run.folder import RunFolder, run_config
from diapir.tiles import load_tiles
from diapir.training.device import Device, close_device, open_device
from diapir.training.prepare import batches_of, prepare
from diapir.training.step_images import Place
from tests.helpers.tile_sets import make_tiles, write_tiles

SETS = {
    "101": [(101, 101)],
    "202": [(202, 202)],
    "sections": [(500, 1000)],
    "mixed": [(101, 101), (202, 202), (500, 1000)],
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tile sets of several sizes, salt in each tile."""
    made = {}
    for name, sizes in SETS.items():
        images, masks = {}, {}
        for number in range(6):
            size = sizes[number % len(sizes)]
            one, two = make_tiles(2, size=size, seed=number)
            images[f"t{number}"], masks[f"t{number}"] = one["t001"], two["t001"]
        made[name] = tmp_path_factory.mktemp(name)
        write_tiles(made[name], images=images, masks=masks)
    return made


@pytest.fixture(scope="module")
def device() -> Iterator[Device]:
    opened = open_device(load_recipe("baseline", ["device.name=cpu", "device.threads=1"]).device)
    yield opened
    close_device(opened)


def narrow(name: str, *overrides: str) -> tuple[RunConfig, int]:
    """A recipe with a tiny U-Net of the same divisor instead of its network, and the divisor."""
    settings = ["train.batch=2", "optimizer.encoder_lr=null", "train.start=null", *overrides]
    config = load_recipe(name, settings)
    with torch.device("meta"):
        divisor = models.build(config.model).divisor
    small = UNetConfig(base=1, levels=divisor.bit_length() - 1)
    return config.model_copy(update={"model": small}), divisor


@pytest.mark.parametrize("kind", ["101", "202", "sections"])
@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_trains_on_tiles_of_any_size(
    folders: dict[str, Path], device: Device, tmp_path: Path, name: str, kind: str
) -> None:
    config, divisor = narrow(name)
    tiles = load_tiles(folders[kind])
    with RunFolder(tmp_path / "run", resume=False) as folder:
        run = prepare(config, tiles, folder, device)
    side = run.config.preprocess.side
    assert side % divisor == 0
    if config.preprocess.size == "auto":
        expected = {"101": 128 if divisor > 16 else 112, "202": 256 if divisor > 32 else 224}
        assert side == expected.get(kind, 256)
    assert run_config(tmp_path / "run").preprocess.size == side
    batch = batches_of(run.config, run.tiles, device, epoch=1)[0]
    [(images, masks)] = run.session._images.take(run.tiles.training, batch, Place(1, 0, 0))
    assert images.shape == (2, 3, side, side)
    assert masks.shape == (2, side, side)
    assert ((masks != 255).flatten(1).float().mean(dim=1) > 0.1).all()
    if kind == "sections":
        assert run.session.step(run.tiles.training, batch) is not None


def test_the_seed_is_what_it_was_on_its_own_tiles(
    folders: dict[str, Path], device: Device, tmp_path: Path
) -> None:
    """202 px tiles are padded to 224, images with zeros and masks with 255."""
    config, _ = narrow("baseline")
    with RunFolder(tmp_path / "run", resume=False) as folder:
        run = prepare(config, load_tiles(folders["202"]), folder, device)
    [(images, masks)] = run.session._images.take(
        run.tiles.training, np.array([0, 1]), Place(1, 0, 0)
    )
    assert run.config.preprocess == config.preprocess.model_copy(update={"size": 224})
    inside = slice(11, 213)
    assert (masks[:, inside, inside] != 255).all()
    assert int((masks == 255).sum()) == 2 * (224**2 - 202**2)
    black = -torch.tensor(config.preprocess.mean) / torch.tensor(config.preprocess.std)
    torch.testing.assert_close(images[0, :, 0, 0], black)


def test_a_resumed_run_keeps_the_size_it_has(
    folders: dict[str, Path], device: Device, tmp_path: Path
) -> None:
    config, _ = narrow("baseline")
    wide, _ = narrow("baseline", "preprocess.size=224")
    tiles = load_tiles(folders["101"])
    with RunFolder(tmp_path / "run", resume=False) as folder:
        prepare(wide, tiles, folder, device)
    with RunFolder(tmp_path / "run", resume=True) as folder:
        assert prepare(config, tiles, folder, device).config.preprocess.size == 224
    with RunFolder(tmp_path / "other", resume=False) as folder:
        assert prepare(config, tiles, folder, device).config.preprocess.size == 112


def test_an_epoch_takes_crops_of_larger_tiles(
    folders: dict[str, Path], device: Device, tmp_path: Path
) -> None:
    config, _ = narrow("baseline", "train.accumulate=3")
    with RunFolder(tmp_path / "run", resume=False) as folder:
        run = prepare(config, load_tiles(folders["mixed"]), folder, device)
    first, second = (
        np.concatenate(batches_of(run.config, run.tiles, device, epoch=epoch)) for epoch in (1, 2)
    )
    count = np.bincount(first, minlength=len(run.tiles.training))
    sections = (run.tiles.training.shapes == (500, 1000)).all(axis=1)
    assert (count[sections] == 8).all()
    assert (count[~sections] == 1).all()
    assert sorted(first) == sorted(second)
    assert not np.array_equal(first, second)
    assert len(batches_of(run.config, run.tiles, device, epoch=1)[0]) == 6
