"""Windows of sections: what they show, what is labelled, and that resuming changes nothing."""

import io
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from diapir import bundle
from diapir.config import IGNORE, AugmentConfig, DataConfig, PreprocessConfig, RunConfig
from diapir.errors import DataError, Interrupted, RunError
from diapir.tiles import TileSet, load_tiles, synthesise
from diapir.training import session, train
from diapir.training.batches.augment import augment, draw
from diapir.training.batches.labelled_sections import LabelledSection, SectionSet
from diapir.training.batches.mixed_batches import BatchAugmentation, frame, load_mixed_batch
from diapir.training.batches.survey_augment import draw_survey
from diapir.training.batches.windows import (
    Windows,
    names,
    open_windows,
    training_hash,
)
from tests.training.batches.labelled import EYE, SIDE, section


def windows_of(
    *sections: LabelledSection, count: int = 20, sizes: tuple[int, ...] = (30,)
) -> Windows:
    return Windows(((SectionSet("sections", sections), count),), sizes, 32, 0.25)


def write_mosaic(folder: Path, tiles: TileSet, rows: int, columns: int) -> Path:
    """The first tiles as a section; its last cell has a tile without labels, a row below none."""
    (folder / "sections").mkdir(parents=True)
    image = np.zeros(((rows + 1) * SIDE, columns * SIDE), np.uint8)
    cells: list[dict[str, Any]] = []
    for place in range(rows * columns):
        row, column = divmod(place, columns)
        known = place < rows * columns - 1
        part = tiles.image(place) if known else np.full((SIDE, SIDE), 77, np.uint8)
        image[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE] = part
        name = tiles.ids[place] if known else "unlabelled"
        cells.append({"id": name, "row": row, "column": column})
    image[rows * SIDE :, :SIDE] = 55
    cells.append({"id": "another", "row": rows, "column": 0})
    Image.fromarray(image).save(folder / "sections" / "one.png")
    content = {"sections": [{"name": "one", "group": "one", "tiles": cells}]}
    (folder / "mosaic.json").write_text(json.dumps(content))
    together = "".join(f"{cell['id']},one\n" for cell in cells)
    apart = "".join(f"{tile},{tile}\n" for tile in tiles.ids[len(cells) - 2 :])
    (folder / "groups.csv").write_text(f"id,group\n{together}{apart}")
    return folder


@pytest.fixture
def mosaic(bright_salt: Path, tmp_path: Path) -> Path:
    return write_mosaic(tmp_path / "mosaic", load_tiles(bright_salt), 3, 4)


# an epoch


@given(
    tiles=st.integers(1, 100),
    count=st.integers(1, 60),
    batch=st.integers(1, 20),
    sizes=st.lists(st.sampled_from([16, 32, 48, 64]), min_size=1, max_size=4),
    epoch=st.integers(1, 9),
)
def test_an_epoch_holds_every_tile_and_window_once(
    tiles: int, count: int, batch: int, sizes: list[int], epoch: int
) -> None:
    windows = windows_of(section(), count=count, sizes=tuple(sizes))
    made = [windows.epoch_batches(tiles, batch, seed=1, epoch=epoch, processes=1) for _ in range(2)]
    assert all(np.array_equal(*pair) for pair in zip(*made, strict=True))
    assert sorted(np.concatenate(made[0])) == list(range(tiles + count))
    large = sum(size > 32 for size in sizes) / len(sizes)
    apart = [indices for indices in made[0] if (indices >= tiles).all()]
    assert sum(map(len, apart)) >= round(large * count)


def test_large_windows_are_in_batches_without_tiles() -> None:
    windows = windows_of(section(), sizes=(16, 32, 48))
    drawn = [{windows.size((1, step, 0), alone=alone) for step in range(50)} for alone in (0, 1)]
    assert drawn == [{16, 32}, {48}]
    assert windows_of(section(), sizes=(48,)).size((1, 1, 0), alone=False) == 48


def test_a_window_follows_from_seed_and_number_alone() -> None:
    windows = windows_of(section(), section(60, 60, [(0, 0)]))
    images, masks = windows.cut([4, 7, 9], 30, np.tile(EYE, (3, 1, 1)), (1, 2, 0))
    again = windows.cut([9, 4], 30, np.tile(EYE, (2, 1, 1)), (1, 2, 0))
    assert np.array_equal(again[0], images[[2, 0]])
    assert np.array_equal(again[1], masks[[2, 0]])
    other, _ = windows.cut([4, 7, 9], 30, np.tile(EYE, (3, 1, 1)), (1, 3, 0))
    assert not np.array_equal(other, images)


def test_names_tell_tiles_from_windows() -> None:
    assert names(("a", "b"), np.array([1, 2, 0])) == ["b", "window 2", "a"]


# batches


RAW = PreprocessConfig(size=32, pad="reflect", mean=(0, 0, 0), std=(1, 1, 1))


def batch_of(
    tiles: TileSet,
    windows: Windows | None,
    indices: NDArray[np.int64],
    augment: AugmentConfig,
    window: int = SIDE,
) -> tuple[torch.Tensor, torch.Tensor]:
    seed = (3, 4, 0)
    augmentation = BatchAugmentation(
        draw(augment, len(indices), seed), draw_survey(augment, len(indices), seed)
    )
    return load_mixed_batch(
        tiles,
        windows,
        indices,
        augmentation,
        RAW,
        frame=frame(window, RAW, 32, 4),
        seed=seed,
        device=torch.device("cpu"),
    )


def test_tiles_and_windows_stand_where_the_batch_has_them(bright_salt: Path) -> None:
    tiles = load_tiles(bright_salt)
    windows = windows_of(section())
    indices = np.array([len(tiles) + 3, 2, len(tiles) + 5, 0])
    images, masks = batch_of(tiles, windows, indices, AugmentConfig())
    augmentation = draw(AugmentConfig(), 4, (3, 4, 0))
    expected = augment(
        *map(torch.from_numpy, tiles.stack([2, 0])), augmentation.take(slice(2)), RAW
    )
    assert torch.allclose(images[[1, 3]], expected[0], atol=1e-5)
    assert torch.equal(masks[[1, 3]], expected[1])
    cut, labels = windows.cut([3, 5], SIDE, np.tile(EYE, (2, 1, 1)), (3, 4, 0))
    seen = (images[[0, 2], 0, 1:31, 1:31] * 255).round().byte()
    assert np.array_equal(seen.numpy(), cut)
    assert np.array_equal(masks[[0, 2], 1:31, 1:31].numpy(), labels)


def test_a_batch_of_large_windows_has_a_larger_canvas(bright_salt: Path) -> None:
    tiles = load_tiles(bright_salt)
    indices = np.array([len(tiles), len(tiles) + 1])
    images, masks = batch_of(tiles, windows_of(section()), indices, AugmentConfig(), window=50)
    assert images.shape == (2, 3, 52, 52)
    assert (masks[:, 0] == IGNORE).all()
    assert frame(0, RAW, 16, 4).size == 16
    assert frame(64, RAW, 16, 4) == frame(61, RAW, 16, 4).__class__(64, 64, 32)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_augmented_batches_keep_their_ranges(bright_salt: Path, seed: int) -> None:
    tiles = load_tiles(bright_salt)
    augment = AugmentConfig(
        flip="random", scale=0.3, rotate=8, rescale=1, gamma=0.5, phase=90, noise=0.1, mute=0.5
    )
    rng = np.random.default_rng(seed)
    indices = rng.integers(0, len(tiles) + 20, 6)
    images, masks = batch_of(tiles, windows_of(section()), indices, augment)
    assert images.shape == (6, 3, 32, 32)
    assert images.isfinite().all()
    assert images.min() >= 0
    assert images.max() <= 1
    assert set(masks.unique().tolist()) <= {0, 1, IGNORE}


# folders


def test_labels_of_a_mosaic_count_for_training_tiles_only(bright_salt: Path, mosaic: Path) -> None:
    tiles = load_tiles(bright_salt)
    train_part = tiles.select(tiles.ids[1:5])
    windows = open_windows(DataConfig(mosaic=str(mosaic)), train_part, 32)
    assert windows is not None
    (found,) = windows.sets[0][0].sections
    assert windows.sets[0][1] == round(4 * 0.4 / 0.6)
    assert windows.sizes == (SIDE,)
    assert len(found.cells) == 4
    assert (found.mask[:SIDE, :SIDE] == IGNORE).all()  # a tile that is held out
    assert (found.mask[2 * SIDE : 3 * SIDE, -SIDE:] == IGNORE).all()  # and one without labels
    assert (found.mask[3 * SIDE :, :SIDE] == IGNORE).all()
    assert (found.mask[3 * SIDE :, SIDE:] == 0).all()  # no tile: blank, and no salt
    assert np.array_equal(found.mask[:SIDE, SIDE : 2 * SIDE], tiles.mask(1))
    assert (found.mask != IGNORE).sum() == (4 + 3) * SIDE**2


def write_pseudo(mosaic: Path, labels: NDArray[np.uint8]) -> None:
    (mosaic / "sections" / "pseudo").mkdir(exist_ok=True)
    Image.fromarray(labels).save(mosaic / "sections" / "pseudo" / "one.png")


def test_pseudo_labels_of_a_mosaic_are_drawn_as_often_as_labels(
    bright_salt: Path, mosaic: Path
) -> None:
    tiles = load_tiles(bright_salt)
    labels = np.full((4 * SIDE, 4 * SIDE), IGNORE, np.uint8)
    labels[2 * SIDE : 3 * SIDE, -SIDE:] = 1  # the tile without labels
    labels[:SIDE, :SIDE] = 1  # a training tile, whose own labels count
    labels[3 * SIDE :, : SIDE // 3] = 0  # less than half of a tile
    write_pseudo(mosaic, labels)
    part = tiles.select(tiles.ids[:11])
    windows = open_windows(DataConfig(mosaic=str(mosaic)), part, 32)
    assert windows is not None
    (found,) = windows.sets[0][0].sections
    assert found.pseudo.tolist() == [[2 * SIDE, 3 * SIDE, 3 * SIDE, 4 * SIDE]]
    assert len(found.cells) == 11
    assert (found.mask[2 * SIDE : 3 * SIDE, -SIDE:] == 1).all()
    assert np.array_equal(found.mask[:SIDE, :SIDE], tiles.mask(0))
    assert (found.mask[3 * SIDE :, : SIDE // 3] == 0).all()
    assert (found.mask[3 * SIDE :, SIDE // 3 : SIDE] == IGNORE).all()
    assert "pseudo-labels of 1 tile" in windows.describe()
    rngs = [np.random.default_rng(seed) for seed in range(80)]
    images = [windows.sets[0][0].window(10, EYE, 0.25, rng)[0] for rng in rngs]
    around = sum((image == 77).sum() > 15 for image in images)
    assert 25 < around < 60  # a tile of twelve, in half of the windows


def test_pseudo_labels_that_do_not_fit_are_refused(bright_salt: Path, mosaic: Path) -> None:
    tiles = load_tiles(bright_salt)
    config = DataConfig(mosaic=str(mosaic))
    write_pseudo(mosaic, np.zeros((4 * SIDE, 3 * SIDE), np.uint8))
    with pytest.raises(DataError, match="expected: 120 × 120"):
        open_windows(config, tiles, 32)
    write_pseudo(mosaic, np.full((4 * SIDE, 4 * SIDE), 7, np.uint8))
    with pytest.raises(DataError, match="the value 7"):
        open_windows(config, tiles, 32)


def test_background_beside_salt_of_the_neighbour_is_ignored(
    bright_salt: Path, mosaic: Path
) -> None:
    tiles = load_tiles(bright_salt)
    labels = np.full((4 * SIDE, 4 * SIDE), IGNORE, np.uint8)
    labels[:SIDE, SIDE : 2 * SIDE] = 1
    labels[:SIDE, 2 * SIDE : 3 * SIDE] = 0
    write_pseudo(mosaic, labels)
    part = tiles.select(tiles.ids[3:11])  # the first three cells have pseudo-labels alone
    for width, ignored in ((0, 0), (8, 8 * SIDE), (SIDE, SIDE**2)):
        config = DataConfig(mosaic=str(mosaic), seam_ignored=width)
        windows = open_windows(config, part, 32)
        assert windows is not None
        (found,) = windows.sets[0][0].sections
        third = found.mask[:SIDE, 2 * SIDE : 3 * SIDE]
        assert (found.mask[:SIDE, SIDE : 2 * SIDE] == 1).all()
        assert (third == IGNORE).sum() >= ignored
        assert (third[:, :width] == IGNORE).all()
        assert len(found.pseudo) == (1 if width == SIDE else 2)
        assert ("contradictory" in windows.describe()) == bool(width)


def test_synthetic_sections_are_labelled_throughout(bright_salt: Path, tmp_path: Path) -> None:
    synthesise(tmp_path / "survey", tiles=8, seed=1)
    config = DataConfig(synthetic=(str(tmp_path / "survey"),), synthetic_share=0.25)
    windows = open_windows(config, load_tiles(bright_salt), 32)
    assert windows is not None
    for found in windows.sets[0][0].sections:
        assert set(np.unique(found.mask).tolist()) <= {0, 1}
    assert "survey" in windows.describe()


def test_without_sections_there_are_no_windows(bright_salt: Path, mosaic: Path) -> None:
    tiles = load_tiles(bright_salt)
    assert open_windows(DataConfig(), tiles, 32) is None
    none = DataConfig(mosaic=str(mosaic), mosaic_share=0)
    assert open_windows(none, tiles, 32) is None
    assert training_hash(tiles, None) == tiles.hash
    some = open_windows(DataConfig(mosaic=str(mosaic)), tiles, 32)
    assert training_hash(tiles, some) != tiles.hash


def test_folders_that_do_not_fit_are_refused(
    bright_salt: Path, mosaic: Path, tmp_path: Path
) -> None:
    tiles = load_tiles(bright_salt)
    with pytest.raises(DataError, match="no mosaic") as refused:
        open_windows(DataConfig(mosaic=str(tmp_path / "nothing")), tiles, 32)
    assert "data.mosaic" in str(refused.value)
    with pytest.raises(DataError, match="no section of"):
        open_windows(DataConfig(mosaic=str(mosaic)), tiles.select(tiles.ids[15:]), 32)
    with pytest.raises(DataError, match="holds no sections"):
        open_windows(DataConfig(synthetic=(str(tmp_path),)), tiles, 32)
    image = np.asarray(Image.open(mosaic / "sections" / "one.png")).copy()
    image[0, 0] ^= 255
    Image.fromarray(image).save(mosaic / "sections" / "one.png")
    with pytest.raises(DataError, match=tiles.ids[0]):
        open_windows(DataConfig(mosaic=str(mosaic)), tiles, 32)


# runs


def test_a_run_on_windows_resumes_to_the_same_bits(
    bright_salt: Path,
    mosaic: Path,
    tiny: Callable[..., RunConfig],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = tiny(
        f"data.mosaic={mosaic}",
        "data.window_sizes=[20, 30, 40]",
        "augment.flip=alternate",
        "augment.rescale=0.5",
        "augment.noise=0.1",
        "augment.mute=0.3",
        "train.epochs=2",
    )
    train(config, bright_salt, tmp_path / "whole", stream=io.StringIO())
    step, done = session.Session.step, []

    def interrupted(self: session.Session, *args: Any) -> Any:
        done.append(0)
        if len(done) == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, *args)

    monkeypatch.setattr(session.Session, "step", interrupted)
    with pytest.raises(Interrupted):
        train(config, bright_salt, tmp_path / "run", stream=io.StringIO())
    train(config, bright_salt, tmp_path / "run", stream=io.StringIO(), resume=True)
    assert "1 section of mosaic" in bundle.load(tmp_path / "run").info.training["windows"]
    states = [
        torch.load(max((tmp_path / name / "last").glob("state-*.pt")), weights_only=True)["network"]
        for name in ("whole", "run")
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])

    content = json.loads((mosaic / "mosaic.json").read_text())
    del content["sections"][0]["tiles"][2]
    (mosaic / "mosaic.json").write_text(json.dumps(content))
    with pytest.raises(RunError, match="have changed"):
        train(config, bright_salt, tmp_path / "run", stream=io.StringIO(), resume=True)
