import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from diapir.errors import SplitError
from diapir.tiles.files.loading import load_tiles
from diapir.tiles.pixels import Pixels
from diapir.tiles.split import Split, fold_split, make_folds, make_split
from diapir.tiles.tileset import TileSet

SIDE = 10
EMPTY, THIN, HALF, MOST = 0, 5, 50, 95
"""Salt pixels of a tile of 100."""


def make_tiles(
    salt: Sequence[int],
    *,
    groups: Sequence[int] | None = None,
    images: Sequence[int] | None = None,
    order: Sequence[int] | None = None,
    plain: Sequence[int] = (),
) -> TileSet:
    """Tiles with so many salt pixels; equal numbers in `images` are equal images.

    Those in `plain` have one grey level.
    """
    count = len(salt)
    ids = [f"tile{index:04d}" for index in range(count)]
    names = [f"section {group}" for group in groups] if groups is not None else ids
    pictures = np.zeros((count, SIDE, SIDE), np.uint8)
    masks = np.zeros((count, SIDE, SIDE), np.uint8)
    for index in range(count):
        number = index if images is None else images[index]
        pictures[index].flat[:3] = *divmod(number, 256), 255
        masks[index].flat[: salt[index]] = 1
    pictures[list(plain)] = 90
    tiles = TileSet(
        name="made",
        path=Path("made"),
        layout="pairs",
        encoding="index",
        ids=tuple(ids),
        groups=tuple(names),
        depths=np.full(count, np.nan, np.float32),
        content=tuple(
            hashlib.sha256(picture.tobytes() + mask.tobytes()).hexdigest()
            for picture, mask in zip(pictures, masks, strict=True)
        ),
        skipped=(),
        pixels=Pixels.of(pictures.ravel(), masks.ravel(), np.full((count, 2), SIDE, np.int32)),
    )
    return tiles if order is None else tiles.select([ids[index] for index in order])


def like_tgs(count: int = 400, constant: int = 60, seed: int = 0) -> TileSet:
    """Two fifths of the masks are empty, and many empty tiles show the same image."""
    rng = np.random.default_rng(seed)
    salt = np.where(rng.random(count) < 0.4, EMPTY, rng.integers(1, 100, count))
    salt[:constant] = EMPTY
    images = np.maximum(np.arange(count), constant)
    return make_tiles(salt.tolist(), images=images.tolist())


def classes(tiles: TileSet, ids: Sequence[str]) -> Counter[int]:
    coverage = dict(zip(tiles.ids, tiles.coverage.tolist(), strict=True))
    return Counter(int(np.ceil(round(coverage[tile] * 10, 3))) for tile in ids)


def test_parts_match_their_share_in_size_and_coverage_despite_a_large_group() -> None:
    tiles = like_tgs()
    split = make_split(tiles)
    assert set(split.parts) == {"train", "val"}
    assert len(split.part("val")) == 60
    whole = classes(tiles, tiles.ids)
    for name, share in {"train": 0.85, "val": 0.15}.items():
        found = classes(tiles, split.part(name))
        for coverage_class, count in whole.items():
            assert abs(found[coverage_class] - share * count) <= 1


def test_folds_are_even_in_size_and_coverage() -> None:
    tiles = like_tgs(constant=30)
    folds = make_folds(tiles, folds=5)
    whole = classes(tiles, tiles.ids)
    for fold in range(5):
        ids = folds.part(f"fold{fold}")
        assert len(ids) == 80
        found = classes(tiles, ids)
        for coverage_class, count in whole.items():
            assert abs(found[coverage_class] - count / 5) <= 1.5


def test_same_images_stay_together_even_across_groups() -> None:
    # tiles 0 and 1 share a section, 1 and 2 an image, 2 and 3 a section
    tiles = make_tiles(
        [THIN] * 12, groups=[0, 0, 1, 1, *range(2, 10)], images=[0, 1, 1, *range(3, 12)]
    )
    for seed in range(20):
        split = make_split(tiles, val_fraction=0.4, seed=seed)
        chain = {f"tile{index:04d}" for index in range(4)}
        assert any(chain <= set(part) for part in split.parts.values())


def test_a_seed_draws_its_own_split() -> None:
    tiles = like_tgs()
    drawn = {make_split(tiles, seed=seed).hash for seed in range(5)}
    assert len(drawn) == 5
    # the split of a seed must never change: runs and published figures stand on it
    assert make_split(make_tiles([EMPTY, THIN, HALF, MOST] * 5), seed=7).part("val") == (
        "tile0006",
        "tile0015",
        "tile0017",
    )


def test_seeds_differ_also_among_groups_of_unlike_size() -> None:
    sizes = [40, 44, 48, 52, 56, 60]
    groups = [group for group, size in enumerate(sizes) for _ in range(size)]
    tiles = make_tiles([index % 90 for index in range(len(groups))], groups=groups)
    assert len({make_split(tiles, seed=seed).hash for seed in range(10)}) > 2


@st.composite
def tile_descriptions(draw: st.DrawFn) -> dict[str, list[int]]:
    count = draw(st.integers(2, 60))
    few = draw(st.integers(1, count))

    def numbers(low: int, high: int) -> list[int]:
        return draw(st.lists(st.integers(low, high), min_size=count, max_size=count))

    return {
        "salt": [min(100, max(0, value)) for value in numbers(-60, 130)],
        "groups": numbers(0, few),
        "images": numbers(0, count * 2),
        "order": draw(st.permutations(range(count))),
    }


def clusters(tiles: TileSet) -> list[set[str]]:
    """Tiles that belong together, by plain repeated merging."""
    found = [
        {tile} | {other for other in tiles.ids if together(tiles, tile, other)}
        for tile in tiles.ids
    ]
    merged: list[set[str]] = []
    for cluster in found:
        touching = [other for other in merged if other & cluster]
        merged = [other for other in merged if not other & cluster]
        merged.append(cluster.union(*touching))
    return merged


def together(tiles: TileSet, tile: str, other: str) -> bool:
    first, second = tiles.ids.index(tile), tiles.ids.index(other)
    return tiles.groups[first] == tiles.groups[second] or np.array_equal(
        tiles.image(first), tiles.image(second)
    )


@settings(max_examples=80, deadline=None)
@given(tile_descriptions(), st.sampled_from([0.1, 0.15, 0.3, 0.5]), st.integers(0, 5))
def test_splits_hold_their_promises(
    description: dict[str, list[int]], val_fraction: float, seed: int
) -> None:
    tiles = make_tiles(**{**description, "order": None})
    grouped = clusters(tiles)
    salty = [group for group in grouped if tiles.select(sorted(group)).coverage.any()]
    if len(salty) < 2:
        with pytest.raises(SplitError):
            make_split(tiles, val_fraction=val_fraction, seed=seed)
        return
    split = make_split(tiles, val_fraction=val_fraction, seed=seed)
    train, val = set(split.part("train")), set(split.part("val"))
    assert not train & val
    assert train | val == set(tiles.ids)
    assert all(group <= train or group <= val for group in grouped)
    assert all(tiles.select(part).coverage.any() for part in split.parts.values())
    largest = max(len(group) for group in grouped)
    assert abs(len(val) - val_fraction * len(tiles)) <= largest
    split.verify(tiles)
    assert make_split(make_tiles(**description), val_fraction=val_fraction, seed=seed) == split


@settings(max_examples=60, deadline=None)
@given(tile_descriptions(), st.integers(2, 6), st.integers(0, 5))
def test_folds_hold_their_promises(
    description: dict[str, list[int]], count: int, seed: int
) -> None:
    tiles = make_tiles(**{**description, "order": None})
    grouped = clusters(tiles)
    assume(sum(tiles.select(sorted(group)).coverage.any() for group in grouped) >= count)
    folds = make_folds(tiles, folds=count, seed=seed)
    assert sorted(tile for part in folds.parts.values() for tile in part) == sorted(tiles.ids)
    for group in grouped:
        assert sum(bool(group & set(part)) for part in folds.parts.values()) == 1
    assert all(tiles.select(part).coverage.any() for part in folds.parts.values())
    folds.verify(tiles)
    assert make_folds(make_tiles(**description), folds=count, seed=seed) == folds
    for fold in range(count):
        split = fold_split(folds, fold)
        assert split.part("val") == folds.part(f"fold{fold}")
        split.verify(tiles)


def test_saved_splits_come_back_and_name_their_data(tmp_path: Path) -> None:
    tiles = like_tgs()
    split = make_folds(tiles, folds=3, seed=-9)
    split.save(tmp_path / "split.json")
    assert Split.load(tmp_path / "split.json") == split
    written = json.loads((tmp_path / "split.json").read_text())
    assert list(written) == ["format", "kind", "seed", "data_hash", "parts", "tiles"]
    assert written["data_hash"] == tiles.hash
    assert [path.name for path in tmp_path.iterdir()] == ["split.json"]


def test_a_split_that_cannot_be_saved_says_so(tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="could not be saved"):
        make_split(like_tgs()).save(tmp_path / "absent" / "split.json")


def written(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "split.json"
    make_split(make_tiles([EMPTY, HALF] * 5)).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


DIGEST = "0" * 64


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": 2}, "format"),
        ({"kind": "leave-one-out"}, "kind"),
        ({"seed": "42"}, "seed"),
        ({"extra": 1}, "extra"),
        ({"tiles": {"tile0000": "abc"}}, "tiles.tile0000"),
        ({"parts": {"train": ["tile0000"]}}, "a holdout split with the parts train"),
        ({"kind": "kfold"}, "a kfold split with the parts train, val"),
        ({"parts": {"train": ["tile0000"], "val": []}}, "the part val is empty"),
        ({"parts": {"train": ["a", "b"], "val": ["b"]}}, "the tile b is in train and in val"),
        ({"parts": {"train": ["a", "a"], "val": ["b"]}}, "the tile a is in train and in train"),
        ({"parts": {"train": ["a"], "val": ["tile0001"]}}, "name different tiles: a, tile0000"),
        ({"data_hash": DIGEST}, "data_hash does not fit"),
    ],
)
def test_files_that_are_no_split_are_refused(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    path = written(tmp_path, **changes)
    with pytest.raises(SplitError, match=reason) as error:
        Split.load(path)
    assert str(path) in error.value.found


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"format": 1'])
def test_bad_json_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "split.json").write_text(content)
    with pytest.raises(SplitError, match=r"split\.json cannot be used"):
        Split.load(tmp_path / "split.json")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="No such file"):
        Split.load(tmp_path / "split.json")


def test_changed_tiles_are_named() -> None:
    tiles = make_tiles([EMPTY, HALF] * 10)
    split = make_split(tiles)
    with pytest.raises(SplitError, match=r"1 of the split's 20 tiles .* tile0003"):
        split.verify(make_tiles([EMPTY, HALF, EMPTY, HALF + 1, *[EMPTY, HALF] * 8]))
    with pytest.raises(SplitError, match=r"20 of the split's 20 .* tile0004 and 15 more"):
        split.verify(make_tiles([EMPTY, HALF] * 10, images=range(100, 120)))


def test_missing_tiles_are_named_and_further_ones_allowed() -> None:
    tiles = make_tiles([EMPTY, HALF] * 10)
    split = make_split(tiles.select(tiles.ids[:-2]))
    split.verify(tiles)
    with pytest.raises(SplitError, match="lacks 1 of the split's 18 tiles: tile0000"):
        split.verify(tiles.select(tiles.ids[1:]))


def apart(tiles: TileSet, val: Sequence[int]) -> Split:
    """A split that nobody stratified."""
    chosen = tuple(tiles.ids[index] for index in val)
    rest = tuple(tile for tile in tiles.ids if tile not in chosen)
    contents = dict(zip(tiles.ids, tiles.content, strict=True))
    return Split({"train": rest, "val": chosen}, contents, 0, "holdout")


def test_parts_that_share_an_image_are_refused_whatever_its_mask() -> None:
    tiles = make_tiles([THIN, HALF, MOST], images=[1, 1, 2])
    apart(tiles, [2]).verify(tiles)
    with pytest.raises(SplitError, match="the same image: tile0000 in train, tile0001 in val"):
        apart(tiles, [1]).verify(tiles)


def test_parts_that_share_a_group_are_refused() -> None:
    tiles = make_tiles([THIN, HALF, MOST], groups=[0, 1, 1])
    apart(tiles, [1, 2]).verify(tiles)
    with pytest.raises(SplitError, match="section group 'section 1': tile0002 in train, tile0001"):
        apart(tiles, [1]).verify(tiles)


def test_a_split_that_names_a_tile_twice_is_refused() -> None:
    tiles = make_tiles([THIN, HALF, MOST])
    split = apart(tiles, [2])
    twice = replace(split, parts={**split.parts, "val": ("tile0001", "tile0002")})
    with pytest.raises(SplitError, match="tile0001 is in train and in val"):
        twice.verify(tiles)


@pytest.mark.parametrize(
    ("tiles", "reason"),
    [
        (make_tiles([HALF]), r"has 1 tile\(s\): too few for train and val"),
        (make_tiles([HALF] * 9, groups=[4] * 9), r"9 tile\(s\) in 1 group\(s\): too few"),
        (make_tiles([HALF] * 9, images=[4] * 9), r"9 tile\(s\) in 1 group\(s\): too few"),
        (make_tiles([EMPTY] * 9), "all masks of made are empty"),
        (make_tiles([EMPTY] * 8 + [HALF]), r"only 1 group\(s\) of made hold salt"),
        (replace(make_tiles([HALF] * 9), encoding=None), "has no masks"),
    ],
)
def test_sets_that_cannot_be_split_say_what_to_do(tiles: TileSet, reason: str) -> None:
    with pytest.raises(SplitError, match=reason) as error:
        make_split(tiles)
    assert error.value.fix


def test_more_folds_than_groups_are_refused() -> None:
    tiles = make_tiles([HALF] * 12, groups=[index // 4 for index in range(12)])
    assert len(make_folds(tiles, folds=3).parts) == 3
    with pytest.raises(SplitError, match=r"in 3 group\(s\)") as error:
        make_folds(tiles, folds=4)
    assert "fewer folds" in error.value.fix


@pytest.mark.parametrize("val_fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_shares_outside_their_range_are_refused(val_fraction: float) -> None:
    with pytest.raises(SplitError, match="val_fraction"):
        make_split(like_tgs(), val_fraction=val_fraction)


def test_one_fold_is_refused() -> None:
    with pytest.raises(SplitError, match="folds = 1"):
        make_folds(like_tgs(), folds=1)


def test_parts_and_folds_that_are_not_there_are_refused() -> None:
    split = make_split(like_tgs())
    with pytest.raises(SplitError, match="no part 'test'"):
        split.part("test")
    with pytest.raises(SplitError, match="not folds"):
        fold_split(split, 0)
    with pytest.raises(SplitError, match="no part 'fold3'"):
        fold_split(make_folds(like_tgs(), folds=3), 3)


def test_images_of_one_grey_level_are_in_no_part() -> None:
    tiles = make_tiles([EMPTY, THIN] * 40, plain=range(0, 80, 7))
    plain = set(tiles.ids[::7])
    for split in (make_split(tiles), make_folds(tiles, folds=3)):
        parts = [set(part) for part in split.parts.values()]
        assert set.union(*parts) == set(tiles.ids) - plain == set(split.tiles)
        split.verify(tiles)


@pytest.mark.real
def test_real_tiles_split_as_promised(real_tgs_zip: Path) -> None:
    tiles = load_tiles(real_tgs_zip)
    split = make_split(tiles)
    # 80 of the 3,200 have one grey level
    assert {name: len(part) for name, part in split.parts.items()} == {"train": 2652, "val": 468}
    split.verify(tiles)
    whole = tiles.select(split.tiles).coverage
    for part in split.parts.values():
        coverage = tiles.select(part).coverage
        assert np.mean(coverage == 0) == pytest.approx(np.mean(whole == 0), abs=0.002)
        assert coverage.mean() == pytest.approx(whole.mean(), abs=0.005)
