"""Fingerprints of training tiles: small, the same in any container, and safe against damage."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from diapir import bundle as bundles
from diapir.bundle import INFO, Fingerprints, TunedOn
from diapir.bundle.fingerprints import SIZE
from diapir.errors import BundleError
from diapir.tiles import load_tiles
from tests.helpers.tile_sets import write_tiles
from tests.helpers.tiny import small_bundle

KNOWN = st.sets(st.binary(min_size=SIZE, max_size=SIZE).map(bytes.hex))


@given(KNOWN)
def test_fingerprints_are_kept(known: set[str]) -> None:
    kept = Fingerprints.of(sorted(known, reverse=True))
    assert kept.known == known
    assert len(kept) == len(known)
    assert Fingerprints.model_validate_json(kept.model_dump_json()) == kept
    assert kept == Fingerprints.of([*known, *known])  # whatever their order and number
    assert len(kept.tiles) <= 4 * (SIZE * len(known) // 3 + 1)


@given(KNOWN, KNOWN)
def test_a_union_has_those_of_all(one: set[str], other: set[str]) -> None:
    both = [Fingerprints.of(one), Fingerprints.of(other)]
    assert Fingerprints.union(both) == Fingerprints.of(one | other)
    assert Fingerprints.union([*both, None]) == Fingerprints.of(one | other, complete=False)
    some = Fingerprints.of(one, complete=False)
    assert Fingerprints.union([some, both[1]]) == Fingerprints.of(one | other, complete=False)


def test_nothing_is_known_of_models_that_record_nothing() -> None:
    assert Fingerprints.union([None, None]) is None


@pytest.mark.parametrize(
    "tiles",
    [
        "no base64!",
        base64.b64encode(bytes(SIZE + 1)).decode(),
        base64.b64encode(b"\1" * SIZE + b"\0" * SIZE).decode(),
        base64.b64encode(b"\1" * SIZE * 2).decode(),
    ],
)
def test_damaged_fingerprints_are_refused(tiles: str) -> None:
    with pytest.raises(ValidationError, match="fingerprints should be"):
        Fingerprints(tiles=tiles)


def test_a_bundle_keeps_them_under_its_hash(tmp_path: Path) -> None:
    tiles = load_tiles(write_tiles(tmp_path / "tiles", count=5))
    known = Fingerprints.of(tiles.fingerprints)
    tuned = TunedOn(data="tiles", part="val", hash=tiles.hash, kaggle_map=0.5, tiles=known)
    bundle = small_bundle(tmp_path / "bundle", training_tiles=known, tuned=(tuned,))
    assert bundles.load(bundle.path).info == bundle.info
    card = (bundle.path / "card.md").read_text(encoding="utf-8")
    assert "Fingerprints of 5 training tiles" in card
    assert "was tuned on tiles, part val, 5 tiles: Kaggle mAP 0.5000" in card
    assert known.tiles not in card + repr(bundle)
    content = json.loads((bundle.path / INFO).read_text(encoding="utf-8"))
    content["training_tiles"]["tiles"] = Fingerprints.of(tiles.fingerprints[1:]).tiles
    (bundle.path / INFO).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(BundleError, match="has changed since it was saved"):
        bundles.load(bundle.path)


def test_bundles_without_them_stay_as_they_were(tmp_path: Path) -> None:
    content = json.loads((small_bundle(tmp_path / "bundle").path / INFO).read_text())
    assert {"training_tiles", "tuned"}.isdisjoint(content)


@pytest.mark.parametrize("name", bundles.BUNDLED)
def test_the_bundled_models_know_their_training_tiles(name: str) -> None:
    info = bundles.read_info(name)
    assert info.training_tiles is not None
    assert info.training_tiles.complete
    # `general` started from `salt`, and was trained on fewer tiles
    assert len(info.training_tiles) == bundles.read_info("salt").training["tiles"]
