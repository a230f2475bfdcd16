from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from diapir.tiles.files.loading import load_tiles
from diapir.tiles.mosaic import edges as mosaic_edges
from diapir.tiles.mosaic.assemble import DOUBTFUL, Mosaic, find_mosaic
from diapir.tiles.mosaic.edges import REACH, Edges, best_matches, inner_edges, outer_edges
from diapir.tiles.mosaic.neighbours import find_line_neighbours, find_overlaps
from diapir.tiles.mosaic.reliability import figure_lines, mosaic_figures
from tests.tiles.mosaic.sections import SIDE, Place, cut, make_section


def misplaced(mosaic: Mosaic, places: list[Place]) -> int:
    """Sections that are not one true section, moved as a whole."""
    wrong = 0
    for section in mosaic.sections:
        shifts = {
            (places[tile][0], places[tile][1] - row, places[tile][2] - column)
            for (row, column), tile in section.items()
        }
        wrong += len(shifts) > 1
    return wrong


def test_whole_sections_come_back_from_shuffled_tiles_of_any_contrast() -> None:
    tiles, places = cut([make_section(1, 4, 5), make_section(2, 3, 6)])
    mosaic = find_mosaic(tiles)
    assert [len(section) for section in mosaic.sections] == [20, 18]
    assert misplaced(mosaic, places) == 0
    for section in mosaic.sections:
        assert min(section) == (0, 0)  # rows and columns from 0
        assert all(places[tile][1:] == cell for cell, tile in section.items())
    # every seam of two grids of 4 × 5 and 3 × 6 tiles
    assert Counter(seam.side for seam in mosaic.seams) == {"right": 31, "below": 27}
    assert all(seam.score > 0.8 for seam in mosaic.seams)


@given(st.integers(0, 10_000), st.floats(0, 0.5))
@settings(max_examples=25, deadline=None)
def test_no_tile_is_misplaced_whatever_is_missing(seed: int, missing: float) -> None:
    sections = [make_section(seed, 3, 4), make_section(seed + 1, 4, 3)]
    tiles, places = cut(sections, seed=seed, missing=missing)
    mosaic = find_mosaic(tiles)
    assert misplaced(mosaic, places) == 0
    placed = [tile for section in mosaic.sections for tile in section.values()]
    assert len(placed) == len(set(placed))
    groups = mosaic.groups([f"{index:04d}" for index in range(len(tiles))])
    for section in mosaic.sections:
        assert len({groups[tile] for tile in section.values()}) == 1


@given(st.permutations(range(24)))
@settings(max_examples=10, deadline=None)
def test_the_order_of_the_tiles_does_not_matter(order: list[int]) -> None:
    tiles, _ = cut([make_section(5, 4, 6)], missing=0.0)
    cells = {
        tile: cell for section in find_mosaic(tiles).sections for cell, tile in section.items()
    }
    again = find_mosaic(tiles[order])
    assert {
        order[tile]: cell for section in again.sections for cell, tile in section.items()
    } == cells


def test_unrelated_tiles_make_no_section() -> None:
    tiles = np.stack([make_section(seed, 1, 1) for seed in range(60)])
    mosaic = find_mosaic(tiles)
    assert len(mosaic.sections) <= 1  # of 60 tiles a pair may fit by chance
    assert sum(tally.clear for tally in mosaic.tallies.values()) <= 2
    figures = mosaic_figures(
        mosaic, mosaic.groups([str(index) for index in range(60)]), tiles * 0, np.ones(60, bool)
    )
    assert figures["wrong"]["about"] <= 3


def test_flat_edges_say_nothing() -> None:
    tiles = np.full((6, SIDE, SIDE), 128, np.uint8)
    tiles[:3] = make_section(4, 1, 3).reshape(SIDE, 3, SIDE).transpose(1, 0, 2)
    mosaic = find_mosaic(tiles)
    assert mosaic.sections == ({(0, 0): 0, (0, 1): 1, (0, 2): 2},)
    assert mosaic.tallies["right"].flat == mosaic.tallies["below"].flat == 6
    assert mosaic.groups(list("abcdef")) == ["a", "a", "a", "d", "e", "f"]


def among_others(*tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """These tiles first, then those of another section, as matching needs many seams."""
    return np.concatenate([np.stack(tiles), cut([make_section(20, 4, 4)])[0]])


def sections_of(mosaic: Mosaic, tiles: int) -> list[dict[tuple[int, int], int]]:
    """The sections of the first so many tiles."""
    return [section for section in mosaic.sections if min(section.values()) < tiles]


def test_a_tile_that_two_others_fit_equally_is_left_alone() -> None:
    left, right = make_section(6, 1, 2).reshape(SIDE, 2, SIDE).transpose(1, 0, 2)
    once = find_mosaic(among_others(left, right))
    assert sections_of(once, 2) == [{(0, 0): 0, (0, 1): 1}]
    twice = find_mosaic(among_others(left, right, right))
    assert sections_of(twice, 3) == []
    assert twice.groups([f"{index:02d}" for index in range(19)])[:3] == ["00", "01", "02"]


def test_a_pair_that_would_lay_a_tile_at_two_places_is_refused() -> None:
    first, second, third = make_section(8, 1, 3).reshape(SIDE, 3, SIDE).transpose(1, 0, 2).copy()
    upper, lower = make_section(9, 2, 1).reshape(2, SIDE, SIDE).copy()
    # a ring: the upper tile is made to follow the third, the lower one the upper, the first the
    # lower
    for tile, before in ((upper, third), (lower.T, upper.T), (first, lower)):
        edge, inner = before[:, -1:].astype(float), before[:, -2:-1]
        tile[:, :2] = np.clip(edge + REACH * (edge - inner), 0, 255)
    mosaic = find_mosaic(among_others(first, second, third, upper, lower))
    # what was made to fit fits best; the third, though it follows the second, is elsewhere then
    assert sections_of(mosaic, 5) == [{(0, 0): 2, (0, 1): 3, (1, 1): 4, (1, 2): 0, (1, 3): 1}]
    assert [tally.refused for tally in mosaic.tallies.values()] == [1, 0]
    assert (1, 2) not in {(link.first, link.second) for link in mosaic.links}


def brute_matches(right: Edges, left: Edges) -> set[tuple[int, int]]:
    """Each other's best, looked for one by one."""
    scores = right.profiles @ left.profiles.T
    scores[~right.usable] = scores[:, ~left.usable] = -1
    np.fill_diagonal(scores, -1)
    return {
        (row, int(scores[row].argmax()))
        for row in range(len(scores))
        if scores[row].max() >= 0.5 and scores[:, scores[row].argmax()].argmax() == row
    }


@pytest.mark.parametrize("block", [1, 7, 512])
def test_matches_do_not_depend_on_the_blocks(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tiles, _ = cut([make_section(1, 4, 5), make_section(2, 3, 6)], missing=0.3)
    tiles[3] = 90
    right, left = outer_edges(tiles)
    whole = best_matches(right, left, least=0.5)
    monkeypatch.setattr(mosaic_edges, "_BLOCK", block)
    found = best_matches(right, left, least=0.5)
    assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) == brute_matches(
        right, left
    )
    np.testing.assert_allclose(found.score, whole.score, atol=1e-6)
    np.testing.assert_allclose(found.ambiguity, whole.ambiguity, atol=1e-4)


def test_ambiguity_compares_with_the_best_other_pair() -> None:
    profiles = np.eye(3, 4, dtype=np.float32)
    left = np.zeros((3, 4), np.float32)
    left[1] = (0.9, 0, 0, np.sqrt(1 - 0.81))
    left[2] = (0.6, 0, 0, 0.8)
    usable = np.ones(3, bool)
    found = best_matches(Edges(profiles, usable), Edges(left, usable), least=0.1)
    assert (found.first.tolist(), found.second.tolist()) == ([0], [1])
    assert found.ambiguity[0] == pytest.approx((1 - 0.9) / (1 - 0.6), rel=1e-5)


def test_an_inner_edge_is_what_cutting_there_would_leave() -> None:
    tiles = make_section(3, 1, 1)[None]
    inner = inner_edges(tiles, 10)
    _, left = outer_edges(tiles[:, :, 10:])
    np.testing.assert_array_equal(inner.profiles, left.profiles)


@pytest.mark.parametrize("turned", [False, True])
def test_tiles_cut_again_at_half_their_size_share_a_group(turned: bool) -> None:
    section = make_section(11, 1, 4)
    half = SIDE // 2
    starts = [0, half, 2 * SIDE]
    tiles = np.stack([section[:, start : start + SIDE] for start in starts])
    tiles[1] = (tiles[1] * 0.7 + 20).astype(np.uint8)
    if turned:
        tiles = tiles.transpose(0, 2, 1)
    assert find_overlaps(tiles) == [(0, 1)]
    mosaic = find_mosaic(tiles)
    assert mosaic.overlaps == ((0, 1),)
    assert mosaic.groups(["c", "b", "a"]) == ["b", "b", "a"]


def test_sections_of_neighbouring_lines_share_a_group() -> None:
    rng = np.random.default_rng(0)
    tiles = np.stack([make_section(seed, 1, 1) for seed in range(4)])
    noisy = np.clip(tiles[:3] + rng.normal(0, 10, (3, SIDE, SIDE)), 0, 255).astype(np.uint8)
    images = np.concatenate([tiles, noisy])
    one = {(0, 0): 0, (0, 1): 1, (1, 0): 2, (1, 1): 3}
    moved = {(2, 3): 4, (2, 4): 5}
    assert find_line_neighbours(images, [one, moved]) == [(0, 4), (1, 5)]
    # a single like tile may be chance, and so may like tiles at different shifts
    assert find_line_neighbours(images, [one, {(2, 3): 4}]) == []
    assert find_line_neighbours(images, [one, {(2, 3): 4, (0, 0): 5}]) == []
    assert find_line_neighbours(images, []) == []


def test_doubtful_pairs_share_a_group_without_a_place() -> None:
    mosaic = Mosaic((), (), (), (), (), (), {})
    assert mosaic.groups(["b", "a"]) == ["b", "a"]
    tiles, _ = cut([make_section(1, 4, 5)], missing=0.2)
    assert all(link.ambiguity <= DOUBTFUL for link in find_mosaic(tiles).doubtful)


def labels(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return (tiles > 150).astype(np.uint8)


def test_figures_say_how_far_to_trust_a_mosaic() -> None:
    section = make_section(1, 4, 5)
    salt = labels(section)
    tiles, places = cut([section])
    masks = np.stack(
        [salt[r * SIDE : (r + 1) * SIDE, c * SIDE : (c + 1) * SIDE] for _, r, c in places]
    )
    labelled = np.ones(20, bool)
    labelled[[places.index((0, 0, 0)), places.index((0, 3, 4))]] = False
    mosaic = find_mosaic(tiles)
    names = [f"{index:02d}" for index in range(20)]
    figures = mosaic_figures(mosaic, mosaic.groups(names), masks, labelled)
    assert figures["tiles"] == {"all": 20, "labelled": 18, "placed": 20, "labelled_placed": 18}
    assert figures["groups"] == {
        "of_labelled_tiles": 1,
        "largest": 18,
        "labelled_tiles_not_alone": 18,
    }
    assert figures["wrong"]["links"] == figures["wrong"]["links_in_squares"] >= 29
    # all of 4 × 4 + 3 × 5 seams but the two of each unlabelled corner
    assert [label["seams"] for label in figures["labels"].values()] == [14, 13]
    for label in figures["labels"].values():
        assert label["dice"] > 0.8 > label["dice_by_chance"]
    beside, grouped = (
        figures["random_split"][key] for key in ("beside_training_tile", "group_with_training_tile")
    )
    assert 0.9 < beside < grouped == pytest.approx(1 - 0.15**17)
    text = "\n".join(figure_lines(figures))
    assert "1 of up to 20 tiles; 20 tiles placed, 18 of them labelled" in text
    assert "85%/15%" in text


@pytest.mark.real
def test_real_tiles_come_back_where_the_winners_of_the_challenge_placed_them(
    real_tgs_zip: Path,
) -> None:
    train = load_tiles(real_tgs_zip)
    test = load_tiles(real_tgs_zip, labelled=False, part="test")
    ids = [*train.ids, *test.ids]
    images = np.stack([tiles.image(i) for tiles in (train, test) for i in range(len(tiles))])
    mosaic = find_mosaic(images)
    # a corner of a section as the first place published it, and as it was found by eye
    known = (
        "1548834d01 04495e40e6 0432c28b41",
        "d7cc4296b2 894420be25 1ce1580804",
        "6de3a6d961 dfced982a4 34a3c779b2",
        "a0b4f9b664 7b91d38f81 a984e630ab",
    )
    wanted = [[ids.index(tile) for tile in row.split() if tile in ids] for row in known]
    (home,) = (section for section in mosaic.sections if wanted[1][0] in section.values())
    place = {tile: cell for cell, tile in home.items()}
    top, left = place[wanted[1][0]]
    assert [[place[tile] for tile in row] for row in wanted[1:]] == [
        [(top + row, left + column) for column in range(3)] for row in range(3)
    ]
    figures = mosaic_figures(
        mosaic,
        mosaic.groups(ids),
        np.concatenate([train.stack(range(len(train)))[1], np.full_like(images[: len(test)], 255)]),
        np.arange(len(ids)) < len(train),
    )
    assert figures["tiles"]["placed"] > 2400
    assert figures["wrong"]["share"] < 0.015
    assert figures["labels"]["right"]["dice"] > 1.5 * figures["labels"]["right"]["dice_by_chance"]
    assert figures["groups"]["largest"] < 50
