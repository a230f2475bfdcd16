"""What a bundle says of its training."""

import io
from collections.abc import Callable
from pathlib import Path

from diapir import bundle
from diapir.bundle import VERTICAL_SCALE, BundleInfo, Fingerprints
from diapir.config import AugmentConfig, RunConfig
from diapir.run.folder import SPLIT
from diapir.tiles import Split, load_tiles
from diapir.training import train
from diapir.training.save_bundle import _rescaling

Recipe = Callable[..., RunConfig]


def test_a_bundle_says_what_vertical_scales_it_was_trained_on() -> None:
    augment = AugmentConfig(rescale=0.3, vertical_scale=(0.5, 2.0))
    assert _rescaling(augment) == {VERTICAL_SCALE: [0.5, 2.0]}
    assert _rescaling(AugmentConfig()) == {}


def test_a_bundle_knows_its_training_tiles_and_those_of_its_start(
    bright_salt: Path, tmp_path: Path, tiny: Recipe
) -> None:
    def trained(name: str, *settings: str) -> BundleInfo:
        train(tiny("train.epochs=1", *settings), bright_salt, tmp_path / name, stream=io.StringIO())
        return bundle.read_info(tmp_path / name)

    tiles = load_tiles(bright_salt)
    first = trained("first").training_tiles
    part = Split.load(tmp_path / "first" / SPLIT).part("train")
    known = Fingerprints.of(tiles.select(part).fingerprints)
    assert first == known
    start = f"train.start={tmp_path / 'first'}"
    second = trained("second", start, "data.split_seed=1").training_tiles
    assert second is not None
    other = Split.load(tmp_path / "second" / SPLIT).part("train")
    assert part != other
    assert second.known == known.known | set(tiles.select(other).fingerprints)
    assert second.complete
    bundle.annotate(bundle.load(tmp_path / "first"), training_tiles=None)
    third = trained("third", start).training_tiles
    assert third == known.model_copy(update={"complete": False})
